//! How far a replay has come, on a terminal.

use foreshock_model::Timestamp;

use crate::command::bar;

const TEMPLATE: &str = "{bar:30} {pos} of {len} entries, {msg}, {eta} left";

/// A progress bar that says how many times as fast as it was the journal is read.
pub(in crate::command) struct Bar {
    bar: bar::Bar,
    first: Option<Timestamp>,
}

impl Bar {
    pub(in crate::command) fn new() -> Self {
        Self { bar: bar::Bar::new(), first: None }
    }

    /// So many of so many entries are read, and time has come as far as `reached`.
    pub(in crate::command) fn draw(&mut self, (read, all): (u64, u64), reached: Timestamp) {
        if reached == Timestamp::default() {
            return;
        }
        let first = *self.first.get_or_insert(reached);
        self.bar.draw(TEMPLATE, |bar, seconds| {
            let times = reached.since(first).as_secs_f64() / seconds;
            bar.set_length(all);
            bar.set_position(read);
            bar.set_message(format!("{times:.0} times as fast as it was"));
        });
    }

    pub(in crate::command) fn finish(&self) {
        self.bar.finish();
    }
}
