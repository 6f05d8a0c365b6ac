//! A progress bar for long work.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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

    /// Draws it anew, if that is due: `set` is given the bar and the seconds since it began. It looks as `template` says.
    pub(super) fn draw(&mut self, template: &str, set: impl FnOnce(&ProgressBar, f64)) {
        if self.bar.is_hidden() || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        if self.drawn.is_none() {
            let style = ProgressStyle::with_template(template);
            self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.drawn = Some(Instant::now());
        set(&self.bar, self.began.elapsed().as_secs_f64().max(1e-3));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
