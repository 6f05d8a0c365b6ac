//! Small charts made of text.

/// One character a column: counts against the highest; nothing is a blank, and what is there is seen.
pub(super) fn spark(counts: &[u32], columns: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let narrowed = narrow(counts, columns);
    let most = narrowed.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => ' ',
        count => BARS[((count * 8).div_ceil(most).clamp(1, 8) - 1) as usize],
    };
    narrowed.iter().map(bar).collect()
}

/// Adds up neighbours until there are no more than `columns`.
pub(super) fn narrow(counts: &[u32], columns: usize) -> Vec<u64> {
    counts
        .chunks(group(counts.len(), columns))
        .map(|chunk| chunk.iter().map(|count| u64::from(*count)).sum())
        .collect()
}

/// How many neighbours become one.
pub(super) fn group(counts: usize, columns: usize) -> usize {
    counts.div_ceil(columns.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_seen_and_what_is_not_is_not() {
        assert_eq!(spark(&[0, 1, 500, 1000], 10), " ▁▄█");
        assert_eq!(spark(&[1, 0, 0, 0, 2, 2], 3), "▂ █");
        assert_eq!(spark(&[], 3), "");
        assert_eq!(spark(&[u32::MAX; 4], 2), "██");
    }
}
