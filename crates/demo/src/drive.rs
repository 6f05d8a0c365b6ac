//! Sends what the shop says to a receiver, at a chosen speed.
//!
//! Simulated time never runs ahead of the wall clock: at real time the shop opens now; at any other speed it opens
//! as long ago as the run covers, so that its end is at or before the time the run began.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use foreshock_model::Timestamp;
use foreshock_shipper::{Accepted, OtlpClient, SendError, Signal};
use tokio::time::{Instant, sleep_until};

use crate::{Label, Request, Shop};

/// Simulated seconds a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// That many.
    Times(f64),
    /// As fast as the receiver takes it.
    Max,
}

impl Speed {
    /// Reads `max`, `0` (the same) or a positive number.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(0.0) => Ok(Self::Max),
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err(format!("{text:?} is not a speed: give a number above 0, or max")),
        }
    }

    /// The simulated time to open the shop at for a run of `length` that begins `now`.
    pub fn start_at(self, now: Timestamp, length: Duration) -> Timestamp {
        match self {
            Self::Times(times) if times <= 1.0 => now,
            _ => now.minus(length),
        }
    }

    /// A step that is sent about four times a second, between one and ten simulated seconds.
    pub fn step(self) -> Duration {
        match self {
            Self::Times(times) => Duration::from_secs((times * 0.25).clamp(1.0, 10.0) as u64),
            Self::Max => Duration::from_secs(10),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}x"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// The present, by the wall clock.
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// How a run goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriveOptions {
    /// Simulated seconds a second.
    pub speed: Speed,
    /// Simulated time to run for.
    pub length: Duration,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The simulated time: everything before it has been accepted.
    pub simulated: Timestamp,
    /// Log lines accepted.
    pub lines: u64,
    /// Data points accepted.
    pub points: u64,
    /// Spans accepted.
    pub spans: u64,
    /// Records the receiver accepted the request of but did not keep.
    pub rejected: u64,
    /// The fault of the run, if there is one.
    pub label: Option<Label>,
}

/// The run ended early.
#[derive(Debug, thiserror::Error)]
#[error("sending {signal} of simulated time {at} failed: {source}")]
pub struct DriveError {
    /// What was being sent.
    pub signal: &'static str,
    /// Where the run was.
    pub at: Timestamp,
    /// What the receiver said.
    pub source: SendError,
}

/// Runs the shop for `options.length` and sends all of it in order: a step is sent when the one before has been
/// accepted. Tries again as the client's policy has it. `progress` is called after each step. Drop to stop.
pub async fn drive(
    shop: &mut Shop,
    client: &OtlpClient,
    options: DriveOptions,
    mut progress: impl FnMut(&Progress),
) -> Result<Progress, DriveError> {
    let from = shop.now();
    let until = from.plus(options.length);
    let began = Instant::now();
    let mut so_far = Progress { simulated: from, ..Progress::default() };
    while shop.now() < until {
        let requests = shop.step();
        if let Speed::Times(times) = options.speed {
            // A step is complete when its last second is over.
            sleep_until(began + shop.now().since(from).div_f64(times)).await;
        }
        send_step(client, requests, shop.now(), &mut so_far).await?;
        so_far.simulated = shop.now();
        so_far.label = shop.label();
        progress(&so_far);
    }
    Ok(so_far)
}

/// Sends the requests of one step side by side.
async fn send_step(
    client: &OtlpClient,
    requests: Vec<Request>,
    at: Timestamp,
    so_far: &mut Progress,
) -> Result<(), DriveError> {
    let sent = requests.iter().map(|request| async {
        client.send(request.signal, request.body.clone()).await.map_err(|source| DriveError {
            signal: request.signal.name(),
            at,
            source,
        })
    });
    for (request, accepted) in requests.iter().zip(foreshock_shipper::all(sent).await?) {
        note(so_far, request.signal, request.records, &accepted);
    }
    Ok(())
}

fn note(so_far: &mut Progress, signal: Signal, records: u32, accepted: &Accepted) {
    let kept = u64::from(records).saturating_sub(accepted.rejected);
    so_far.rejected += accepted.rejected;
    match signal {
        Signal::Logs => so_far.lines += kept,
        Signal::Metrics => so_far.points += kept,
        Signal::Traces => so_far.spans += kept,
    }
}
