//! A file system in memory that fails on demand and forgets, on a crash, what was not synced.
//!
//! It also watches what the journal does: writes past the cache are aligned, a segment's blocks are written once, a
//! file whose sync failed is not synced again. What breaks that is listed in `violations`.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use foreshock_journal::embedded::storage::{Access, File, Listed, Lock, Storage};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const SECTOR: usize = 512;

/// The next failure of each sort.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The next write of a segment stops after so many bytes, with EIO.
    pub(crate) short_write: Option<usize>,
    /// The next sync of a segment fails, and what was written may or may not be there.
    pub(crate) failing_sync: bool,
    /// Nothing can be allocated or created.
    pub(crate) full: bool,
    /// The next read that covers this place of a file finds the block there, and what follows, not written yet.
    pub(crate) unwritten_at: Option<u64>,
    /// After so many more changing calls everything fails, as if the process were gone.
    pub(crate) dies_after: Option<u64>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct FileState {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Of a segment: where the next write may begin.
    high: usize,
    sync_failed: bool,
}

#[derive(Debug, Default)]
struct State {
    files: HashMap<u64, FileState>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Names of a directory after each change since its last sync, oldest first.
    unsynced_names: Vec<BTreeMap<PathBuf, u64>>,
    next_file: u64,
    /// Handles of an earlier life do nothing any more.
    life: u64,
    locked: bool,
    faults: Faults,
    violations: Vec<String>,
    seed: u64,
}

/// The file system; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyStorage {
    state: Arc<Mutex<State>>,
    /// Of a process: the life of the file system it runs in, after which its calls reach nothing.
    life: Option<u64>,
}

struct Handle {
    state: Arc<Mutex<State>>,
    file: u64,
    life: u64,
    access: Access,
}

struct LockHeld(Arc<Mutex<State>>, u64);

