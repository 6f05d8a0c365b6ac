//! Kinds of parameters.

use serde::{Deserialize, Serialize};

/// What a lifted parameter is, as far as its spelling tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ParameterKind {
    /// A number, or the digits in a name.
    Number,
    /// A number with a unit of time.
    Duration,
    /// A number with a unit of bytes.
    Size,
    /// Numbers with dots: a version.
    Version,
    /// An IPv4 or IPv6 address, with its port or prefix length.
    Ip,
    /// A host name, with its port.
    Host,
    /// A UUID.
    Uuid,
    /// Hexadecimal digits.
    Hex,
    /// A path of a file system.
    Path,
    /// A URL.
    Url,
    /// An e-mail address.
    Email,
    /// An identifier made of letters and digits.
    Id,
    /// A quoted string.
    Text,
    /// The value of key=value.
    Value,
    /// A time or date.
    Time,
}

impl ParameterKind {
    /// How it stands in the canonical text.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Number => "<num>",
            Self::Duration => "<dur>",
            Self::Size => "<size>",
            Self::Version => "<ver>",
            Self::Ip => "<ip>",
            Self::Host => "<host>",
            Self::Uuid => "<uuid>",
            Self::Hex => "<hex>",
            Self::Path => "<path>",
            Self::Url => "<url>",
            Self::Email => "<email>",
            Self::Id => "<id>",
            Self::Text => "<str>",
            Self::Value => "<val>",
            Self::Time => "<time>",
        }
    }

    /// Every kind.
    pub(crate) const ALL: [Self; 15] = [
        Self::Number,
        Self::Duration,
        Self::Size,
        Self::Version,
        Self::Ip,
        Self::Host,
        Self::Uuid,
        Self::Hex,
        Self::Path,
        Self::Url,
        Self::Email,
        Self::Id,
        Self::Text,
        Self::Value,
        Self::Time,
    ];

    /// Its mark filled up to a block, and the mark's length.
    pub(super) fn mark_block(self) -> ([u8; 8], usize) {
        const BLOCKS: [([u8; 8], usize); 15] = blocks();
        BLOCKS[self as usize]
    }

    /// Every mark, and that of what was cut off.
    pub(crate) const MARKS: [&'static str; 16] = [
        "<num>", "<dur>", "<size>", "<ver>", "<ip>", "<host>", "<uuid>", "<hex>", "<path>", "<url>",
        "<email>", "<id>", "<str>", "<val>", "<time>", "<rest>",
    ];
}

/// The marks in the order of the kinds.
const fn blocks() -> [([u8; 8], usize); 15] {
    let mut blocks = [([b' '; 8], 0); 15];
    let mut kind = 0;
    while kind < blocks.len() {
        let mark = ParameterKind::MARKS[kind].as_bytes();
        while blocks[kind].1 < mark.len() {
            blocks[kind].0[blocks[kind].1] = mark[blocks[kind].1];
            blocks[kind].1 += 1;
        }
        kind += 1;
    }
    blocks
}

/// A parameter and where it stands in the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is.
    pub kind: ParameterKind,
    /// First byte.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
}
