//! What holds for any lines: what stands before a message groups nothing, a second pass teaches nothing, sources do not
//! matter, and whatever comes the work is bounded.

use std::collections::{BTreeMap, BTreeSet};

use foreshock_template::{
    Continuation, KnownShapes, MAX_CONTENT_BYTES, MAX_PARAMETERS, MAX_TOKENS, Miner, MinerLimits, Outcome,
    Shaper, SourceFormat, TemplateId, TraceFingerprint, mask_secrets,
};
use proptest::prelude::*;

/// Shapes remembered in front of the miner.
const SHAPES: usize = 4096;

/// One miner, and the sources that feed it.
struct Reader {
    sources: Vec<SourceFormat>,
    shaper: Shaper,
    known: KnownShapes,
}

impl Reader {
    fn new(sources: usize, limits: MinerLimits) -> Self {
        Self {
            sources: vec![SourceFormat::default(); sources],
            shaper: Shaper::new(),
            known: KnownShapes::new(Miner::new(limits), SHAPES),
        }
    }

    fn read(&mut self, source: usize, line: &str) -> (TemplateId, Outcome) {
        let line = self.sources[source].parse(line, 0);
        let shape = self.shaper.shape(line.content);
        let learned = self.known.template_of(&shape, &self.shaper);
        (learned.template, learned.outcome)
    }

    /// Which lines stand together at the end: for each the first of its group.
    fn group(&mut self, lines: &[String]) -> Vec<usize> {
        let ids: Vec<_> = lines.iter().map(|line| self.read(0, line).0).collect();
        let mut first = BTreeMap::new();
        ids.iter()
            .enumerate()
            .map(|(line, id)| *first.entry(self.known.miner().resolve(*id)).or_insert(line))
            .collect()
    }

    fn templates(&self) -> BTreeSet<String> {
        let miner = self.known.miner();
        miner.ids().into_iter().map(|id| miner.render(id)).collect()
    }
}

fn group(lines: &[String]) -> Vec<usize> {
    Reader::new(1, MinerLimits::default()).group(lines)
}

/// A message of one of several kinds, with values in it.
fn message() -> impl Strategy<Value = String> {
    let name = "[a-z]{3,8}";
    prop_oneof![
        (any::<u16>(), name).prop_map(|(n, name)| format!("order {n} of {name} was refused by the bank")),
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|([a, b, c, d], port)| {
            format!("connection from {a}.{b}.{c}.{d}:{port} closed by peer")
        }),
        (any::<u32>(), name)
            .prop_map(|(n, name)| format!("session {n:08x} opened for user {name} on pts/{}", n % 9)),
        (1u32..90_000).prop_map(|ms| format!("checkpoint complete: wrote {} buffers in {ms} ms", ms / 7)),
        (any::<u64>()).prop_map(|n| format!("block blk_{n} is corrupt, 3 replicas left: {}", n % 5)),
        name.prop_map(|name| format!("cache of {name} is full, evicting the oldest entries")),
        (any::<u16>()).prop_map(|n| format!("retry {n} of 5 for https://pay.example.org/charge/{n}")),
        Just("shutting down".to_owned()),
        Just("ready to accept connections".to_owned()),
    ]
}

/// When, where and by whom a line was written.
#[derive(Clone, Debug)]
struct Origin {
    form: usize,
    day: u32,
    second: u32,
    host: String,
    pid: u32,
    thread: String,
}

fn origin() -> impl Strategy<Value = Origin> {
    (0..FORMS, 10u32..29, 0u32..86_400, "[a-z]{1,8}[0-9]{0,3}", 1u32..99_999, "[a-z]{2,6}-[0-9]{1,3}")
        .prop_map(|(form, day, second, host, pid, thread)| Origin { form, day, second, host, pid, thread })
}

const FORMS: usize = 18;

