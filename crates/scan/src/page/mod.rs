//! The summary as one page that stands alone in one file: no network, no fonts or scripts from elsewhere, whole without its
//! script, dark or light as its reader has it.
//!
//! A browser runs the page's one script and one style and nothing else: the policy names them by their hash, so that a
//! line of a log can't become a script even if it got into the page.

mod chart;
mod incidents;
mod patterns;
mod series;
mod text;

use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use foreshock_model::{Incident, Severity};
use sha2::{Digest, Sha256};

use self::text::Text;
use crate::{
    Scanned, story,
    words::{self, Moments},
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Writes the page. `incidents` are as they stood last; `names` are those of the files.
pub fn write_page(
    out: &mut dyn Write,
    scanned: &Scanned,
    incidents: &[Incident],
    names: &[String],
) -> io::Result<()> {
    let title = story::title(names);
    let moments = Moments::within(scanned.span);
    let ordered = story::in_order(incidents);
    write_head(out, &title)?;
    writeln!(out, "<header><p class=\"brand\">Foreshock scan</p><h1>{}</h1>", Text(&title))?;
    let span = story::span(scanned);
    if !span.is_empty() {
        writeln!(out, "<p class=\"soft\">{span}</p>")?;
    }
    write_figures(out, scanned, incidents)?;
    writeln!(out, "</header>\n<main>")?;
    write_timeline(out, scanned, &ordered, moments)?;
    incidents::write(out, scanned, &ordered, moments)?;
    series::write(out, scanned)?;
    patterns::write(out, scanned, moments)?;
    write_unreadable(out, scanned)?;
    writeln!(
        out,
        "</main>\n<footer><p>Read: {}.</p><p>Times are in UTC. Secrets that could be recognised are masked as ***. Made by foreshock {}.</p></footer>",
        Text(&names.join(", ")),
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn write_head(out: &mut dyn Write, title: &str) -> io::Result<()> {
    let hash = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())));
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src '{}'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{} - Foreshock scan</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n<body>",
        hash(SCRIPT),
        hash(STYLE),
        Text(title),
    )
}

/// The numbers to read first.
fn write_figures(out: &mut dyn Write, scanned: &Scanned, incidents: &[Incident]) -> io::Result<()> {
    let of = |severity| incidents.iter().filter(|incident| incident.severity == severity).count() as u64;
    let none = if incidents.is_empty() { Some("none".to_owned()) } else { None };
    let others = scanned.records.saturating_sub(scanned.lines);
    let rate = scanned.span.and_then(|(first, last)| words::rate(scanned.lines, last.since(first)));
    let number = |value: u64| (value > 0).then(|| words::count(value));
    let mut figures: Vec<(&str, &str, Option<String>)> = vec![
        ("critical", "critical incidents", number(of(Severity::Critical))),
        ("warning", "warnings", number(of(Severity::Warning))),
        ("", "informational", number(of(Severity::Info))),
        ("", "incidents", none),
        ("", "lines", number(scanned.lines)),
        ("", "rate of lines", rate.filter(|_| scanned.lines > 0)),
        ("", "errors", number(scanned.errors)),
        ("", "patterns", number(scanned.patterns.len() as u64)),
        ("", "metric points and spans", number(others)),
        ("", "metric series", number(scanned.series as u64)),
    ];
    if scanned.services.len() > 1 {
        figures.push(("", "services", number(scanned.services.len() as u64)));
    }
    if scanned.instances > scanned.services.len().max(1) {
        figures.push(("", "instances", number(scanned.instances as u64)));
    }
    write!(out, "<dl class=\"figures\">")?;
    for (class, name, value) in figures {
        if let Some(value) = value {
            write!(out, "<div><dt>{name}</dt><dd class=\"{class}\">{value}</dd></div>")?;
        }
    }
    writeln!(out, "</dl>")
}

fn write_timeline(
    out: &mut dyn Write,
    scanned: &Scanned,
    ordered: &[&Incident],
    moments: Moments,
) -> io::Result<()> {
    let timeline = &scanned.timeline;
    if timeline.lines.len() < 2 {
        return Ok(());
    }
    let most = timeline.lines.iter().copied().max().unwrap_or(0);
    let column = words::length(timeline.column);
    writeln!(
        out,
        "<section class=\"panel\" aria-labelledby=\"time\"><h2 id=\"time\">Lines over time</h2><div class=\"legend\">\
         <span class=\"key lines\">lines, up to {} in {column}</span>",
        words::count(most.into())
    )?;
    let errors = timeline.errors.iter().copied().max().unwrap_or(0);
    if errors > 0 {
        writeln!(out, "<span class=\"key errors\">errors, up to {}</span>", words::count(errors.into()))?;
    }
    let marked: Vec<&Incident> = ordered
        .iter()
        .copied()
        .filter(|incident| incident.severity > Severity::Info)
        .take(incidents::INCIDENTS)
        .collect();
    if !marked.is_empty() {
        writeln!(out, "<span class=\"key incidents\">incidents</span>")?;
    }
    let (first, last) = scanned.span.unwrap_or((timeline.start, timeline.end()));
    let middle = moments.of(timeline.start.plus(timeline.end().since(timeline.start) / 2));
    writeln!(
        out,
        "</div>{}<div class=\"times\"><span>{}</span><span class=\"middle\">{}</span><span>{}</span></div>",
        chart::timeline(timeline, &marked),
        moments.of(first),
        if timeline.lines.len() > 8 { middle } else { String::new() },
        moments.of(last),
    )?;
    write_numbers(out, scanned, moments)?;
    writeln!(out, "</section>")
}

/// What the chart shows, for those who can't see it.
fn write_numbers(out: &mut dyn Write, scanned: &Scanned, moments: Moments) -> io::Result<()> {
    let timeline = &scanned.timeline;
    writeln!(
        out,
        "<details><summary>the same as numbers</summary><table class=\"numbers\"><thead><tr><th scope=\"col\">From</th>\
         <th scope=\"col\">Lines</th><th scope=\"col\">Errors</th></tr></thead><tbody>"
    )?;
    let mut from = timeline.start;
    for (lines, errors) in timeline.lines.iter().zip(&timeline.errors) {
        let (lines, errors) = (words::count((*lines).into()), words::count((*errors).into()));
        writeln!(out, "<tr><td>{}</td><td>{lines}</td><td>{errors}</td></tr>", moments.of(from))?;
        from = from.plus(timeline.column);
    }
    writeln!(out, "</tbody></table></details>")
}

fn write_unreadable(out: &mut dyn Write, scanned: &Scanned) -> io::Result<()> {
    if scanned.unreadable.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section aria-labelledby=\"unread\"><h2 id=\"unread\">Not read</h2><ul class=\"lines\">")?;
    for reason in &scanned.unreadable {
        writeln!(out, "<li>{}</li>", Text(reason))?;
    }
    writeln!(out, "</ul></section>")
}
