//! What another configuration would have found: asked here, answered by whoever can run the stages again.
//!
//! One at a time, over a stretch that is limited, with an answer that is limited. Whoever asked and left has it end, and so
//! has a shutdown. Changes nothing.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use foreshock_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{api::Api, body::JsonBody, query::Refused, wall};

/// Largest body, in bytes: a configuration file with room to spare.
const LARGEST: usize = 256 << 10;
/// Most differences in an answer.
const MOST_ROWS: usize = 2000;
/// Longest stretch that can be configured, in hours.
pub(crate) const MOST_HOURS: u32 = 7 * 24;
/// How long what was cancelled may take to end at a shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the stages again over what lies in the journal.
pub trait WhatIf: Send + Sync {
    /// Holds what a configuration says against what the one in force says. Called from a thread that may block, one call
    /// at a time; ends soon after `cancelled`.
    fn ask(
        &self,
        question: &WhatIfQuestion,
        cancelled: &CancellationToken,
    ) -> Result<WhatIfAnswer, WhatIfError>;
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIfQuestion {
    /// Settings, as the text of a configuration file.
    pub config: String,
    /// Of windows that end at this time or later.
    pub from: Timestamp,
    /// Of windows that end at this time or before.
    pub to: Timestamp,
    /// Most differences that are wanted one by one.
    pub rows: usize,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WhatIfAnswer {
    /// How many incidents there are, and how many of them differ.
    pub incidents: WhatIfTotals,
    /// How many final findings there are, and how many of them differ.
    pub findings: WhatIfTotals,
    /// Each that differs as an object, incidents first, as many as are wanted.
    pub differences: Vec<Value>,
    /// Why it may not be what was found then.
    pub warnings: Vec<String>,
}

/// How many there are with each configuration, and how many differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WhatIfTotals {
    /// With the configuration in force.
    pub now: usize,
    /// With the other.
    pub other: usize,
    /// Only with the other.
    pub come: usize,
    /// Only with the one in force.
    pub go: usize,
    /// With both, and not the same.
    pub change: usize,
}

impl WhatIfTotals {
    fn differ(self) -> usize {
        self.come + self.go + self.change
    }
}

/// Why there is no answer, by what whoever asked can do about it.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// The configuration can't be read or taken.
    #[error("{0}")]
    Config(String),
    /// The stretch holds more than fits in memory; a shorter one may do.
    #[error("{0}")]
    TooMuch(String),
    /// It did not come to an end, and may if it is asked again.
    #[error("{0}")]
    Passing(String),
    /// The journal could not be read.
    #[error("{0}")]
    Failed(String),
}

