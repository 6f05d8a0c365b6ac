//! A file that a scan writes besides its standard output: there whole at the end, or as it was before.

use std::{
    fs::{File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::NamedTempFile;

/// An output file that was opened before the work began, so that a wrong path is told at once.
pub(super) struct OutFile {
    path: PathBuf,
    to: To,
}

enum To {
    /// Beside its place until it is whole.
    Beside(NamedTempFile),
    /// What is no ordinary file: a pipe, a terminal, /dev/stdout.
    Straight(File),
}

impl OutFile {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || -> io::Result<To> {
            if path.is_dir() {
                return Err(io::Error::other("it is a directory; name a file"));
            }
            if path.exists() && !path.is_file() {
                return Ok(To::Straight(File::options().write(true).open(path)?));
            }
            // As any new file: what the umask leaves.
            let beside = tempfile::Builder::new()
                .permissions(Permissions::from_mode(0o666))
                .prefix(".foreshock-")
                .tempfile_in(directory(path))
                .map_err(unnamed)?;
            Ok(To::Beside(beside))
        };
        let to = open().with_context(|| format!("{} can't be written", path.display()))?;
        Ok(Self { path: path.to_owned(), to })
    }

    /// Where what is kept meanwhile may lie: on the disk that takes the file itself.
    pub(super) fn directory(&self) -> PathBuf {
        match &self.to {
            To::Beside(_) => directory(&self.path),
            To::Straight(_) => std::env::temp_dir(),
        }
    }

    /// For what is written bit by bit while the work goes on; [`Self::keep`] puts it in its place.
    pub(super) fn writer(&self) -> io::Result<BufWriter<File>> {
        let file = match &self.to {
            To::Beside(beside) => beside.as_file(),
            To::Straight(file) => file,
        };
        Ok(BufWriter::with_capacity(256 * 1024, file.try_clone()?))
    }

    /// Puts what was written in its place.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        self.fill(|_| Ok(()))
    }

    /// Writes all of it and puts it in its place.
    pub(super) fn fill(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
        let fill = |file: &File| -> io::Result<()> {
            let mut out = BufWriter::with_capacity(256 * 1024, file);
            write(&mut out)?;
            out.flush()
        };
        let filled = match self.to {
            To::Straight(file) => fill(&file),
            To::Beside(beside) => fill(beside.as_file())
                .and_then(|()| beside.persist(&self.path).map(drop).map_err(|error| error.error)),
        };
        match filled {
            // Who reads it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            filled => filled.with_context(|| format!("writing {} failed", self.path.display())),
        }
    }
}

/// What the system said, without the name of the temporary file, which nobody has given.
fn unnamed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("its folder is not there; make it, or name another"),
        kind => kind.into(),
    }
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
