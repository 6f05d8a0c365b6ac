//! The patterns of the summary: the most frequent, and the rare ones.

use std::io::{self, Write};

use super::{
    clean,
    ink::{Ink, Look, columns},
    spark::spark,
};
use crate::{
    PatternSeen, Scanned, story,
    words::{self, Moments},
};

/// Patterns shown, the most frequent.
const FREQUENT: usize = 15;
/// Patterns shown besides, the rarest.
const RARE: usize = 10;
/// Columns of a chart, and of half of one on a terminal that is not as wide as this.
const CHART: usize = 16;
const WIDE: usize = 100;

pub(super) fn write(out: &mut dyn Write, scanned: &Scanned, look: Look) -> io::Result<()> {
    if scanned.patterns.is_empty() {
        return Ok(());
    }
    let rows = Rows::of(scanned, look);
    writeln!(out, "\n{}", look.paint(Ink::Heading, "Most frequent patterns"))?;
    for pattern in scanned.patterns.iter().take(FREQUENT) {
        let share = format!("{:>7}", words::percent(pattern.view.count, pattern.view.of));
        let chart = spark(&pattern.counts, rows.chart);
        let pad = " ".repeat(rows.chart.saturating_sub(columns(&chart)));
        let beside = format!("{}  {}{pad}", look.paint(Ink::Soft, &share), look.paint(Ink::Chart, &chart));
        rows.write(out, pattern, &beside, share.len() + 2 + rows.chart)?;
    }
    let rare = story::rare(&scanned.patterns, FREQUENT, RARE);
    if rare.is_empty() {
        return Ok(());
    }
    let told = rare.len();
    writeln!(
        out,
        "\n{}",
        look.paint(Ink::Heading, "Rare patterns, errors first, and when they were first seen")
    )?;
    let moments = Moments::within(scanned.span);
    for pattern in rare {
        let first = moments.of(pattern.view.first);
        rows.write(out, pattern, &look.paint(Ink::Soft, &first), first.len())?;
    }
    let others = scanned.patterns.len().saturating_sub(FREQUENT + told);
    if others > 0 {
        let more = words::counted(others as u64, "pattern", "patterns");
        writeln!(out, "{}", look.paint(Ink::Soft, &format!("  and {more} more: --html shows them")))?;
    }
    Ok(())
}

/// How the rows are laid out.
struct Rows {
    look: Look,
    /// Columns of the count, of the chart, and of the level, where there are any that stand out.
    count: usize,
    chart: usize,
    level: usize,
    has_services: bool,
}

impl Rows {
    fn of(scanned: &Scanned, look: Look) -> Self {
        let most = scanned.patterns.first().map_or(0, |pattern| pattern.view.count);
        let has_levels = scanned.patterns.iter().any(|pattern| !story::level(pattern.severity).is_empty());
        Self {
            look,
            count: words::count(most).len() + 2,
            chart: if look.width.is_some_and(|width| width < WIDE) { CHART / 2 } else { CHART },
            level: if has_levels { "error".len() + 2 } else { 0 },
            has_services: scanned.services.len() > 1,
        }
    }

    /// Writes a row; `beside` stands between count and pattern and takes so many columns.
    fn write(
        &self,
        out: &mut dyn Write,
        pattern: &PatternSeen,
        beside: &str,
        columns: usize,
    ) -> io::Result<()> {
        let count = format!("{:>width$}", words::count(pattern.view.count), width = self.count);
        let level = story::level(pattern.severity);
        let ink = if level == "error" { Ink::Critical } else { Ink::Warning };
        let gap = " ".repeat(self.level.saturating_sub(level.len()));
        let view = &pattern.view;
        let service = if self.has_services { format!("{}: ", view.service.as_str()) } else { String::new() };
        let used = self.count + 2 + columns + 2 + self.level;
        let template = self.look.fit(&clean(&format!("{service}{}", view.template)), used);
        writeln!(out, "{count}  {beside}  {}{gap}{template}", self.look.paint(ink, level))
    }
}
