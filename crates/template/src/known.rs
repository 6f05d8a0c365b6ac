//! Shape hash -> template id, in front of a [`Miner`]: a line whose shape was met costs one look-up.
//!
//! Bounded: the shapes not met for longest are forgotten, half of them at a time, and asked of the miner again when
//! they come back. Ids are told as they were learned; [`Miner::resolve`] tells what stands for them now.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{Learned, Miner, Outcome, ShapeHash, TemplateId};

/// Templates of the shapes met lately, and the miner that is asked for the others.
#[derive(Clone, Debug)]
pub struct KnownShapes {
    miner: Miner,
    /// Met since the last turn.
    young: HashMap<ShapeHash, TemplateId, FixedState>,
    /// Met in the turn before, and not since.
    old: HashMap<ShapeHash, TemplateId, FixedState>,
    /// Shapes of a turn.
    turn: usize,
    others: u64,
    text: String,
}

impl KnownShapes {
    /// Remembers `limit` shapes in front of `miner`.
    pub fn new(miner: Miner, limit: usize) -> Self {
        Self {
            miner,
            young: HashMap::default(),
            old: HashMap::default(),
            turn: (limit / 2).max(1),
            others: 0,
            text: String::new(),
        }
    }

    /// The template of a shape; learned where the shape was not met lately, from the canonical text that `write`
    /// appends.
    #[inline]
    pub fn template_of(&mut self, shape: ShapeHash, write: impl FnOnce(&mut String)) -> Learned {
        match self.young.get(&shape) {
            Some(template) => self.met(*template),
            None => self.meet_again(shape, write),
        }
    }

    #[inline]
    fn met(&mut self, template: TemplateId) -> Learned {
        let is_other = template == TemplateId::OTHER;
        self.others += u64::from(is_other);
        Learned { template, outcome: if is_other { Outcome::Other } else { Outcome::Known } }
    }

    #[cold]
    fn meet_again(&mut self, shape: ShapeHash, write: impl FnOnce(&mut String)) -> Learned {
        let learned = match self.old.get(&shape) {
            Some(template) => self.met(*template),
            None => {
                self.text.clear();
                write(&mut self.text);
                let learned = self.miner.learn(&self.text);
                self.others += u64::from(learned.outcome == Outcome::Other);
                learned
            }
        };
        if self.young.len() >= self.turn {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(shape, learned.template);
        learned
    }

    /// What the shapes taught.
    pub fn miner(&self) -> &Miner {
        &self.miner
    }

    /// Lines so far that no template could be learned for, because the limit was reached.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Shapes remembered: never more than the limit, and two.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether no shape was met yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MinerLimits, Shaper};

    fn learn(known: &mut KnownShapes, content: &str) -> Learned {
        let mut shaper = Shaper::new();
        let shape = shaper.shape(content);
        known.template_of(shape.hash, |text| shaper.write_tokens(text))
    }

    #[test]
    fn a_shape_met_again_has_the_miners_answer_whether_it_is_remembered_or_not() {
        let mut known = KnownShapes::new(Miner::default(), 4);
        let mut miner = Miner::default();
        for round in 0..3 {
            for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"] {
                let content = format!("{word} of {round} has {word} left for {word}");
                let found = learn(&mut known, &content).template;
                let text = content.replace(&round.to_string(), "<num>");
                let expected = miner.learn(&text).template;
                assert_eq!(known.miner().resolve(found), miner.resolve(expected));
                assert!(known.len() <= 4 + 2, "{}", known.len());
            }
        }
        assert_eq!(known.miner(), &miner);
    }

    #[test]
    fn lines_past_the_miners_limit_are_counted_each_time() {
        let limits = MinerLimits { templates: 1, merged: 1 };
        let mut known = KnownShapes::new(Miner::new(limits), 16);
        let outcomes: Vec<_> = ["one line here", "quite another", "quite another", "one line here"]
            .map(|content| learn(&mut known, content).outcome)
            .into();
        assert_eq!(outcomes, [Outcome::New, Outcome::Other, Outcome::Other, Outcome::Known]);
        assert_eq!(known.others(), 2);
    }
}
