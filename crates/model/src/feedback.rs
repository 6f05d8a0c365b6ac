//! What a person says of an incident.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Id, IncidentId, InvalidMessage, Kind, ServiceName, Tenant, Timestamp, proto};

/// A person's verdict on an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was meant to happen.
    Expected,
    /// It was worth being told.
    Useful,
    /// It was not.
    NotUseful,
    /// What was said before does not hold any more.
    None,
}

impl Verdict {
    /// Every verdict there is.
    pub const ALL: [Self; 4] = [Self::Expected, Self::Useful, Self::NotUseful, Self::None];

    /// Its name outside: snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Useful => "useful",
            Self::NotUseful => "not_useful",
            Self::None => "none",
        }
    }

    /// Reads the name outside.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A series that an incident stood on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedSeries {
    /// Whose.
    pub service: ServiceName,
    /// What was measured.
    pub series: String,
    /// What was found of it.
    pub kind: Kind,
    /// How surprising that was, as -log10 p.
    pub surprise: f64,
    /// How long a window that was about; 0 where that is not known.
    pub window_seconds: u32,
    /// How long the incident lasted, by its findings; 0 where that is not known.
    pub lasted_seconds: u32,
    /// By a forecast, how long until something would have run out; 0 of everything else, and where that is not known.
    pub left_seconds: u32,
}

/// A verdict, what it is about, and how long it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// Of which incident.
    pub incident: IncidentId,
    /// Whose that is.
    pub tenant: Tenant,
    /// What was said.
    pub verdict: Verdict,
    /// Who said it; empty where that was not told.
    pub by: String,
    /// Why; empty where that was not told.
    pub note: String,
    /// When it was said, by the clock of whoever took it.
    pub said_at: Timestamp,
    /// The end of the first window that it holds for, in event time; the start of time before that is known.
    pub from: Timestamp,
    /// It holds for windows that end before this.
    pub until: Timestamp,
    /// The series that it moves.
    pub series: Vec<JudgedSeries>,
}

impl From<&Feedback> for proto::Feedback {
    fn from(feedback: &Feedback) -> Self {
        let verdict = match feedback.verdict {
            Verdict::Expected => proto::Verdict::Expected,
            Verdict::Useful => proto::Verdict::Useful,
            Verdict::NotUseful => proto::Verdict::NotUseful,
            Verdict::None => proto::Verdict::None,
        };
        let series = feedback.series.iter().map(|of| proto::JudgedSeries {
            service: of.service.to_string(),
            series: of.series.clone(),
            kind: of.kind.to_string(),
            surprise: of.surprise,
            window_seconds: of.window_seconds,
            lasted_seconds: of.lasted_seconds,
            left_seconds: of.left_seconds,
        });
        Self {
            tenant: feedback.tenant.to_string(),
            incident: feedback.incident.to_string(),
            verdict: verdict.into(),
            series: series.collect(),
            by: feedback.by.clone(),
            note: feedback.note.clone(),
            said_at: feedback.said_at.nanos(),
            from: feedback.from.nanos(),
            until: feedback.until.nanos(),
        }
    }
}

impl TryFrom<&proto::Feedback> for Feedback {
    type Error = InvalidMessage;

    fn try_from(feedback: &proto::Feedback) -> Result<Self, Self::Error> {
        let invalid = |what: &str| InvalidMessage(format!("feedback on {:?}: {what}", feedback.incident));
        // A series of a kind that a newer writer knows can have no finding here.
        let series = feedback.series.iter().filter_map(|of| {
            let (service, kind) = (of.service.as_str().into(), Kind::parse(&of.kind)?);
            let surprise = if of.surprise.is_finite() { of.surprise.max(0.0) } else { 0.0 };
            Some(JudgedSeries {
                service,
                series: of.series.clone(),
                kind,
                surprise,
                window_seconds: of.window_seconds,
                lasted_seconds: of.lasted_seconds,
                left_seconds: of.left_seconds,
            })
        });
        Ok(Self {
            incident: Id::parse(&feedback.incident)
                .ok_or_else(|| invalid("its id is not 32 hexadecimal digits"))?,
            tenant: Tenant::new(&feedback.tenant).map_err(|error| invalid(&error.to_string()))?,
            verdict: match feedback.verdict() {
                proto::Verdict::Expected => Verdict::Expected,
                proto::Verdict::Useful => Verdict::Useful,
                proto::Verdict::NotUseful => Verdict::NotUseful,
                proto::Verdict::None => Verdict::None,
                proto::Verdict::Unspecified => return Err(invalid("its verdict is not known")),
            },
            by: feedback.by.clone(),
            note: feedback.note.clone(),
            said_at: Timestamp(feedback.said_at),
            from: Timestamp(feedback.from),
            until: Timestamp(feedback.until),
            series: series.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feedback_comes_back_from_its_message_as_it_was() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::parse(verdict.as_str()), Some(verdict));
            let feedback = Feedback {
                incident: Id(7),
                tenant: Tenant::default(),
                verdict,
                by: "ada".into(),
                note: "the load test".into(),
                said_at: Timestamp(1),
                from: Timestamp(2),
                until: Timestamp(3),
                series: vec![JudgedSeries {
                    service: "shop/payment".into(),
                    series: "errors".into(),
                    kind: Kind::ErrorShare,
                    surprise: 12.5,
                    window_seconds: 60,
                    lasted_seconds: 240,
                    left_seconds: 3_600,
                }],
            };
            let message = proto::Feedback::from(&feedback);
            assert_eq!(Feedback::try_from(&message), Ok(feedback));
            let unknown = proto::Feedback { verdict: 99, ..message };
            assert!(Feedback::try_from(&unknown).is_err(), "a verdict of a newer writer is not misread");
        }
    }
}
