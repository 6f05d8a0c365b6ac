//! How text is put on a terminal: colours where there are any, widths in columns.

use unicode_width::UnicodeWidthChar;

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Columns; `None` where lines may be as long as they are: in a file or a pipe.
    pub width: Option<usize>,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// What a piece of text is, and so how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Heading,
    Soft,
    Critical,
    Warning,
    Info,
    Chart,
}

impl Look {
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Heading => "1",
            Ink::Soft => "2",
            Ink::Critical => "1;31",
            Ink::Warning => "33",
            Ink::Info => "34",
            Ink::Chart => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The text, cut to what is left of a line behind `used` columns.
    pub(super) fn fit(self, text: &str, used: usize) -> String {
        match self.width {
            Some(width) => cut(text, width.saturating_sub(used).max(LEAST)),
            None => text.to_owned(),
        }
    }

    /// The text in lines that fit behind `indent` columns, at most `most` of them.
    pub(super) fn wrap(self, text: &str, indent: usize, most: usize) -> Vec<String> {
        let Some(width) = self.width else { return vec![text.to_owned()] };
        let room = width.saturating_sub(indent).max(LEAST);
        let mut lines = Vec::new();
        let mut rest = text;
        while !rest.is_empty() && lines.len() + 1 < most && columns(rest) > room {
            let end = break_at(rest, room);
            lines.push(rest[..end].trim_end().to_owned());
            rest = rest[end..].trim_start();
        }
        if !rest.is_empty() {
            lines.push(cut(rest, room));
        }
        lines
    }
}

/// No piece of text is cut shorter than this, in columns.
const LEAST: usize = 20;

/// Columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    format!("{}…", &text[..end_within(text, room.saturating_sub(1))])
}

/// Where a line ends: behind the last blank that fits, or in the midst of a word that alone is too long.
fn break_at(text: &str, room: usize) -> usize {
    let end = end_within(text, room);
    match text[..end].rfind(' ') {
        Some(blank) if blank > end / 3 => blank,
        _ => end.max(text.chars().next().map_or(1, char::len_utf8)),
    }
}

/// The byte at which the text has filled `room` columns.
fn end_within(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wider_than_the_terminal_whatever_it_is_made_of() {
        let look = Look { width: Some(40), colour: false };
        let texts = [
            "short",
            "a longer text that has to be broken somewhere, or cut",
            "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
            "onewordthatislongerthanawholelineofthisterminalcouldeverbe and more",
        ];
        for text in texts {
            assert!(columns(&look.fit(text, 10)) <= 30, "{text}");
            let lines = look.wrap(text, 4, 3);
            assert!(lines.len() <= 3 && lines.iter().all(|line| columns(line) <= 36), "{lines:?}");
            let unlimited = Look::default();
            assert_eq!(
                (unlimited.fit(text, 10).as_str(), unlimited.wrap(text, 4, 3).concat().as_str()),
                (text, text)
            );
        }
    }
}
