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
    recalled_shapes: usize,
}

impl Both {
    fn new(zone: Zone) -> Self {
        let plain = (SourceFormat::default(), Shaper::new());
        Self {
            remembering: (SourceFormat::default(), Reader::new()),
            plain,
            zone,
            recalled: 0,
            recalled_shapes: 0,
        }
    }

    /// What the reader that remembers tells, and what the other does.
    fn read<'a>(&mut self, text: &'a str, hint: u64) -> (Told<'a>, Told<'a>) {
        let (source, reader) = &mut self.remembering;
        let line = reader.parse(source, text, hint, &self.zone);
        self.recalled += usize::from(reader.has_recalled());
        let shape = reader.shape(&line);
        self.recalled_shapes += usize::from(reader.has_recalled_shape());
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

/// The same line with numbers of other values and lengths in some of the places, and with other values behind `=`.
fn with_other_numbers(line: &str, seed: u64, one_in: u64) -> String {
    // Lengths at which something is decided, and others.
    const LENGTHS: [usize; 24] =
        [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 8, 10, 13, 14, 16, 19, 20, 40];
    let s = line.as_bytes();
    let (mut n, mut at) = (seed, 0);
    let mut other = Vec::new();
    while at < s.len() {
        n += 1;
        let draw = scattered(n);
        let run = s[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let length =
            if draw.is_multiple_of(one_in) { LENGTHS[(draw >> 40) as usize % LENGTHS.len()] } else { run };
        let digit = |i: usize, of: &[u8]| of[(scattered(n << 8 | i as u64) >> 20) as usize % of.len()];
        let is_value = at > 0 && s[at - 1] == b'=';
        match s[at] {
            b'0'..=b'9' if is_value && draw & 3 == 0 => {
                other.extend((0..length).map(|i| digit(i, b"0123456789abcdefxZ")));
            }
            // As a time would have it.
            b'0'..=b'9' if draw & 7 == 1 => other.extend((0..length).map(|i| digit(i, b"0011122"))),
            b'0'..=b'9' => other.extend((0..length).map(|i| digit(i, b"0123456789"))),
            b => other.push(b),
        }
        at += run.max(1);
    }
    // What with_other_digits knows hexadecimal words by.
    other.retain(|b| !matches!(b, 2 | 3));
    String::from_utf8(other).unwrap_or_default()
}

/// Messages in which much follows from the length of numbers.
const LENGTHY: &[&str] = &[
    "sum of 12&34, 1&2&3 and (5&6) is 7&x",
    "put /1, /12. and (/3) or /4/5 in \\7 and \\8x at /9-1 /7_2 by ~/1 and ./2",
    "to h2c://web:80/a and 7://web12/b or abc1234567890://web and x12+3.4://y",
    "at 0x1f, 1x1f, 0x5, 00x12 by 0xab12, 12x and 0X12345678: h12h 1234h 12abch",
    "12 MB of 3 Mar and 05 Mar 11:22:33 2024, 5 Mar x, 24 Kb",
    "from 240305 112233 to 20240305 11:22:33 or 20240305112233, 1709637753 and 1709637753.123",
    "24/03/05 11:22:33 and 2024-03-05T11:22:33.123+01:00, 05.03.2024 11:22 (05 Mar 2024 11:22:33)",
    "host web-1.example.org:80, localhost:8080, web-1:80, a.b:12, n1.de n2.x3.de 1.2.de",
    "ids 1a2, a1b2c3, blk_-1608, x12y34z5, aAbBcCdD12eEfFgGhH1, 12ab-34-cd, 1_2-3 r12.3.4",
    "versions 1.2.3, v1.2, 1.2, 10.1.2.3, 10.1.2.3.4, 10.1.2.300/24, 10.1.2.3:80-x, /10.1.2.3:80 [10.2.3.4]:5",
    "took 1h2m3s, 12ms, 1.5 s, 2928 bytes (2.85 KB), 1e5, 1.2e-3, 12%, 3rd 1:02 01:02:03.5 1:2:3:4:5",
    "a=12, b=1&c=2 d==3 =4 e=>5 f=6.7. g=8: h=[9] i={10,11} j=(k=12) l=13,14,15 m=n(16) \"o=17\" p/q=18 r=s@19",
    "list [1, 2, 3], (4, x, 5) {6,7} [a=1, b=2] 1,2,3 1,234,567.8 12, 13, 14",
    "\"12 34\" '5' `6` \"k1\":2 \"k\":\"3\" {\"a\":4,\"b5\":6} \\\"7\\\" it's 8 o'clock9 <1 >2 ~3 <4> <a5>",
    "-1 +2 -.5 x-3 x+4 #5 @6 $7 *8 %9 a-1-2 (-3) -4-5 _6 7_",
    "a/b.1 a/b.1x a/b/1 1/2 1/2/3 lib1/x2.so.3 C:/1 D:\\2 HTTP/1.1 example.org/1",
    "mail a1@b2.org of 1@2.3 a@4 and fe80::1%2 1:2:3:4:5:6 a1:b2:c3:d4:e5:f6 ::1/12 1::",
    "n12.3.4.5.6.7.8 12:34 12:34:56 1:2 3.4 12-34 1-2 11:22:33 1.2.3 1-2-3 11:22:33 1/2/3 11:22:33",
    "\u{1b}[31m12\u{1b}[0m of 34 at 5\u{1b}[12345678abc\u{1b}[1;32m6",
    "key=\u{2}1\u{3}, trace 5af7183fb1d4cf5f of 1234567890ab, AB12345678: x/5af7183f.1 5af7183f.2 12345678d 5af7183fZ",
    "\u{1b}[\u{2}12345678ab\u{3} and \u{1b}[\u{2}12345678\u{3}m at a/b.\u{2}5af7183f\u{3} or [1,\u{2}12345678ab\u{3}]",
    "x=1,\u{2}12345678ab\u{3} <\u{2}12345678ab\u{3} -\u{2}5af7183f01\u{3} (\u{2}5af7183f01\u{3}) 2,\u{2}5af7183f01\u{3}",
    "amount 12.5 EUR, from 10.1.2.3:8080 seq=1f.2 ref=12345678 ref=7 ref=af1 ref=a-1",
];

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
        let kinds = kinds.iter().map(String::as_str).chain(LENGTHY.iter().chain(TELLING).copied());
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
    fn lines_that_differ_in_numbers_are_read_as_if_each_was_the_first(
        kinds in prop::collection::vec((message(), origin()), 1..12),
        seed in any::<u32>(), one_in in 1u64..6,
    ) {
        let mut both = Both::new(Zone::UTC);
        let kinds: Vec<String> = kinds.iter().map(|(message, origin)| origin.line(message)).collect();
        let kinds = kinds.iter().map(String::as_str).chain(LENGTHY.iter().chain(TELLING).copied());
        for (kind, line) in kinds.enumerate() {
            for round in 0..100u64 {
                let seed = u64::from(seed) + 1000 * (100 * kind as u64 + round);
                let text = with_other_numbers(line, seed, one_in);
                let (found, expected) = both.read(&text, HINT);
                prop_assert_eq!(found, expected);
            }
        }
        prop_assert!(both.recalled_shapes > 0);
    }

    #[test]
    fn each_word_of_a_message_is_read_as_if_it_was_the_first(seed in any::<u32>(), one_in in 1u64..4) {
        // Of long messages hardly any is like one before in all that is asked of it.
        let words: Vec<String> = LENGTHY
            .iter()
            .chain(TELLING)
            .flat_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let some = words.windows(3).map(|words| words.join(" ")).collect::<Vec<_>>();
                words.into_iter().map(str::to_owned).chain(some)
            })
            .collect();
        let mut recalled = 0;
        for (number, words) in words.chunks(20).enumerate() {
            // One that is new to each few of them, and so looks for all.
            let mut both = Both::new(Zone::UTC);
            for (word, round) in words.iter().flat_map(|word| (0..40u64).map(move |round| (word, round))) {
                let seed = u64::from(seed) + 1000 * (40 * number as u64 + round);
                let word = with_other_digits(word, seed, one_in);
                let text = format!("put {}", with_other_numbers(&word, seed, one_in));
                let (found, expected) = both.read(&text, HINT);
                prop_assert_eq!(found, expected);
            }
            recalled += both.recalled_shapes;
        }
        prop_assert!(recalled > 5_000, "{recalled}");
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
fn contents_that_differ_in_numbers_are_recalled() {
    let mut both = Both::new(Zone::UTC);
    let names = ["stored", "sent", "dropped"];
    for n in 0..2_000u64 {
        let any = |most: u64, place: u64| scattered(n * 16 + place) % most;
        let text = format!(
            "{} order {} of customer {} in {} ms, amount {}.{:02} EUR, from 10.{}.{}.{}:{} id={:x} ref={:08x}",
            names[any(3, 0) as usize],
            any(10_000_000, 1),
            any(100_000, 2),
            any(4_000, 3),
            any(900, 4),
            any(100, 5),
            any(256, 6),
            any(256, 7),
            any(256, 8),
            1024 + any(60_000, 9),
            any(u64::MAX, 10),
            any(1 << 32, 11),
        );
        let (found, expected) = both.read(&text, HINT);
        assert_eq!(found, expected);
    }
    assert!(both.recalled_shapes > 1_800, "{}", both.recalled_shapes);
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
