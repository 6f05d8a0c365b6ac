//! How well found groups of lines agree with true ones.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    hash::Hash,
    path::Path,
};

use anyhow::Context as _;

/// Agreement of found groups with true ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Grouping {
    /// Share of lines whose whole group is a true group (Zhu et al., ICSE-SEIP 2019).
    pub(super) ga: f64,
    /// F1 over groups (Jiang et al., ISSTA 2024).
    pub(super) fga: f64,
    pub(super) found: usize,
    pub(super) truth: usize,
}

impl Grouping {
    pub(super) fn of<K: Hash + Eq>(found: &[K], truth: &[String]) -> Self {
        let (found_groups, true_groups) = (groups(found), groups(truth));
        let sets: HashSet<&Vec<usize>> = true_groups.values().collect();
        let good: Vec<_> = found_groups.values().filter(|lines| sets.contains(lines)).collect();
        let lines: usize = good.iter().map(|lines| lines.len()).sum();
        let both = found_groups.len() + true_groups.len();
        Self {
            ga: lines as f64 / truth.len().max(1) as f64,
            fga: 2.0 * good.len() as f64 / both.max(1) as f64,
            found: found_groups.len(),
            truth: true_groups.len(),
        }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} | {:.3} | {}/{}", self.ga, self.fga, self.found, self.truth)
    }
}

fn groups<K: Hash + Eq>(keys: &[K]) -> HashMap<&K, Vec<usize>> {
    let mut groups: HashMap<&K, Vec<usize>> = HashMap::new();
    for (line, key) in keys.iter().enumerate() {
        groups.entry(key).or_default().push(line);
    }
    groups
}

/// The true event of each line, in order.
pub(super) fn events(structured: &Path) -> anyhow::Result<Vec<String>> {
    let context = || format!("{} can't be read", structured.display());
    let mut reader = csv::Reader::from_path(structured).with_context(context)?;
    let column = reader
        .headers()
        .with_context(context)?
        .iter()
        .position(|name| name == "EventId")
        .with_context(|| format!("{} has no column EventId", structured.display()))?;
    reader
        .records()
        .map(|row| {
            let row = row.with_context(context)?;
            row.get(column).map(str::to_owned).context("a row is short")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_counts_only_if_it_is_a_true_group_whole() {
        let truth = ["a", "a", "b", "b", "c"].map(str::to_owned);
        let all = Grouping::of(&[1, 1, 2, 2, 3], &truth);
        assert_eq!(all, Grouping { ga: 1.0, fga: 1.0, found: 3, truth: 3 });
        let one_torn = Grouping::of(&[1, 1, 2, 4, 3], &truth);
        assert_eq!(one_torn, Grouping { ga: 0.6, fga: 4.0 / 7.0, found: 4, truth: 3 });
        let none = Grouping::of(&[1, 1, 1, 1, 1], &truth);
        assert_eq!(none, Grouping { ga: 0.0, fga: 0.0, found: 1, truth: 3 });
    }
}
