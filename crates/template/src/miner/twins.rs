//! Templates that differ in the same two places: names and hosts, senders and receivers.
//!
//! Where two values vary together, hardly two lines have one of them in common, so no single place shows that it varies.
//! Much is asked before it is believed: states and commands come in pairs too, but there are few of them.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{Look, Pattern, look};

/// Templates that differ in the same two places.
pub(super) const MEMBERS: usize = 16;
/// Different tokens in each of the places.
const VALUES: usize = 12;
/// Words that are the same in all.
const WORDS: usize = 3;

/// The templates, that of `pattern` among them, that are to become one with it. The others have as many tokens.
pub(super) fn enough<'a>(
    pattern: &Pattern,
    others: impl Iterator<Item = (u32, &'a Pattern)>,
) -> Option<Vec<u32>> {
    let mut by_places: BTreeMap<(usize, usize), Vec<(u32, &Pattern)>> = BTreeMap::new();
    for (place, other) in others {
        let differ = |i: &usize| pattern.hashes()[*i] != other.hashes()[*i];
        let mut places = (0..pattern.len().min(other.len())).filter(differ);
        if let (Some(first), Some(second), None) = (places.next(), places.next(), places.next()) {
            by_places.entry((first, second)).or_default().push((place, other));
        }
    }
    by_places.into_iter().find_map(|(places, members)| {
        let varies = |i: usize| {
            let tokens: BTreeSet<&str> = members.iter().map(|(_, member)| member.token(i)).collect();
            tokens.len() + 1 >= VALUES
        };
        let words = (0..pattern.len())
            .filter(|i| *i != places.0 && *i != places.1 && look(pattern.token(*i)) != Look::Parameter)
            .count();
        let enough = members.len() + 1 >= MEMBERS && words >= WORDS && varies(places.0) && varies(places.1);
        enough.then(|| members.into_iter().map(|(place, _)| place).collect())
    })
}
