//! Where each file stands, kept so that a shipper that was stopped or killed goes on from there.
//!
//! Written as a whole, beside the old one, and put in its place: there is never half a checkpoint.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use foreshock_model::fingerprint64;
use serde::{Deserialize, Serialize};

use super::{ShipError, tail::Position};

const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// The receiver, for people who look.
    to: String,
    files: BTreeMap<String, Vec<Position>>,
}

/// The checkpoint of one receiver.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    contents: Contents,
}

impl Checkpoint {
    /// Reads the checkpoint for a receiver from a directory, which is made where it is missing.
    pub(crate) fn open(directory: &Path, to: &str) -> Result<Self, ShipError> {
        let path = directory.join(format!("ship-{:016x}.json", fingerprint64(to.as_bytes())));
        let failed = |source| ShipError::Checkpoint { path: path.clone(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let contents = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Contents>(&bytes)
                .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Contents { version: VERSION, to: to.to_owned(), files: BTreeMap::new() }
            }
            Err(error) => return Err(failed(error)),
        };
        if contents.version != VERSION {
            let text = format!("version {} is not known", contents.version);
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        Ok(Self { path, contents })
    }

    pub(crate) fn positions(&self, file: &Path) -> &[Position] {
        self.contents.files.get(&key(file)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn note(&mut self, file: &Path, positions: Vec<Position>) {
        self.contents.files.insert(key(file), positions);
    }

    /// Takes note of the files of a path that it does not know yet, as not begun. Says whether there are any.
    ///
    /// For before anything of them is sent: they are found again then, whatever they are called when this was killed.
    pub(crate) fn meet(&mut self, file: &Path, positions: &[Position]) -> bool {
        let known = self.positions(file);
        let is_new = |position: &&Position| !known.iter().any(|known| known.is_of(position));
        let new: Vec<Position> =
            positions.iter().filter(is_new).map(|position| position.at_its_beginning()).collect();
        let is_any = !new.is_empty();
        if is_any {
            self.contents.files.entry(key(file)).or_default().extend(new);
        }
        is_any
    }

    pub(crate) fn save(&self) -> Result<(), ShipError> {
        let failed = |source| ShipError::Checkpoint { path: self.path.clone(), source };
        self.write().map_err(failed)
    }

    fn write(&self) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(&self.contents)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        match self.path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// The name a file goes by: absolute, so that it does not depend on where the shipper was started.
fn key(file: &Path) -> String {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).to_string_lossy().into_owned()
}
