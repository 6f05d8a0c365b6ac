//! Every final finding as a row, with whether the incident it is part of would page.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use foreshock_detect::pipeline::Seen;
use foreshock_model::{Finding, Incident, IncidentId, IncidentStatus, Kind, ServiceName, Severity};

/// Incidents that page and are not over. There are never many at once; of more the oldest are taken for over.
const STANDING: usize = 10_000;

/// What a finding is one of, from window to window.
type Place = (ServiceName, String, Kind);

/// Writes `service,series,ts,page`: `ts` is when it could first be said, in seconds since the epoch.
pub struct Alarms<W: Write> {
    rows: csv::Writer<W>,
    /// What stands in each incident that pages now.
    paging: BTreeMap<IncidentId, BTreeSet<Place>>,
}

impl<W: Write> Alarms<W> {
    /// Writes the header.
    pub fn new(out: W) -> io::Result<Self> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["service", "series", "ts", "page"])?;
        Ok(Self { rows, paging: BTreeMap::new() })
    }

    /// Takes what came out of the stages. An incident is told at the close of the window of the finding that changes it:
    /// that is in the same output, or in an earlier one.
    pub fn note(&mut self, seen: &Seen) -> io::Result<()> {
        let mut incidents = seen.incidents.iter().filter(|incident| !incident.provisional).peekable();
        let mut findings: Vec<&Finding> =
            seen.findings.iter().filter(|finding| !finding.provisional).collect();
        findings.sort_by_key(|finding| finding.window_end);
        for finding in findings {
            while let Some(incident) = incidents.next_if(|next| next.updated_at <= finding.window_end) {
                self.take(incident);
            }
            let place = place(finding);
            // What can be no more than information is only shown beside what pages.
            let tells = finding.severity > Severity::Info;
            let pages = tells && self.paging.values().any(|places| places.contains(&place));
            let ts = format!("{:.0}", finding.window_end.as_secs_f64());
            let page = if pages { "1" } else { "0" };
            self.rows.write_record([finding.service.as_str(), &finding.series, &ts, page])?;
        }
        incidents.for_each(|incident| self.take(incident));
        Ok(())
    }

    fn take(&mut self, incident: &Incident) {
        if incident.status == IncidentStatus::Resolved || incident.severity < Severity::Critical {
            self.paging.remove(&incident.id);
            return;
        }
        if self.paging.len() >= STANDING {
            self.paging.pop_first();
        }
        // What is only shown beside it would not have paged.
        let telling = incident.findings.iter().filter(|finding| finding.severity > Severity::Info);
        self.paging.insert(incident.id, telling.map(place).collect());
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<()> {
        self.rows.flush()
    }
}

fn place(finding: &Finding) -> Place {
    (finding.service.clone(), finding.series.clone(), finding.kind)
}
