//! What names the session of a line, as the configuration says it.

use std::str::FromStr;

use foreshock_otlp::views::LogRecord;
use regex::Regex;

/// Longest key, in bytes. What is longer is cut.
pub(crate) const KEY_BYTES: usize = 128;

/// Where the key of a line's session stands.
#[derive(Clone, Debug, Default)]
pub enum SessionKey {
    /// The trace id, or identifiers that come again from line to line.
    #[default]
    Found,
    /// An attribute of the record, or a field of its text: `"name": "value"`, `name=value`.
    Attribute(String),
    /// The first group of a regular expression, matched against the line.
    Pattern(Regex),
}

/// Why a key can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionKeyError {
    /// The regular expression is none.
    #[error("{0:?} is neither the name of an attribute nor a regular expression: {1}")]
    Pattern(String, String),
    /// It has to have exactly one group.
    #[error("{0:?} has {1} groups; put the part that names the session, and nothing else, in round brackets")]
    Groups(String, usize),
}

impl FromStr for SessionKey {
    type Err = SessionKeyError;

    /// Empty: found. Letters, digits and `.`, `_`, `-`, `/`, `@`: the name of an attribute. All else: a regular
    /// expression with one group.
    fn from_str(text: &str) -> Result<Self, SessionKeyError> {
        if text.is_empty() {
            return Ok(Self::Found);
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '@');
        if text.chars().all(is_name) {
            return Ok(Self::Attribute(text.to_owned()));
        }
        let pattern =
            Regex::new(text).map_err(|error| SessionKeyError::Pattern(text.to_owned(), error.to_string()))?;
        match pattern.captures_len() - 1 {
            1 => Ok(Self::Pattern(pattern)),
            groups => Err(SessionKeyError::Groups(text.to_owned(), groups)),
        }
    }
}

impl SessionKey {
    /// The key that the configuration asks for in a line; `None` where it has none, or keys are found.
    pub(crate) fn read<'a>(&self, record: &LogRecord<'a>, line: &'a str) -> Option<&'a str> {
        let key = match self {
            Self::Found => None,
            Self::Attribute(name) => {
                let attribute = record.attributes().find(|(key, _)| key == name);
                attribute.and_then(|(_, value)| value.as_str()).or_else(|| field(line, name))
            }
            Self::Pattern(pattern) => pattern.captures(line)?.get(1).map(|group| group.as_str()),
        };
        key.map(cut).filter(|key| !key.is_empty())
    }
}

/// A key no longer than is kept.
pub(crate) fn cut(key: &str) -> &str {
    &key[..key.floor_char_boundary(KEY_BYTES)]
}

/// The value of a field in a text: `"name": "value"`, `name=value`, `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let mut from = 0;
    while let Some(at) = text[from..].find(name).map(|at| from + at) {
        let behind = at + name.len();
        from = behind;
        let stands_alone = at == 0 || !is_word(text.as_bytes()[at - 1]);
        let rest = text[behind..].trim_start_matches('"').trim_start();
        let Some(rest) = rest.strip_prefix([':', '=']).filter(|_| stands_alone) else { continue };
        let rest = rest.trim_start();
        return Some(match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or(quoted),
            None => rest.split([' ', '\t', ',', ';', '}', ']', ')']).next().unwrap_or(rest),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_every_spelling_and_a_longer_name_is_another_one() {
        for text in [
            r#"{"my_session":"no","session":"s-1","msg":"x"}"#,
            r#"{"session": "s-1"}"#,
            "ts=1 session=s-1 msg=done",
            "done (session: s-1)",
            r#"sessions=9 session="s-1""#,
        ] {
            assert_eq!(field(text, "session"), Some("s-1"), "{text}");
        }
        assert_eq!(field("the session ended", "session"), None);
    }

    #[test]
    fn a_key_that_can_not_be_used_says_why() {
        let said = |text: &str| text.parse::<SessionKey>().map(drop).map_err(|error| error.to_string());
        assert_eq!(said(r"(blk_-?\d+)"), Ok(()));
        assert_eq!(said("session.id"), Ok(()));
        assert!(said(r"blk_\d+").is_err_and(|text| text.contains("0 groups")));
        assert!(said("(a)(b)").is_err_and(|text| text.contains("2 groups")));
        assert!(said("(blk_").is_err_and(|text| text.contains("regular expression")));
    }
}
