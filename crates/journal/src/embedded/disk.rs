//! The real file system.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate, fcntl_getfl, fcntl_setfl, statvfs};

use super::storage::{Access, File, Listed, Lock, Storage};

/// Linux's file system calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let meta = match entry.metadata() {
                // Removed between the two calls.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                files.push(Listed { name, bytes: meta.len() });
            }
        }
        Ok(files)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        open(path, access, fs::OpenOptions::new().read(true).write(true).create(true).truncate(true))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        open(path, access, fs::OpenOptions::new().read(true).write(access != Access::Read))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut file =
            fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                writeln!(file, "{}", std::process::id())?;
                Ok(Lock::Held(Box::new(file)))
            }
            Err(fs::TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
                Ok(Lock::TakenBy(pid.unwrap_or(0)))
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn open(path: &Path, access: Access, options: &fs::OpenOptions) -> io::Result<Box<dyn File>> {
    if access == Access::WriteBlocks {
        let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
        match options.clone().custom_flags(flags).open(path) {
            // The file system has no direct writes.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            file => return Ok(Box::new(DiskFile(file?))),
        }
    }
    Ok(Box::new(DiskFile(options.open(path)?)))
}

struct DiskFile(fs::File);

impl File for DiskFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.0.read_at(&mut into[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, from: &[u8], at: u64) -> io::Result<()> {
        match self.0.write_all_at(from, at) {
            // A device whose blocks are larger than ours refuses direct writes only when it gets one.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let flags = fcntl_getfl(&self.0)?;
                if !flags.contains(OFlags::DIRECT) {
                    return Err(error);
                }
                fcntl_setfl(&self.0, flags - OFlags::DIRECT)?;
                self.0.write_all_at(from, at)
            }
            written => written,
        }
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), 0, bytes) {
            // No preallocation here: a file with a hole serves, only slower.
            Err(rustix::io::Errno::OPNOTSUPP) => self.0.set_len(bytes),
            allocated => Ok(allocated?),
        }
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn forget_cache(&self) {
        // Advice: where it is not taken the next read is as before.
        let _ = fadvise(&self.0, 0, None, Advice::DontNeed);
    }
}
