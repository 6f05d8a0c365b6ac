//! Do the words of a text belong to one class of texts though it is of another? Learned from texts of both.
//!
//! Knows words as numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Tail;

/// Words told apart. Those beyond say nothing.
const WORDS: usize = 20_000;
/// Times that a word is held to have been met before, in both classes together.
const PRIOR_TEXTS: f64 = 1.0;
/// A word that is known beforehand to be of the class is as if seen in so many texts of it.
const SEED_TEXTS: f64 = 1.0;
/// Words that speak for the class, and against it, the strongest of each: more of them hang together.
const STRONGEST: usize = 2;
/// Texts of the class, and of the other, before anything is said.
const NEEDED: (u32, u32) = (5, 10);

/// In how many texts of the class, and of the other, each word stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Association {
    words: BTreeMap<u64, (u32, u32)>,
    texts: (u32, u32),
}

impl Association {
    /// Learns a text of the class, or of the other: its words, each once.
    pub fn learn(&mut self, words: &[u64], of_class: bool) {
        let add = |counts: &mut (u32, u32)| match of_class {
            true => counts.0 += 1,
            false => counts.1 += 1,
        };
        add(&mut self.texts);
        for word in words {
            if self.words.len() < WORDS || self.words.contains_key(word) {
                add(self.words.entry(*word).or_default());
            }
        }
    }

    /// Texts learned of the class, and of the other.
    pub fn texts(&self) -> (u32, u32) {
        self.texts
    }

    /// P(the words of a text of the other class speak as much for the class), for a text of the other class that was
    /// learned already; 1 while too little was. By the ratio of the likelihoods, whose inverse bounds that probability
    /// (Markov's inequality). `seeds` are words known beforehand.
    pub fn belies(&self, words: &[u64], seeds: &[u64]) -> Tail {
        if self.texts.0 < NEEDED.0 || self.texts.1 < NEEDED.1 {
            return Tail::ONE;
        }
        let mut ratios: Vec<f64> = words.iter().map(|word| self.ln_ratio(*word, seeds)).collect();
        ratios.sort_by(|a, b| b.total_cmp(a));
        let speaks_for = ratios.iter().filter(|ratio| **ratio > 0.0).take(STRONGEST).sum::<f64>();
        let against = ratios.iter().rev().filter(|ratio| **ratio < 0.0).take(STRONGEST).sum::<f64>();
        Tail::from_ln(-(speaks_for + against).max(0.0))
    }

    fn ln_ratio(&self, word: u64, seeds: &[u64]) -> f64 {
        let (of_class, of_other) = self.words.get(&word).copied().unwrap_or_default();
        // Its own text speaks for neither.
        let of_other = f64::from(of_other.saturating_sub(1));
        let texts = (f64::from(self.texts.0), f64::from(self.texts.1) - 1.0);
        let of_class = f64::from(of_class);
        // As if it had been met so often more, in each class by its share of the texts: a word that was never met says
        // nothing.
        let all = texts.0 + texts.1;
        let seed = if seeds.contains(&word) { SEED_TEXTS } else { 0.0 };
        let in_class = (of_class + PRIOR_TEXTS * texts.0 / all + seed) / (texts.0 + PRIOR_TEXTS + seed);
        let in_other = (of_other + PRIOR_TEXTS * texts.1 / all) / (texts.1 + PRIOR_TEXTS);
        libm::log(in_class / in_other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: u64 = 1;
    const NO: u64 = 2;

    /// Errors that mostly say "failed", and other texts of which a few say "no ... failed".
    fn learned() -> Association {
        let mut association = Association::default();
        for n in 0..30 {
            let rest = 100 + n;
            association.learn(if n % 3 < 2 { &[FAILED, 50, 0][..2] } else { &[51, 52] }, true);
            association.learn(&[rest, 60 + n % 5], true);
        }
        for n in 0..200 {
            association.learn(&[1_000 + n, 60 + n % 7], false);
        }
        (0..3).for_each(|n| association.learn(&[NO, FAILED, 2_000 + n], false));
        association
    }

    #[test]
    fn a_text_that_speaks_as_errors_do_is_told_from_one_that_does_not() {
        let mut association = learned();
        association.learn(&[FAILED, 7_000], false);
        let speaks = association.belies(&[FAILED, 7_000], &[]).surprise();
        let plain = association.belies(&[1_003, 63], &[]).surprise();
        let denies = association.belies(&[NO, FAILED, 2_000], &[]).surprise();
        assert!(speaks > 1.0 && plain < 0.5 && denies < speaks, "{speaks} {plain} {denies}");
    }

    #[test]
    fn a_seed_helps_while_little_was_learned_and_nothing_is_said_of_nothing() {
        let mut association = Association::default();
        assert_eq!(association.belies(&[FAILED], &[FAILED]), Tail::ONE);
        (0..6).for_each(|n| association.learn(&[10 + n], true));
        (0..60).for_each(|n| association.learn(&[100 + n], false));
        association.learn(&[FAILED, 3], false);
        let seeded = association.belies(&[FAILED, 3], &[FAILED]).surprise();
        assert!(seeded > 0.8, "{seeded}");
        assert!(association.belies(&[FAILED, 3], &[]).surprise() < 0.1);
    }

    #[test]
    fn texts_of_the_other_class_are_no_more_surprising_than_they_say() {
        // Both classes draw from the same words: what looks like a difference is chance.
        let mut state = 1u64;
        let mut draw = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let mut association = Association::default();
        let texts: Vec<[u64; 4]> = (0..3_000).map(|_| [0; 4].map(|_| draw(40) * draw(40))).collect();
        texts.iter().enumerate().for_each(|(n, words)| association.learn(words, n % 20 == 0));
        let others = || texts.iter().enumerate().filter(|(n, _)| n % 20 != 0);
        let beyond = others().filter(|(_, words)| association.belies(&words[..], &[]).p() <= 0.01).count();
        assert!(beyond as f64 <= 0.01 * others().count() as f64, "{beyond}");
    }
}
