//! The faults the shop can be given, and the label that says when each could first be seen.

use std::fmt;

use foreshock_model::Timestamp;

use crate::services::Service;

/// A failure by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The disk of orders-db fills up within an hour; then inserts fail.
    DiskFull,
    /// A release of payment fails on one charge in eight.
    BadRelease,
    /// orders-db answers five times as slowly, with stalls; callers run into timeouts.
    SlowDatabase,
    /// report-job is not started any more.
    SilentJob,
    /// auth is tried with many passwords from a few addresses.
    PasswordGuessing,
    /// cart leaks memory until it is killed.
    MemoryLeak,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 6] = [
        Self::DiskFull,
        Self::BadRelease,
        Self::SlowDatabase,
        Self::SilentJob,
        Self::PasswordGuessing,
        Self::MemoryLeak,
    ];

    /// Its name on the command line and in labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::BadRelease => "bad-release",
            Self::SlowDatabase => "slow-database",
            Self::SilentJob => "silent-job",
            Self::PasswordGuessing => "password-guessing",
            Self::MemoryLeak => "memory-leak",
        }
    }

    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// `service.name` of the service that fails.
    pub const fn service(self) -> &'static str {
        match self {
            Self::DiskFull | Self::SlowDatabase => Service::OrdersDb.name(),
            Self::BadRelease => Service::Payment.name(),
            Self::SilentJob => Service::ReportJob.name(),
            Self::PasswordGuessing => Service::Auth.name(),
            Self::MemoryLeak => Service::Cart.name(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened in a run, for judging what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Which fault.
    pub fault: Fault,
    /// When its cause set in.
    pub starts: Timestamp,
    /// When its first effect is in the telemetry; `None` while there is none.
    pub visible: Option<Timestamp>,
}

impl Label {
    /// First line of a file of labels.
    pub const CSV_HEADER: &str = "fault,service,starts,visible";

    /// One row; `visible` is empty while there is nothing to be seen.
    pub fn to_csv(&self) -> String {
        let visible = self.visible.map(Timestamp::to_rfc3339).unwrap_or_default();
        format!("{},{},{},{visible}", self.fault, self.fault.service(), self.starts)
    }
}

/// The fault of a run and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct FaultRun {
    fault: Option<Fault>,
    starts: u64,
    visible: Option<u64>,
}

impl FaultRun {
    pub(crate) fn new(fault: Option<Fault>, starts: u64) -> Self {
        Self { fault, starts, visible: None }
    }

    /// Seconds since `fault` set in; `None` where it is another run's, or still to come.
    pub(crate) fn age(&self, fault: Fault, at: u64) -> Option<f64> {
        (self.fault == Some(fault) && at >= self.starts).then(|| (at - self.starts) as f64 / 1e9)
    }

    pub(crate) fn is_on(&self, fault: Fault, at: u64) -> bool {
        self.age(fault, at).is_some()
    }

    /// Whether this is the tick in which `fault` sets in.
    pub(crate) fn sets_in(&self, fault: Fault, from: u64, to: u64) -> bool {
        self.fault == Some(fault) && (from..to).contains(&self.starts)
    }

    /// An effect of the fault is in the telemetry of time `at`.
    pub(crate) fn shows(&mut self, at: u64) {
        self.visible = Some(self.visible.map_or(at, |first| first.min(at)));
    }

    pub(crate) fn label(&self) -> Option<Label> {
        self.fault.map(|fault| Label {
            fault,
            starts: Timestamp(self.starts),
            visible: self.visible.map(Timestamp),
        })
    }
}
