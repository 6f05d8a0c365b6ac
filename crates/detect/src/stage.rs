//! What every stage has in common.

use std::io::{self, Read, Write};

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp};

/// What an entry of the input partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Telemetry or a message of another stage.
    Data,
    /// Time has come as far as [`Input::received`].
    Tick,
    /// What the payload names on the control stream holds from here on.
    Marker,
    /// The source that the payload names is not waited for.
    Skip,
}

/// One entry of the stage's input partition.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its place in the partition.
    pub offset: u64,
    /// Whose it is.
    pub tenant: &'a Tenant,
    /// When it was received.
    pub received: Timestamp,
    /// What it is for.
    pub kind: InputKind,
    /// Its bytes.
    pub payload: &'a Bytes,
}

/// What a stage puts out for the entries it was given.
#[derive(Debug)]
pub struct Outputs<M> {
    /// Partition of the stage's output stream, and the message.
    pub messages: Vec<(u16, M)>,
    /// Why entries could not be read: offset and reason. They are set aside; the partition goes on.
    pub poison: Vec<(u64, String)>,
}

impl<M> Default for Outputs<M> {
    fn default() -> Self {
        Self { messages: Vec::new(), poison: Vec::new() }
    }
}

/// A state that can't be taken up again. The stage is rebuilt from the log instead.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another version wrote it.
    #[error("the snapshot has format {found}, this version reads {expected}")]
    Version {
        /// What it says.
        found: u32,
        /// What is read here.
        expected: u32,
    },
    /// It is not what was written.
    #[error("the snapshot can't be read: {0}")]
    Damaged(String),
    /// Reading failed.
    #[error("reading the snapshot failed: {0}")]
    Io(#[from] io::Error),
}

/// A stage: a pure function of the entries of one partition.
pub trait Stage: Send + Sized + 'static {
    /// Its name, and that of its consumer.
    const NAME: &'static str;
    /// Grows when the form of the state changes.
    const STATE_VERSION: u32;
    /// A message of its output stream.
    type Output: prost::Message + Default + Send;

    /// Applies one entry. Same entries, same order, same outputs.
    fn apply(&mut self, input: Input<'_>, out: &mut Outputs<Self::Output>);

    /// Writes the state.
    fn save(&self, to: &mut dyn Write) -> io::Result<()>;

    /// Takes up a state that [`Stage::save`] wrote. On an error `self` is unchanged.
    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError>;
}

/// Writes a version and a state as postcard.
pub(crate) fn save_state<S: serde::Serialize>(version: u32, state: &S, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&version.to_le_bytes())?;
    postcard::to_io(state, to).map(drop).map_err(io::Error::other)
}

/// Reads what [`save_state`] wrote.
pub(crate) fn restore_state<S: serde::de::DeserializeOwned>(
    version: u32,
    from: &mut dyn Read,
) -> Result<S, RestoreError> {
    let mut found = [0; 4];
    from.read_exact(&mut found)?;
    let found = u32::from_le_bytes(found);
    if found != version {
        return Err(RestoreError::Version { found, expected: version });
    }
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(|error| RestoreError::Damaged(error.to_string()))
}
