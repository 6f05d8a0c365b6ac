//! What the bytes of a piece with digits allow it to be, found in one pass.

/// 0-9.
const DIGIT: u16 = 1;
/// a-f and A-F.
const HEX: u16 = 1 << 1;
/// Other letters of ASCII.
const LETTER: u16 = 1 << 2;
const DOT: u16 = 1 << 3;
pub(super) const COLON: u16 = 1 << 4;
const DASH: u16 = 1 << 5;
const UNDERSCORE: u16 = 1 << 6;
const OTHER: u16 = 1 << 7;

static MARK: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'g'..=b'z' | b'G'..=b'Z' => LETTER,
            b'.' => DOT,
            b':' => COLON,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            _ => OTHER,
        };
        byte += 1;
    }
    table
}

/// Which bytes a piece has, and how many runs of digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    seen: u16,
    numbers: u16,
}

impl Spelling {
    pub(super) fn of(piece: &[u8]) -> Self {
        let (mut seen, mut numbers, mut before) = (0, 0u16, 0);
        for b in piece {
            let mark = MARK[usize::from(*b)];
            seen |= mark;
            numbers += mark & !before & DIGIT;
            before = mark;
        }
        Self { seen, numbers }
    }

    pub(super) fn has(self, any: u16) -> bool {
        self.seen & any != 0
    }

    /// Runs of digits.
    pub(super) fn numbers(self) -> u16 {
        self.numbers
    }

    pub(super) fn may_be_uuid(self) -> bool {
        self.seen & !(DIGIT | HEX | DASH) == 0
    }

    /// Also `0x1f` and `1Fh`, whose marks are letters.
    pub(super) fn may_be_hex(self, piece: &[u8]) -> bool {
        self.seen & !(DIGIT | HEX | DASH | COLON | UNDERSCORE) == 0
            || matches!(piece, [.., b'h' | b'H'] | [b'0', b'x' | b'X', ..])
    }

    pub(super) fn may_be_host(self) -> bool {
        self.seen & !(DIGIT | HEX | LETTER | DOT | COLON | DASH | UNDERSCORE) == 0
            && self.seen & (DOT | COLON) != 0
    }
}
