//! The incidents of the page.

use std::io::{self, Write};

use foreshock_model::{Evidence, Finding, Incident, Kind};

use super::{
    chart,
    text::{Template, Text},
};
use crate::{
    Scanned, story,
    words::{self, Measure, Moments},
};

/// Incidents told; a page of more is read by nobody.
pub(super) const INCIDENTS: usize = 200;
/// Findings of an incident that are open from the start.
const OPEN: usize = 2;
/// Lines of evidence of a finding.
const EVIDENCE: usize = 8;

pub(super) fn write(
    out: &mut dyn Write,
    scanned: &Scanned,
    incidents: &[&Incident],
    moments: Moments,
) -> io::Result<()> {
    writeln!(out, "<section aria-labelledby=\"incidents\"><h2 id=\"incidents\">Incidents</h2>")?;
    if incidents.is_empty() {
        writeln!(out, "<p class=\"quiet\">{}</p>", Text(&story::nothing(scanned)))?;
    }
    for incident in incidents.iter().take(INCIDENTS) {
        write_one(out, scanned, incident, moments)?;
    }
    if incidents.len() > INCIDENTS {
        let more = words::counted((incidents.len() - INCIDENTS) as u64, "incident", "incidents");
        writeln!(out, "<p>and {more} more: foreshock scan --incidents --json</p>")?;
    }
    writeln!(out, "</section>")
}

fn write_one(
    out: &mut dyn Write,
    scanned: &Scanned,
    incident: &Incident,
    moments: Moments,
) -> io::Result<()> {
    let (from, to) = story::lasted(incident);
    let severity = incident.severity;
    writeln!(out, "<article class=\"incident {severity}\" id=\"{}\">", incident.id)?;
    writeln!(
        out,
        "<div class=\"top\"><b>{severity}</b><time datetime=\"{}\">{}</time></div><h3>{}</h3>",
        from.to_rfc3339(),
        moments.range(from, to),
        Text(&incident.title)
    )?;
    write_facts(out, incident, moments)?;
    let (open, others) = incident.findings.split_at(incident.findings.len().min(OPEN));
    for finding in open {
        write_finding(out, scanned, incident, finding, moments)?;
    }
    if !others.is_empty() {
        let more = words::counted(others.len() as u64, "more finding", "more findings");
        writeln!(out, "<details><summary>{more}</summary>")?;
        for finding in others {
            write_finding(out, scanned, incident, finding, moments)?;
        }
        writeln!(out, "</details>")?;
    }
    writeln!(out, "</article>")
}

fn write_facts(out: &mut dyn Write, incident: &Incident, moments: Moments) -> io::Result<()> {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if incident.services.len() > 1 {
        let services: Vec<&str> = incident.services.iter().map(|service| service.as_str()).collect();
        facts.push(("Services", services.join(", ")));
    }
    facts.extend(story::causes(incident).into_iter().map(|cause| ("Likely cause", cause)));
    for change in incident.changes.iter().rev().take(3) {
        let what = format!("{}  {}: {}", moments.of(change.time), change.service.as_str(), change.what);
        facts.push(("Changed before", what));
    }
    if facts.is_empty() {
        return Ok(());
    }
    write!(out, "<dl class=\"facts\">")?;
    let mut before = "";
    for (name, value) in &facts {
        if *name != before {
            write!(out, "<dt>{name}</dt>")?;
        }
        before = name;
        write!(out, "<dd>{}</dd>", Text(value))?;
    }
    writeln!(out, "</dl>")
}

fn write_finding(
    out: &mut dyn Write,
    scanned: &Scanned,
    incident: &Incident,
    finding: &Finding,
    moments: Moments,
) -> io::Result<()> {
    writeln!(out, "<div class=\"finding\">")?;
    let when = moments.range(finding.window_start, finding.window_end);
    if finding.title != incident.title {
        let from = finding.window_start.to_rfc3339();
        writeln!(out, "<p><time datetime=\"{from}\">{when}</time>{}</p>", Text(&finding.title))?;
    }
    let Measure { before, observed, after } = Measure::of(finding, moments);
    let scale = (finding.kind != Kind::NewPattern)
        .then(|| chart::scale(finding.expected.low, finding.expected.high, finding.observed))
        .flatten()
        .unwrap_or_default();
    writeln!(
        out,
        "<div class=\"measure\"><span>{before}<strong>{}</strong>{}</span>{scale}</div>",
        Text(&observed),
        Text(&after)
    )?;
    if let Some(pattern) = story::pattern_of(scanned, finding).filter(|pattern| pattern.counts.len() > 1) {
        let window = Some((story::judged_from(finding), finding.window_end));
        writeln!(out, "{}", chart::spark(&scanned.timeline, &pattern.counts, "spark wide", window))?;
        let all = words::counted(pattern.view.count, "line", "lines");
        writeln!(out, "<p><small>{all} of this pattern in all; what is judged is marked</small></p>")?;
    }
    write_evidence(out, scanned, finding, moments)?;
    writeln!(out, "</div>")
}

fn write_evidence(
    out: &mut dyn Write,
    scanned: &Scanned,
    finding: &Finding,
    moments: Moments,
) -> io::Result<()> {
    if finding.evidence.is_empty() && finding.template.is_empty() {
        return Ok(());
    }
    write!(out, "<ul class=\"lines\">")?;
    for Evidence { time, instance, line, .. } in finding.evidence.iter().take(EVIDENCE) {
        write!(out, "<li><span>{}", moments.of(*time))?;
        if scanned.instances > 1 {
            write!(out, "  {}", Text(instance))?;
        }
        write!(out, "</span>  {}</li>", Text(line))?;
    }
    if finding.evidence.is_empty() {
        write!(out, "<li>{}</li>", Template(&finding.template))?;
    }
    writeln!(out, "</ul>")
}
