//! What can be set about detection. Every value has a default that works unconfigured.

use std::{collections::BTreeMap, time::Duration};

use foreshock_model::{Tenant, Verdict};
use serde::{Deserialize, Serialize};

/// Where time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The watermark follows the receive times and the owner's ticks; a record ahead of its receive time is held to it.
    #[default]
    Live,
    /// The watermark follows the records' own times. For files, backfills and simulations at speed.
    Event,
}

/// How the stages are set. Part of what determines the findings: a replay with the same configuration gives the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectConfig {
    /// Where time comes from: `live` or `event`.
    pub clock: Clock,
    /// What a time that a line tells without a zone is taken as: see [`crate::zone`].
    pub zone: String,
    /// How long a window waits for records that come late, in seconds.
    pub allowed_lateness_seconds: u32,
    /// How far a record may be ahead of its receive time before it is held to it, in seconds.
    pub ahead_tolerance_seconds: u32,
    /// After how many seconds without a word from an input partition windows close without it.
    pub hold_up_seconds: u32,
    /// What bounds memory.
    pub limits: Limits,
    /// How many pages are wanted.
    pub budget: Budget,
    /// How long people's verdicts on incidents hold.
    pub feedback: FeedbackLimits,
    /// Which lines belong together as a session.
    pub sessions: Sessions,
    /// What each tenant may have; one that is not named here may have what the limits give. Set with the tenants.
    #[serde(skip)]
    pub quotas: BTreeMap<Tenant, Quota>,
}

/// What a tenant may have, over all partitions together. Each partition of the summaries stream holds its share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Metric series told apart.
    pub series: Option<u64>,
    /// Log patterns told apart.
    pub patterns: Option<u64>,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            clock: Clock::Live,
            zone: "UTC".to_owned(),
            allowed_lateness_seconds: 5,
            ahead_tolerance_seconds: 2,
            hold_up_seconds: 120,
            limits: Limits::default(),
            budget: Budget::default(),
            feedback: FeedbackLimits::default(),
            sessions: Sessions::default(),
            quotas: BTreeMap::new(),
        }
    }
}

impl DetectConfig {
    /// How long a window waits for records that come late.
    pub fn lateness(&self) -> Duration {
        Duration::from_secs(self.allowed_lateness_seconds.into())
    }

    /// How far a record may be ahead of its receive time.
    pub fn ahead_tolerance(&self) -> Duration {
        Duration::from_secs(self.ahead_tolerance_seconds.into())
    }
}

/// What bounds memory. What goes over a limit is folded into "other", counted and reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Instances (resources) an input partition tells apart.
    pub sources: u32,
    /// Services a stage partition tells apart.
    pub services: u32,
    /// Line shapes an input partition tells apart.
    pub shapes: u32,
    /// Patterns a service has.
    pub patterns: u32,
    /// Metric series a partition tells apart.
    pub series: u32,
    /// Span operations an input partition tells apart.
    pub operations: u32,
    /// Sessions a partition of detect remembers, and a hundredth of the steps that an input partition passes on a window.
    pub sessions: u32,
    /// Base windows that may be open at once in an input partition.
    pub open_windows: u32,
    /// Incidents open at once in a tenant.
    pub open_incidents: u32,
    /// Findings kept with an incident.
    pub findings_an_incident: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sources: 50_000,
            services: 10_000,
            shapes: 100_000,
            patterns: 2_000,
            series: 1_000_000,
            operations: 20_000,
            sessions: 100_000,
            open_windows: 64,
            open_incidents: 500,
            findings_an_incident: 40,
        }
    }
}

/// What a session is, and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Names the session of a line: an attribute, or a regular expression with one group; see [`crate::SessionKey`].
    /// Empty: found by itself.
    pub key: String,
    /// So many sessions, the first of each service, teach, and no others.
    #[serde(skip)]
    pub learn: Option<u64>,
    /// The verdict on every session is kept until it is asked for.
    #[serde(skip)]
    pub verdicts: bool,
}

/// The alert budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Expected number of false pages a week and tenant, at most; thresholds follow from it. By default one a shift of twelve
    /// hours: half of the two incidents that a shift can take care of (Beyer et al., Site Reliability Engineering, 2016, chapter 11).
    pub pages_a_week: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { pages_a_week: 14.0 }
    }
}

/// How long people's verdicts on incidents hold, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackLimits {
    /// What was expected is taken as that for so many days: who plans releases and jobs plans them anew.
    pub expected_days: u32,
    /// What was not useful, likewise.
    pub not_useful_days: u32,
    /// What was useful: longer, for the next of its kind may be long in coming.
    pub useful_days: u32,
    /// Incidents of a tenant whose feedback is kept; over it the one that would end first ends.
    pub incidents: u32,
}

impl Default for FeedbackLimits {
    fn default() -> Self {
        Self { expected_days: 30, not_useful_days: 30, useful_days: 90, incidents: 500 }
    }
}

impl FeedbackLimits {
    /// How long a verdict holds.
    pub fn lasts(&self, verdict: Verdict) -> Duration {
        let days = match verdict {
            Verdict::Expected => self.expected_days,
            Verdict::NotUseful => self.not_useful_days,
            Verdict::Useful => self.useful_days,
            Verdict::None => 0,
        };
        Duration::from_secs(u64::from(days) * 86_400)
    }
}
