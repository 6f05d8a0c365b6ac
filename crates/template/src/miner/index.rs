//! Where a shape's template is: patterns by the hash of their fixed positions, and the sets of open positions in use.

use std::collections::{BTreeMap, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    TemplateId,
    pattern::{ANY, Pattern, Tokens},
};

/// Sets of open positions tried at one length, besides the empty one. More exist only where lines of that length are mostly free text.
const MAX_SETS: usize = 64;

type Map<K, V> = HashMap<K, V, FixedState>;

/// Positions weigh in, so that the sum over a line's tokens is a hash of the line from which positions can be taken
/// out and put back one at a time.
pub(super) fn weighed(hash: u64, position: usize) -> u64 {
    let mixed = (hash ^ (position as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 32)
}

pub(super) fn any_hash() -> u64 {
    xxhash_rust::xxh3::xxh3_64(ANY.as_bytes())
}

/// Hash of a whole line or pattern.
pub(super) fn sum(hashes: &[u64]) -> u64 {
    hashes.iter().enumerate().fold(hashes.len() as u64, |sum, (i, hash)| sum.wrapping_add(weighed(*hash, i)))
}

/// The same with the positions of `open` holding anything.
fn sum_with_open(whole: u64, hashes: &[u64], open: u128, any: u64) -> u64 {
    let mut sum = whole;
    let mut rest = open;
    while rest != 0 {
        let i = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        if let Some(hash) = hashes.get(i) {
            sum = sum.wrapping_sub(weighed(*hash, i)).wrapping_add(weighed(any, i));
        }
    }
    sum
}

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By length and hash; several where the open positions differ.
    places: Map<(u32, u64), Vec<u32>>,
    by_id: Map<TemplateId, u32>,
    /// By length: sets of open positions, fewest first, and how many patterns have each.
    sets: BTreeMap<u32, BTreeMap<(u32, u128), u32>>,
}

impl Index {
    pub(super) fn insert(&mut self, place: u32, id: TemplateId, pattern: &Pattern) {
        let length = pattern.len() as u32;
        self.places.entry((length, sum(pattern.hashes()))).or_default().push(place);
        self.by_id.insert(id, place);
        let set = (pattern.open().count_ones(), pattern.open());
        *self.sets.entry(length).or_default().entry(set).or_insert(0) += 1;
    }

    pub(super) fn remove(&mut self, place: u32, id: TemplateId, pattern: &Pattern) {
        let length = pattern.len() as u32;
        let key = (length, sum(pattern.hashes()));
        if let Some(places) = self.places.get_mut(&key) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                self.places.remove(&key);
            }
        }
        self.by_id.remove(&id);
        let set = (pattern.open().count_ones(), pattern.open());
        if let Some(sets) = self.sets.get_mut(&length)
            && let Some(uses) = sets.get_mut(&set)
        {
            *uses -= 1;
            if *uses == 0 {
                sets.remove(&set);
            }
        }
    }

    /// How many patterns have so many tokens.
    pub(super) fn count_of_length(&self, length: usize) -> usize {
        self.sets.get(&(length as u32)).map_or(0, |sets| sets.values().map(|uses| *uses as usize).sum())
    }

    pub(super) fn place_of(&self, id: TemplateId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Places of patterns that may match, those with the fewest open positions first.
    pub(super) fn candidates(&self, tokens: &Tokens) -> impl Iterator<Item = u32> {
        let hashes = tokens.hashes();
        let length = hashes.len() as u32;
        let whole = sum(hashes);
        let any = any_hash();
        self.sets
            .get(&length)
            .into_iter()
            .flat_map(|sets| sets.keys().take(MAX_SETS + 1))
            .filter_map(move |(_, open)| self.places.get(&(length, sum_with_open(whole, hashes, *open, any))))
            .flatten()
            .copied()
    }

    /// Whether a pattern with these open positions would be found: sets past the limit are not tried.
    pub(super) fn has_room_for(&self, pattern: &Pattern) -> bool {
        let set = (pattern.open().count_ones(), pattern.open());
        self.sets
            .get(&(pattern.len() as u32))
            .is_none_or(|sets| sets.len() < MAX_SETS || sets.contains_key(&set))
    }

    /// Places of patterns with the same tokens, whatever of it is open.
    pub(super) fn same(&self, pattern: &Pattern) -> Vec<u32> {
        self.places.get(&(pattern.len() as u32, sum(pattern.hashes()))).cloned().unwrap_or_default()
    }
}

/// Where the ids of templates that became part of others went.
#[derive(Clone, Debug, Default)]
pub(super) struct Merged {
    to: Map<TemplateId, TemplateId>,
    /// Oldest first.
    order: VecDeque<TemplateId>,
}

impl PartialEq for Merged {
    fn eq(&self, other: &Self) -> bool {
        self.pairs() == other.pairs()
    }
}

impl Merged {
    pub(super) fn add(&mut self, from: TemplateId, to: TemplateId, limit: usize) {
        if from == to || limit == 0 {
            return;
        }
        if self.to.insert(from, to).is_none() {
            self.order.push_back(from);
        }
        while self.order.len() > limit {
            if let Some(oldest) = self.order.pop_front() {
                self.to.remove(&oldest);
            }
        }
    }

    pub(super) fn forget(&mut self, id: TemplateId) {
        if self.to.remove(&id).is_some() {
            self.order.retain(|other| *other != id);
        }
    }

    /// Follows merges to the template that stands now. Ends: a template merges into an older one only.
    pub(super) fn resolve(&self, id: TemplateId) -> TemplateId {
        let mut at = id;
        for _ in 0..=self.order.len() {
            match self.to.get(&at) {
                Some(next) => at = *next,
                None => break,
            }
        }
        at
    }

    pub(super) fn pairs(&self) -> Vec<(TemplateId, TemplateId)> {
        self.order.iter().filter_map(|from| self.to.get(from).map(|to| (*from, *to))).collect()
    }
}
