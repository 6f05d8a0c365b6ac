//! The summary for people, on a terminal or in a pipe: what was read, what is out of the ordinary, what the lines are.

mod incidents;
mod ink;
mod patterns;
mod series;
mod spark;

use std::io::{self, Write};

use foreshock_model::{Incident, Severity};
use foreshock_template::mask_secrets;

use self::ink::Ink;
pub use self::ink::Look;
use crate::{Scanned, story, words};

/// Columns of the chart over time.
const CHART: usize = 64;
/// Columns before it.
const LABEL: usize = 10;

/// Writes the summary. `incidents` are as they stood last; `names` are those of the files.
pub fn write_summary(
    out: &mut dyn Write,
    scanned: &Scanned,
    incidents: &[Incident],
    names: &[String],
    look: Look,
) -> io::Result<()> {
    let title = clean(&story::title(names));
    writeln!(out, "{}", look.paint(Ink::Heading, &look.fit(&title, 0)))?;
    for line in [story::totals(scanned), story::span(scanned), story::parts(scanned, incidents)] {
        if !line.is_empty() {
            writeln!(out, "{line}")?;
        }
    }
    write_timeline(out, scanned, incidents, look)?;
    incidents::write(out, scanned, incidents, look)?;
    series::write(out, scanned, look)?;
    patterns::write(out, scanned, look)?;
    if !scanned.unreadable.is_empty() {
        writeln!(out, "\n{}", look.paint(Ink::Heading, "Not read"))?;
    }
    for reason in &scanned.unreadable {
        write_wrapped(out, &clean(reason), 2, 4, look)?;
    }
    Ok(())
}

fn write_timeline(
    out: &mut dyn Write,
    scanned: &Scanned,
    incidents: &[Incident],
    look: Look,
) -> io::Result<()> {
    let timeline = &scanned.timeline;
    if timeline.lines.len() < 2 {
        return Ok(());
    }
    let columns = look.width.map_or(CHART, |width| width.saturating_sub(LABEL + 24).clamp(16, CHART));
    let group = spark::group(timeline.lines.len(), columns);
    let column = words::length(timeline.column.saturating_mul(group as u32));
    writeln!(out)?;
    for (label, counts, ink) in
        [("Lines", &timeline.lines, Ink::Chart), ("Errors", &timeline.errors, Ink::Critical)]
    {
        let most = spark::narrow(counts, columns).into_iter().max().unwrap_or(0);
        if most > 0 {
            let chart = look.paint(ink, &spark::spark(counts, columns));
            let pad =
                " ".repeat(timeline.lines.len().div_ceil(group).saturating_sub(counts.len().div_ceil(group)));
            let most = look.paint(Ink::Soft, &format!("up to {} in {column}", words::count(most)));
            writeln!(out, "{label:LABEL$}{chart}{pad}  {most}")?;
        }
    }
    let marks = marks(scanned, incidents, group);
    if !marks.is_empty() {
        let painted: String = marks.iter().map(|severity| mark(*severity, look)).collect();
        writeln!(out, "{:LABEL$}{painted}  {}", "Incidents", look.paint(Ink::Soft, "! critical  ^ warning"))?;
    }
    Ok(())
}

/// The gravest incident that began in each column.
fn marks(scanned: &Scanned, incidents: &[Incident], group: usize) -> Vec<Option<Severity>> {
    let timeline = &scanned.timeline;
    let width = timeline.column.as_nanos().max(1) * group as u128;
    let columns = timeline.lines.len().div_ceil(group);
    let mut marks = vec![None; columns];
    for incident in incidents.iter().filter(|incident| incident.severity > Severity::Info) {
        let column = incident.started_at.since(timeline.start).as_nanos() / width;
        let column = usize::try_from(column).unwrap_or(usize::MAX).min(columns.saturating_sub(1));
        if let Some(mark) = marks.get_mut(column) {
            *mark = (*mark).max(Some(incident.severity));
        }
    }
    if marks.iter().all(Option::is_none) { Vec::new() } else { marks }
}

fn mark(severity: Option<Severity>, look: Look) -> String {
    match severity {
        Some(Severity::Critical) => look.paint(Ink::Critical, "!"),
        Some(_) => look.paint(Ink::Warning, "^"),
        None => " ".into(),
    }
}

/// Writes a text in at most `most` lines, each behind `indent` columns.
fn write_wrapped(out: &mut dyn Write, text: &str, indent: usize, most: usize, look: Look) -> io::Result<()> {
    write_item(out, "", text, indent, most, look)
}

/// The same with a mark before the first line, behind which the others stand as well.
fn write_item(
    out: &mut dyn Write,
    mark: &str,
    text: &str,
    indent: usize,
    most: usize,
    look: Look,
) -> io::Result<()> {
    let behind = mark.chars().count();
    for (at, line) in look.wrap(text, indent + behind, most).iter().enumerate() {
        let mark = if at == 0 { look.paint(Ink::Soft, mark) } else { " ".repeat(behind) };
        writeln!(out, "{:indent$}{mark}{line}", "")?;
    }
    Ok(())
}

/// Log text must not drive the terminal: secrets masked, control characters out.
fn clean(text: &str) -> String {
    mask_secrets(text).into_owned()
}
