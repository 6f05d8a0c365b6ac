//! Names with a spelling of their own: addresses, hosts, UUIDs, hexadecimal, identifiers, paths, URLs.

use super::kind::ParameterKind;

fn digits(s: &[u8], at: usize) -> usize {
    s[at..].iter().position(|b| !b.is_ascii_digit()).unwrap_or(s.len() - at)
}

/// The length of an IPv4 address at the start of `s`, with its port, prefix length or the port behind a slash.
pub(crate) fn ipv4(s: &[u8]) -> Option<usize> {
    let mut at = 0;
    for group in 0..4 {
        if group > 0 {
            if s.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let run = digits(s, at);
        if !(1..=3).contains(&run) || (run == 3 && s[at] > b'2') {
            return None;
        }
        at += run;
    }
    if s.get(at) == Some(&b'.') && s.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    if matches!(s.get(at), Some(b':' | b'/' | b'#')) {
        let run = digits(s, at + 1);
        if (1..=5).contains(&run) {
            at += 1 + run;
        }
    }
    // A name may go on with an address (`10.0.0.1-east`); that is no address.
    if s.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        None
    } else {
        Some(at)
    }
}

/// IPv6 or MAC address: hexadecimal groups between colons.
pub(super) fn is_colon_hex(piece: &[u8]) -> bool {
    // The zone of a link-local address.
    let piece = piece.split(|b| *b == b'%').next().unwrap_or(piece);
    let colons = piece.iter().filter(|b| **b == b':').count();
    colons >= 2
        && piece.len() >= 3
        && piece.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'/'))
        && (colons >= 5 || memchr::memmem::find(piece, b"::").is_some())
        && piece.iter().any(u8::is_ascii_hexdigit)
}

