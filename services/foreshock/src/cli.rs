//! Commands and their arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::logging::LogFormat;

/// Receives logs and metrics, and says what is about to fail.
#[derive(Debug, Parser)]
#[command(name = "foreshock", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How the log on stderr looks: text, json, or auto: text on a terminal, JSON otherwise. FORESHOCK_LOG sets its level.
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    #[arg(display_order = 900)]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all services in one process on the embedded journal.
    ///
    /// SIGTERM and Ctrl-C stop it in order. SIGHUP makes it read its configuration again: tenants and their tokens, limits of
    /// requests, and routes change at once, what can't is named in the log, and nothing changes where anything is wrong.
    Run(Place),
    /// Take telemetry over OTLP, alone: the journal is Kafka's.
    Ingest(Alone),
    /// Run the stages over a share of the partitions, alone: the journal is Kafka's.
    Worker(Alone),
    /// Tell people of incidents, alone: the journal is Kafka's.
    Notify(Alone),
    /// Show incidents in the browser, alone: the journal is Kafka's.
    Console(Alone),
    /// What the topics on Kafka lack, and making it so.
    #[command(subcommand)]
    Topics(Topics),
    /// Send files or standard input as OTLP/gRPC; goes on where it stopped.
    Ship(Ship),
    /// A simulated shop with a failure coming: the whole way, from telemetry to the incident at a receiver.
    Demo(Demo),
    /// Look at files offline, without a server: incidents with their evidence, patterns, series.
    Scan(Scan),
    /// Run the stages again over what lies in the journal, and print the findings; also beside a running Foreshock.
    Replay(Replay),
    /// Make findings again from the journal and show every number behind them; also beside a running Foreshock.
    Explain(Explain),
    /// Look into the journal; also beside a running Foreshock.
    #[command(subcommand)]
    Journal(Journal),
    /// Check a configuration file, or print the default one.
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script for a shell.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// Print the version.
    Version,
}

/// Where Foreshock lies.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Configuration file; every key has a default.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of the journal.
    #[arg(long, value_name = "DIR", default_value = "foreshock-data")]
    pub(crate) data_dir: PathBuf,
}

