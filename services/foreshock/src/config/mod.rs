//! The configuration: one TOML file, every key with a default, overlaid by the environment.

mod environment;
mod faults;
mod journal;
mod kafka;
mod load;
mod template;

use std::net::SocketAddr;

use foreshock_detect::{DetectConfig, Quota, SessionKey};
use foreshock_ingest::{IngestConfig, TenantsConfig};
use foreshock_worker::WorkerConfig;
use serde::{Deserialize, Serialize};

pub(crate) use environment::variables;
pub(crate) use journal::{JournalConfig, Kind};
pub(crate) use kafka::KafkaConfig;
pub(crate) use load::{load, load_stages};
pub(crate) use template::DEFAULT;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) ingest: IngestConfig,
    pub(crate) tenants: TenantsConfig,
    pub(crate) journal: JournalConfig,
    pub(crate) detect: DetectConfig,
    pub(crate) worker: WorkerConfig,
    pub(crate) notify: foreshock_notify::Config,
    pub(crate) console: foreshock_console::Config,
    pub(crate) admin: AdminConfig,
}

/// The section `[admin]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdminConfig {
    /// Where /livez, /readyz and /metrics are.
    pub(crate) address: SocketAddr,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

impl Config {
    /// How the stages are set, with what each tenant may have.
    pub(crate) fn stages(&self) -> DetectConfig {
        let quotas = self.tenants.0.iter().map(|(tenant, settings)| {
            let quota = Quota { series: settings.max_series, patterns: settings.max_patterns };
            (tenant.clone(), quota)
        });
        DetectConfig { quotas: quotas.collect(), ..self.detect.clone() }
    }

    /// What is wrong beyond the form, one sentence each; each begins with the key it is about where there is one.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.ingest.problems().iter().map(ToString::to_string));
        problems.extend(self.tenants.problems().iter().map(ToString::to_string));
        problems.extend(self.journal.problems());
        problems.extend(self.worker.problems());
        problems.extend(self.notify.problems());
        problems.extend(self.console.problems());
        let shares_a_name = self.journal.kind == Kind::Kafka && !self.journal.kafka.instance.is_empty();
        if self.worker.standby && !shares_a_name {
            problems.push(
                "worker.standby is for processes that share a name: set journal.kind = \"kafka\" and journal.kafka.instance".into(),
            );
        }
        problems.extend(self.stages_problems());
        problems
    }

    /// The same, of what the stages are set by; looks at no file and no variable.
    pub(crate) fn stages_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.detect.allowed_lateness_seconds > 3600 {
            problems.push(
                "detect.allowed_lateness_seconds is above an hour; every window would wait so long".into(),
            );
        }
        if let Err(error) = foreshock_detect::zone(&self.detect.zone) {
            problems.push(format!("detect.zone: {error}"));
        }
        if let Err(error) = self.detect.sessions.key.parse::<SessionKey>() {
            problems.push(format!("detect.sessions.key: {error}"));
        }
        if !(self.detect.budget.pages_a_week > 0.0 && self.detect.budget.pages_a_week.is_finite()) {
            problems.push("detect.budget.pages_a_week must be above 0".into());
        }
        let feedback = &self.detect.feedback;
        for (key, value, most) in [
            ("expected_days", feedback.expected_days, 3650),
            ("not_useful_days", feedback.not_useful_days, 3650),
            ("useful_days", feedback.useful_days, 3650),
            ("incidents", feedback.incidents, 10_000),
        ] {
            if value == 0 || value > most {
                problems.push(format!("detect.feedback.{key} must be 1 to {most}"));
            }
        }
        problems
    }
}
