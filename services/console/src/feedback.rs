//! What people say of incidents: taken here, appended as a marker to the tenant's partition of findings, and shown again
//! once correlate has taken it.
//!
//! Nothing is kept here. Until correlate says so on the incidents stream, a word is on its way.

use std::sync::atomic::Ordering::Relaxed;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use foreshock_journal::{Batch, Entry, Partition, Stream};
use foreshock_model::{
    Feedback, Incident, IncidentId, JudgedSeries, Kind, Severity, Timestamp, Verdict, partition_of_tenant,
    proto,
};
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, id},
    body::JsonBody,
    query::{Asked, List, Refused},
    wall,
};

/// Largest body, in bytes.
const LARGEST: usize = 16 << 10;
/// Longest name, in characters.
const NAME: usize = 100;
/// Longest note, in characters.
const NOTE: usize = 1000;

/// What a person sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    verdict: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
}

pub(crate) struct All;
impl List for All {
    const PARAMETERS: &'static [&'static str] = &["tenant", "limit"];
}

/// What holds, the newest first.
pub(crate) async fn list(State(api): State<Api>, asked: Asked<All>) -> Json<Value> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let found = api.shown.view(|view| view.feedback(&asked.0));
    let rows: Vec<_> = found.iter().map(|feedback| json!(**feedback)).collect();
    Json(json!({"feedback": rows}))
}

/// Takes a verdict on an incident.
pub(crate) async fn give(
    State(api): State<Api>,
    Path(incident): Path<String>,
    JsonBody(said): JsonBody<Said, LARGEST>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let verdict = Verdict::parse(&said.verdict).ok_or_else(|| {
        let valid = Verdict::ALL.map(Verdict::as_str).join(", ");
        Refused::wrong(format!(
            "no verdict {:?}; there are {valid}",
            said.verdict.chars().take(NAME).collect::<String>()
        ))
    })?;
    for (name, text, most) in [("by", &said.by, NAME), ("note", &said.note, NOTE)] {
        if text.chars().count() > most {
            return Err(Refused::wrong(format!(
                "{name:?} is longer than {most} characters; say it in fewer"
            )));
        }
    }
    say(&api, id(&incident)?, verdict, said.by, said.note).await
}

/// Takes back what was said of an incident.
pub(crate) async fn take_back(
    State(api): State<Api>,
    Path(incident): Path<String>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    say(&api, id(&incident)?, Verdict::None, String::new(), String::new()).await
}

async fn say(
    api: &Api,
    incident: IncidentId,
    verdict: Verdict,
    by: String,
    note: String,
) -> Result<(StatusCode, Json<Value>), Refused> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let (held, said) = api.shown.view(|view| (view.incident(incident), view.feedback_on(incident)));
    // What was said of an incident can be taken back when the incident itself is not held any more.
    let tenant = match (&held, &said) {
        (Some(incident), _) => incident.tenant.clone(),
        (None, Some(said)) if verdict == Verdict::None => said.tenant.clone(),
        _ => {
            let why = format!("no incident {incident} is held; old ones are let go");
            return Err(Refused(StatusCode::NOT_FOUND, why));
        }
    };
    let series = match (&held, verdict) {
        (Some(incident), Verdict::Expected | Verdict::Useful | Verdict::NotUseful) => judged(incident),
        _ => Vec::new(),
    };
    if series.is_empty() && verdict != Verdict::None {
        let why = "Foreshock says this of itself, and counts it: feedback moves what is inferred";
        return Err(Refused(StatusCode::CONFLICT, why.to_owned()));
    }
    let said_at = wall::now();
    let unknown = Timestamp::default();
    let feedback =
        Feedback { incident, tenant, verdict, by, note, said_at, from: unknown, until: unknown, series };
    append(api, &feedback).await?;
    api.metrics.feedback.fetch_add(1, Relaxed);
    let answer = json!({
        "incident": feedback.incident,
        "tenant": feedback.tenant,
        "verdict": feedback.verdict,
        "by": feedback.by,
        "note": feedback.note,
        "said_at": feedback.said_at,
        "series": feedback.series,
    });
    // It holds once correlate has closed a window after it.
    Ok((StatusCode::ACCEPTED, Json(json!({"feedback": answer}))))
}

/// The series that an incident stands on, each with the most surprising of its findings.
fn judged(incident: &Incident) -> Vec<JudgedSeries> {
    let telling = |all: bool| {
        let worth = move |severity: Severity| all || severity > Severity::Info;
        incident.findings.iter().filter(move |f| worth(f.severity) && f.kind != Kind::Degraded)
    };
    // What is no more than information stands on what it is.
    let all = telling(false).next().is_none();
    let began = telling(all).map(|finding| finding.window_start).min().unwrap_or_default();
    let ended = telling(all).map(|finding| finding.window_end).max().unwrap_or_default();
    let seconds =
        |from: Timestamp, to: Timestamp| u32::try_from(to.since(from).as_secs()).unwrap_or(u32::MAX);
    telling(all)
        .map(|finding| JudgedSeries {
            service: finding.service.clone(),
            series: finding.series.clone(),
            kind: finding.kind,
            surprise: finding.surprise,
            window_seconds: seconds(finding.window_start, finding.window_end),
            lasted_seconds: seconds(began, ended),
            left_seconds: finding.runs_out().map_or(0, |out| seconds(finding.window_end, out.at)),
        })
        .collect()
}

async fn append(api: &Api, feedback: &Feedback) -> Result<(), Refused> {
    let partitions = api.journal.partitions(Stream::Findings);
    let to = Partition::new(Stream::Findings, partition_of_tenant(&feedback.tenant, partitions));
    let marker = proto::Marker { says: Some(proto::marker::Says::Feedback(feedback.into())) };
    let entry = Entry::marker(feedback.said_at, marker.encode_to_vec());
    let appended = api.journal.append(Batch { entries: vec![(to, entry)], consumed: None }).await;
    let refused = |error| {
        let why = format!("the journal did not take it: {error}; try again");
        Refused(StatusCode::SERVICE_UNAVAILABLE, why)
    };
    appended.map(drop).map_err(refused)
}

/// An incident as the API shows it: with what was said of it.
pub(crate) fn shown(incident: &Incident, said: Option<&Feedback>) -> Value {
    let mut row = json!(incident);
    if let (Value::Object(row), Some(said)) = (&mut row, said) {
        let Feedback { verdict, by, note, said_at, from, until, .. } = said;
        let said = json!({
            "verdict": verdict, "by": by, "note": note, "said_at": said_at, "from": from, "until": until,
        });
        row.insert("feedback".to_owned(), said);
    }
    row
}
