//! Which lines belong to the event begun before: stack traces of Java, .NET, Node, Python, Go and Rust.
//!
//! Looks at one source's lines in order and keeps a few bytes of state. A trace has a bounded number of lines, so a
//! line that is misread can't swallow what follows for ever.

use serde::{Deserialize, Serialize};

/// Lines of one event at most.
const MAX_LINES: u32 = 1024;

/// Bytes of a line that are looked at.
const LOOKED_AT_BYTES: usize = 1024;

/// Longest name of an exception, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// No word for a level is longer, in bytes.
const MAX_LEVEL_BYTES: usize = 11;

/// Detector of continuation lines; one a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    within: Within,
    /// Lines of the present event so far.
    lines: u32,
    /// The event began with something like a header (a time, a level), not with bare text.
    headed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Within {
    /// No trace is open.
    #[default]
    Nothing,
    /// Java, Kotlin, Scala, .NET, Node: frames begin with `at`.
    Frames,
    /// Behind `Traceback`, before the exception's line.
    Python,
    /// Behind a Python exception: only a chained traceback goes on.
    PythonEnded,
    Go,
    /// Right behind `panicked at`: the message comes next.
    RustMessage,
    Rust,
}

impl Continuation {
    /// Whether `line`, which follows the lines given before, belongs to the same event as the one before it.
    pub fn is_continuation(&mut self, line: &str) -> bool {
        let line = line[..line.floor_char_boundary(LOOKED_AT_BYTES)].trim_end_matches(['\r', '\n']);
        let text = line.trim_start();
        let indented = text.len() < line.len();
        let is_exception = is_exception(text);
        let goes_on = self.lines > 0 && self.lines < MAX_LINES && self.goes_on(text, indented, is_exception);
        if goes_on {
            self.lines += 1;
        } else {
            self.lines = 1;
            self.headed = looks_headed(text);
            self.within = Within::Nothing;
        }
        self.open(text, is_exception);
        goes_on
    }

    fn goes_on(&self, text: &str, indented: bool, is_exception: bool) -> bool {
        if is_frame(text, indented) {
            return true;
        }
        if self.headed && self.lines == 1 && !indented && (is_exception || begins_trace(text)) {
            return true;
        }
        match self.within {
            Within::Nothing => false,
            Within::Frames => is_exception && self.headed && indented,
            Within::Python => text.is_empty() || indented || is_python_end(text),
            Within::PythonEnded => {
                text.is_empty() || is_python_chain(text) || text.starts_with("Traceback (")
            }
            Within::Go => text.is_empty() || indented || is_go_line(text),
            Within::RustMessage => !text.is_empty() && !looks_headed(text),
            Within::Rust => is_rust_line(text, indented),
        }
    }

    /// What a line opens, or closes, for the next one.
    fn open(&mut self, text: &str, is_exception: bool) {
        let named = named_within(text);
        self.within = if named == Some(Within::Python) {
            Within::Python
        } else if text.starts_with("panic: ") || text.starts_with("fatal error: ") || is_goroutine(text) {
            Within::Go
        } else if named == Some(Within::RustMessage) {
            Within::RustMessage
        } else {
            match self.within {
                Within::Python if is_python_end(text) => Within::PythonEnded,
                Within::RustMessage => Within::Rust,
                Within::Nothing if is_exception || is_frame(text, true) => Within::Frames,
                other => other,
            }
        };
    }
}

/// What the words of a line open, wherever in it they stand.
///
/// Every line is searched, so the search is for two bytes that few lines have many of; looking for the words
/// themselves was the dearest step of an ordinary line.
fn named_within(text: &str) -> Option<Within> {
    let s = text.as_bytes();
    let mut in_thread = false;
    for at in memchr::memchr2_iter(b'T', b'\'', s) {
        if s[at..].starts_with(b"Traceback (most recent call last)") {
            return Some(Within::Python);
        }
        in_thread |= s[..=at].ends_with(b"thread '");
    }
    (in_thread && text.contains("panicked at ")).then_some(Within::RustMessage)
}

