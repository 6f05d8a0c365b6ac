//! How far a scan has come, on a terminal.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use foreshock_scan::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where the size is known, and where it is not: of a pipe.
const SIZED: &str = "{bar:30} {binary_bytes} of {binary_total_bytes}, {msg}, {eta} left";
const UNSIZED: &str = "{spinner} {binary_bytes}, {msg}";
/// It is drawn anew no more often than this.
const EVERY: Duration = Duration::from_millis(100);

/// A progress bar on standard error; nothing where that is no terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    began: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let is_seen = stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bar: ProgressBar::with_draw_target(None, target), began: Instant::now(), drawn: None }
    }

    pub(super) fn draw(&mut self, progress: Progress) {
        if self.bar.is_hidden() || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        if self.drawn.is_none() {
            let style = if progress.total_bytes > 0 { SIZED } else { UNSIZED };
            let style = ProgressStyle::with_template(style);
            self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.drawn = Some(Instant::now());
        if progress.total_bytes > 0 {
            // A file may grow while it is read.
            self.bar.set_length(progress.total_bytes.max(progress.read_bytes));
        }
        let seconds = self.began.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(rate(progress.records, seconds));
        self.bar.set_position(progress.read_bytes);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Records so far, and how many a second.
fn rate(records: u64, seconds: f64) -> String {
    format!("{} records, {} a second", short(records as f64), short(records as f64 / seconds))
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        assert_eq!(rate(1_234, 2.0), "1234 records, 617 a second");
        assert_eq!(rate(12_000_000, 10.0), "12.00 M records, 1.20 M a second");
    }

    #[test]
    fn the_templates_of_the_bar_can_be_read() {
        assert!(ProgressStyle::with_template(SIZED).is_ok() && ProgressStyle::with_template(UNSIZED).is_ok());
    }
}
