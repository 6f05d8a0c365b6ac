//! A reader that remembers reads every line as one that does not.

mod lines;

use foreshock_template::{Details, Format, Level, Parameter, Reader, Shape, Shaper, SourceFormat, Zone};
use lines::{message, odd_lines, origin, scattered};
use proptest::prelude::*;

const HINT: u64 = 1_709_640_000_000_000_000;

/// All that is told of a line.
#[derive(Clone, Debug, PartialEq)]
struct Told<'a> {
    text: &'a str,
    time: Option<u64>,
    level: Option<Level>,
    host: Option<&'a str>,
    logger: Option<&'a str>,
    content: &'a str,
    format: Format,
    header: &'a str,
    details: Details<'a>,
    shape: Shape,
    tokens: String,
    parameters: Vec<Parameter>,
}

/// Reads with and without remembering.
struct Both {
    remembering: (SourceFormat, Reader),
    plain: (SourceFormat, Shaper),
    zone: Zone,
    recalled: usize,
}

impl Both {
    fn new(zone: Zone) -> Self {
        let plain = (SourceFormat::default(), Shaper::new());
        Self { remembering: (SourceFormat::default(), Reader::new()), plain, zone, recalled: 0 }
    }

    /// What the reader that remembers tells, and what the other does.
    fn read<'a>(&mut self, text: &'a str, hint: u64) -> (Told<'a>, Told<'a>) {
        let (source, reader) = &mut self.remembering;
        let line = reader.parse(source, text, hint, &self.zone);
        self.recalled += usize::from(reader.has_recalled());
        let shape = reader.shape(&line);
        let mut tokens = String::new();
        reader.write_tokens(&mut tokens);
        let told = |line: foreshock_template::Line<'a>, shape, tokens, parameters| Told {
            text: line.text,
            time: line.time,
            level: line.level,
            host: line.host,
            logger: line.logger,
            content: line.content,
            format: line.format,
            header: line.header(),
            details: line.details(),
            shape,
            tokens,
            parameters,
        };
        let remembering = told(line, shape, tokens, reader.parameters().to_vec());
        let (source, shaper) = &mut self.plain;
        let line = source.parse_in(text, hint, &self.zone);
        let shape = shaper.shape(line.content);
        let mut tokens = String::new();
        shaper.write_tokens(&mut tokens);
        (remembering, told(line, shape, tokens, shaper.parameters().to_vec()))
    }
}

/// The same line with other digits, and other letters where they are hexadecimal, in some of the places. Between STX and
/// ETX, which go, a digit may become a letter.
fn with_other_digits(line: &str, seed: u64, one_in: u64) -> String {
    let (mut n, mut in_word) = (seed, false);
    let mut other = String::new();
    for c in line.chars() {
        n += 1;
        let draw = scattered(n);
        let below = |most: u64| ((draw >> 32) % most) as usize;
        match c {
            '\u{2}' => in_word = true,
            '\u{3}' => in_word = false,
            '0'..='9' | 'a'..='f' if in_word => other.push(char::from(b"0123456789abcdef"[below(16)])),
            '0'..='9' if draw.is_multiple_of(one_in) => other.push(char::from(b"0123456789"[below(10)])),
            'a'..='f' if draw.is_multiple_of(one_in) => other.push(char::from(b"abcdef"[below(6)])),
            c => other.push(c),
        }
    }
    other
}