impl Origin {
    /// The message behind one of the common headers.
    fn line(&self, message: &str) -> String {
        let Self { form, day, second, host, pid, thread } = self;
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let ms = pid % 1000;
        match form {
            0 => format!("Feb {day} {clock} {host} shop[{pid}]: {message}"),
            1 => format!("<13>Feb {day} {clock} {host} shop[{pid}]: {message}"),
            2 => format!("<13>1 2024-02-{day}T{clock}Z {host} shop {pid} - - {message}"),
            3 => format!("2024-02-{day}T{clock}+01:00 {host} shop[{pid}]: {message}"),
            4 => format!("2024-02-{day} {clock},{ms:03} ERROR [{thread}] org.shop.Cart: {message}"),
            5 => format!("2024-02-{day} {clock}.{ms:03}  WARN {pid} --- [{thread}] o.s.Cart : {message}"),
            6 => format!("2024-02-{day} {clock} {pid} ERROR {message}"),
            7 => format!("E02{day} {clock}.{ms:06} {pid:>7} cart.go:{pid}] {message}"),
            8 => format!("[2024-02-{day} {clock} +0000] [{pid}] [ERROR] {message}"),
            9 => format!("2024-02-{day} {clock}.{ms:03} UTC [{pid}] LOG:  {message}"),
            10 => format!("02-{day} {clock}.{ms:03} {pid:>5} {pid:>5} I {message}"),
            11 => format!("{day}-Feb-2024 {clock}.{ms:03} INFO [{thread}] org.shop.Cart.run {message}"),
            12 => format!("[Mon Feb {day} {clock} 2024] [notice] {message}"),
            13 => format!("2024/02/{day} {clock} [warn] {message}"),
            14 => format!("2024-02-{day}T{clock}.{ms:03}Z\tINFO\tcart/run.go:{pid}\t{message}"),
            15 => format!(
                "{{\"time\":\"2024-02-{day}T{clock}Z\",\"level\":\"info\",\"pid\":{pid},\"host\":\"{host}\",\"msg\":\"{message}\"}}"
            ),
            16 => format!("time=2024-02-{day}T{clock}Z level=info pid={pid} host={host} msg=\"{message}\""),
            _ => format!("{} INFO {message}", 1_708_000_000 + second + day * 86_400),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn dates_hosts_and_processes_before_the_message_change_no_grouping(
        lines in prop::collection::vec((message(), origin()), 1..120),
    ) {
        let messages: Vec<_> = lines.iter().map(|(message, _)| message.clone()).collect();
        let expected = group(&messages);
        let prefixed: Vec<_> = lines.iter().map(|(message, origin)| origin.line(message)).collect();
        prop_assert_eq!(group(&prefixed), expected.clone(), "any header before any message");
        for form in 0..FORMS {
            let of_form: Vec<_> =
                lines.iter().map(|(message, origin)| Origin { form, ..origin.clone() }.line(message)).collect();
            prop_assert_eq!(group(&of_form), expected.clone(), "{}", of_form[0]);
        }
    }

    #[test]
    fn a_second_pass_adds_no_template_and_moves_no_line(
        lines in prop::collection::vec(prop_oneof![message(), "[a-z]{1,5}( [a-z]{1,3}){0,5}", any::<String>()], 1..150),
    ) {
        let mut reader = Reader::new(1, MinerLimits::default());
        let first = reader.group(&lines);
        let templates = reader.templates();
        prop_assert_eq!(reader.group(&lines), first);
        prop_assert_eq!(reader.templates(), templates);
    }

    #[test]
    fn the_same_lines_from_several_sources_have_the_same_templates(
        lines in prop::collection::vec((message(), origin(), 0usize..5), 1..120),
    ) {
        let mut one = Reader::new(1, MinerLimits::default());
        let mut several = Reader::new(5, MinerLimits::default());
        for (message, origin, source) in &lines {
            let line = origin.line(message);
            prop_assert_eq!(several.read(*source, &line), one.read(0, &line));
        }
        prop_assert_eq!(several.templates(), one.templates());
    }

    #[test]
    fn shapes_learned_in_an_order_of_their_own_know_nothing_of_the_order_of_lines(
        lines in prop::collection::vec((message(), origin()), 1..120), turn in any::<prop::sample::Index>(),
    ) {
        // As detect learns them: when a window closes, by their hash.
        let learn = |lines: &mut dyn Iterator<Item = String>| {
            let (mut source, mut shaper) = (SourceFormat::default(), Shaper::new());
            let mut shapes = BTreeMap::new();
            for line in lines {
                let hash = shaper.shape(source.parse(&line, 0).content).hash;
                let mut text = String::new();
                shaper.write_tokens(&mut text);
                shapes.insert(hash, text);
            }
            let mut miner = Miner::default();
            shapes.values().for_each(|text| {
                miner.learn(text);
            });
            miner
        };
        let lines: Vec<_> = lines.iter().map(|(message, origin)| origin.line(message)).collect();
        let (head, tail) = lines.split_at(turn.index(lines.len()));
        let turned = learn(&mut tail.iter().chain(head).rev().cloned());
        prop_assert_eq!(turned, learn(&mut lines.into_iter()));
    }
}

/// Numbers that look random, the same each time.
fn scattered(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[test]
fn words_at_random_stay_within_the_limits_and_what_is_over_is_counted() {
    let limits = MinerLimits { templates: 300, merged: 100 };
    let mut reader = Reader::new(1, limits);
    let word = |n: u64| -> String {
        let letters = scattered(n);
        (0..3 + letters % 7).map(|i| char::from(b'a' + (letters >> (5 * i) & 31).min(25) as u8)).collect()
    };
    let (mut counted, mut lines) = (BTreeMap::new(), 0u64);
    for line in 0..40_000u64 {
        let words: Vec<String> = (0..2 + scattered(line) % 12).map(|i| word(line * 16 + i + 1)).collect();
        let (id, outcome) = reader.read(0, &words.join(" "));
        assert_eq!(id == TemplateId::OTHER, outcome == Outcome::Other);
        *counted.entry(format!("{outcome:?}")).or_insert(0u64) += 1;
        lines += 1;
        assert!(reader.known.miner().len() <= limits.templates);
        assert!(reader.known.len() <= SHAPES + 2);
    }
    let other = counted.get("Other").copied().unwrap_or(0);
    assert_eq!(reader.known.others(), other);
    assert!(other > lines / 2, "{counted:?}");
    assert_eq!(counted.values().sum::<u64>(), lines);
}

/// Lines that no program means to write.
fn odd_lines() -> Vec<String> {
    const MIB: usize = 1 << 20;
    let fill = |text: &str| text.repeat(MIB / text.len() + 1);
    let bytes: Vec<u8> = (0..MIB as u64).map(|n| scattered(n) as u8).collect();
    let mut lines =
        vec![String::from_utf8_lossy(&bytes).into_owned(), bytes.iter().map(|b| char::from(*b)).collect()];
    for text in [
        "a",
        "word ",
        "1",
        "1 ",
        "1.2.3.4 ",
        "\"",
        "\"a\" ",
        "'",
        "\\",
        "\\\"",
        "=",
        "a=1 ",
        "[",
        "{\"a\":",
        "[1,2],",
        "(",
        "<",
        "</a>",
        "/a",
        "\\x",
        ":",
        "::",
        "-",
        ".",
        ",",
        "a,",
        ";",
        "|",
        "\t",
        "\u{0}",
        "\u{1b}[31m",
        "\u{fffd}",
        "é",
        "的",
        "\u{1f525} ",
        "2024-03-05 ",
        "11:22:33 ",
        "Mar  5 ",
        "0x1f ",
        "INFO ",
        "at a.b(C.java:1) ",
    ] {
        lines.push(fill(text));
        lines.push(format!("2024-03-05 11:22:33 ERROR {}", fill(text)));
        lines.push(format!("Mar  5 11:22:33 web1 app[1]: {}", fill(text)));
        lines.push(format!("{{\"msg\":\"{}\"}}", fill(text)));
        lines.push(format!("level=info msg=\"{}\"", fill(text)));
        lines.push(format!("1709637753,a,b,{}", fill(text)));
    }
    lines
}

#[test]
fn lines_of_a_megabyte_and_rubbish_are_bounded_work() {
    let mut source = SourceFormat::default();
    let (mut shaper, mut miner) = (Shaper::new(), Miner::default());
    let (mut continuation, mut trace) = (Continuation::default(), TraceFingerprint::default());
    for text in odd_lines() {
        let begin: String = text.chars().take(40).collect();
        let line = source.parse(&text, 0);
        assert!(text.contains(line.content), "{begin}");
        for part in [line.host, line.logger].into_iter().flatten() {
            assert!(part.len() <= 32 * 1024, "{begin}: {}", part.len());
        }
        line.details();
        let shape = shaper.shape(line.content);
        assert!(usize::from(shape.tokens) <= MAX_TOKENS + 1, "{begin}: {shape:?}");
        assert!(shape.parameter_tokens <= shape.tokens, "{begin}: {shape:?}");
        assert!(shaper.parameters().len() <= MAX_PARAMETERS, "{begin}");
        let within = shaper.parameters().iter().all(|parameter| parameter.end as usize <= MAX_CONTENT_BYTES);
        assert!(within, "{begin}");
        let mut shape_text = String::new();
        shaper.write_tokens(&mut shape_text);
        assert!(shape_text.len() <= 8 * MAX_CONTENT_BYTES, "{begin}: {}", shape_text.len());
        miner.learn(&shape_text);
        continuation.is_continuation(&text);
        trace.feed(&text);
        assert!(mask_secrets(&text).len() <= 2048, "{begin}");
    }
    for id in miner.ids() {
        assert!(miner.render(id).len() <= 8 * MAX_CONTENT_BYTES);
    }
}
