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
/// Columns of a chart.
const CHART: usize = 16;

pub(super) fn write(out: &mut dyn Write, scanned: &Scanned, look: Look) -> io::Result<()> {
    if scanned.patterns.is_empty() {
        return Ok(());
    }
    let has_services = scanned.services.len() > 1;
    writeln!(out, "\n{}", look.paint(Ink::Heading, "Most frequent patterns"))?;
    for pattern in scanned.patterns.iter().take(FREQUENT) {
        let share = words::percent(pattern.view.count, pattern.view.of);
        write_one(out, pattern, &share, has_services, look)?;
    }
    let rare = story::rare(&scanned.patterns, FREQUENT, RARE);
    if rare.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Ink::Heading, "Rare patterns, errors first, and when they were first seen"))?;
    let moments = Moments::within(scanned.span);
    let told = rare.len();
    for pattern in rare {
        write_one(out, pattern, &moments.of(pattern.view.first), has_services, look)?;
    }
    let others = scanned.patterns.len().saturating_sub(FREQUENT + told);
    if others > 0 {
        let more = format!("  and {} more: --html or --templates shows them all", words::counted(others as u64, "pattern", "patterns"));
        writeln!(out, "{}", look.paint(Ink::Soft, &more))?;
    }
    Ok(())
}

fn write_one(
    out: &mut dyn Write,
    pattern: &PatternSeen,
    note: &str,
    has_services: bool,
    look: Look,
) -> io::Result<()> {
    let count = format!("{:>11}", words::count(pattern.view.count));
    let note = format!("{note:>8}");
    let chart = spark(&pattern.counts, CHART);
    let pad = " ".repeat(CHART.saturating_sub(columns(&chart)));
    let level = story::level(pattern.severity);
    let ink = if level == "error" { Ink::Critical } else { Ink::Warning };
    let service = if has_services { format!("{}: ", pattern.view.service.as_str()) } else { String::new() };
    let used = count.len() + 2 + note.len() + 2 + CHART + 2 + 6;
    let template = look.fit(&clean(&format!("{service}{}", pattern.view.template)), used);
    let (note, chart) = (look.paint(Ink::Soft, &note), look.paint(Ink::Chart, &chart));
    let (level, gap) = (look.paint(ink, level), " ".repeat(6 - level.len()));
    writeln!(out, "{count}  {note}  {chart}{pad}  {level}{gap}{template}")
}