impl From<WhatIfError> for Refused {
    fn from(error: WhatIfError) -> Self {
        let status = match error {
            WhatIfError::Config(_) => StatusCode::BAD_REQUEST,
            WhatIfError::TooMuch(_) => StatusCode::UNPROCESSABLE_ENTITY,
            WhatIfError::Passing(_) => StatusCode::SERVICE_UNAVAILABLE,
            WhatIfError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

/// Where questions are taken, one at a time.
#[derive(Clone)]
pub(crate) struct Desk {
    answers: Option<Arc<dyn WhatIf>>,
    longest: Duration,
    turn: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(answers: Option<Arc<dyn WhatIf>>, longest: Duration) -> Self {
        Self { answers, longest, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Takes no more questions, and waits for the one under way, which is cancelled.
    pub(crate) async fn close(&self) {
        match timeout(GRACE, self.turn.acquire()).await {
            Ok(_) => self.turn.close(),
            Err(_) => warn!("a what-if did not end within {GRACE:?} and is left to itself"),
        }
    }
}

/// What a person sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    config: String,
    from: Option<String>,
    to: Option<String>,
}

/// Answers a question, once it is answered.
pub(crate) async fn ask(
    State(api): State<Api>,
    JsonBody(body): JsonBody<Body, LARGEST>,
) -> Result<Json<Value>, Refused> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let desk = &api.what_if;
    let Some(answers) = desk.answers.clone() else {
        let why = "there is no journal here that can be read again; ask where Foreshock runs";
        return Err(Refused(StatusCode::NOT_IMPLEMENTED, why.to_owned()));
    };
    let (from, to) = stretch(time("from", body.from)?, time("to", body.to)?, wall::now(), desk.longest)?;
    let Ok(turn) = desk.turn.clone().try_acquire_owned() else {
        let why = "another what-if is under way; ask again when it is done";
        return Err(Refused(StatusCode::TOO_MANY_REQUESTS, why.to_owned()));
    };
    let question = WhatIfQuestion { config: body.config, from, to, rows: MOST_ROWS };
    let cancelled = api.shutdown.child_token();
    // Dropped with this future, which goes when the client does.
    let _left = cancelled.clone().drop_guard();
    let asked = tokio::task::spawn_blocking(move || {
        // The next one waits for this one's end, also where nobody waits for it any more.
        let _turn = turn;
        answers.ask(&question, &cancelled)
    });
    let broken = |_| {
        Refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the replay broke off; see the log of Foreshock".to_owned(),
        )
    };
    let WhatIfAnswer { incidents, findings, differences, warnings } = asked.await.map_err(broken)??;
    let left_out = (incidents.differ() + findings.differ()).saturating_sub(differences.len());
    Ok(Json(json!({
        "from": from,
        "to": to,
        "incidents": incidents,
        "findings": findings,
        "differences": differences,
        "left_out": left_out,
        "warnings": warnings,
    })))
}

fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>, Refused> {
    let parse = |text: String| {
        Timestamp::parse_rfc3339(&text).ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            Refused::wrong(format!(
                "{name:?} is {text:?}, which is not a time; give one as 2026-01-31T12:00:00Z"
            ))
        })
    };
    text.map(parse).transpose()
}

/// The stretch that is asked about: what is not said follows from what is, and from the present.
fn stretch(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    now: Timestamp,
    longest: Duration,
) -> Result<(Timestamp, Timestamp), Refused> {
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, from.plus(longest).min(now.max(from))),
        (None, to) => {
            let to = to.unwrap_or(now);
            (to.minus(longest), to)
        }
    };
    if from > to {
        return Err(Refused::wrong("\"from\" is after \"to\"; give them the other way round"));
    }
    if to.since(from) > longest {
        let hours = longest.as_secs() / 3600;
        return Err(Refused::wrong(format!(
            "the stretch is longer than {hours} h; ask about less, raise console.what_if_hours, or use foreshock replay --against"
        )));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_that_is_not_said_whole_is_the_last_or_the_next_of_the_longest_and_none_is_longer() {
        let at = Timestamp::from_secs;
        let of = |from: Option<u64>, to: Option<u64>| {
            let said = stretch(from.map(at), to.map(at), at(100_000), Duration::from_secs(3600));
            said.map_err(|refused| refused.0)
        };
        assert_eq!(of(None, None).unwrap(), (at(96_400), at(100_000)));
        assert_eq!(of(None, Some(50_000)).unwrap(), (at(46_400), at(50_000)));
        assert_eq!(of(Some(50_000), None).unwrap(), (at(50_000), at(53_600)));
        assert_eq!(of(Some(99_000), None).unwrap(), (at(99_000), at(100_000)));
        assert_eq!(of(Some(200_000), None).unwrap(), (at(200_000), at(200_000)));
        assert_eq!(of(Some(1), Some(3601)).unwrap(), (at(1), at(3601)));
        assert_eq!(of(Some(1), Some(3602)).unwrap_err(), StatusCode::BAD_REQUEST);
        assert_eq!(of(Some(2), Some(1)).unwrap_err(), StatusCode::BAD_REQUEST);
    }
}
