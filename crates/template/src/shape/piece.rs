//! One token with digits or marks in it: cut into pieces at delimiters, each piece lifted or kept.

use super::{
    MAX_PARAMETERS, MAX_WORD_BYTES, Walk,
    class::{ACTIVE, DELIMITER, DIGIT, DOT, JOINT, LETTER, Seen, VALUE_END},
    kind::ParameterKind,
    memo::MAX_TOKEN_BYTES,
    name, number,
    spelling::{self, Spelling},
};
use crate::timestamp;

impl Walk<'_> {
    /// Writes the token at `start`, whose end is first taken to be `at`; a quotation or a date in it may move that
    /// end. `seen` are the classes of its bytes. Says whether a parameter was lifted.
    #[inline(never)]
    pub(super) fn chunk(&mut self, start: usize, at: &mut usize, seen: Seen) -> bool {
        let s = self.s;
        let mut end = *at;
        if let Some(watch) = self.watch
            && seen.is_digits()
        {
            watch.digits(&s[start..end]);
        }
        // Most tokens that come here are a count, or key=value with a key of letters.
        if seen.is_digits() && s[start].is_ascii_digit() && !is_date_like(s, start, end) {
            self.lift(ParameterKind::Number, start, end);
            return true;
        }
        let key = self.classes.letters_end(start) - start;
        if (1..=MAX_WORD_BYTES).contains(&key)
            && s.get(start + key) == Some(&b'=')
            && self.classes.at(start + key + 1) & (LETTER | DIGIT) != 0
        {
            self.copy(start, key + 1);
            let pos = self.value(start + key + 1, &mut end);
            *at = end;
            self.pieces(start, pos, at);
            return true;
        }
        if end - start > MAX_TOKEN_BYTES || self.watch.is_some() {
            return self.pieces(start, start, at);
        }
        let token = &s[start..end];
        let unknown = match self.memo.recall(token) {
            Ok(remembered) => return remembered.write(start, self.text, self.parameters),
            Err(unknown) => unknown,
        };
        let (text, parameters) = (self.text.len(), self.parameters.len());
        self.looked_beyond = false;
        let lifted = self.pieces(start, start, at);
        // Where no more parameters are recorded, the reading would be remembered without them.
        if !self.looked_beyond && *at == end && self.parameters.len() < MAX_PARAMETERS {
            self.memo.note(
                unknown,
                (token, start),
                &self.text[text..],
                &self.parameters[parameters..],
                lifted,
            );
        }
        lifted
    }

    /// The pieces from `pos` on of the token at `start`.
    fn pieces(&mut self, start: usize, mut pos: usize, at: &mut usize) -> bool {
        let s = self.s;
        let mut end = *at;
        let mut lifted = false;
        let (text, parameters) = (self.text.len(), self.parameters.len());
        while pos < end {
            let b = s[pos];
            let class = self.classes.at(pos);
            // None of the marks below is a letter or a digit.
            if class & (LETTER | DIGIT) != 0 {
                let (after, parameter) = self.piece(pos, &mut end);
                lifted |= parameter;
                pos = after;
                continue;
            }
            let may_open = matches!(b, b'"' | b'\'' | b'`' | b'\\');
            // What stands before the token counts for the first.
            self.looked_beyond |= may_open && pos == start;
            if may_open && let Some(after) = self.quoted(pos) {
                lifted = true;
                pos = after;
                if pos > end {
                    end = self.chunk_end(pos);
                }
                continue;
            }
            // `<1`: a bound is still a number.
            if matches!(b, b'<' | b'>' | b'~')
                && pos == start
                && s.get(pos + 1).is_some_and(u8::is_ascii_digit)
                && !s[pos + 1..end].contains(&b'>')
            {
                pos += 1;
                continue;
            }
            if b == b'='
                && pos > start
                && is_key_end(s[pos - 1])
                && !matches!(s.get(pos + 1), Some(b'=' | b'>' | b'~'))
            {
                self.text.push(b'=');
                pos = self.value(pos + 1, &mut end);
                lifted = true;
                continue;
            }
            if class & DELIMITER != 0 || is_lead(s, pos, end) {
                self.text.push(b);
                pos += 1;
                continue;
            }
            let (after, parameter) = self.piece(pos, &mut end);
            lifted |= parameter;
            pos = after;
        }
        *at = end;
        if self.parameters.len() > parameters + 1 {
            self.text.shorten_lists(text);
        }
        lifted
    }

    /// The value of key=value, which begins at `start`: always lifted, also when it is empty. A group in brackets is
    /// left to be read piece by piece.
    fn value(&mut self, start: usize, end: &mut usize) -> usize {
        let s = self.s;
        match s.get(start) {
            Some(_) if self.classes.at(start) & (LETTER | DIGIT) != 0 => {}
            Some(b'{' | b'[' | b'(' | b'<') if start < *end => return start,
            Some(b'"' | b'\'' | b'`' | b'\\') if start < *end => {
                let text = self.text.len();
                if let Some(after) = self.quoted(start) {
                    self.text.truncate(text);
                    self.text.extend_from_slice(ParameterKind::Value.mark().as_bytes());
                    *end = self.chunk_end(after.max(*end));
                    return after;
                }
            }
            _ => {}
        }
        let mut after = self.classes.find(start, *end, VALUE_END);
        // A comma between digits belongs to a number or a list of them.
        while after + 1 < *end && s[after] == b',' && s[after + 1].is_ascii_digit() && after > start {
            after += 1;
            let digits = after;
            while after < *end && (s[after].is_ascii_digit() || s[after] == b'.') {
                after += 1;
            }
            // Where it ends, or what stands behind it, may be within a hexadecimal word.
            if let Some(watch) = self.watch
                && watch.has_hex(&s[digits..after])
            {
                watch.spoil();
            }
        }
        // What was opened within the value is closed within it: `ws=WorkSource{10}`, `next=retry(3)`.
        while after < *end
            && let Some(opening) = opening_of(s[after])
            && s[start..after].contains(&opening)
        {
            after = self.classes.find(after + 1, *end, VALUE_END);
        }
        while after > start && matches!(s[after - 1], b'.' | b':') {
            after -= 1;
        }
        self.lift(ParameterKind::Value, start, after);
        after
    }

    /// One piece; tells the first byte after it and whether a parameter was lifted.
    fn piece(&mut self, start: usize, end: &mut usize) -> (usize, bool) {
        let s = self.s;
        let chunk = &s[start..*end];
        let (mut stop, mut seen) = self.classes.piece(start, *end);
        // A comma between digits belongs to the number.
        while stop > start && stop + 1 < *end && s[stop] == b',' && s[stop + 1].is_ascii_digit() {
            // The last of a hexadecimal word may be a digit or not.
            if let Some(watch) = self.watch
                && watch.has_hex(&s[stop - 1..stop])
            {
                watch.spoil();
            }
            if !s[stop - 1].is_ascii_digit() {
                break;
            }
            let (next, more) = self.classes.piece(stop + 1, *end);
            (stop, seen) = (next, seen | Seen::DELIMITED | more);
        }
        if let Some(watch) = self.watch {
            watch.piece_at(start);
            if seen.is_digits() {
                watch.digits(&s[start..stop]);
            }
        }
        // Whether it is a date may depend on what stands behind it.
        self.looked_beyond |= seen.has(DIGIT) && stop == *end && matches!(stop - start, 1 | 2 | 6);
        if seen.is_digits() && !is_date_like(s, start, stop) {
            self.lift(ParameterKind::Number, start, stop);
            return (stop, true);
        }
        // An address behind a slash, or bare.
        if seen.has(DIGIT) && (seen.has(DOT | JOINT) || is_date_like(s, start, stop)) {
            let from = usize::from(chunk[0] == b'/');
            if chunk.get(from).is_some_and(u8::is_ascii_digit)
                && let Some(length) = self.address(&chunk[from..])
            {
                self.text.extend_from_slice(&chunk[..from]);
                self.lift(ParameterKind::Ip, start + from, start + from + length);
                return (start + from + length, true);
            }
            self.looked_beyond |= chunk[0].is_ascii_digit();
            if chunk[0].is_ascii_digit()
                && let Some(stamp) = timestamp::read(s, start, self.around())
                && stamp.spelling != timestamp::Spelling::Epoch
                && !s.get(stamp.end).is_some_and(|b| b.is_ascii_alphanumeric())
            {
                self.lift(ParameterKind::Time, start, stamp.end);
                *end = self.chunk_end(stamp.end.max(*end));
                return (stamp.end, true);
            }
        }
        if seen.has(ACTIVE)
            && s[start..stop].iter().any(|b| matches!(b, b'/' | b'\\'))
            && let Some((kind, length)) = self.path(start, *end)
        {
            self.lift(kind, start, start + length);
            return (start + length, true);
        }
        // Punctuation at the end is not of the piece.
        let mut last = stop;
        while last > start + 1
            && matches!(s[last - 1], b'.' | b':' | b'!' | b'?' | b'-' | b'/' | b'*' | b'#' | b'~' | b'^')
        {
            last -= 1;
        }
        let lifted = self.bare_piece(start, last, seen);
        if last < stop {
            self.text.extend_from_slice(&s[last..stop]);
        }
        (stop, lifted)
    }

    /// What is a URL or path that begins at `start`, in a token that ends at `end`, and its length.
    fn path(&self, start: usize, end: usize) -> Option<(ParameterKind, usize)> {
        if let Some(watch) = self.watch {
            watch.path(&self.s[start..end]);
        }
        name::path(&self.s[start..end], || {
            // To the first byte that no path holds.
            let mut stop = self.classes.find(start, end, DELIMITER);
            while stop < end && matches!(self.s[stop], b'=' | b')' | b']' | b'}' | b'(' | b'[' | b'{') {
                stop = self.classes.find(stop + 1, end, DELIMITER);
            }
            name::without_closing(&self.s[start..stop])
        })
    }

    /// The length of the address that a stretch begins with.
    fn address(&self, s: &[u8]) -> Option<usize> {
        let length = name::ipv4(s);
        if let Some(watch) = self.watch {
            watch.address(s, length);
        }
        length
    }

    /// A piece without delimiters, slashes and punctuation at its end.
    fn bare_piece(&mut self, start: usize, end: usize, seen: Seen) -> bool {
        let piece = &self.s[start..end];
        let kind = kind_of(piece, seen);
        if let Some(watch) = self.watch {
            watch.piece(piece, seen, kind);
            if let [digit @ b'0'..=b'9', b'x' | b'X', ..] = piece {
                watch.same(std::slice::from_ref(digit));
            }
            if kind.is_none() && watch.has_hex(piece) {
                // Its letters stay, and they are this line's.
                watch.spoil();
            }
        }
        match kind {
            Some(kind) => self.lift(kind, start, end),
            None if !seen.has(DIGIT) => {
                self.copy(start, end - start);
                return false;
            }
            None => self.digits_in_name(start, end),
        }
        true
    }

    /// A word with a number in it: the number is lifted, with a sign that stands behind another mark.
    fn digits_in_name(&mut self, start: usize, end: usize) {
        let s = self.s;
        let mut at = start;
        while at < end {
            let letters = at;
            at = self.classes.find(at, end, DIGIT);
            if at == end {
                self.copy(letters, at - letters);
                return;
            }
            let signed = at > letters
                && matches!(s[at - 1], b'-' | b'+')
                && (at - 1 == start || !s[at - 2].is_ascii_alphanumeric());
            let from = at - usize::from(signed);
            self.copy(letters, from - letters);
            while at < end && s[at].is_ascii_digit() {
                at += 1;
            }
            self.lift(ParameterKind::Number, from, at);
        }
    }
}

