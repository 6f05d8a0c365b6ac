//! The metric series of the summary: the oddest, with a small chart each.

use std::io::{self, Write};

use super::{
    clean,
    ink::{Ink, Look, columns},
    spark::spark,
};
use crate::{Scanned, story, words};

/// Series shown.
const SHOWN: usize = 15;
/// Columns of a chart.
const CHART: usize = 32;

pub(super) fn write(out: &mut dyn Write, scanned: &Scanned, look: Look) -> io::Result<()> {
    if scanned.series_seen.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Ink::Heading, "Metric series, the oddest first"))?;
    let several = story::has_several_services(scanned);
    let rows: Vec<_> = scanned.series_seen.iter().take(SHOWN).collect();
    let ranges: Vec<String> = rows.iter().map(|series| story::range(series)).collect();
    let wide = ranges.iter().map(|range| columns(range)).max().unwrap_or(0);
    for (series, range) in rows.iter().zip(&ranges) {
        let heights = story::heights(&series.heights, CHART);
        let chart = spark(&heights, CHART);
        let pad = " ".repeat(heights.len().saturating_sub(columns(&chart)));
        let gap = " ".repeat(wide - columns(range));
        let service = if several { format!("{}: ", series.service.as_str()) } else { String::new() };
        let findings = match series.findings {
            0 => String::new(),
            count => format!("  {}", words::counted(count, "finding", "findings")),
        };
        let used = 2 + heights.len() + 2 + wide + 2 + findings.len();
        let name = look.fit(&clean(&format!("{service}{}", series.name)), used);
        let findings = look.paint(Ink::Warning, &findings);
        writeln!(
            out,
            "  {}{pad}  {}{gap}  {name}{findings}",
            look.paint(Ink::Chart, &chart),
            look.paint(Ink::Soft, range)
        )?;
    }
    let others = scanned.series.saturating_sub(rows.len());
    if others > 0 {
        let more = words::counted(others as u64, "series", "series");
        writeln!(out, "{}", look.paint(Ink::Soft, &format!("  and {more} more: --html shows them")))?;
    }
    Ok(())
}