/// Lines in which much follows from the values of digits.
const TELLING: &[&str] = &[
    "<34>Mar  5 11:22:33 web1 su[12]: failed",
    "<165>1 2024-03-05T11:22:33Z db1 pg 99 ID47 - slow query",
    r#"{"level":50,"time":1709637753000,"pid":7,"msg":"refused 12"}"#,
    r#"{"PRIORITY":"3","time":"2024-03-05T11:22:33Z","message":"refused"}"#,
    r#"10.0.0.1 - ann [05/Mar/2024:12:22:33 +0100] "GET /a HTTP/1.1" 503 12"#,
    "E0305 11:22:33.000000   77 kubelet.go:12] pod failed",
    "02/03/2024 11:22:33 INFO x 11/12/2013 10:20:30",
    "24/03/05 11:22:33 INFO exec.Backend: connected to 10.1.255.3:8080",
    "- 1709637753 2024.03.05 n1 2024-03-05-11.22.33.000000 n1 RAS APP FATAL no memory",
    "2024-03-05 11:22:33 DEBUG2 [12] at 0x7ffe12, 12:30:45, 10.0.0.256, 20240305, 240305 112233",
    "2024-03-05 11:22:33 INFO trace 5af7183fb1d4cf5f of req-5af7183fb1d4cf5f, c-12345678e1, 1234567890123b",
    "Mar  5 11:22:33 gw1 %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
    "1709637753,web1,INFO,12 orders placed,7",
    "11:22:33 INFO 6f9619ff-8b86-d011-b42d-00cf4fc964ff in /data/5af7183fb1d4cf5f.log",
    "trace \u{2}5af7183f\u{3} of x-\u{2}5af7183f\u{3}, c_\u{2}12345678\u{3}, \u{2}12345678b\u{3}, 0x\u{2}5af718\u{3}",
    "put \u{2}1234567890123456\u{3} at /a/\u{2}5af7183fb1d4cf5f\u{3}.\u{2}12345678\u{3} by \u{2}5af7183f\u{3}@example.org",
    "key=\u{2}5af7183fb1d4cf5f\u{3}, \u{2}0305112233\u{3}: \u{2}20240305112233\u{3} and n\u{2}5af7183f\u{3}.example.org",
    "ended on Mar  5 11:22:33x12 with (left, right)12 and 10.20.30.400",
    "job 12ab34cd56ef78 ended on Mar 05 2024 11:22:33 after 1h2m3s",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lines_that_differ_in_digits_are_read_as_if_each_was_the_first(
        kinds in prop::collection::vec((message(), origin()), 1..12),
        seed in any::<u32>(), one_in in 1u64..6, minutes in -600i16..600,
    ) {
        let mut both = Both::new(Zone::fixed(minutes));
        let kinds: Vec<String> = kinds.iter().map(|(message, origin)| origin.line(message)).collect();
        let kinds = kinds.iter().map(String::as_str).chain(TELLING.iter().copied());
        for (kind, line) in kinds.enumerate() {
            for round in 0..40u64 {
                let text = with_other_digits(line, u64::from(seed) + 1000 * (40 * kind as u64 + round), one_in);
                // The third is recalled, if anything is.
                for hint in [HINT, HINT, 0] {
                    let (found, expected) = both.read(&text, hint);
                    prop_assert_eq!(found, expected);
                }
            }
        }
        prop_assert!(both.recalled > 0);
        prop_assert_eq!(&both.remembering.0, &both.plain.0);
    }

    #[test]
    fn any_text_is_read_the_same_again(lines in prop::collection::vec(any::<String>(), 1..20)) {
        let mut both = Both::new(Zone::UTC);
        for line in lines.iter().cycle().take(lines.len() * 4) {
            let (found, expected) = both.read(line, 0);
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn rubbish_is_read_the_same_again() {
    let mut both = Both::new(Zone::UTC);
    for text in odd_lines() {
        for length in [60, 399, 4000] {
            let text = &text[..text.floor_char_boundary(length)];
            for _ in 0..4 {
                let (found, expected) = both.read(text, HINT);
                assert_eq!(found, expected);
            }
        }
    }
}

#[test]
fn letters_that_stay_in_a_name_are_those_of_the_line() {
    let mut both = Both::new(Zone::UTC);
    for name in ["x-abcdef12", "x-abcdef34", "x-abcdef56", "x-fedcba12", "x-fedcba34", "x-fedcba56"] {
        let text = format!("put {name} away");
        let (found, expected) = both.read(&text, HINT);
        assert_eq!(found, expected);
    }
}

#[test]
fn lines_that_differ_in_digits_are_recalled() {
    let mut both = Both::new(Zone::UTC);
    for n in 0..1000u64 {
        let text = format!(
            "2024-03-05 11:{:02}:{:02},{:03} INFO [exec-{}] shop.Cart: order {} from 10.0.{}.{}:8080 has id {:016x}",
            n % 60,
            n * 7 % 60,
            n % 1000,
            n % 10,
            10_000 + n,
            10 + n % 90,
            100 + n % 100,
            scattered(n) | 1 << 60
        );
        both.read(&text, HINT);
    }
    assert!(both.recalled > 900, "{}", both.recalled);
}

#[test]
fn a_stream_with_nothing_in_common_and_one_that_has_take_turns() {
    let mut both = Both::new(Zone::UTC);
    for turn in 0..4u64 {
        for n in 0..5_000u64 {
            let letters: String =
                (0..12).map(|i| char::from(b'a' + (scattered(n + turn) >> (4 * i) & 15) as u8)).collect();
            let text = format!("{letters} is {n}");
            let (found, expected) = both.read(&text, HINT);
            assert_eq!(found, expected);
        }
        let before = both.recalled;
        for n in 10_000..20_000u64 {
            both.read(&format!("order {n} is placed"), HINT);
        }
        assert!(both.recalled - before > 5_000, "{}", both.recalled - before);
    }
}
