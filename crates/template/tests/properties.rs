//! What holds for any lines: what stands before a message groups nothing, a second pass teaches nothing, sources do not
//! matter, and whatever comes the work is bounded.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use foreshock_template::{
    Continuation, KnownShapes, MAX_CONTENT_BYTES, MAX_PARAMETERS, MAX_TOKENS, Miner, MinerLimits, Outcome,
    Reader, Shaper, SourceFormat, TemplateId, TraceFingerprint, Zone, mask_secrets,
};
use lines::{FORMS, Origin, message, odd_lines, origin, scattered};
use proptest::prelude::*;

/// Shapes remembered in front of the miner.
const SHAPES: usize = 4096;

/// One miner, and the sources that feed it.
struct Service {
    sources: Vec<SourceFormat>,
    reader: Reader,
    known: KnownShapes,
}

impl Service {
    fn new(sources: usize, limits: MinerLimits) -> Self {
        Self {
            sources: vec![SourceFormat::default(); sources],
            reader: Reader::new(),
            known: KnownShapes::new(Miner::new(limits), SHAPES),
        }
    }

    fn read(&mut self, source: usize, line: &str) -> (TemplateId, Outcome) {
        let line = self.reader.parse(&mut self.sources[source], line, 0, &Zone::UTC);
        let shape = self.reader.shape(&line);
        let learned = self.known.template_of(shape.hash, |text| self.reader.write_tokens(text));
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
    Service::new(1, MinerLimits::default()).group(lines)
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
        let mut service = Service::new(1, MinerLimits::default());
        let first = service.group(&lines);
        let templates = service.templates();
        prop_assert_eq!(service.group(&lines), first);
        prop_assert_eq!(service.templates(), templates);
    }

    #[test]
    fn the_same_lines_from_several_sources_have_the_same_templates(
        lines in prop::collection::vec((message(), origin(), 0usize..5), 1..120),
    ) {
        let mut one = Service::new(1, MinerLimits::default());
        let mut several = Service::new(5, MinerLimits::default());
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

#[test]
fn words_at_random_stay_within_the_limits_and_what_is_over_is_counted() {
    let limits = MinerLimits { templates: 300, merged: 100 };
    let mut service = Service::new(1, limits);
    let word = |n: u64| -> String {
        let letters = scattered(n);
        (0..3 + letters % 7).map(|i| char::from(b'a' + (letters >> (5 * i) & 31).min(25) as u8)).collect()
    };
    let (mut counted, mut lines) = (BTreeMap::new(), 0u64);
    for line in 0..40_000u64 {
        let words: Vec<String> = (0..2 + scattered(line) % 12).map(|i| word(line * 16 + i + 1)).collect();
        let (id, outcome) = service.read(0, &words.join(" "));
        assert_eq!(id == TemplateId::OTHER, outcome == Outcome::Other);
        *counted.entry(format!("{outcome:?}")).or_insert(0u64) += 1;
        lines += 1;
        assert!(service.known.miner().len() <= limits.templates);
        assert!(service.known.len() <= SHAPES + 2);
    }
    let other = counted.get("Other").copied().unwrap_or(0);
    assert_eq!(service.known.others(), other);
    assert!(other > lines / 2, "{counted:?}");
    assert_eq!(counted.values().sum::<u64>(), lines);
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
