//! What tokens with digits and marks in them were read as: most of them are the programmer's and come again and again.
//!
//! Only tokens whose reading follows from themselves are kept, so what is remembered changes nothing but the time a
//! line takes. A token is kept when it comes a second time before another one takes its place: values, which are
//! mostly new, push nothing out.

use xxhash_rust::xxh3::xxh3_64;

use super::{
    kind::{Parameter, ParameterKind},
    text::Text,
};

/// Tokens remembered; a power of two.
const SLOTS: usize = 1024;
/// A longer token is not remembered.
pub(super) const MAX_TOKEN_BYTES: usize = 40;
/// A token read as more text is not remembered.
const MAX_TEXT_BYTES: usize = 40;
/// A token with more parameters is not remembered.
const MAX_PARAMETERS: usize = 2;

#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    hash: u64,
    /// Of the token that came last and is not the one kept.
    candidate: u64,
    token: [u8; MAX_TOKEN_BYTES],
    text: [u8; MAX_TEXT_BYTES],
    token_bytes: u8,
    text_bytes: u8,
    parameters: u8,
    places: [(ParameterKind, u8, u8); MAX_PARAMETERS],
    lifted: bool,
}

const EMPTY: Slot = Slot {
    hash: 0,
    candidate: 0,
    token: [0; MAX_TOKEN_BYTES],
    text: [0; MAX_TEXT_BYTES],
    token_bytes: 0,
    text_bytes: 0,
    parameters: 0,
    places: [(ParameterKind::Number, 0, 0); MAX_PARAMETERS],
    lifted: false,
};

/// A token that is not remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unknown {
    hash: u64,
}

/// A token that was read before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered<'a>(&'a Slot);

impl Memo {
    /// What a token, [`MAX_TOKEN_BYTES`] long at most, was read as.
    #[inline]
    pub(super) fn recall(&mut self, token: &[u8]) -> Result<Remembered<'_>, Unknown> {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, EMPTY);
        }
        let hash = xxh3_64(token);
        let slot = &self.slots[hash as usize % SLOTS];
        let is_kept = slot.hash == hash && slot.token.get(..usize::from(slot.token_bytes)) == Some(token);
        if is_kept { Ok(Remembered(slot)) } else { Err(Unknown { hash }) }
    }

    /// Takes note of what a token was read as.
    pub(super) fn note(
        &mut self,
        Unknown { hash }: Unknown,
        token: (&[u8], usize),
        text: &[u8],
        parameters: &[Parameter],
        lifted: bool,
    ) {
        let (token, start) = token;
        let slot = &mut self.slots[hash as usize % SLOTS];
        if slot.candidate != hash {
            slot.candidate = hash;
            return;
        }
        if token.len() > MAX_TOKEN_BYTES || text.len() > MAX_TEXT_BYTES || parameters.len() > MAX_PARAMETERS {
            return;
        }
        slot.hash = hash;
        slot.token[..token.len()].copy_from_slice(token);
        slot.text[..text.len()].copy_from_slice(text);
        (slot.token_bytes, slot.text_bytes) = (token.len() as u8, text.len() as u8);
        (slot.parameters, slot.lifted) = (parameters.len() as u8, lifted);
        for (place, parameter) in slot.places.iter_mut().zip(parameters) {
            let within = |at: u32| (at as usize - start) as u8;
            *place = (parameter.kind, within(parameter.start), within(parameter.end));
        }
    }
}

impl Remembered<'_> {
    /// Appends what the token, now at `start`, was read as, and says whether a parameter was lifted.
    #[inline]
    pub(super) fn write(self, start: usize, text: &mut Text, parameters: &mut Vec<Parameter>) -> bool {
        let Self(slot) = self;
        text.push_block(&slot.text, usize::from(slot.text_bytes));
        for (kind, from, to) in &slot.places[..usize::from(slot.parameters)] {
            if parameters.len() < super::MAX_PARAMETERS {
                let at = |within: u8| (start + usize::from(within)) as u32;
                parameters.push(Parameter { kind: *kind, start: at(*from), end: at(*to) });
            }
        }
        slot.lifted
    }
}
