//! What else the header of a line, or its fields, tell: process, thread, place in the source, request.
//!
//! Not asked of every line, so it is looked for only where it is asked.

use super::{
    Format, Line, json, logfmt, tail,
    token::{Token, blanks},
};
use crate::{
    Level,
    timestamp::{self, Around},
};

/// Tokens of a header looked at.
const TOKENS: usize = 24;
/// Pairs of a structured line looked at.
const PAIRS: usize = 128;
/// Bytes of a message looked at.
const MESSAGE_BYTES: usize = 2048;
/// A longer value is no id.
const ID_BYTES: usize = 128;

/// Who wrote a line, where, and for which request. Borrowed from its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details<'a> {
    /// Number of the process.
    pub process: Option<&'a str>,
    /// Name or number of the thread.
    pub thread: Option<&'a str>,
    /// Place in the source: `file:line`.
    pub source: Option<&'a str>,
    /// Id of the trace or request, of the header or of a pair in the message.
    pub request: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// What stands before the message; empty of structured lines and of those without a header.
    pub fn header(&self) -> &'a str {
        let length = (self.content.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        match self.format {
            Format::Plain => "",
            _ => self.text.get(..length).unwrap_or(""),
        }
    }

    /// Looks for process, thread, place in the source and request: a pass over the header, and over the fields or
    /// pairs behind it.
    pub fn details(&self) -> Details<'a> {
        let mut details = Details::default();
        match self.format {
            Format::Json => details.of_json(self.text),
            Format::Logfmt => details.of_logfmt(self.text),
            _ => details.of_header(self.header(), self),
        }
        if details.request.is_none() {
            details.request = request_in(self.content);
        }
        details
    }
}

impl<'a> Details<'a> {
    fn of_json(&mut self, text: &'a str) {
        let Some(open) = text.find('{') else { return };
        let s = text.as_bytes();
        let mut at = open + 1;
        for _ in 0..PAIRS {
            let Some((key, value, end)) = json::pair_at(s, at) else { break };
            self.field(key, text.get(value.start..value.end));
            at = end;
        }
    }

    fn of_logfmt(&mut self, text: &'a str) {
        let s = text.as_bytes();
        let mut at = 0;
        for _ in 0..PAIRS {
            at = blanks(s, at);
            match logfmt::pair_at(s, at) {
                Some((key, value, end)) => {
                    self.field(key, text.get(value.0..value.1));
                    at = end;
                }
                // Of a header before the pairs.
                None => {
                    let token = Token::at(s, at);
                    self.tag(text, &token);
                    at = token.end;
                }
            }
            if at >= s.len() {
                break;
            }
        }
    }

    /// A field of a structured line.
    fn field(&mut self, key: &[u8], value: Option<&'a str>) {
        let Some(value) = value.filter(|value| !value.is_empty() && value.len() <= ID_BYTES) else { return };
        let mut name = [0u8; 24];
        let place = match bare_name(key, &mut name) {
            b"pid" | b"processid" => &mut self.process,
            b"tid" | b"thread" | b"threadid" | b"threadname" => &mut self.thread,
            b"caller" | b"source" | b"sourcelocation" => &mut self.source,
            name if names_request(name) => &mut self.request,
            _ => return,
        };
        place.get_or_insert(value);
    }

    fn of_header(&mut self, header: &'a str, line: &Line<'a>) {
        let s = header.as_bytes();
        if line.format == Format::Syslog5424 {
            // Priority and version, time, host, program, process.
            self.process = header.split(' ').nth(4).filter(|field| *field != "-");
            return;
        }
        let mut at = 0;
        for _ in 0..TOKENS {
            at = tail::separators(s, blanks(s, at));
            let Some(first) = s.get(at) else { break };
            let within = at + usize::from(matches!(first, b'[' | b'(' | b'"' | b'*'));
            if let Some(stamp) = timestamp::read(s, within, Around::NOTHING) {
                at = stamp.end;
                continue;
            }
            let group = if *first == b'[' { Token::group(s, at) } else { None };
            let token = group.unwrap_or_else(|| Token::at(s, at));
            let text = header.get(at..token.end).unwrap_or("");
            match group {
                Some(_) => self.group(&text[1..text.len() - 1], line),
                None => self.word(header, text, &token, line),
            }
            at = token.end;
        }
        if self.source.is_none() {
            self.source = line.logger.filter(|name| tail::is_caller(&Token::at(name.as_bytes(), 0)));
        }
    }

