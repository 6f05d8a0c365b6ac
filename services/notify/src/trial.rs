//! A test alert: one made-up incident, sent once to one route, opened and then resolved. Leaves nothing in the journal.

use std::collections::BTreeMap;

use foreshock_model::{Id, Incident, IncidentStatus, ServiceName, Severity, Tenant};

use crate::{
    Config, NotifyError,
    client::Outcome,
    outbox::Job,
    sender::{Sender, wall_clock},
};

/// Sends a test alert to the route of this name, and its resolution after it.
pub async fn trial(config: &Config, route: &str) -> Result<(), NotifyError> {
    let route = config
        .routes
        .iter()
        .find(|candidate| candidate.name == route)
        .ok_or_else(|| NotifyError::NoRoute(route.to_owned()))?;
    let name = route.name.clone();
    let sender = Sender::new(route, &config.console_url)
        .map_err(|reason| NotifyError::Client { route: name.clone(), reason })?;
    for (revision, status) in [(0, IncidentStatus::Open), (1, IncidentStatus::Resolved)] {
        match sender.send(&Job::once(example(revision, status)), wall_clock()).await {
            Outcome::Delivered => {}
            Outcome::Retry { error, .. } | Outcome::GivenUp { error } => {
                return Err(NotifyError::NotTaken { route: name, reason: error });
            }
        }
    }
    Ok(())
}

fn example(revision: u64, status: IncidentStatus) -> Incident {
    let now = wall_clock();
    let tenant = Tenant::default();
    let service = ServiceName::from("foreshock");
    Incident {
        id: Id::incident(&tenant, &service, now.window(std::time::Duration::from_secs(60)).start),
        tenant,
        status,
        severity: Severity::Warning,
        title: "This is a test of Foreshock: nothing is wrong".to_owned(),
        started_at: now,
        updated_at: now,
        resolved_at: (status == IncidentStatus::Resolved).then_some(now),
        services: vec![service],
        findings: Vec::new(),
        causes: Vec::new(),
        changes: Vec::new(),
        runbook_url: String::new(),
        links: BTreeMap::new(),
        revision,
        provisional: false,
    }
}
