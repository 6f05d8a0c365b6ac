//! Content -> shape: the words of a line with its parameters lifted out.
//!
//! A shape is a function of the content alone. The work a line costs is bounded whatever it holds: bytes, tokens
//! and recorded parameters are capped, and nothing is allocated once the scratch has grown.

mod class;
mod kind;
mod list;
mod memo;
mod name;
mod number;
mod piece;
mod quote;
mod spelling;
mod text;
mod walk;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

pub use kind::{Parameter, ParameterKind};

pub(crate) use class::Seen;
pub(crate) use name::ipv4;
pub(crate) use number::is_number;
pub(crate) use piece::{is_date_like, kind_of};

use class::Classes;
use memo::Memo;
use text::Text;
use walk::Walk;

use crate::recall::Watch;

/// Tokens of a shape at most; what follows is one `<rest>`.
pub const MAX_TOKENS: usize = 128;
/// Bytes of content looked at.
pub const MAX_CONTENT_BYTES: usize = 4096;
/// Parameters recorded a line.
pub const MAX_PARAMETERS: usize = 64;
/// A longer word is no word.
const MAX_WORD_BYTES: usize = 96;

/// Names a shape: 128 bits of its canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShapeHash(pub u128);

impl ShapeHash {
    /// Of a canonical text, as [`Shaper::write_tokens`] writes it.
    pub fn of_text(text: &str) -> Self {
        Self(xxh3_128(text.as_bytes()))
    }
}

/// What was found of one line; its text and parameters wait in the [`Shaper`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of the canonical text.
    pub hash: ShapeHash,
    /// Tokens of the canonical text, [`MAX_TOKENS`] and one `<rest>` at most.
    pub tokens: u16,
    /// Tokens that are, or hold, a parameter.
    pub parameter_tokens: u16,
}

/// Turns content into shapes. Holds scratch space; one a thread.
#[derive(Clone, Debug, Default)]
pub struct Shaper {
    classes: Vec<u8>,
    text: Text,
    parameters: Vec<Parameter>,
    memo: Memo,
}

impl Shaper {
    /// A shaper with its scratch space ready.
    pub fn new() -> Self {
        Self {
            classes: Vec::with_capacity(1024),
            text: Text::default(),
            parameters: Vec::with_capacity(MAX_PARAMETERS),
            memo: Memo::default(),
        }
    }

    /// The shape of a line's content. Its text and parameters stay readable until the next call.
    pub fn shape(&mut self, content: &str) -> Shape {
        self.read(content, None)
    }

    /// The same, while what it asks about digits is taken down.
    pub(crate) fn shape_watched(&mut self, content: &str, watch: &Watch) -> Shape {
        self.read(content, Some(watch))
    }

    /// The canonical text of the last shape.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    fn read(&mut self, content: &str, watch: Option<&Watch>) -> Shape {
        self.text.clear();
        self.parameters.clear();
        let mut end = content.len();
        if end > MAX_CONTENT_BYTES {
            end = content.floor_char_boundary(MAX_CONTENT_BYTES);
        }
        let s = &content.as_bytes()[..end];
        let mut walk = Walk {
            s,
            classes: Classes::of(s, &mut self.classes),
            text: &mut self.text,
            parameters: &mut self.parameters,
            memo: &mut self.memo,
            unclosed: 0,
            looked_beyond: false,
            watch,
        };
        let (tokens, parameter_tokens) = walk.tokens(end < content.len());
        Shape { hash: ShapeHash(xxh3_128(&self.text)), tokens, parameter_tokens }
    }

    /// Appends the canonical text of the last shape: its tokens, one blank between them, parameters as `<num>`,
    /// `<ip>` and so on.
    pub fn write_tokens(&self, out: &mut String) {
        match std::str::from_utf8(&self.text) {
            Ok(text) => out.push_str(text),
            Err(_) => out.push_str(&String::from_utf8_lossy(&self.text)),
        }
    }

    /// The parameters of the last shape, in order, as ranges of its content; the first [`MAX_PARAMETERS`]. One for each mark
    /// in its text: of a list of like tokens those of the first.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }
}

#[cfg(test)]
mod tests;
