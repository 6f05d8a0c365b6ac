//! Opens what is to be read: files and standard input, gzip and zstd read through.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use foreshock_model::Timestamp;

/// The first bytes that are looked at to tell what something is.
const PROBE_BYTES: usize = 8 * 1024;
/// A file that claims to be written before this does not know when it was.
const YEAR_2000: Timestamp = Timestamp::from_secs(946_684_800);
const BUFFER_BYTES: usize = 256 * 1024;

/// Something to be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A copy of standard input: what is read twice.
    Copied(PathBuf),
}

/// Why something can't be scanned.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It can't be opened or read.
    #[error("reading {name} failed: {source}")]
    Io {
        /// Which.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such file.
    #[error("{name} can't be read: there is no such file; name one that is there, or - for standard input")]
    Missing {
        /// Which.
        name: String,
    },
    /// It is no text.
    #[error(
        "{name} is a binary file; scan reads text, JSON lines, OTLP JSON and CSV, plain or as gzip or zstd"
    )]
    Binary {
        /// Which.
        name: String,
    },
}

/// An open source.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) reader: Box<dyn BufRead>,
    /// Bytes to be read, as they lie there; 0 where that can't be told.
    pub(crate) total_bytes: u64,
    /// Bytes read so far, as they lie there.
    pub(crate) read_bytes: Arc<AtomicU64>,
    /// When it was last written: the time of lines that tell none.
    pub(crate) modified: Timestamp,
}

impl Source {
    /// `-` is standard input.
    pub fn parse(argument: &str) -> Self {
        if argument == "-" { Self::Stdin } else { Self::File(argument.into()) }
    }

    /// Its name for people.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin | Self::Copied(_) => "standard input".into(),
        }
    }

    /// The service its lines belong to, where nothing else tells: the file's name up to the first dot.
    pub fn service(&self) -> String {
        let stem = |path: &Path| Some(path.file_name()?.to_str()?.split('.').next()?.to_owned());
        match self {
            Self::File(path) => stem(path).filter(|stem| !stem.is_empty()).unwrap_or_else(|| "file".into()),
            Self::Stdin | Self::Copied(_) => "stdin".into(),
        }
    }

    /// Copies standard input into a file, so that it can be read twice.
    pub fn copy_stdin(into: &Path) -> Result<Self, SourceError> {
        let copy = || -> io::Result<u64> { io::copy(&mut io::stdin().lock(), &mut File::create(into)?) };
        match copy() {
            Ok(_) => Ok(Self::Copied(into.to_owned())),
            Err(source) => Err(SourceError::Io { name: Self::Stdin.name(), source }),
        }
    }

    pub(crate) fn open(&self) -> Result<Opened, SourceError> {
        let name = self.name();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SourceError::Missing { name: name.clone() },
            _ => SourceError::Io { name: name.clone(), source },
        };
        self.try_open(&name).map_err(failed)?.probed()
    }

    fn try_open(&self, name: &str) -> io::Result<Opened> {
        let (raw, total_bytes, modified): (Box<dyn Read>, u64, SystemTime) = match self {
            Self::File(path) | Self::Copied(path) => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                if metadata.is_dir() {
                    return Err(io::Error::other("it is a directory; name its files"));
                }
                (Box::new(file), metadata.len(), metadata.modified()?)
            }
            Self::Stdin => {
                let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
                let metadata = file.metadata()?;
                if metadata.is_file() {
                    (Box::new(file), metadata.len(), metadata.modified()?)
                } else {
                    (Box::new(file), 0, SystemTime::now())
                }
            }
        };
        let read_bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: raw, read: read_bytes.clone() };
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, counted);
        let magic = raw.fill_buf()?;
        let reader: Box<dyn BufRead> = if magic.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(raw)))
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::Decoder::with_buffer(raw)?))
        } else {
            Box::new(raw)
        };
        // Archives that are to be the same byte for byte say 1970.
        let modified = Some(timestamp(modified)).filter(|time| *time > YEAR_2000);
        let modified = modified.unwrap_or_else(|| timestamp(SystemTime::now()));
        Ok(Opened { name: name.to_owned(), reader, total_bytes, read_bytes, modified })
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(0))
}

impl Opened {
    /// Refuses what is no text.
    fn probed(mut self) -> Result<Self, SourceError> {
        let name = self.name.clone();
        let start =
            self.reader.fill_buf().map_err(|source| SourceError::Io { name: name.clone(), source })?;
        let start = &start[..start.len().min(PROBE_BYTES)];
        let odd = start.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31)).count();
        if start.contains(&0) || odd * 20 > start.len() {
            return Err(SourceError::Binary { name });
        }
        Ok(self)
    }
}

struct Counted {
    inner: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
