//! The patterns of the page.

use std::io::{self, Write};

use super::{
    chart,
    text::{Template, Text},
};
use crate::{
    PatternSeen, Scanned, story,
    words::{self, Moments},
};

/// Patterns shown; a page of more is read by nobody.
const PATTERNS: usize = 500;
/// Rare patterns shown before all of them.
const RARE: usize = 10;
/// More patterns than this are worth a list of the rare ones, and tools to find one.
const MANY: usize = 15;

pub(super) fn write(out: &mut dyn Write, scanned: &Scanned, moments: Moments) -> io::Result<()> {
    let patterns = &scanned.patterns;
    if patterns.is_empty() {
        return Ok(());
    }
    let rare = if patterns.len() > MANY { story::rare(patterns, MANY, RARE) } else { Vec::new() };
    if !rare.is_empty() {
        writeln!(out, "<section aria-labelledby=\"rare\"><h2 id=\"rare\">Rare patterns, errors first</h2>")?;
        write_table(out, scanned, rare.into_iter(), moments)?;
        writeln!(out, "</section>")?;
    }
    writeln!(out, "<section id=\"patterns\" aria-labelledby=\"all\"><h2 id=\"all\">Patterns</h2>")?;
    if patterns.len() > MANY {
        out.write_all(TOOLS.as_bytes())?;
    }
    write_table(out, scanned, patterns.iter().take(PATTERNS), moments)?;
    if patterns.len() > PATTERNS {
        let more = words::counted((patterns.len() - PATTERNS) as u64, "pattern", "patterns");
        writeln!(out, "<p>and {more} more: foreshock scan --templates names them</p>")?;
    }
    writeln!(out, "</section>")
}

/// Shown by the script, without which they do nothing.
const TOOLS: &str = "<form class=\"tools\" id=\"tools\" hidden>\
    <input type=\"search\" id=\"words\" placeholder=\"Words of a pattern\" aria-label=\"Words of a pattern\">\
    <select id=\"which\" aria-label=\"Which patterns\"><option value=\"all\">all levels</option>\
    <option value=\"loud\">errors and warnings</option><option value=\"late\">first seen late</option></select>\
    <select id=\"order\" aria-label=\"Order\"><option value=\"most\">most frequent first</option>\
    <option value=\"least\">rarest first</option><option value=\"newest\">newest first</option></select>\
    <output id=\"shown\"></output></form>\n";

fn write_table<'a>(
    out: &mut dyn Write,
    scanned: &Scanned,
    patterns: impl Iterator<Item = &'a PatternSeen>,
    moments: Moments,
) -> io::Result<()> {
    writeln!(
        out,
        "<table><thead><tr><th scope=\"col\" class=\"count\">Lines</th><th scope=\"col\" class=\"chart\">Over time</th>\
         <th scope=\"col\">Pattern</th></tr></thead><tbody>"
    )?;
    for pattern in patterns {
        write_row(out, scanned, pattern, moments)?;
    }
    writeln!(out, "</tbody></table>")
}

fn write_row(
    out: &mut dyn Write,
    scanned: &Scanned,
    pattern: &PatternSeen,
    moments: Moments,
) -> io::Result<()> {
    let view = &pattern.view;
    let (level, late) = (story::level(pattern.severity), story::is_late(scanned, pattern));
    writeln!(
        out,
        "<tr data-count=\"{}\" data-first=\"{}\" data-level=\"{level}\" data-late=\"{}\">\
         <td class=\"count\">{}<small>{}</small></td><td class=\"chart\">{}</td><td><code>{}</code>",
        view.count,
        view.first.nanos() / 1_000_000,
        u8::from(late),
        words::count(view.count),
        Text(&words::percent(view.count, view.of)),
        chart::spark(&scanned.timeline, &pattern.counts, "spark", None),
        Template(&view.template),
    )?;
    write!(out, "<details><summary>")?;
    if !level.is_empty() {
        write!(out, "<span class=\"tag {level}\">{level}</span>")?;
    }
    if late {
        write!(out, "<span class=\"tag late\">first seen late</span>")?;
    }
    if scanned.services.len() > 1 {
        write!(out, "{} · ", Text(view.service.as_str()))?;
    }
    writeln!(
        out,
        "{}</summary><ul class=\"lines\"><li>{}</li></ul><p>id {}</p></details>",
        moments.range(view.first, view.last),
        Text(&view.example),
        Text(&view.id)
    )?;
    writeln!(out, "</td></tr>")
}