/// The text starts as a line with a header does: with a digit, a bracket or a word in capitals.
fn looks_headed(text: &str) -> bool {
    let s = text.as_bytes();
    match s.first() {
        Some(b'0'..=b'9' | b'[' | b'<' | b'{') => true,
        Some(b'A'..=b'Z') => {
            let month = s.len() > 4 && s[3] == b' ' && (s[4] == b' ' || s[4].is_ascii_digit());
            let is_end = |b: &u8| matches!(b, b' ' | b':' | b'\t');
            let word =
                s[..s.len().min(MAX_LEVEL_BYTES + 1)].iter().position(is_end).map_or(s, |end| &s[..end]);
            month
                || crate::Level::from_bytes(word).is_some()
                || (s.len() > 5 && s[1..5].iter().all(u8::is_ascii_digit))
        }
        _ => false,
    }
}

/// A line that only traces of Java, .NET and Node have.
fn is_frame(text: &str, indented: bool) -> bool {
    // The first byte rules out nearly every line.
    match text.as_bytes().first() {
        Some(b'a') => indented && text.starts_with("at ") && text.len() > 4,
        Some(b'C') => text.starts_with("Caused by: "),
        Some(b'S') => indented && text.starts_with("Suppressed: "),
        Some(b'.') => {
            text.starts_with("... ") && (text.ends_with(" more") || text.ends_with(" common frames omitted"))
        }
        Some(b'-') => text.starts_with("--- End of ") || (indented && text.starts_with("---> ")),
        _ => false,
    }
}

/// A trace may follow a log line without a header of its own; one that begins with an exception's name aside.
fn begins_trace(text: &str) -> bool {
    text.starts_with("Traceback (most recent call last)") || is_goroutine(text)
}

/// `java.lang.IllegalStateException: ...`, `System.ArgumentException: ...`, `TypeError: ...`.
fn is_exception(text: &str) -> bool {
    let s = text.as_bytes();
    let end =
        s[..s.len().min(MAX_NAME_BYTES + 1)].iter().position(|b| matches!(b, b':' | b' ')).unwrap_or(s.len());
    let name = match &text[..end] {
        "Exception" => text.split('"').nth(2).map_or("Exception", str::trim_start),
        name => name,
    };
    // Behind the name of an ordinary line stands a blank: that is all it costs.
    if !(text.len() == name.len() || s.get(name.len()) == Some(&b':')) || name.len() > MAX_NAME_BYTES {
        return false;
    }
    let class = name.rsplit('.').next().unwrap_or(name);
    class.bytes().next().is_some_and(|b| b.is_ascii_uppercase())
        && ["Exception", "Error", "Throwable", "Failure"].iter().any(|end| class.ends_with(end))
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$'))
}

/// The line that ends a Python traceback: `ValueError: ...`, `package.Name`.
fn is_python_end(text: &str) -> bool {
    let name = text.split([':', ' ', '(']).next().unwrap_or("");
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b))
        && !name.as_bytes()[0].is_ascii_digit()
        && (text.len() == name.len() || text.as_bytes()[name.len()] == b':')
}

fn is_python_chain(text: &str) -> bool {
    text.starts_with("During handling of the above exception") || text.starts_with("The above exception was")
}

fn is_goroutine(text: &str) -> bool {
    text.starts_with("goroutine ") && text.ends_with("]:")
}

fn is_go_line(text: &str) -> bool {
    is_goroutine(text)
        || text.starts_with("created by ")
        || text.starts_with("[signal ")
        || text.starts_with("panic: ")
        || text.starts_with("exit status ")
        || text.starts_with("runtime.")
        || (text.ends_with(')') && text.contains('(') && text.contains('.') && !text.contains(": "))
}

