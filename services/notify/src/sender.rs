//! A route's receiver, whatever its kind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foreshock_model::Timestamp;

use crate::{
    alertmanager::Alertmanager,
    client::{self, Outcome},
    config::Route,
    outbox::Job,
    webhook::Webhook,
};

/// Something that can be told of incidents.
#[derive(Debug)]
pub(crate) enum Sender {
    Webhook(Webhook),
    Alertmanager(Alertmanager),
}

impl Sender {
    pub(crate) fn new(route: &Route, console_url: &str) -> Result<Self, String> {
        match (&route.webhook, &route.alertmanager) {
            (Some(webhook), None) => Webhook::new(webhook).map(Self::Webhook),
            (None, Some(alertmanager)) => {
                Alertmanager::new(alertmanager, console_url).map(Self::Alertmanager)
            }
            _ => Err("give it exactly one receiver: webhook or alertmanager".to_owned()),
        }
    }

    /// How often it has to be told again of what goes on.
    pub(crate) fn refresh(&self) -> Option<Duration> {
        match self {
            Self::Webhook(_) => None,
            Self::Alertmanager(alertmanager) => Some(alertmanager.resend()),
        }
    }

    pub(crate) async fn send(&self, job: &Job, now: Timestamp) -> Outcome {
        let request = match self {
            Self::Webhook(webhook) => webhook.request(&job.incident, now.nanos() / 1_000_000_000),
            Self::Alertmanager(alertmanager) => {
                alertmanager.request(&job.incident, &job.identity, job.ended, now)
            }
        };
        client::send(request).await
    }
}

/// This machine's time. Notify is no stage: it may look.
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
