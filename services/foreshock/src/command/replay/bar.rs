//! How far a replay has come, on a terminal.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use foreshock_model::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// It is drawn anew no more often than this.
const EVERY: Duration = Duration::from_millis(100);

/// A progress bar on standard error; nothing where that is no terminal.
pub(in crate::command) struct Bar {
    bar: ProgressBar,
    began: Instant,
    drawn: Option<Instant>,
    first: Option<Timestamp>,
}

impl Bar {
    pub(in crate::command) fn new() -> Self {
        let is_seen = stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len} entries, {msg}, {eta} left");
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, began: Instant::now(), drawn: None, first: None }
    }

    /// So many of so many entries are read, and time has come as far as `reached`.
    pub(in crate::command) fn draw(&mut self, (read, all): (u64, u64), reached: Timestamp) {
        let now = Instant::now();
        if self.bar.is_hidden()
            || self.drawn.is_some_and(|drawn| now - drawn < EVERY)
            || reached == Timestamp::default()
        {
            return;
        }
        self.drawn = Some(now);
        let first = *self.first.get_or_insert(reached);
        let times = reached.since(first).as_secs_f64() / self.began.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_length(all);
        self.bar.set_position(read);
        self.bar.set_message(format!("{times:.0} times as fast as it was"));
    }

    pub(in crate::command) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
