//! The command's own log: text on a terminal, JSON otherwise, always on stderr.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

/// Starts the log; its level comes from `FORESHOCK_LOG`, `usual` without it.
pub(crate) fn start(format: LogFormat, usual: &str) {
    let filter = EnvFilter::try_from_env("FORESHOCK_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let json = match format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    if json {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    } else {
        log.with_ansi(stderr().is_terminal()).with_target(false).init();
    }
}
