//! A journal that is looked at beside whatever runs, and its entries in order.

use std::ops::Range;

use foreshock_journal::{Entry, Observe, Offset, Partition};
use tokio::runtime::Runtime;

/// Payload bytes read from a partition at once.
pub(super) const READ_BYTES: usize = 1 << 20;

/// A journal that is looked at, and the threads it needs for that.
pub(crate) struct Looked {
    pub(crate) journal: Box<dyn Observe>,
    _threads: Option<Runtime>,
}

impl Looked {
    /// A journal that needs no threads, or has them elsewhere.
    pub(crate) fn at(journal: Box<dyn Observe>) -> Self {
        Self { journal, _threads: None }
    }

    /// A journal, and the threads it runs on.
    pub(crate) fn on(threads: Runtime, journal: Box<dyn Observe>) -> Self {
        Self { journal, _threads: Some(threads) }
    }
}

/// Hands over every entry of a stretch of a partition.
pub(crate) fn each_entry(
    journal: &mut dyn Observe,
    partition: Partition,
    stretch: Range<Offset>,
    take: &mut dyn FnMut(Entry),
) -> anyhow::Result<()> {
    let mut position = stretch.start;
    while position < stretch.end {
        let fetched = journal.read(partition, position, READ_BYTES)?;
        let Some((last, _)) = fetched.last() else { break };
        position = last.next();
        fetched.into_iter().for_each(|(_, entry)| take(entry));
    }
    Ok(())
}
