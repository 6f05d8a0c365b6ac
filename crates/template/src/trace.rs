//! One number for a stack trace: the same for the same way through the code, whatever lines and addresses it shows.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Frames that count.
const MAX_FRAMES: u32 = 128;
/// Bytes of a frame that count.
const MAX_FRAME_BYTES: usize = 256;

/// Hash of a trace's frames and exception types, fed line by line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFingerprint {
    hash: u64,
    frames: u32,
    types: u32,
}

impl TraceFingerprint {
    /// Takes in one line of the event; lines that are neither frame nor exception count for nothing.
    pub fn feed(&mut self, line: &str) {
        let text = line.trim();
        if self.frames >= MAX_FRAMES {
            return;
        }
        if let Some(frame) = frame(text) {
            self.add(frame, 1);
            self.frames += 1;
        } else if let Some(name) = exception_type(text)
            && self.types < MAX_FRAMES
        {
            self.add(name, 2);
            self.types += 1;
        }
    }

    /// The fingerprint; `None` if no frame was seen.
    pub fn finish(&self) -> Option<u64> {
        (self.frames > 0).then_some(self.hash)
    }

    fn add(&mut self, name: &str, kind: u64) {
        // Digits are line numbers, addresses, numbers of lambdas and proxies: a run of them is one mark.
        let mut kept = [0u8; MAX_FRAME_BYTES];
        let mut length = 0;
        for b in name.bytes() {
            let b = if b.is_ascii_digit() { b'0' } else { b };
            if b == b'0' && length > 0 && kept[length - 1] == b'0' {
                continue;
            }
            if length == kept.len() {
                break;
            }
            kept[length] = b;
            length += 1;
        }
        self.hash = xxh3_64_with_seed(&kept[..length], self.hash ^ kind);
    }
}

/// The function of a frame, without place and arguments.
fn frame(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("at ") {
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        let name = rest.split('(').next().unwrap_or(rest).trim_end();
        let name = if name.is_empty() { rest } else { name };
        // A place behind a Rust frame: the frame itself was counted.
        return (!name.starts_with("./") && !name.starts_with("/rustc/")).then_some(name);
    }
    if let Some(rest) = text.strip_prefix("File \"") {
        let (path, rest) = rest.split_once('"')?;
        let function = rest.rsplit_once(" in ").map(|(_, function)| function);
        return function.or(path.rsplit('/').next());
    }
    if let Some(rest) = text.strip_prefix("created by ") {
        return rest.split(" in goroutine").next();
    }
    if let Some((number, rest)) = text.split_once(": ")
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        // `12: 0x55d - name::h0123456789abcdef`.
        let name = rest.rsplit(" - ").next().unwrap_or(rest).trim();
        let is_hash = |tail: &str| tail.len() == 17 && tail[1..].bytes().all(|b| b.is_ascii_hexdigit());
        return match name.rsplit_once("::") {
            Some((path, tail)) if tail.starts_with('h') && is_hash(tail) => Some(path),
            _ => Some(name),
        };
    }
    // Go: `package.Function(0x1, ...)`; the place stands on the next line.
    let open = text.rfind('(')?;
    let name = &text[..open];
    (text.ends_with(')') && name.contains('.') && !name.contains([' ', ':', '"'])).then_some(name)
}

/// The type of `Caused by: a.b.Type: message`, `Type: message`.
fn exception_type(text: &str) -> Option<&str> {
    let text = text.strip_prefix("Caused by: ").unwrap_or(text);
    let name = text.split(':').next()?;
    let class = name.rsplit('.').next()?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._$".contains(&b));
    (is_name && ["Exception", "Error", "Throwable"].iter().any(|end| class.ends_with(end))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(trace: &str) -> Option<u64> {
        let mut fingerprint = TraceFingerprint::default();
        trace.lines().for_each(|line| fingerprint.feed(line));
        fingerprint.finish()
    }

    #[test]
    fn line_numbers_addresses_and_messages_do_not_count() {
        for (one, other) in [
            (
                "java.io.IOException: a\n\tat a.B.c(B.java:1)\n\tat a.B$$Lambda$12/0x01.run(Unknown Source)",
                "java.io.IOException: b\n\tat a.B.c(B.java:99)\n\tat a.B$$Lambda$7/0x02.run(Unknown Source)",
            ),
            (
                "  File \"/a/b.py\", line 3, in run\nValueError: x",
                "  File \"/a/b.py\", line 4, in run\nValueError: y",
            ),
            (
                "goroutine 1 [running]:\nmain.pick(0xc00001, 0x3)\n\t/app/main.go:12 +0x1d",
                "goroutine 7 [running]:\nmain.pick(0xc00002, 0x4)\n\t/app/main.go:13 +0x1f",
            ),
            (
                "System.ArgumentException: a\n   at Shop.Cart.Add(Item item) in C:\\src\\Cart.cs:line 12\n   at Shop.Main()",
                "System.ArgumentException: b\n   at Shop.Cart.Add(Item item) in C:\\src\\Cart.cs:line 99\n   at Shop.Main()",
            ),
            (
                "TypeError: a\n    at pick (/app/cart.js:3:9)\n    at /app/index.js:7:1\n    at async main (/app/index.js:1:2)",
                "TypeError: b\n    at pick (/app/cart.js:4:19)\n    at /app/index.js:8:11\n    at async main (/app/index.js:9:9)",
            ),
            ("   0: shop::pick::h0123456789abcdef", "   3: shop::pick::hfedcba9876543210"),
        ] {
            assert_eq!(fingerprint(one), fingerprint(other), "{one}");
            assert!(fingerprint(one).is_some(), "{one}");
        }
    }

    #[test]
    fn another_way_through_the_code_has_another_fingerprint() {
        let one = fingerprint("\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)");
        assert_ne!(one, fingerprint("\tat a.B.d(B.java:2)\n\tat a.B.c(B.java:1)"));
        assert_ne!(one, fingerprint("\tat a.B.c(B.java:1)"));
        assert_eq!(fingerprint("just a line"), None);
    }
}
