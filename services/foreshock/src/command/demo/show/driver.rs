//! Plays the shop to the demo's own receiver beside the show, and tells how far it has come.

use std::time::Duration;

use anyhow::{Context, anyhow};
use foreshock_demo::{DriveError, DriveOptions, Progress, Speed, drive};
use foreshock_shipper::OtlpClient;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::command::demo::{Play, client_options};

/// So much simulated time is played before it is looked whether the pace has changed.
const STRETCH: Duration = Duration::from_secs(60);

/// The shop being played. Ends when it is dropped.
pub(super) struct Driver {
    heard: watch::Receiver<Heard>,
    real_time: CancellationToken,
    /// `None` once it has ended.
    task: Option<JoinHandle<Result<(), DriveError>>>,
}

/// What the shop was heard to do.
#[derive(Clone, Copy, Default)]
struct Heard {
    progress: Progress,
    /// The whole play is over.
    played: bool,
}

impl Driver {
    /// Plays to the receiver at `to`. `goes_on` at real time when the play is over.
    pub(super) fn start(play: Play, to: &str, goes_on: bool) -> anyhow::Result<Self> {
        let client = OtlpClient::new(&client_options(to))?;
        let (told, heard) = watch::channel(Heard::default());
        let real_time = CancellationToken::new();
        let slowed = real_time.clone();
        let task = tokio::spawn(async move {
            let mut shop = play.shop();
            let end = shop.now().plus(play.length);
            let mut so_far = Progress::default();
            loop {
                let over = shop.now() >= end;
                told.send_modify(|heard| heard.played = over);
                if over && !goes_on {
                    return Ok(());
                }
                let speed = if over || slowed.is_cancelled() { Speed::Times(1.0) } else { play.speed };
                let options = DriveOptions { speed, length: STRETCH };
                let stretch = drive(&mut shop, &client, options, |progress| {
                    told.send_modify(|heard| heard.progress = sum(&so_far, progress));
                });
                let stretch = stretch.await?;
                so_far = sum(&so_far, &stretch);
            }
        });
        Ok(Self { heard, real_time, task: Some(task) })
    }

    /// From the next stretch on at real time.
    pub(super) fn slow_down(&self) {
        self.real_time.cancel();
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        self.heard.borrow().progress
    }

    /// Whether the whole play is over.
    pub(super) fn has_played(&self) -> bool {
        self.heard.borrow().played
    }

    /// Waits for its end, and says if it failed. Never comes back a second time.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let ended = task.await;
        self.task = None;
        ended
            .map_err(|broken| anyhow!("the shop broke off: {broken}"))?
            .context("the shop could not be played")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The records of both; the time of the later.
fn sum(earlier: &Progress, later: &Progress) -> Progress {
    Progress {
        lines: earlier.lines + later.lines,
        points: earlier.points + later.points,
        spans: earlier.spans + later.spans,
        rejected: earlier.rejected + later.rejected,
        ..*later
    }
}
