//! What shows that a position varies: templates that are alike but for it.
//!
//! Each template is filed under its pattern with one position left out, for each position, and under its pattern
//! with every name left out. The templates filed together are the ones that would become one; how many of them it
//! takes depends on what holds them together and on what differs.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    index::{any_hash, sum, weighed},
    pattern::{Look, Pattern, look},
};

/// Marks the keys under which names, not one position, were left out.
const NAMES: u64 = 0x5DEE_CE66_D1CE_4E5B;

#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    filed: HashMap<u64, Vec<u32>, FixedState>,
}

/// A key and the positions left out of it.
struct Key {
    key: u64,
    /// The one position, or `None` for all names.
    position: Option<usize>,
    /// Words that stay fixed.
    words: usize,
}

impl Evidence {
    pub(super) fn insert(&mut self, place: u32, pattern: &Pattern) {
        for key in keys(pattern) {
            self.filed.entry(key.key).or_default().push(place);
        }
    }

    pub(super) fn remove(&mut self, place: u32, pattern: &Pattern) {
        for key in keys(pattern) {
            if let Some(filed) = self.filed.get_mut(&key.key) {
                filed.retain(|other| *other != place);
                if filed.is_empty() {
                    self.filed.remove(&key.key);
                }
            }
        }
    }

    /// The templates, that of `pattern` among them, that are to become one with it; `None` where there is not
    /// enough evidence.
    pub(super) fn enough<'a>(
        &self,
        pattern: &Pattern,
        pattern_at: impl Fn(u32) -> Option<&'a Pattern>,
    ) -> Option<Vec<u32>> {
        for key in keys(pattern) {
            let Some(filed) = self.filed.get(&key.key) else { continue };
            if filed.len() < 2 {
                continue;
            }
            let (places, members): (Vec<u32>, Vec<&Pattern>) = filed
                .iter()
                .filter_map(|place| Some((*place, pattern_at(*place)?)))
                .filter(|(_, member)| are_alike(pattern, member, key.position))
                .unzip();
            let enough = match key.position {
                None => needed_names(key.words, &members),
                Some(position) => needed_at(position, key.words, &members),
            };
            if members.len() >= enough.max(2) && leave_a_word(&members) {
                return Some(places);
            }
        }
        None
    }
}

/// How many templates that differ in names only become one.
fn needed_names(words: usize, members: &[&Pattern]) -> usize {
    match words {
        0 => 16,
        1 => 4,
        _ if (0..members.first().map_or(0, |member| member.len()))
            .any(|i| differs(i, members) && holds_parameter(i, members)) =>
        {
            2
        }
        _ => 3,
    }
}

/// How many templates that differ at one position become one: few where a value was seen there, more where names
/// were, still more where words were, which programmers write too; and more the less there is that holds the
/// templates together.
fn needed_at(position: usize, fixed: usize, members: &[&Pattern]) -> usize {
    if fixed == 0 {
        return 16;
    }
    if fixed > 1 && holds_parameter(position, members) {
        return 2;
    }
    let words = members.iter().filter(|member| look(member.token(position)) == Look::Word).count();
    if words * 2 <= members.len() {
        return if fixed == 1 { 4 } else { 3 };
    }
    let needed = match fixed {
        1 => 8,
        2 | 3 => 4,
        _ => 3,
    };
    // A sentence begins with the programmer's word.
    if position == 0 { needed + 2 } else { needed }
}

/// Whether two patterns are the same but for the one position, or for their names: keys are hashes only.
fn are_alike(one: &Pattern, other: &Pattern, position: Option<usize>) -> bool {
    one.len() == other.len()
        && (0..one.len()).all(|i| {
            let left_out = match position {
                Some(position) => i == position,
                None => look(one.token(i)) != Look::Word && look(other.token(i)) != Look::Word,
            };
            left_out || one.token(i) == other.token(i)
        })
}

/// Whether templates that became one would still say something: a word that stands in all of them, or a single word
/// that varies. Else the one would take whatever lines have as many words.
fn leave_a_word(members: &[&Pattern]) -> bool {
    let Some(first) = members.first() else { return false };
    let mut opened = 0;
    for i in 0..first.len() {
        if members.iter().any(|member| member.is_open(i)) || differs(i, members) {
            opened += 1;
        } else if look(first.token(i)) != Look::Parameter {
            return true;
        }
    }
    opened < 2
}

fn differs(position: usize, members: &[&Pattern]) -> bool {
    members.iter().any(|member| member.token(position) != members[0].token(position))
}

/// Whether the position was opened, or holds nothing but a parameter in one of them.
fn holds_parameter(position: usize, members: &[&Pattern]) -> bool {
    members.iter().any(|member| look(member.token(position)) == Look::Parameter)
}

fn keys(pattern: &Pattern) -> Vec<Key> {
    let any = any_hash();
    let hashes = pattern.hashes();
    let whole = sum(hashes);
    let looks: Vec<Look> = (0..pattern.len()).map(|i| look(pattern.token(i))).collect();
    let words = looks.iter().filter(|look| **look == Look::Word).count();
    let fixed = looks.iter().filter(|look| **look != Look::Parameter).count();
    let left_out = |sum: u64, i: usize| sum.wrapping_sub(weighed(hashes[i], i)).wrapping_add(weighed(any, i));
    let mut keys = Vec::with_capacity(pattern.len() + 1);
    let names = (0..pattern.len()).filter(|i| looks[*i] != Look::Word).fold(whole, left_out);
    keys.push(Key { key: names ^ NAMES, position: None, words });
    for (i, look) in looks.iter().enumerate() {
        let fixed = fixed - usize::from(*look != Look::Parameter);
        keys.push(Key { key: left_out(whole, i).wrapping_add(i as u64), position: Some(i), words: fixed });
    }
    keys
}