/// What a bare piece is, if it is a parameter as a whole.
pub(crate) fn kind_of(piece: &[u8], seen: Seen) -> Option<ParameterKind> {
    if seen.has(ACTIVE) && piece.contains(&b'@') && name::is_email(piece) {
        Some(ParameterKind::Email)
    } else if seen.has(DIGIT) {
        number::kind(piece).or_else(|| spelled(piece, seen))
    } else if piece.len() > MAX_WORD_BYTES {
        Some(ParameterKind::Id)
    } else if seen.has(DOT) && name::is_host(piece) {
        Some(ParameterKind::Host)
    } else {
        None
    }
}

/// What a piece with digits in it that is no number is by its spelling.
fn spelled(piece: &[u8], seen: Seen) -> Option<ParameterKind> {
    let spelling = Spelling::of(piece);
    if !seen.has(LETTER) && !spelling.has(spelling::COLON) {
        None
    } else if spelling.may_be_uuid() && name::is_uuid(piece) {
        Some(ParameterKind::Uuid)
    } else if spelling.has(spelling::COLON) && name::is_colon_hex(piece) {
        Some(ParameterKind::Ip)
    } else if spelling.may_be_hex(piece) && name::is_hex(piece) {
        Some(ParameterKind::Hex)
    } else if spelling.may_be_host() && name::is_host(piece) {
        Some(ParameterKind::Host)
    } else if (spelling.numbers() > 1 && name::is_id(piece)) || piece.len() > MAX_WORD_BYTES {
        Some(ParameterKind::Id)
    } else {
        None
    }
}