/// One service by itself.
#[derive(Clone, Debug, Args)]
pub(crate) struct Alone {
    /// Configuration file with journal.kind = "kafka".
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Topics {
    /// Show what would be made or changed; exit code 1 where something can't be as it is configured.
    Plan(Alone),
    /// Make and change topics until they are as configured. Takes nothing away; done twice it does nothing.
    Apply(Alone),
}

#[derive(Debug, Args)]
pub(crate) struct Ship {
    /// The receiver, for example http://127.0.0.1:4317.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317")]
    pub(crate) to: String,
    /// Go on at the end of the files, through rotation.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Name of the service that wrote the files; by default each file's name up to its first dot.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Where it is kept how far each file was sent; by default in the user's state directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Files to send; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Print JSON lines instead of the summary for people: the final findings.
    #[arg(long)]
    pub(crate) json: bool,
    /// With --json: print the incidents, each as it stood last.
    #[arg(long, requires = "json")]
    pub(crate) incidents: bool,
    /// Write the summary as a page to this file as well: it stands alone, needs no network, and shows no recognised secrets.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the template of every line to this CSV file, as it stands at the end: line_no,template_id,template.
    ///
    /// Lines count from 1, over all files in the order they are named (of OTLP JSON: its log records). Variable parts are
    /// `<*>`. The lines of a stack trace have the template of the event they belong to; what went over the limit of patterns
    /// has id 0.
    #[arg(long, value_name = "FILE")]
    pub(crate) templates: Option<PathBuf>,
    /// Write every forecast of what runs out to this CSV file: series,ts,t_pred,low,high.
    ///
    /// Times are seconds since the epoch, low and high the ends of the interval that holds 80 %. A row when a forecast is
    /// made, when it changes, and every hour that it stands. Metrics that can run out tell so by name and unit: a
    /// utilization of 1, a percentage used of 100.
    #[arg(long, value_name = "FILE")]
    pub(crate) forecasts: Option<PathBuf>,
    /// Write every final finding to this CSV file, with when it could first be said and whether its incident would page:
    /// service,series,ts,page.
    #[arg(long, value_name = "FILE")]
    pub(crate) alarms: Option<PathBuf>,
    /// Of metrics: write how odd each value is to this CSV file, from 0 to 1: timestamp,value,score.
    ///
    /// A row for each row of the input, in its order; with several series, series,timestamp,value,score. A score depends on
    /// the values up to its own only. Every file has to hold metrics: CSV, or OTLP JSON lines.
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: Option<PathBuf>,
    /// Name of the service that wrote the files; by default each file's name up to its first dot.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// The zone of times that lines tell without one: an offset (+02:00) or a name (Europe/Berlin).
    #[arg(long, value_name = "ZONE", default_value = "UTC", allow_hyphen_values = true)]
    pub(crate) zone: String,
    /// What names the session of a line: an attribute, or a regular expression with one group. By default identifiers
    /// that come again from line to line are found.
    #[arg(long, value_name = "KEY")]
    pub(crate) session_key: Option<String>,
    /// Write `session,score` for each session seen; a session is broken from 0.5 on.
    #[arg(long, value_name = "FILE")]
    pub(crate) session_scores: Option<PathBuf>,
    /// The first N sessions teach what sessions are like, the others teach nothing; 50 at least.
    #[arg(long, value_name = "N", requires = "session_scores", value_parser = sessions_to_learn)]
    pub(crate) learn: Option<u64>,
    /// Logs, JSON lines, OTLP JSON lines or CSV metrics, plain, gzip or zstd; `-` is standard input. Several are merged by
    /// the time of their records.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
}

/// From fewer nothing could be judged, and nothing would say so.
fn sessions_to_learn(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number >= 50);
    number
        .ok_or_else(|| "what sessions are like is learned from at least 50 sessions; give 50 or more".into())
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print only what was said of windows that end at this time or later; what came before teaches the baselines.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Print only what was said of windows that end at this time or before.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Print the incidents, as they were told at the close of each window, instead of the findings.
    #[arg(long, conflicts_with = "against")]
    pub(crate) incidents: bool,
    /// Show instead which findings and incidents come, go and change with this other configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// With --against: one JSON object a difference.
    #[arg(long, requires = "against")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Ids of findings, or of incidents: all of their findings.
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// One JSON object a finding.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Send to this receiver (OTLP/gRPC) instead of one started for the demo.
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// Simulated seconds a second, or `max`. By default 150, or 1 with --to.
    #[arg(long, value_name = "X")]
    pub(crate) speed: Option<String>,
    /// What goes wrong: disk-full, bad-release, slow-database, silent-job, password-guessing, memory-leak, none.
    #[arg(long, value_name = "NAME", default_value = "bad-release")]
    pub(crate) fault: String,
    /// The same seed gives the same telemetry.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Simulated hours. By default two, of which the first is quiet.
    #[arg(long, value_name = "H", default_value_t = 2.0)]
    pub(crate) hours: f64,
    /// Stay up after the page, console and all, until Ctrl-C; on a terminal it does so by itself.
    #[arg(long, conflicts_with = "to")]
    pub(crate) stay: bool,
    /// Write what went wrong and when to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// One line a stream and partition: offsets, records, bytes, and how far each consumer has come.
    ///
    /// Offsets count what keeps time as well (ticks, an entry now and then); records are those that were sent.
    Stat(Place),
    /// Print records as JSON lines; telemetry as OTLP JSON.
    Read(JournalRead),
}

#[derive(Debug, Args)]
pub(crate) struct JournalRead {
    /// otlp_logs, otlp_metrics, otlp_spans, foreshock_summaries, _findings, _incidents, _control, _deliveries or
    /// _poison; also without what stands before the underscore.
    #[arg(value_name = "STREAM")]
    pub(crate) stream: String,
    /// Only this partition.
    #[arg(long, value_name = "P")]
    pub(crate) partition: Option<u16>,
    /// From this offset on; by default from the oldest there is.
    #[arg(long, value_name = "OFFSET")]
    pub(crate) from: Option<u64>,
    /// At most so many records.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Name everything that is wrong in a file, with line and column.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print every key with its default and what it means.
    Default,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        super::Cli::command().debug_assert();
    }
}
