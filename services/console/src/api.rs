//! The HTTP API, version 1. It changes nothing but by what it appends to the journal: feedback.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
    routing::{get, post},
};
use foreshock_journal::Journal;
use foreshock_model::{Id, Incident};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

use crate::{
    Insight, Metrics,
    events::{Event, Subscription},
    feedback,
    guard::guard,
    page,
    query::{Asked, List, Refused},
    tail::Shown,
    what_if,
};

/// The description of this API, served as it is.
const OPENAPI: &str = include_str!("openapi.json");

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) shown: Arc<Shown>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) insight: Arc<dyn Insight>,
    pub(crate) what_if: what_if::Desk,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stream_clients: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) fn router(api: Api, hosts: Arc<[String]>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/api/openapi.json", get(openapi))
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/incidents/{id}", get(incident))
        .route("/api/v1/incidents/{id}/feedback", post(feedback::give).delete(feedback::take_back))
        .route("/api/v1/feedback", get(feedback::list))
        .route("/api/v1/findings", get(findings))
        .route("/api/v1/patterns", get(patterns))
        .route("/api/v1/series", get(series))
        .route("/api/v1/budget", get(budget))
        .route("/api/v1/what-if", post(what_if::ask))
        .route("/api/v1/stream", get(events))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(hosts, guard))
        .with_state(api)
}

struct Incidents;
impl List for Incidents {
    const PARAMETERS: &'static [&'static str] = &["tenant", "service", "severity", "status", "limit"];
}

struct Findings;
impl List for Findings {
    const PARAMETERS: &'static [&'static str] = &["tenant", "service", "severity", "kind", "limit"];
}

struct Patterns;
impl List for Patterns {
    const PARAMETERS: &'static [&'static str] = &["tenant", "limit"];
}

struct Series;
impl List for Series {
    const PARAMETERS: &'static [&'static str] = &["tenant", "service", "limit"];
}

struct Budget;
impl List for Budget {
    const PARAMETERS: &'static [&'static str] = &["tenant"];
}

async fn incidents(State(api): State<Api>, asked: Asked<Incidents>) -> Json<Value> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let rows: Vec<_> = api.shown.view(|view| {
        let said = |incident: Arc<Incident>| (view.feedback_on(incident.id), incident);
        view.incidents(&asked.0).into_iter().map(said).collect()
    });
    let rows: Vec<_> =
        rows.iter().map(|(said, incident)| feedback::shown(incident, said.as_deref())).collect();
    Json(json!({"incidents": rows}))
}

async fn incident(State(api): State<Api>, Path(path): Path<String>) -> Result<Json<Value>, Refused> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let id = id(&path)?;
    let (found, said) = api.shown.view(|view| (view.incident(id), view.feedback_on(id)));
    let gone = || Refused(StatusCode::NOT_FOUND, format!("no incident {id} is held; old ones are let go"));
    Ok(Json(feedback::shown(&*found.ok_or_else(gone)?, said.as_deref())))
}

/// The id in a path.
pub(crate) fn id(text: &str) -> Result<Id, Refused> {
    Id::parse(text).ok_or_else(|| Refused::wrong("an id is 32 hexadecimal digits"))
}

async fn findings(State(api): State<Api>, asked: Asked<Findings>) -> Json<Value> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let found = api.shown.view(|view| view.findings(&asked.0));
    let rows: Vec<_> = found.iter().map(|finding| json!(**finding)).collect();
    Json(json!({"findings": rows}))
}

async fn patterns(State(api): State<Api>, asked: Asked<Patterns>) -> Result<Json<Value>, Refused> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let wanted = asked.0;
    let insight = api.insight.clone();
    let tenant = wanted.tenant.unwrap_or_default();
    let rows = blocking(move || insight.patterns(&tenant, wanted.limit)).await?;
    Ok(Json(json!({"patterns": rows})))
}

async fn series(State(api): State<Api>, asked: Asked<Series>) -> Result<Json<Value>, Refused> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let wanted = asked.0;
    let insight = api.insight.clone();
    let tenant = wanted.tenant.unwrap_or_default();
    let rows = blocking(move || insight.series(&tenant, wanted.service.as_ref(), wanted.limit)).await?;
    Ok(Json(json!({"series": rows})))
}

