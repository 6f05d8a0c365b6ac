//! The incidents of a scan, each as it stood last.

use std::{collections::BTreeMap, io};

use foreshock_detect::pipeline::Seen;
use foreshock_model::{Id, Incident, IncidentStatus};

/// Incidents kept. Of more, those that matter least and are over longest go first.
const MOST: usize = 2_000;

/// Incidents by id, a bounded number of them.
#[derive(Default)]
pub(super) struct Standing {
    incidents: BTreeMap<Id, Incident>,
    /// How many went.
    pub(super) gone: u64,
}

impl Standing {
    /// Takes in what was told; what was only provisional is no incident. Gives away what there is no room for.
    pub(super) fn note(
        &mut self,
        seen: Seen,
        gone: &mut dyn FnMut(&Incident) -> io::Result<()>,
    ) -> io::Result<()> {
        let standing = seen.incidents.into_iter().filter(|incident| !incident.provisional);
        self.incidents.extend(standing.map(|incident| (incident.id, incident)));
        while self.incidents.len() > MOST {
            let least = self.incidents.values().min_by_key(|incident| {
                (
                    incident.status != IncidentStatus::Resolved,
                    incident.severity,
                    incident.updated_at,
                    incident.id,
                )
            });
            let Some(least) = least.map(|incident| incident.id).and_then(|id| self.incidents.remove(&id))
            else {
                break;
            };
            self.gone += 1;
            gone(&least)?;
        }
        Ok(())
    }

    /// Those that are left, in the order they began.
    pub(super) fn in_order(self) -> Vec<Incident> {
        let mut incidents: Vec<Incident> = self.incidents.into_values().collect();
        incidents.sort_by_key(|incident| (incident.started_at, incident.id));
        incidents
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use foreshock_model::{Severity, Tenant, Timestamp};

    use super::*;

    fn incident(number: usize, severity: Severity, provisional: bool) -> Incident {
        Incident {
            id: Id::parse(&format!("{number:032x}")).expect("32 digits"),
            tenant: Tenant::default(),
            status: IncidentStatus::Resolved,
            severity,
            title: String::new(),
            started_at: Timestamp::from_secs(number as u64),
            updated_at: Timestamp::from_secs(number as u64),
            resolved_at: None,
            services: Vec::new(),
            findings: Vec::new(),
            causes: Vec::new(),
            changes: Vec::new(),
            runbook_url: String::new(),
            links: BTreeMap::new(),
            revision: 1,
            provisional,
        }
    }

    #[test]
    fn of_too_many_incidents_the_least_go_first_and_none_is_lost() {
        let (mut standing, mut gone) = (Standing::default(), Vec::new());
        for number in 0..MOST + 10 {
            let severity = if number < 5 { Severity::Critical } else { Severity::Warning };
            let incidents =
                vec![incident(number, severity, false), incident(number + 100_000, severity, true)];
            let mut take = |incident: &Incident| {
                gone.push(incident.started_at);
                Ok(())
            };
            standing.note(Seen { incidents, ..Seen::default() }, &mut take).expect("memory");
        }
        assert_eq!(gone, (5..15).map(Timestamp::from_secs).collect::<Vec<_>>());
        assert_eq!((standing.gone, standing.in_order().len()), (10, MOST));
    }
}
