//! What a finding says, and how much it matters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::proto;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// What a finding says is out of the ordinary.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $variant),+
        }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name outside: snake case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// Reads the name outside.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A line shape never seen, where new shapes are rare.
    NewPattern => "new_pattern",
    /// Far more lines of a pattern than expected.
    PatternRateUp => "pattern_rate_up",
    /// Far fewer lines of a pattern than expected.
    PatternRateDown => "pattern_rate_down",
    /// A pattern that was gone for long comes again.
    ReturningPattern => "returning_pattern",
    /// A number in a line is out of range.
    ParameterValue => "parameter_value",
    /// A value never seen in its place in a line.
    NewValue => "new_value",
    /// A place in a line, or a label, that had few values has many.
    Cardinality => "cardinality",
    /// A line speaks of an error that its level does not.
    BeliedLevel => "belied_level",
    /// The share of errors of a service rose.
    ErrorShare => "error_share",
    /// Something regular stopped: a source, a heartbeat, a job.
    Silence => "silence",
    /// A session whose steps are not those that such sessions have.
    BrokenSequence => "broken_sequence",
    /// A metric far above what was expected.
    Spike => "spike",
    /// A metric far below what was expected.
    Dip => "dip",
    /// A metric that stays at another level.
    LevelShift => "level_shift",
    /// A metric that leaves the line it was on: it climbs or falls as it did not.
    TrendChange => "trend_change",
    /// A metric that varies more, or less, than it did.
    VarianceChange => "variance_change",
    /// A metric whose days had a rhythm and that is off it.
    SeasonBroken => "season_broken",
    /// The metrics of one service, off together as they never were.
    JointDeviation => "joint_deviation",
    /// A metric of one instance, unlike that of the others.
    OddOneOut => "odd_one_out",
    /// A metric that varied and does not any more.
    FlatLine => "flat_line",
    /// A resource that is used up at a time that can be told.
    WillRunOut => "will_run_out",
    /// Foreshock about itself: it lags, it is blind, something was folded into "other".
    Degraded => "degraded",
    /// The values of a metric are spread over their sizes as they were not.
    DistributionMoved => "distribution_moved",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much it matters. `Critical` pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Kept to be looked at; nobody is told.
    Info,
    /// Told, wakes nobody.
    Warning,
    /// Pages.
    Critical,
}

impl Severity {
    /// Its name outside.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// As the messages have it.
    pub fn to_proto(self) -> proto::Severity {
        match self {
            Self::Info => proto::Severity::Info,
            Self::Warning => proto::Severity::Warning,
            Self::Critical => proto::Severity::Critical,
        }
    }

    /// From the messages; what an older or newer writer left open is `Info`.
    pub fn from_proto(severity: proto::Severity) -> Self {
        match severity {
            proto::Severity::Critical => Self::Critical,
            proto::Severity::Warning => Self::Warning,
            proto::Severity::Info | proto::Severity::Unspecified => Self::Info,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