async fn budget(State(api): State<Api>, asked: Asked<Budget>) -> Result<Json<Value>, Refused> {
    api.metrics.requests.fetch_add(1, Relaxed);
    let insight = api.insight.clone();
    let tenant = asked.0.tenant.unwrap_or_default();
    let row = blocking(move || insight.budget(&tenant)).await?;
    Ok(Json(json!({"budget": row})))
}

async fn blocking<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
    let failed =
        |_| Refused(StatusCode::INTERNAL_SERVER_ERROR, "the worker could not answer; see its log".to_owned());
    tokio::task::spawn_blocking(look).await.map_err(failed)
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn nothing_here() -> Refused {
    Refused(StatusCode::NOT_FOUND, "nothing is here; see /api/openapi.json for what there is".to_owned())
}

async fn events(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Refused> {
    let Ok(permit) = api.stream_clients.clone().try_acquire_owned() else {
        let why = "too many clients listen; close one or raise console.stream_clients".to_owned();
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, why));
    };
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let subscription = api.shown.events.subscribe(last_id);
    let ping = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(told(api, subscription, permit)).keep_alive(ping).into_response())
}

/// What a client is told: where it stands, what it missed, and then the news, until it falls behind.
fn told(
    api: Api,
    subscription: Subscription,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<SseEvent, Infallible>> {
    let Subscription { reset, missed, news, at } = subscription;
    let shown = api.shown.clone();
    let start = missed.first().map_or(at, |event| event.number - 1);
    // `reset`: read everything again. `hello`: go on from here.
    let name = if reset { "reset" } else { "hello" };
    let first = SseEvent::default().event(name).id(shown.events.id(start)).data("{}");
    let metrics = api.metrics.clone();
    let news = BroadcastStream::new(news)
        // A client that fell behind is let go: it comes back with the id of what it saw last.
        .take_while(move |event| {
            if event.is_err() {
                metrics.stream_dropped.fetch_add(1, Relaxed);
            }
            std::future::ready(event.is_ok())
        })
        .filter_map(|event| std::future::ready(event.ok()));
    let write = move |event: Event| {
        SseEvent::default().event(event.name).id(shown.events.id(event.number)).data(&*event.text)
    };
    let listening = Listening::new(api.metrics.clone(), permit);
    stream::once(std::future::ready(first))
        .chain(stream::iter(missed).chain(news).map(write))
        .map(move |event| {
            let _ = &listening;
            Ok(event)
        })
        .take_until(api.shutdown.cancelled_owned())
}

/// A client of the event stream, counted while it is there.
struct Listening {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Listening {
    fn new(metrics: Arc<Metrics>, permit: OwnedSemaphorePermit) -> Self {
        metrics.stream_clients.fetch_add(1, Relaxed);
        Self { metrics, _permit: permit }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.metrics.stream_clients.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let source = include_str!("api.rs").split("#[cfg(test)]").next().unwrap();
        let routes: BTreeSet<_> = source
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|r| *r != "/")
            .collect();
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        let described: BTreeSet<_> =
            description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(routes, described);
    }

    #[test]
    fn every_list_describes_the_parameters_it_knows() {
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        for (path, known) in [
            ("incidents", Incidents::PARAMETERS),
            ("findings", Findings::PARAMETERS),
            ("patterns", Patterns::PARAMETERS),
            ("series", Series::PARAMETERS),
            ("feedback", feedback::All::PARAMETERS),
        ] {
            let parameters = &description["paths"][format!("/api/v1/{path}")]["get"]["parameters"];
            let name = |parameter: &Value| {
                let named = parameter["name"].as_str().or(parameter["$ref"].as_str()).unwrap().to_owned();
                named.rsplit('/').next().unwrap().to_owned()
            };
            let described: BTreeSet<_> = parameters.as_array().unwrap().iter().map(name).collect();
            assert_eq!(described, known.iter().map(|name| (*name).to_owned()).collect(), "{path}");
        }
    }
}
