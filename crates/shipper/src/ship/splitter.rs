//! Bytes into lines, with bounded memory whatever the bytes are.

/// A longer line is cut here and marked; the rest of it is passed over.
pub(crate) const LONGEST_LINE: usize = 1 << 20;

/// One line, without its line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) bytes: &'a [u8],
    /// It was longer than [`LONGEST_LINE`].
    pub(crate) is_cut: bool,
}

/// Splits a stream of bytes; keeps the line that has not ended yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
    /// Inside the rest of a line that was cut.
    is_skipping: bool,
    /// The unfinished line was handed out: a line break that follows at once belongs to it.
    is_flushed: bool,
}

impl Splitter {
    /// Goes on inside the rest of a line that was cut.
    pub(crate) fn resumed(is_skipping: bool) -> Self {
        Self { is_skipping, ..Self::default() }
    }

    /// Takes bytes in, hands out the lines that end in them.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut emit: impl FnMut(Line<'_>)) {
        if self.is_flushed && !bytes.is_empty() {
            self.is_flushed = false;
            bytes = bytes.strip_prefix(b"\r\n").or_else(|| bytes.strip_prefix(b"\n")).unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if std::mem::take(&mut self.is_skipping) {
                continue;
            }
            if self.partial.is_empty() && head.len() <= LONGEST_LINE {
                emit(Line { bytes: without_return(head), is_cut: false });
                continue;
            }
            let room = LONGEST_LINE - self.partial.len();
            self.partial.extend_from_slice(&head[..head.len().min(room)]);
            emit(Line { bytes: without_return(&self.partial), is_cut: head.len() > room });
            self.partial.clear();
        }
        if self.is_skipping {
            return;
        }
        let room = LONGEST_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            emit(Line { bytes: &self.partial, is_cut: true });
            self.partial.clear();
            self.is_skipping = true;
        }
    }

    /// Hands out the unfinished line, if there is one.
    pub(crate) fn flush(&mut self, emit: impl FnOnce(Line<'_>)) {
        if !self.partial.is_empty() {
            emit(Line { bytes: without_return(&self.partial), is_cut: false });
            self.partial.clear();
            self.is_flushed = true;
        }
    }

    /// Bytes taken in that no line handed out covers.
    pub(crate) fn unfinished(&self) -> usize {
        self.partial.len()
    }

    pub(crate) fn is_skipping(&self) -> bool {
        self.is_skipping
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(String, bool)> {
        let mut lines = Vec::new();
        let mut splitter = Splitter::default();
        let mut keep =
            |line: Line<'_>| lines.push((String::from_utf8_lossy(line.bytes).into_owned(), line.is_cut));
        for chunk in chunks {
            splitter.feed(chunk, &mut keep);
        }
        splitter.flush(&mut keep);
        lines
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = b"one\r\ntwo\n\nfour and no end";
        let whole = split(&[text]);
        let wanted = ["one", "two", "", "four and no end"];
        assert_eq!(whole.iter().map(|line| line.0.as_str()).collect::<Vec<_>>(), wanted);
        for at in 0..text.len() {
            assert_eq!(split(&[&text[..at], &text[at..]]), whole, "cut at {at}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(split(&single), whole);
    }

    #[test]
    fn a_line_above_the_limit_is_cut_marked_and_its_rest_passed_over() {
        for chunk in [1 << 16, LONGEST_LINE - 1, LONGEST_LINE + 7, 4 << 20] {
            let mut text = vec![b'x'; 3 * LONGEST_LINE];
            text.extend_from_slice(b"\nnext\n");
            let chunks: Vec<&[u8]> = text.chunks(chunk).collect();
            let lines = split(&chunks);
            assert_eq!(lines.len(), 2, "chunks of {chunk}");
            assert_eq!((lines[0].0.len(), lines[0].1), (LONGEST_LINE, true));
            assert_eq!(lines[1], ("next".to_owned(), false));
        }
        let exact = [vec![b'x'; LONGEST_LINE], b"\n".to_vec()].concat();
        assert!(!split(&[&exact[..100], &exact[100..]])[0].1);
    }

    #[test]
    fn the_line_break_of_a_line_that_was_flushed_makes_no_empty_line() {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        splitter.feed(b"slow", |_| panic!("not ended"));
        splitter.flush(|line| lines.push(line.bytes.to_vec()));
        splitter.feed(b"\nnext\n", |line| lines.push(line.bytes.to_vec()));
        assert_eq!(lines, [b"slow".to_vec(), b"next".to_vec()]);
    }
}