/// Digits alone that a date may begin with: `20240305`, `240305 112233`, `05 Mar`.
pub(crate) fn is_date_like(s: &[u8], start: usize, stop: usize) -> bool {
    match stop - start {
        8 | 14 => true,
        6 => s.get(stop) == Some(&b' ') && s.get(stop + 1).is_some_and(u8::is_ascii_digit),
        1 | 2 => s.get(stop) == Some(&b' ') && s.get(stop + 1).is_some_and(u8::is_ascii_uppercase),
        _ => false,
    }
}

fn opening_of(closing: u8) -> Option<u8> {
    match closing {
        b')' => Some(b'('),
        b']' => Some(b'['),
        b'}' => Some(b'{'),
        _ => None,
    }
}

fn is_key_end(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b']' | b'"' | b'\'') || b >= 0x80
}

/// A mark that stands before a piece and is not of it: `@0x1f`, `#12`, `$x`, `*`, `:`.
fn is_lead(s: &[u8], at: usize, end: usize) -> bool {
    match s[at] {
        b'@' | b'#' | b'$' | b'*' | b'!' | b'?' | b'&' | b'%' | b'^' | b':' => true,
        b'-' | b'+' => !(at + 1 < end && (s[at + 1].is_ascii_digit() || s[at + 1] == b'.')),
        _ => false,
    }
}