pub(super) fn is_uuid(piece: &[u8]) -> bool {
    piece.len() == 36
        && piece.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// `0x...`, or digits and letters a-f in groups with at least two digits and six places, or with one digit and eight.
pub(super) fn is_hex(piece: &[u8]) -> bool {
    if let [b'0', b'x' | b'X', rest @ ..] = piece {
        return !rest.is_empty() && rest.iter().all(u8::is_ascii_hexdigit);
    }
    let body = match piece {
        [rest @ .., b'h' | b'H'] => rest,
        _ => piece,
    };
    let (mut digits, mut letters, mut upper, mut lower) = (0, 0, false, false);
    for b in body {
        match b {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'f' => (letters, lower) = (letters + 1, true),
            b'A'..=b'F' => (letters, upper) = (letters + 1, true),
            b'-' | b':' | b'_' => {}
            _ => return false,
        }
    }
    let places = digits + letters;
    let enough = if digits >= 2 { 6 } else { 8 };
    digits >= 1 && letters >= 1 && places >= enough && !(upper && lower)
}

/// Last labels that make a dotted name a host: the general ones, and those of private networks. Two-letter ones are
/// taken as countries unless they end source files.
const DOMAINS: [&[u8]; 17] = [
    b"com",
    b"net",
    b"org",
    b"edu",
    b"gov",
    b"mil",
    b"info",
    b"biz",
    b"local",
    b"internal",
    b"lan",
    b"arpa",
    b"localdomain",
    b"cluster",
    b"svc",
    b"corp",
    b"home",
];
const FILE_ENDINGS: [&[u8]; 14] =
    [b"so", b"py", b"rs", b"sh", b"pl", b"cc", b"js", b"ts", b"md", b"ps", b"go", b"gz", b"ko", b"in"];

/// A host name with dots, or a host with a port.
pub(super) fn is_host(piece: &[u8]) -> bool {
    let (name, port) = match piece.iter().rposition(|b| *b == b':') {
        Some(colon) => (&piece[..colon], &piece[colon + 1..]),
        None => (piece, &piece[..0]),
    };
    let has_port = (2..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    if (!port.is_empty() && !has_port) || name.len() < 3 || name.len() > 253 {
        return false;
    }
    let Some(dot) = name.iter().rposition(|b| *b == b'.') else {
        return has_port && (name.contains(&b'-') || name == b"localhost") && is_host_name(name);
    };
    let last = &name[dot + 1..];
    if has_port {
        return last.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && is_host_name(name);
    }
    // Most names with full stops end here: what ends them is too long, or no domain.
    let mut lower = [0u8; 12];
    if !(2..lower.len()).contains(&last.len()) {
        return false;
    }
    for (to, from) in lower.iter_mut().zip(last) {
        *to = from.to_ascii_lowercase();
    }
    let lower = &lower[..last.len()];
    let is_country = || {
        last.len() == 2
            && lower.iter().all(u8::is_ascii_lowercase)
            && name[..dot].contains(&b'.')
            && !FILE_ENDINGS.contains(&lower)
    };
    if !DOMAINS.contains(&lower) && !is_country() {
        return false;
    }
    // Reverse domain names of packages begin as hosts end.
    let first = name.split(|b| *b == b'.').next().unwrap_or(name);
    !matches!(first, b"com" | b"org" | b"net" | b"io" | b"java" | b"javax" | b"sun" | b"edu")
        && is_host_name(name)
}

fn is_host_name(name: &[u8]) -> bool {
    name[0].is_ascii_alphanumeric()
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// `name@host.domain`.
pub(super) fn is_email(piece: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', piece) else { return false };
    let (name, host) = (&piece[..at], &piece[at + 1..]);
    !name.is_empty()
        && memchr::memchr(b'.', host).is_some_and(|dot| dot > 0 && dot + 1 < host.len())
        && host.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'=' | b'/'))
}

/// What the URL, path or registry key is that begins at the start of `s`, and where it ends; `s` reaches to the end of
/// the token, `extent` tells how far a path may.
pub(super) fn path(s: &[u8], extent: impl FnOnce() -> usize) -> Option<(ParameterKind, usize)> {
    let scheme = s
        .iter()
        .take(12)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        .count();
    if scheme > 1 && s[scheme..].starts_with(b"://") {
        return Some((ParameterKind::Url, extent()));
    }
    let windows =
        matches!(s, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic()) || s.starts_with(b"\\");
    let rooted =
        s[0] == b'/' || s.starts_with(b"~/") || s.starts_with(b"./") || s.starts_with(b"../") || windows;
    let named = s[0].is_ascii_alphanumeric() || matches!(s[0], b'.' | b'_') || s[0] >= 0x80;
    if !rooted && !named {
        return None;
    }
    let end = extent();
    let body = &s[..end];
    if !body.iter().any(|b| b.is_ascii_alphanumeric() || *b >= 0x80) {
        return None;
    }
    let is_path = if rooted {
        body.len() > 2
    } else {
        match memchr::memchr2_iter(b'/', b'\\', body).take(2).count() {
            0 => false,
            1 => has_extension(body),
            _ => true,
        }
    };
    is_path.then_some((ParameterKind::Path, end))
}

/// Whether letters stand behind the last full stop, and that behind the slash: `lib/a.so`, but not `HTTP/1.1`.
fn has_extension(body: &[u8]) -> bool {
    let dot = memchr::memrchr(b'.', body);
    dot > memchr::memchr2(b'/', b'\\', body)
        && dot.and_then(|dot| body.get(dot + 1)).is_some_and(u8::is_ascii_alphabetic)
}

/// The length of a path without the punctuation at its end.
pub(super) fn without_closing(s: &[u8]) -> usize {
    let mut end = s.len();
    while end > 1 {
        let last = s[end - 1];
        let unopened = match last {
            b')' => !s[..end].contains(&b'('),
            b']' => !s[..end].contains(&b'['),
            b'}' => !s[..end].contains(&b'{'),
            b'.' | b':' | b'!' | b'?' => true,
            _ => false,
        };
        if !unopened {
            break;
        }
        end -= 1;
    }
    end
}

/// Letters and digits so mixed that the whole is an identifier, not a word with a number.
pub(super) fn is_id(piece: &[u8]) -> bool {
    let (mut digits, mut groups, mut separators, mut switches, mut into_letter) = (0usize, 0, 0, 0, 0);
    let mut before = 0u8;
    for b in piece {
        let class = match b {
            b'0'..=b'9' => b'0',
            // One number with a fraction, or a version.
            b'.' if before == b'0' => b'0',
            b'a'..=b'z' | 0x80.. => b'a',
            b'A'..=b'Z' => b'A',
            _ => b'-',
        };
        digits += usize::from(b.is_ascii_digit());
        groups += usize::from(class == b'0' && before != b'0');
        if groups >= 3 {
            return true;
        }
        separators += usize::from(class == b'-' && before != b'-');
        switches += usize::from(class != before && class != b'-' && before != b'-' && before != 0);
        into_letter += usize::from(before == b'0' && matches!(class, b'a' | b'A'));
        before = class;
    }
    (groups >= 2 && (into_letter > 0 || separators >= 2))
        || (piece.len() >= 20 && digits >= 4 && switches >= 6)
}