fn error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl State {
    /// Counts a changing call; fails where the process is as good as gone.
    fn step(&mut self, life: u64) -> io::Result<()> {
        if life != self.life {
            return Err(error(EIO));
        }
        match &mut self.faults.dies_after {
            Some(0) => Err(error(EIO)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn random(&mut self) -> u64 {
        // Splitmix64.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn name_of(&self, file: u64) -> Option<&PathBuf> {
        self.names.iter().find(|(_, of)| **of == file).map(|(path, _)| path)
    }

    fn is_segment(&self, file: u64) -> bool {
        self.name_of(file).is_some_and(|path| path.extension().is_some_and(|end| end == "seg"))
    }

    /// Some of the sectors that were written and not synced reach the disk, or all, or none.
    fn tear(&mut self, file: u64) {
        let unsynced = self.files.get_mut(&file).map(|f| std::mem::take(&mut f.unsynced)).unwrap_or_default();
        let mode = self.random() % 4;
        for change in unsynced {
            match change {
                Change::Length(length) => {
                    if mode != 0 {
                        self.files.get_mut(&file).unwrap().durable.resize(length, 0);
                    }
                }
                Change::Write(at, bytes) => {
                    let cut = self.random() as usize % (bytes.len() + 1);
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        let from = number * SECTOR;
                        let kept = match mode {
                            0 => 0,
                            1 => sector.len(),
                            2 => cut.saturating_sub(from).min(sector.len()),
                            _ => sector.len() * (self.random() % 2) as usize,
                        };
                        let durable = &mut self.files.get_mut(&file).unwrap().durable;
                        if durable.len() < at + from + kept {
                            durable.resize(at + from + kept, 0);
                        }
                        durable[at + from..at + from + kept].copy_from_slice(&sector[..kept]);
                    }
                }
            }
        }
    }

    fn rename_or_remove(&mut self) {
        self.unsynced_names.push(self.names.clone());
    }
}

impl FaultyStorage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The file system as one process has it, which a crash ends.
    pub(crate) fn process(&self) -> Self {
        let life = Some(self.state().life);
        Self { state: Arc::clone(&self.state), life }
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Whether a fault that was asked for has not happened yet.
    pub(crate) fn faults(&self) -> Faults {
        self.state().faults
    }

    /// What the journal did that it must not do.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The power goes: what was not synced is gone, torn or there, as the seed has it.
    pub(crate) fn crash(&self, seed: u64) {
        let mut state = self.state();
        state.seed = seed;
        state.life += 1;
        state.locked = false;
        state.faults = Faults::default();
        let mut files: Vec<u64> = state.files.keys().copied().collect();
        files.sort_unstable();
        for file in files {
            state.tear(file);
            let file = state.files.get_mut(&file).unwrap();
            file.live.clone_from(&file.durable);
            file.high = 0;
            file.sync_failed = false;
        }
        // Changes of names reach the disk in their order, up to some one.
        let changes = std::mem::take(&mut state.unsynced_names);
        let kept = state.random() as usize % (changes.len() + 1);
        if kept > 0 {
            state.durable_names = changes[kept - 1].clone();
        }
        state.names = state.durable_names.clone();
    }

    /// An independent copy of what would be there after a crash that loses everything unsynced.
    pub(crate) fn durable_copy(&self) -> Self {
        let state = self.state();
        let files = state.files.iter().map(|(id, file)| {
            let bytes = file.durable.clone();
            (*id, FileState { live: bytes.clone(), durable: bytes, ..FileState::default() })
        });
        let names = state.durable_names.clone();
        let copy = State {
            files: files.collect(),
            durable_names: names.clone(),
            names,
            next_file: state.next_file,
            ..State::default()
        };
        Self { state: Arc::new(Mutex::new(copy)), life: None }
    }

    /// The files below a directory, by name.
    pub(crate) fn paths(&self, end: &str) -> Vec<PathBuf> {
        self.state().names.keys().filter(|path| path.to_string_lossy().ends_with(end)).cloned().collect()
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[path]].live.clone()
    }

    /// Changes a file behind the journal's back.
    pub(crate) fn overwrite(&self, path: &Path, at: usize, bytes: &[u8]) {
        let mut state = self.state();
        let file = state.names[path];
        let file = state.files.get_mut(&file).unwrap();
        file.live[at..at + bytes.len()].copy_from_slice(bytes);
        file.durable[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn handle(&self, state: &State, file: u64, access: Access) -> Box<dyn File> {
        Box::new(Handle { state: Arc::clone(&self.state), file, life: state.life, access })
    }
}

impl Storage for FaultyStorage {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let state = self.state();
        let within = state.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(within
            .map(|(path, file)| Listed {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                bytes: state.files[file].live.len() as u64,
            })
            .collect())
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        let life = self.life.unwrap_or(state.life);
        state.step(life)?;
        if state.faults.full {
            return Err(error(ENOSPC));
        }
        let file = state.next_file;
        state.next_file += 1;
        state.files.insert(file, FileState::default());
        state.names.insert(path.to_owned(), file);
        state.rename_or_remove();
        Ok(self.handle(&state, file, access))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let state = self.state();
        if self.life.is_some_and(|life| life != state.life) {
            return Err(error(EIO));
        }
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(&state, file, access))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let life = self.life.unwrap_or(state.life);
        state.step(life)?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        state.rename_or_remove();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let life = self.life.unwrap_or(state.life);
        state.step(life)?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.rename_or_remove();
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        let life = self.life.unwrap_or(state.life);
        state.step(life)?;
        // One journal for all directories, as ext4 has it.
        state.durable_names = state.names.clone();
        state.unsynced_names.clear();
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(if self.state().faults.full { 0 } else { 1 << 40 })
    }

    fn lock(&self, _: &Path) -> io::Result<Lock> {
        let mut state = self.state();
        if std::mem::replace(&mut state.locked, true) {
            return Ok(Lock::TakenBy(std::process::id()));
        }
        Ok(Lock::Held(Box::new(LockHeld(Arc::clone(&self.state), state.life))))
    }
}

impl Drop for LockHeld {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap();
        if state.life == self.1 {
            state.locked = false;
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, written) => {
                if bytes.len() < at + written.len() {
                    bytes.resize(at + written.len(), 0);
                }
                bytes[*at..at + written.len()].copy_from_slice(written);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl Handle {
    fn change(&self, change: Change) {
        let mut state = self.state.lock().unwrap();
        let file = state.files.get_mut(&self.file).unwrap();
        change.apply(&mut file.live);
        file.unsynced.push(change);
    }
}

impl File for Handle {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().files[&self.file].live.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap();
        if state.life != self.life {
            return Err(error(EIO));
        }
        let live = &state.files[&self.file].live;
        let from = (at as usize).min(live.len());
        let read = into.len().min(live.len() - from);
        into[..read].copy_from_slice(&live[from..from + read]);
        let covers = |place: &u64| (at..at + read as u64).contains(place);
        if let Some(place) = state.faults.unwritten_at.take_if(|place| covers(place)) {
            into[(place - at) as usize..read].fill(0);
        }
        Ok(read)
    }

    fn write_at(&self, from: &[u8], at: u64) -> io::Result<()> {
        let short = {
            let mut state = self.state.lock().unwrap();
            state.step(self.life)?;
            let whole = at.is_multiple_of(4096) && from.len().is_multiple_of(4096);
            let aligned = whole && from.as_ptr().align_offset(4096) == 0;
            if self.access == Access::WriteBlocks && !aligned {
                state.violations.push(format!("an unaligned write of {} bytes at {at}", from.len()));
            }
            let is_segment = state.is_segment(self.file);
            let file = state.files.get_mut(&self.file).unwrap();
            let high = std::mem::replace(&mut file.high, at as usize + from.len());
            if is_segment && (at as usize) < high {
                state.violations.push(format!("the block at {at} of a segment was written twice"));
            }
            if is_segment { state.faults.short_write.take() } else { None }
        };
        let kept = short.map_or(from.len(), |bytes| bytes % (from.len() + 1));
        self.change(Change::Write(at as usize, from[..kept].to_vec()));
        if short.is_some() { Err(error(EIO)) } else { Ok(()) }
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        {
            let mut state = self.state.lock().unwrap();
            state.step(self.life)?;
            if state.faults.full {
                return Err(error(ENOSPC));
            }
        }
        let length = self.bytes()?.max(bytes) as usize;
        self.change(Change::Length(length));
        Ok(())
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.state.lock().unwrap().step(self.life)?;
        self.change(Change::Length(bytes as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.step(self.life)?;
        if state.files[&self.file].sync_failed {
            state.violations.push("a file whose sync had failed was synced again".to_owned());
        }
        if state.is_segment(self.file) && std::mem::take(&mut state.faults.failing_sync) {
            // The pages count as clean from here on, whether they were written or not.
            state.tear(self.file);
            state.files.get_mut(&self.file).unwrap().sync_failed = true;
            return Err(error(EIO));
        }
        let file = state.files.get_mut(&self.file).unwrap();
        for change in std::mem::take(&mut file.unsynced) {
            change.apply(&mut file.durable);
        }
        Ok(())
    }

    fn forget_cache(&self) {
        let mut state = self.state.lock().unwrap();
        let file = state.files.get_mut(&self.file).unwrap();
        file.sync_failed = false;
        file.live.clone_from(&file.durable);
        for change in file.unsynced.clone() {
            change.apply(&mut file.live);
        }
    }
}