    /// What stands in brackets.
    fn group(&mut self, inner: &'a str, line: &Line<'a>) {
        let inner = inner.trim();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_number(inner) {
            self.number(inner);
        } else if let Some(pid) = inner.strip_prefix("pid ") {
            let (process, thread) = pid.split_once(":tid ").map_or((pid, None), |(p, t)| (p, Some(t)));
            self.process.get_or_insert(process);
            self.thread = self.thread.or(thread);
        } else if let Some(id) = inner.split([' ', ',']).find_map(request_id) {
            self.request.get_or_insert(id);
        } else if tail::is_caller(&Token::at(inner.as_bytes(), 0)) {
            self.source.get_or_insert(inner);
        } else if inner.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && Level::from_word(inner.rsplit(':').next().unwrap_or(inner)).is_none()
            && line.logger != Some(inner)
        {
            self.thread.get_or_insert(inner);
        }
    }

    /// What stands alone.
    fn word(&mut self, header: &'a str, text: &'a str, token: &Token<'a>, line: &Line<'a>) {
        if tail::is_caller(token) {
            self.source.get_or_insert(text.trim_end_matches(':'));
        } else if token.is_digits() {
            // The one number of klog and glog is the thread.
            let place = if line.format == Format::Klog { &mut self.thread } else { &mut self.process };
            match place {
                None => *place = Some(text),
                Some(_) => self.number(text),
            }
        } else if let Some(number) = text.strip_prefix('#') {
            let digits = number.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 {
                self.process.get_or_insert(&number[..digits]);
            }
        } else if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            if Level::from_word(inner).is_none() {
                self.thread.get_or_insert(inner);
            }
        } else if let Some(id) = text.split(',').find_map(request_id) {
            self.request.get_or_insert(id);
        } else {
            self.tag(header, token);
        }
    }

    /// `name[123]:`, and Redis' `123:M`.
    fn tag(&mut self, text: &'a str, token: &Token<'a>) {
        let start = token.end - token.bytes.len();
        let Some(text) = text.get(start..token.end) else { return };
        let number = match text.trim_end_matches(':').strip_suffix(']').and_then(|text| text.rsplit_once('['))
        {
            Some((_, number)) => number,
            None => {
                text.split_once(':').map_or("", |(number, role)| if role.len() == 1 { number } else { "" })
            }
        };
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            self.process.get_or_insert(number);
        }
    }

    /// A number that is the process, or the thread where the process is known.
    fn number(&mut self, text: &'a str) {
        let place = if self.process.is_none() { &mut self.process } else { &mut self.thread };
        place.get_or_insert(text);
    }
}

/// The id that a word is, or that stands behind the name of one: `req-1f2e`, 16 hexadecimal digits and more, a UUID,
/// `traceId=...`.
fn request_id(word: &str) -> Option<&str> {
    if let Some((name, value)) = word.split_once(['=', ':']) {
        let mut bare = [0u8; 24];
        let value = value.trim_matches(['"', '\'']);
        return (!value.is_empty() && names_request(bare_name(name.as_bytes(), &mut bare))).then_some(value);
    }
    let hex = word.strip_prefix("req-").unwrap_or(word);
    let digits = hex.bytes().filter(u8::is_ascii_hexdigit).count();
    let is_hex =
        hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') && hex.bytes().any(|b| b.is_ascii_digit());
    let is_id = is_hex && digits >= 16;
    (is_id || (hex.len() < word.len() && !hex.is_empty())).then_some(word)
}

/// The value behind the name of a request in a message: `TraceID: 1f2e`, `request_id=7`.
fn request_in(content: &str) -> Option<&str> {
    let content = &content[..content.floor_char_boundary(MESSAGE_BYTES)];
    let s = content.as_bytes();
    for separator in memchr::memchr2_iter(b'=', b':', s) {
        let end = s[..separator].iter().rposition(|b| !matches!(b, b'"' | b'\\' | b' ')).map_or(0, |i| i + 1);
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let start = s[..end].iter().rposition(|b| !is_name(b)).map_or(0, |i| i + 1);
        let mut name = [0u8; 24];
        if !names_request(bare_name(&s[start..end], &mut name)) {
            continue;
        }
        let value = content[separator + 1..].trim_start_matches([' ', '"', '\\', '\'']);
        let length = value
            .bytes()
            .take(ID_BYTES)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
            .count();
        let value = value[..length].trim_end_matches([':', '.']);
        if !value.is_empty() {
            return Some(value);
        }
    }
    None
}

/// A name in small letters without `_`, `-` and `.`; empty where it is longer than any that is known.
fn bare_name<'n>(name: &[u8], bare: &'n mut [u8; 24]) -> &'n [u8] {
    let mut length = 0;
    for b in name.iter().filter(|b| !matches!(b, b'_' | b'-' | b'.')) {
        let Some(place) = bare.get_mut(length) else { return &[] };
        *place = b.to_ascii_lowercase();
        length += 1;
    }
    &bare[..length]
}

fn names_request(bare: &[u8]) -> bool {
    matches!(
        bare,
        b"traceid"
            | b"trace"
            | b"requestid"
            | b"reqid"
            | b"xrequestid"
            | b"correlationid"
            | b"xcorrelationid"
            | b"xb3traceid"
            | b"xtraceid"
    )
}
