//! Lines that speak of an error and whose level says that all is well.
//!
//! Which words go with errors is learned from the templates of the service that have a level: each counts once, however
//! often it comes. A few words that mean the same everywhere are known beforehand; they alone say nothing.

use std::sync::LazyLock;

use foreshock_model::{Kind, Severity, Window, fingerprint64};
use foreshock_stats::{Association, Tail};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, bar, evidence},
    merged::Example,
    patterns::shown,
};
use crate::{ERROR_LEVEL, WARN_LEVEL};

/// How surprising words must be among which one is known to mean trouble.
const SURPRISE: f64 = 2.0;
/// A shorter word is none.
const SHORTEST: usize = 3;
/// Words of a template that are looked at.
const WORDS: usize = 64;

/// Words of failure.
static SEEDS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let words = [
        "error",
        "failed",
        "failure",
        "fail",
        "exception",
        "fatal",
        "panic",
        "refused",
        "denied",
        "timeout",
        "unable",
        "cannot",
        "abort",
        "aborted",
        "crashed",
        "unreachable",
        "corrupt",
        "corrupted",
    ];
    words.iter().map(|word| fingerprint64(word.as_bytes())).collect()
});

/// What the words of a service's templates say.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Belied {
    words: Association,
}

/// What was taken in of a template.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Spoken {
    /// Nothing yet.
    #[default]
    Unheard,
    /// It taught.
    Heard,
    /// It was told that its level is belied.
    Told,
}

impl Belied {
    /// Takes in a template with its level, once.
    pub(super) fn hear(&mut self, template: &str, level: u32, spoken: &mut Spoken) {
        if *spoken == Spoken::Unheard && level != 0 && !(WARN_LEVEL..ERROR_LEVEL).contains(&level) {
            self.words.learn(&words(template), level >= ERROR_LEVEL);
            *spoken = Spoken::Heard;
        }
    }

    /// How surprising the words of a template are for its level, if they are.
    pub(super) fn judge(&self, template: &str, level: u32, spoken: Spoken) -> Option<Tail> {
        if spoken != Spoken::Heard || level >= WARN_LEVEL {
            return None;
        }
        let words = words(template);
        let tail = self.words.belies(&words, &SEEDS);
        // Of words that are not known to mean trouble some go with errors by chance, the more of them the more there are.
        let is_suspect = words.iter().any(|word| SEEDS.contains(word));
        let bar = if is_suspect { SURPRISE } else { bar(f64::from(self.words.texts().1)) };
        (tail.surprise() >= bar).then_some(tail)
    }
}

/// The words of a template, each once, in lower case.
fn words(template: &str) -> Vec<u64> {
    let letters = template.split(|c: char| !c.is_alphabetic());
    let mut words: Vec<u64> = letters
        .filter(|word| word.len() >= SHORTEST)
        .take(WORDS)
        .map(|word| fingerprint64(word.to_lowercase().as_bytes()))
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The finding about a pattern of this id.
pub(super) fn finding(
    key: &ServiceKey,
    series: &str,
    template: &str,
    window: Window,
    tail: Tail,
    lines: u64,
    line: Option<&Example>,
) -> foreshock_model::Finding {
    let draft = Draft {
        key,
        kind: Kind::BeliedLevel,
        series,
        window,
        tail,
        effect: lines as f64,
        observed: lines as f64,
        expected: (0.0, 0.0),
        severity: Severity::Warning,
        title: format!(
            "{} writes a line that speaks as its errors do, at a level that says all is well: {}",
            key.1,
            shown(template)
        ),
    };
    let mut finding = draft.finish();
    finding.template = template.to_owned();
    finding.evidence.extend(line.map(|line| evidence(key, line)));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belied_by_chance(belied: &mut Belied) -> Spoken {
        let mut spoken = Spoken::default();
        belied.hear("upload of page begins", 9, &mut spoken);
        spoken
    }

    #[test]
    fn a_line_of_info_that_speaks_as_errors_do_is_told_and_others_are_not() {
        let mut belied = Belied::default();
        let mut hear = |text: String, level| {
            let mut spoken = Spoken::default();
            belied.hear(&text, level, &mut spoken);
            spoken
        };
        for n in 0..26_u8 {
            let name = (b'a' + n) as char;
            hear(format!("upload of part{name}{name} failed: disk trouble <*>"), 17);
            for work in 0..16 {
                hear(format!("step{name}{name} of work{work} done after <*>"), 9);
            }
        }
        let told = "copy of segment failed, will go on";
        let spoken = hear(told.to_owned(), 9);
        let plain = hear("segment was copied".to_owned(), 9);
        assert!(belied.judge(told, 9, spoken).is_some());
        assert!(belied.judge(told, 9, Spoken::Told).is_none(), "once");
        assert!(belied.judge(told, 13, spoken).is_none(), "a warning is no good news");
        assert!(belied.judge("segment was copied", 9, plain).is_none());
        // "upload" goes with errors here, and means no trouble.
        let spoken = belied_by_chance(&mut belied);
        assert!(belied.judge("upload of page begins", 9, spoken).is_none());
    }
}