fn is_rust_line(text: &str, indented: bool) -> bool {
    let numbered =
        text.split(':').next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    text.starts_with("note: ")
        || text.starts_with("stack backtrace:")
        || (indented && (numbered || text.starts_with("at ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One mark a line: `|` for a line that begins an event, `+` for one that goes on.
    fn marks(lines: &str) -> String {
        let mut continuation = Continuation::default();
        lines.lines().map(|line| if continuation.is_continuation(line) { '+' } else { '|' }).collect()
    }

    #[test]
    fn a_java_trace_belongs_to_the_line_that_logged_it() {
        let lines = "2024-03-05 11:22:33,250 ERROR [main] shop.Cart: checkout failed\n\
            java.lang.IllegalStateException: cart is empty\n\
            \tat shop.Cart.checkout(Cart.java:41)\n\
            \tat shop.Main.main(Main.java:7)\n\
            Caused by: java.sql.SQLException: timeout\n\
            \tat shop.Db.read(Db.java:90)\n\
            \t... 2 more\n\
            2024-03-05 11:22:34,001 INFO [main] shop.Cart: next";
        assert_eq!(marks(lines), "|++++++|");
    }

    #[test]
    fn a_python_trace_ends_with_its_exception_unless_another_is_chained() {
        let lines = "2024-03-05 11:22:33,250 - shop - ERROR - failed\n\
            Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in run\n    step()\n\
            ValueError: no such item\n\n\
            During handling of the above exception, another exception occurred:\n\n\
            Traceback (most recent call last):\n  File \"/app/b.py\", line 9, in main\n    run()\n\
            shop.Broken: cart\n\
            2024-03-05 11:22:34,250 - shop - INFO - next\n\
            plain text";
        assert_eq!(marks(lines), "|+++++++++++||");
    }

    #[test]
    fn a_go_panic_holds_its_goroutines() {
        let lines = "panic: runtime error: index out of range [3] with length 3\n\n\
            goroutine 1 [running]:\nmain.pick(0xc000012345, 0x3)\n\t/app/main.go:12 +0x1d\n\
            main.main()\n\t/app/main.go:7 +0x25\nexit status 2\n2024/03/05 11:22:33 restarted";
        assert_eq!(marks(lines), "|+++++++|");
    }

    #[test]
    fn a_rust_panic_holds_its_message_and_backtrace() {
        let lines = "thread 'main' panicked at src/main.rs:4:5:\nindex out of bounds\n\
            stack backtrace:\n   0: std::panicking::begin_panic\n             at /rustc/abc/library/std/src/panicking.rs:5:1\n\
            note: run with `RUST_BACKTRACE=full`\nready";
        assert_eq!(marks(lines), "|+++++|");
    }

    #[test]
    fn node_and_dotnet_frames_follow_their_error() {
        let node = "TypeError: Cannot read properties of undefined (reading 'id')\n    at pick (/app/cart.js:3:9)\n    at async main (/app/index.js:1:2)\nlistening";
        assert_eq!(marks(node), "|++|");
        let dotnet = "System.ArgumentException: bad\n   at Shop.Cart.Add(Item item) in C:\\src\\Cart.cs:line 12\n   --- End of stack trace from previous location ---\nready";
        assert_eq!(marks(dotnet), "|++|");
    }

    #[test]
    fn ordinary_lines_each_begin_an_event() {
        assert_eq!(
            marks("at noon the job ran\nCaused nothing\n  indented text\nError: disk\n[x] y\n"),
            "|||||"
        );
    }

    #[test]
    fn a_line_that_names_an_exception_in_quotes_is_read_whatever_stands_before_it() {
        // The name's length is no character's boundary of this line.
        assert_eq!(marks("Exception éé\"x\" abcde.Error\nException in thread \"main\" a.Error: x"), "||");
    }

    #[test]
    fn no_event_is_endless() {
        let mut continuation = Continuation::default();
        continuation.is_continuation("Traceback (most recent call last):");
        let run = (0..5000).take_while(|_| continuation.is_continuation("    x = 1")).count();
        assert!(run < MAX_LINES as usize, "{run}");
    }
}
