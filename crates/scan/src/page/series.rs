//! The metric series of the page, the oddest first.

use std::io::{self, Write};

use super::{chart, text::Text};
use crate::{Scanned, story, words};

/// Series shown; a page of more is read by nobody.
const SERIES: usize = 500;

pub(super) fn write(out: &mut dyn Write, scanned: &Scanned) -> io::Result<()> {
    let all = &scanned.series_seen;
    if all.is_empty() {
        return Ok(());
    }
    let several = story::has_several_services(scanned);
    writeln!(
        out,
        "<section id=\"series\" aria-labelledby=\"metrics\"><h2 id=\"metrics\">Metric series, the oddest first</h2>\
         <table><thead><tr><th scope=\"col\" class=\"count\">Findings</th>\
         <th scope=\"col\" class=\"chart\">Over time</th><th scope=\"col\">Series</th></tr></thead><tbody>"
    )?;
    for series in all.iter().take(SERIES) {
        let count = if series.findings > 0 { words::count(series.findings) } else { String::new() };
        let service = if several { format!("{} · ", series.service.as_str()) } else { String::new() };
        writeln!(
            out,
            "<tr><td class=\"count\">{count}</td><td class=\"chart\">{}</td><td><code>{}</code>\
             <p>{}{}, {}</p></td></tr>",
            chart::spark(&scanned.timeline, &series.heights, "spark", None),
            Text(&series.name),
            Text(&service),
            Text(&story::range(series)),
            words::counted(series.values, "value", "values"),
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    if scanned.series > SERIES.min(all.len()) {
        let more = words::counted((scanned.series - SERIES.min(all.len())) as u64, "series", "series");
        writeln!(out, "<p>and {more} more: foreshock scan --json names those with findings</p>")?;
    }
    writeln!(out, "</section>")
}
