//! What every stage has in common.

use std::{
    any::Any,
    io::{self, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp};

/// What an entry of the input partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Telemetry or a message of another stage.
    Data,
    /// Time has come as far as [`Input::received`].
    Tick,
    /// A word of the owner that the payload holds: foreshock.v1 Marker.
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

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The stage went on, whether it could read it or not.
    Applied,
    /// The stage panicked over it.
    SetAside,
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

    /// Takes note of an entry that [`Stage::apply`] panicked over, so that the stage can tell of it.
    fn set_aside(&mut self, _input: Input<'_>, _reason: &str) {}

    /// Applies one entry; one that the stage panics over is set aside, and the stage goes on. The same entry panics
    /// at the same place in every run, so the state it leaves is the same too.
    fn apply_or_set_aside(&mut self, input: Input<'_>, out: &mut Outputs<Self::Output>) -> Taken {
        let applied = catch_unwind(AssertUnwindSafe(|| self.apply(input, out)));
        let Err(panic) = applied else { return Taken::Applied };
        let reason = format!("the stage panicked: {}", words_of_panic(&*panic));
        self.set_aside(input, &reason);
        out.poison.push((input.offset, reason));
        Taken::SetAside
    }

    /// Writes the state.
    fn save(&self, to: &mut dyn Write) -> io::Result<()>;

    /// Takes up a state that [`Stage::save`] wrote. On an error `self` is unchanged.
    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError>;
}

/// What a panic said.
pub fn words_of_panic(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics over a payload of 13 and remembers all it could not take.
    #[derive(Default)]
    struct Superstitious {
        taken: Vec<u64>,
        aside: Vec<(u64, String)>,
    }

    impl Stage for Superstitious {
        const NAME: &'static str = "superstitious";
        const STATE_VERSION: u32 = 1;
        type Output = foreshock_model::proto::Summaries;

        fn apply(&mut self, input: Input<'_>, _out: &mut Outputs<Self::Output>) {
            assert!(input.payload[..] != [13], "13 brings bad luck");
            self.taken.push(input.offset);
        }

        fn set_aside(&mut self, input: Input<'_>, reason: &str) {
            self.aside.push((input.offset, reason.to_owned()));
        }

        fn save(&self, _to: &mut dyn Write) -> io::Result<()> {
            Ok(())
        }

        fn restore(&mut self, _from: &mut dyn Read) -> Result<(), RestoreError> {
            Ok(())
        }
    }

    #[test]
    fn an_entry_the_stage_panics_over_is_set_aside_and_the_stage_hears_of_it() {
        let (mut stage, mut out) = (Superstitious::default(), Outputs::default());
        let tenant = Tenant::default();
        let taken: Vec<Taken> = [1_u8, 13, 2]
            .into_iter()
            .zip(7..)
            .map(|(byte, offset)| {
                let payload = Bytes::from(vec![byte]);
                let (received, kind) = (Timestamp::default(), InputKind::Data);
                let input = Input { offset, tenant: &tenant, received, kind, payload: &payload };
                stage.apply_or_set_aside(input, &mut out)
            })
            .collect();
        assert_eq!(taken, [Taken::Applied, Taken::SetAside, Taken::Applied]);
        let aside = [(8, "the stage panicked: 13 brings bad luck".to_owned())];
        assert_eq!((stage.taken, &stage.aside[..], &out.poison[..]), (vec![7, 9], &aside[..], &aside[..]));
    }
}
