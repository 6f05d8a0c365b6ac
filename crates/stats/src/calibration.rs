//! What a tail probability is worth by how often as small ones came: conformal p-values over a pool of series.
//!
//! Knows no series. The caller feeds every tail of one kind, of all series of the pool, and says when a window has ended.

use std::f64::consts::LN_10;

use serde::{Deserialize, Serialize};

use crate::Tail;

/// Surprises (-log10 of a tail) that rates are kept at, and the tail beyond is followed from.
const LEVELS: [f64; 3] = [2.0, 3.0, 4.0];
/// Bins of a quarter up to here.
const FARTHEST: f64 = 6.0;
const BIN: f64 = 0.25;
const BINS: usize = (FARTHEST / BIN) as usize + 1;
/// The bin that a level is the lower edge of.
const LEVEL_BINS: [usize; 3] = [8, 12, 16];
/// Edges below the first level.
const BODY: usize = LEVEL_BINS[0];
/// A block is a day at least.
const BLOCK_SECS: f64 = 86_400.0;
/// Blocks that are remembered, and those that say something.
const BLOCKS: usize = 7;
const NEEDED: usize = 3;
/// Tails beyond a level that the slope is taken from, in a block.
const FEWEST: f64 = 10.0;
/// Mean excess of honest tails, in decades, and how far from it the slope may be.
const HONEST: f64 = 1.0 / LN_10;
const STEEPEST: f64 = 0.2 * HONEST;
const FLATTEST: f64 = 5.0 * HONEST;
/// Mean excesses that those tails are followed for; farther out a tail makes itself no more of a surprise than honest ones.
const SHOWN: f64 = LN_10;

/// How often tails of one kind fall as low as they do, pooled over series.
///
/// The p-value of a tail is the share of earlier ones that were as small (conformal prediction: Vovk, Gammerman and Shafer,
/// Algorithmic Learning in a Random World, 2005); beyond what was seen often, exponential in the surprise (peaks over
/// threshold: Pickands 1975), its mean excess by maximum likelihood from grouped data. Rates and slope are the medians of seven
/// blocks of a day: an incident, however loud and long, makes one or two of them unusual and changes nothing. Until three
/// are known a tail is worth what it says. 560 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Tails a block has at least.
    block_tails: u32,
    /// Tails of the present block: those of no surprise at all, and the others by surprise.
    none: u32,
    bins: [u32; BINS],
    began: f64,
    blocks: [Block; BLOCKS],
    kept: u8,
    oldest: u8,
    known: Option<Known>,
}

/// What one block has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Block {
    /// ln of the share of tails beyond each edge of the body: 0 itself (any surprise), 0.25, ...
    body: [f32; BODY],
    /// And beyond each level.
    rates: [f32; 3],
    /// Mean excess beyond each level, in decades; negative where too few were beyond.
    excess: [f32; 3],
}

/// Medians of the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    body: [f32; BODY],
    rates: [f32; 3],
    /// The level that the tail beyond is followed from, and its mean excess.
    from: u8,
    excess: f32,
}

impl Calibration {
    /// Knows nothing yet. A block has `block_tails` tails at least: a thousand tell how often one in a hundred comes.
    pub fn new(block_tails: u32) -> Self {
        let (bins, blocks) = ([0; BINS], [Block::default(); BLOCKS]);
        Self { block_tails, none: 0, bins, began: f64::NAN, blocks, kept: 0, oldest: 0, known: None }
    }

    /// Feeds a tail: what it is worth by those of the blocks before.
    pub fn observe(&mut self, tail: Tail) -> Tail {
        let surprise = tail.surprise();
        if surprise > 0.0 {
            self.bins[((surprise / BIN) as usize).min(BINS - 1)] += 1;
        } else {
            self.none += 1;
        }
        self.worth(tail)
    }

    /// What a tail is worth.
    pub fn worth(&self, tail: Tail) -> Tail {
        let surprise = tail.surprise();
        match &self.known {
            Some(known) if surprise > 0.0 => Tail::from_ln(known.ln(surprise)),
            _ => tail,
        }
    }

    /// The share of tails that are no surprise at all, once it is known: among these a p-value can't tell one from another.
    pub fn share_of_none(&self) -> Option<f64> {
        self.known.map(|known| 1.0 - libm::exp(f64::from(known.body[0])))
    }

