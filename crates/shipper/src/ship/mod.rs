//! Ships lines of files and standard input as OTLP logs.
//!
//! One line is one record. The checkpoint knows a file before anything of it is sent, and moves on only after the receiver
//! has accepted: a killed shipper sends some lines again, and loses none. While one batch is on its way the next is read;
//! there are never more than two.

mod batch;
mod checkpoint;
mod source;
mod splitter;
mod tail;

use std::{
    cell::{Cell, RefCell},
    fs, io,
    path::{Path, PathBuf},
    pin::pin,
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use tokio::time::{sleep, timeout};

pub use batch::BatchLimits;
pub use source::Input;

use self::{
    batch::{Origin, count, halves},
    checkpoint::Checkpoint,
    source::{Lines, Source},
    tail::{Position, Tail, TailOptions},
};
use crate::{ClientError, ClientOptions, OtlpClient, SendError, Signal};

/// What to ship, and where to.
#[derive(Clone, Debug)]
pub struct ShipOptions {
    /// The receiver. Its `give_up_after` is not used: a shipper tries until it is told to stop.
    pub client: ClientOptions,
    /// From where.
    pub inputs: Vec<Input>,
    /// Go on at the end of files, through rotation.
    pub follow: bool,
    /// `service.name`; by default the file's name up to its first dot.
    pub service: Option<String>,
    /// `host.name`; by default this machine's.
    pub host: Option<String>,
    /// Where to keep how far each file was sent; without it every run begins at the beginning.
    pub checkpoint_dir: Option<PathBuf>,
    /// How large batches become.
    pub batch: BatchLimits,
    /// How often files are looked at.
    pub poll: Duration,
    /// A line without an end is sent after this pause.
    pub flush_after: Duration,
    /// A file that was rotated away is read on until nothing has come for this long.
    pub linger: Duration,
}

impl ShipOptions {
    /// The defaults: to the end of the inputs, no checkpoint.
    pub fn new(client: ClientOptions, inputs: Vec<Input>) -> Self {
        Self {
            client,
            inputs,
            follow: false,
            service: None,
            host: None,
            checkpoint_dir: None,
            batch: BatchLimits::default(),
            poll: Duration::from_millis(250),
            flush_after: Duration::from_secs(5),
            linger: Duration::from_secs(5),
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShipReport {
    /// Lines in requests that were accepted.
    pub lines: u64,
    /// Lines that held invalid UTF-8, which was replaced.
    pub invalid_utf8: u64,
    /// Lines that were longer than 1 MiB, and were cut there.
    pub cut: u64,
    /// Lines the receiver did not keep of requests that it accepted.
    pub rejected: u64,
    /// Lines the receiver refused for good, each alone.
    pub refused: u64,
}

/// Shipping stopped.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The receiver can't be addressed as asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file can't be read.
    #[error("{path} can't be read: {source}")]
    Input {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The checkpoint can't be read or written.
    #[error("the checkpoint {path} can't be used: {source}; mend or remove it, or name another directory")]
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The receiver refuses this shipper for good. Nothing is lost: what was not accepted is not in the checkpoint.
    #[error(
        "{0}; correct the address (OTLP/gRPC, usually port 4317) or the token and start again: the checkpoint knows where to go on"
    )]
    Refused(SendError),
    /// A thread of this process panicked.
    #[error("reading failed inside the shipper: {0}")]
    Internal(String),
}

/// One request's worth of lines, and where each source stands after it.
#[derive(Debug)]
struct Batch {
    request: ExportLogsServiceRequest,
    /// For each source that is a file.
    positions: Vec<(PathBuf, Vec<Position>)>,
    invalid_utf8: u64,
    cut: u64,
    is_last: bool,
}

/// A checkpoint is written this often while there is something new.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// After the word to stop, what is on its way may still arrive for this long.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Ships until the inputs end, or `shutdown` completes when following. What was accepted is in the report and in
/// the checkpoint.
pub async fn ship(options: ShipOptions, shutdown: impl Future<Output = ()>) -> Result<ShipReport, ShipError> {
    let mut client_options = options.client.clone();
    client_options.retry.give_up_after = None;
    let client = OtlpClient::new(&client_options)?;
    let mut checkpoint = match &options.checkpoint_dir {
        Some(directory) => Some(Checkpoint::open(directory, &options.client.to)?),
        None => None,
    };
    let mut sources = open(&options, checkpoint.as_ref())?;
    let mut report = ShipReport::default();
    let mut shutdown = pin!(shutdown);
    let mut saved_at = Instant::now();
    let mut is_saved = true;
    let mut waiting: Option<Batch> = None;
    loop {
        let mut sending = waiting.take();
        let request = sending.as_mut().map(|batch| std::mem::take(&mut batch.request));
        let was_last = sending.as_ref().is_some_and(|batch| batch.is_last);
        let (limits, follow) = (options.batch, options.follow);
        let (done, stops) = {
            let read = async {
                if was_last {
                    return Ok((sources, None));
                }
                let job = tokio::task::spawn_blocking(move || read_batch(sources, limits, follow));
                job.await.map_err(|error| ShipError::Internal(error.to_string()))?
            };
            let sent = async {
                match request {
                    Some(request) => deliver(&client, request, &mut report).await,
                    None => Ok(()),
                }
            };
            // Both to their end: a failed read must not take back what was accepted.
            let mut step = pin!(async { tokio::join!(read, sent) });
            tokio::select! {
                done = &mut step => (Some(done), false),
                () = &mut shutdown => (timeout(LAST_CHANCE, &mut step).await.ok(), true),
            }
        };
        let Some((read, sent)) = done else { break };
        if sent.is_err()
            && let Some(checkpoint) = checkpoint.as_ref().filter(|_| !is_saved)
        {
            checkpoint.save()?;
        }
        sent?;
        let has_sent = sending.is_some();
        if let Some(batch) = sending {
            report.invalid_utf8 += batch.invalid_utf8;
            report.cut += batch.cut;
            if let Some(checkpoint) = &mut checkpoint {
                batch.positions.into_iter().for_each(|(path, positions)| checkpoint.note(&path, positions));
                is_saved = false;
            }
        }
        let (returned, next) = read?;
        sources = returned;
        let is_quiet = next.is_none();
        let meets_new = match (&mut checkpoint, &next) {
            (Some(checkpoint), Some(batch)) => meet(checkpoint, batch),
            _ => false,
        };
        is_saved &= !meets_new;
        if let Some(checkpoint) = checkpoint.as_ref().filter(|_| !is_saved)
            && (is_quiet || meets_new || saved_at.elapsed() >= SAVE_EVERY)
        {
            checkpoint.save()?;
            (saved_at, is_saved) = (Instant::now(), true);
        }
        if was_last || stops {
            break;
        }
        waiting = next;
        if is_quiet && !has_sent {
            tokio::select! {
                () = sleep(options.poll) => {}
                () = &mut shutdown => break,
            }
        }
    }
    if let Some(checkpoint) = checkpoint.filter(|_| !is_saved) {
        checkpoint.save()?;
    }
    Ok(report)
}

fn open(options: &ShipOptions, checkpoint: Option<&Checkpoint>) -> Result<Vec<Source>, ShipError> {
    let host = options.host.clone().unwrap_or_else(this_host);
    let tail_options =
        TailOptions { follow: options.follow, flush_after: options.flush_after, linger: options.linger };
    let source = |input: &Input| match input {
        Input::File(path) => {
            let service = options.service.clone().unwrap_or_else(|| service_of(path));
            let positions = checkpoint.map_or(&[][..], |checkpoint| checkpoint.positions(path));
            let tail = Tail::open(path, tail_options, positions)
                .map_err(|source| ShipError::Input { path: path.clone(), source })?;
            let origin = Origin::new(&service, &host, Some(path));
            Ok(Source { origin, lines: Lines::File { path: path.clone(), tail: Box::new(tail) } })
        }
        Input::Stdin => {
            let service = options.service.as_deref().unwrap_or("stdin");
            Ok(Source { origin: Origin::new(service, &host, None), lines: Lines::stdin() })
        }
    };
    options.inputs.iter().map(source).collect()
}

/// Takes note of the files that a batch is the first of. Says whether there are any.
fn meet(checkpoint: &mut Checkpoint, batch: &Batch) -> bool {
    batch.positions.iter().fold(false, |any, (path, positions)| checkpoint.meet(path, positions) || any)
}

fn this_host() -> String {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    name.map(|name| name.trim().to_owned()).unwrap_or_else(|_| "unknown".to_owned())
}

/// The file's name up to its first dot.
fn service_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
    if stem.is_empty() { "unknown_service".to_owned() } else { stem.to_owned() }
}

/// Reads what is there, up to the limits. Blocks on the disk, never for more to come.
fn read_batch(
    mut sources: Vec<Source>,
    limits: BatchLimits,
    follow: bool,
) -> Result<(Vec<Source>, Option<Batch>), ShipError> {
    let (lines, bytes) = (Cell::new(0), Cell::new(0));
    let is_full = || lines.get() >= limits.lines || bytes.get() >= limits.bytes;
    let mut batch = Batch {
        request: ExportLogsServiceRequest::default(),
        positions: Vec::new(),
        invalid_utf8: 0,
        cut: 0,
        is_last: false,
    };
    for source in &mut sources {
        let records = RefCell::new(Vec::new());
        let read = source.lines.read(
            |line| {
                let (record, was_valid) = source.origin.record(line);
                lines.set(lines.get() + 1);
                bytes.set(bytes.get() + line.bytes.len());
                batch.invalid_utf8 += u64::from(!was_valid);
                batch.cut += u64::from(line.is_cut);
                records.borrow_mut().push(record);
            },
            is_full,
        );
        match (read, &source.lines) {
            (Ok(_), _) => {}
            // Its lines so far are kept; it is looked at again with the next batch.
            (Err(error), Lines::File { path, .. }) if follow => {
                tracing::warn!(path = %path.display(), %error, "can't be read at present");
            }
            (Err(source), Lines::File { path, .. }) => {
                return Err(ShipError::Input { path: path.clone(), source });
            }
            (Err(source), Lines::Stdin { .. }) => {
                return Err(ShipError::Input { path: PathBuf::from("-"), source });
            }
        }
        let records = records.into_inner();
        if !records.is_empty() {
            batch.request.resource_logs.push(source.origin.with_records(records));
        }
        if let Lines::File { path, tail } = &source.lines {
            batch.positions.push((path.clone(), tail.positions()));
        }
    }
    // A file that never ends must not keep the others waiting.
    if !sources.is_empty() {
        sources.rotate_left(1);
    }
    batch.is_last = sources.iter().all(|source| source.lines.is_done());
    let is_something = batch.is_last || lines.get() > 0;
    Ok((sources, is_something.then_some(batch)))
}

/// Sends a request until it is accepted. One that is refused for its size or content is halved, down to the single
/// line that is at fault, which is counted and left out.
async fn deliver(
    client: &OtlpClient,
    request: ExportLogsServiceRequest,
    report: &mut ShipReport,
) -> Result<(), ShipError> {
    let mut left = vec![request];
    while let Some(request) = left.pop() {
        let records = count(&request);
        if records == 0 {
            continue;
        }
        match client.send(Signal::Logs, request.encode_to_vec().into()).await {
            Ok(accepted) => {
                report.lines += records as u64;
                if accepted.rejected > 0 {
                    report.rejected += accepted.rejected;
                    tracing::warn!(rejected = accepted.rejected, reason = %accepted.message, "lines were not kept");
                }
            }
            Err(error) if error.refusal().is_of_the_content() => {
                if records > 1 {
                    let [first, second] = halves(request);
                    left.extend([second, first]);
                } else {
                    report.refused += 1;
                    tracing::warn!(%error, "a line is refused for good and left out");
                }
            }
            Err(error) => return Err(ShipError::Refused(error)),
        }
    }
    Ok(())
}
