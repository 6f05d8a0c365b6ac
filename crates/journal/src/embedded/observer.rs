//! Looks at a journal from outside: no lock, nothing is changed, a running writer is not disturbed.
//!
//! What it sees is what a recovery at this moment would find.

use std::{collections::HashMap, path::Path, sync::Arc};

use super::{
    buffer::BufferPool,
    catalog::Catalog,
    checkpoint::{Consumers, Head},
    damage::Damage,
    disk::Disk,
    fetch::{Cursor, VolumeFiles, fetch},
    layout::{Counts, Paths, Slots, Volume},
    recovery::{Owner, consumers_of, counts_of, recover},
    stat,
    storage::Storage,
};
use crate::{Fetched, JournalError, Offset, Partition, PartitionStat, Stream};

/// A journal that is only read, also beside the process that writes it.
pub struct EmbeddedReader {
    storage: Arc<dyn Storage>,
    paths: Paths,
    counts: Counts,
    damage: Arc<Damage>,
    volumes: [ObservedVolume; 2],
    consumers: Consumers,
    /// A place a partition: as many as there are partitions.
    cursors: HashMap<Partition, Cursor>,
}

struct ObservedVolume {
    files: VolumeFiles,
    heads: Vec<Head>,
}

impl EmbeddedReader {
    /// Opens the journal of a directory for reading.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_on(Arc::new(Disk), directory)
    }

    /// As [`EmbeddedReader::open`], on another file system.
    pub fn open_on(storage: Arc<dyn Storage>, directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        let paths = Paths::new(directory.as_ref());
        let Some(counts) = counts_of(&*storage, &paths)? else {
            return Err(JournalError::Unreadable {
                path: paths.root,
                reason: "there is no journal in it; give the --data-dir that foreshock runs with".to_owned(),
            });
        };
        let damage = Arc::new(Damage::looking(Arc::clone(&storage)));
        let (volumes, consumers) = look(&storage, &paths, counts, &damage)?;
        Ok(Self { storage, paths, counts, damage, volumes, consumers, cursors: HashMap::new() })
    }

    /// Sees what was written since.
    pub fn refresh(&mut self) -> Result<(), JournalError> {
        (self.volumes, self.consumers) = look(&self.storage, &self.paths, self.counts, &self.damage)?;
        self.cursors.clear();
        Ok(())
    }

    /// How many partitions a stream has.
    pub fn partitions(&self, stream: Stream) -> u16 {
        self.counts.of(stream)
    }

    /// One row a stream and partition, as of the last refresh.
    pub fn stat(&self) -> Vec<PartitionStat> {
        let rows = |volume: &ObservedVolume| stat::rows(&volume.files, &volume.heads, &self.consumers);
        self.volumes.iter().flat_map(rows).collect()
    }

    /// The offset a consumer goes on from, as of the last refresh.
    pub fn committed(&self, consumer: &str, partition: Partition) -> Option<Offset> {
        self.consumers.get(consumer, partition)
    }

    /// Frames found damaged so far.
    pub fn damaged_frames(&self) -> u64 {
        self.damage.frames()
    }

    /// Entries from an offset on, about `max_bytes` of payloads and at least one where there is one; nothing where
    /// there is nothing more at present. Looks for what was written since by itself.
    pub fn read(
        &mut self,
        partition: Partition,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched, JournalError> {
        if !self.counts.has(partition) {
            return Err(JournalError::NoPartition(partition));
        }
        match self.read_known(partition, from, max_bytes) {
            Ok(fetched) if !fetched.is_empty() => Ok(fetched),
            // Nothing more, or retention of the running writer took the file away.
            Ok(_) | Err(JournalError::OutOfRange { .. } | JournalError::Io { .. }) => {
                self.refresh()?;
                self.read_known(partition, from, max_bytes)
            }
            Err(error) => Err(error),
        }
    }

    fn read_known(
        &mut self,
        partition: Partition,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched, JournalError> {
        let files = &self.volumes[Volume::of(partition.stream).index()].files;
        let mut cursor = self.cursors.remove(&partition);
        let mut position = from.0;
        let fetched = fetch(files, partition, &mut position, max_bytes, &mut cursor);
        self.cursors.extend(cursor.map(|cursor| (partition, cursor)));
        fetched
    }
}

fn look(
    storage: &Arc<dyn Storage>,
    paths: &Paths,
    counts: Counts,
    damage: &Arc<Damage>,
) -> Result<([ObservedVolume; 2], Consumers), JournalError> {
    let found = [
        recover(&**storage, paths, Volume::Telemetry, counts, damage, Owner::Another)?,
        recover(&**storage, paths, Volume::Stages, counts, damage, Owner::Another)?,
    ];
    let consumers = consumers_of(&found);
    let mut volumes = Volume::ALL.into_iter();
    let observed = found.map(|found| {
        let volume = volumes.next().unwrap_or(Volume::Stages);
        let files = VolumeFiles {
            storage: Arc::clone(storage),
            catalog: Arc::new(Catalog::new(found.segments)),
            slots: Slots::new(volume, counts),
            damage: Arc::clone(damage),
            buffers: BufferPool::default(),
        };
        ObservedVolume { files, heads: found.state.heads }
    });
    Ok((observed, consumers))
}