    /// A window has ended, at `secs`, Unix time.
    pub fn close(&mut self, secs: f64) {
        if self.began.is_nan() {
            self.began = secs;
        }
        if secs - self.began < BLOCK_SECS || self.seen() < self.block_tails {
            return;
        }
        self.blocks[usize::from(self.oldest)] = self.block();
        self.oldest = (self.oldest + 1) % BLOCKS as u8;
        self.kept = (self.kept + 1).min(BLOCKS as u8);
        (self.none, self.bins, self.began) = (0, [0; BINS], secs);
        let kept = &self.blocks[..usize::from(self.kept)];
        self.known = (kept.len() >= NEEDED).then(|| Known::of(kept));
    }

    fn seen(&self) -> u32 {
        self.bins.iter().fold(self.none, |sum, bin| sum.saturating_add(*bin))
    }

    fn block(&self) -> Block {
        let all = f64::from(self.seen());
        let beyond = |bin: usize| self.bins[bin..].iter().map(|bin| f64::from(*bin)).sum::<f64>();
        // The tail that is asked about counts too: so the share is never below what it should be on average.
        let share = |bin: usize| libm::log((beyond(bin) + 1.0) / (all + 1.0)) as f32;
        let excess = |bin: usize| {
            let enough = beyond(bin) >= FEWEST;
            if enough { mean_excess(&self.bins[bin..]) as f32 } else { -1.0 }
        };
        Block {
            body: std::array::from_fn(share),
            rates: LEVEL_BINS.map(share),
            excess: LEVEL_BINS.map(excess),
        }
    }
}

/// Mean excess over the lower edge of the first bin, in decades: the number of edges passed is geometric, and what reached
/// the last bin has passed all before it at least.
fn mean_excess(bins: &[u32]) -> f64 {
    let last = bins.len() - 1;
    let passed: f64 = bins.iter().enumerate().map(|(edges, count)| edges as f64 * f64::from(*count)).sum();
    let stopped: f64 = bins[..last].iter().map(|count| f64::from(*count)).sum();
    if passed == 0.0 {
        return STEEPEST;
    }
    let one_more = passed / (passed + stopped);
    (-BIN / libm::log(one_more)).clamp(STEEPEST, FLATTEST)
}

impl Known {
    fn of(blocks: &[Block]) -> Self {
        let medians = |of: &dyn Fn(&Block) -> f32| median(blocks.iter().map(of));
        let rates: [f32; 3] = std::array::from_fn(|level| medians(&|block| block.rates[level]));
        let excess: [f32; 3] = std::array::from_fn(|level| medians(&|block| block.excess[level]));
        let from = excess.iter().rposition(|excess| *excess > 0.0);
        Self {
            body: std::array::from_fn(|edge| medians(&|block| block.body[edge])),
            rates,
            from: from.unwrap_or(LEVELS.len() - 1) as u8,
            excess: from.map_or(HONEST as f32, |level| excess[level]),
        }
    }

    /// ln of the share of tails beyond a surprise.
    fn ln(&self, surprise: f64) -> f64 {
        let from = usize::from(self.from);
        let beyond = surprise - LEVELS[from];
        if beyond >= 0.0 {
            let excess = f64::from(self.excess);
            let shown = beyond.min(SHOWN * excess);
            return f64::from(self.rates[from]) - shown / excess - (beyond - shown) / excess.max(HONEST);
        }
        // Between two edges the surprise is exponential too.
        let (low, wide, here, there) = if surprise >= LEVELS[0] {
            let level = usize::from(surprise >= LEVELS[1]);
            (LEVELS[level], LEVELS[level + 1] - LEVELS[level], self.rates[level], self.rates[level + 1])
        } else {
            let edge = (surprise / BIN) as usize;
            let there = if edge + 1 < BODY { self.body[edge + 1] } else { self.rates[0] };
            (edge as f64 * BIN, BIN, self.body[edge], there)
        };
        let (here, there) = (f64::from(here), f64::from(there));
        here + (surprise - low) / wide * (there - here)
    }
}

/// The upper one of two in the middle: rates err to the careful side.
fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut sorted: Vec<f32> = values.collect();
    sorted.sort_by(f32::total_cmp);
    sorted[sorted.len() / 2]
}
