//! The API over real sockets, on the embedded journal.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use foreshock_console::Config;
use foreshock_journal::Journal;
use foreshock_model::{Id, IncidentStatus, Kind, Severity};
use support::{
    Running,
    http::{Listener, ask, get},
    sample::{HOSTILE, finding, gallery, incident, say_finding, say_incident},
};

async fn with_gallery(journal: &dyn Journal) {
    for incident in gallery() {
        say_incident(journal, &incident).await;
    }
}

fn ids(answer: &support::http::Answer) -> Vec<u128> {
    let rows = answer.json()["incidents"].as_array().unwrap().clone();
    rows.iter().map(|row| Id::parse(row["id"].as_str().unwrap()).unwrap().0).collect()
}

#[tokio::test]
async fn incidents_are_listed_filtered_and_shown_whole() {
    let console = Running::start(Config::default(), with_gallery).await;
    let at = console.address;
    let all = ids(&get(at, "/api/v1/incidents").await);
    assert_eq!(all.len(), 3);
    assert_eq!(all[2], 3, "what is over comes last: {all:?}");
    assert_eq!(ids(&get(at, "/api/v1/incidents?status=resolved").await), [3]);
    assert_eq!(ids(&get(at, "/api/v1/incidents?status=active&severity=critical").await), [1]);
    assert_eq!(ids(&get(at, "/api/v1/incidents?service=shop/orders-db").await), [2]);
    assert_eq!(ids(&get(at, "/api/v1/incidents?limit=1").await).len(), 1);
    assert!(ids(&get(at, "/api/v1/incidents?tenant=other").await).is_empty());
    let one = get(at, &format!("/api/v1/incidents/{}", Id(1))).await;
    assert_eq!(one.header("content-type"), "application/json");
    // Log text comes as it was, in JSON, and no browser takes that for a page.
    assert_eq!(one.json()["findings"][1]["evidence"][0]["line"], HOSTILE);
    assert_eq!(one.header("x-content-type-options"), "nosniff");
    assert_eq!(get(at, &format!("/api/v1/incidents/{}", Id(9))).await.status, 404);
    assert_eq!(get(at, "/api/v1/incidents/9").await.status, 400);
    console.stop().await;
}

#[tokio::test]
async fn a_final_finding_takes_the_place_of_its_provisional_one() {
    let console = Running::start(Config::default(), async |journal: &dyn Journal| {
        let early = finding(Kind::Spike, "cart", "early", Duration::ZERO, &[]);
        let mut last = finding(Kind::Spike, "cart", "final", Duration::ZERO, &[]);
        last.replaces = vec![early.id];
        for finding in [&early, &last, &last, &finding(Kind::Dip, "auth", "other", Duration::ZERO, &[])] {
            say_finding(journal, finding).await;
        }
    })
    .await;
    let titles = |answer: support::http::Answer| -> Vec<String> {
        let rows = answer.json()["findings"].as_array().unwrap().clone();
        rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(get(console.address, "/api/v1/findings?service=cart").await), ["final"]);
    assert_eq!(titles(get(console.address, "/api/v1/findings?kind=dip").await), ["other"]);
    assert_eq!(titles(get(console.address, "/api/v1/findings").await).len(), 2);
    console.stop().await;
}

#[tokio::test]
async fn patterns_series_and_budgets_come_from_the_worker() {
    let console = Running::start(Config::default(), async |_: &dyn Journal| {}).await;
    let patterns = get(console.address, "/api/v1/patterns?limit=2&tenant=acme").await.json();
    assert_eq!(patterns["patterns"].as_array().unwrap().len(), 2);
    assert_eq!(patterns["patterns"][0]["examples"][0], "of acme");
    assert_eq!(patterns["patterns"][0]["last_seen"], "1970-01-01T00:00:02.000000000Z");
    let series = get(console.address, "/api/v1/series?service=auth").await.json();
    let judged = |what: &str| series["series"][0]["forecasts"][what].as_u64();
    assert_eq!(["judged", "right", "within"].map(judged), [Some(12), Some(9), Some(10)]);
    assert_eq!(series["series"][0]["service"], "auth");
    let last = (&series["series"][0]["last_value"], &series["series"][0]["last_seen"]);
    assert_eq!(last, (&0.5.into(), &"1970-01-01T00:00:03.000000000Z".into()));
    let budget = get(console.address, "/api/v1/budget?tenant=acme").await.json();
    let spike = serde_json::json!({"tests_a_week": 5e5, "calibration": 0.5, "page": 5.4, "warn": 3.9});
    let stands = serde_json::json!({
        "pages_a_week": 2.0, "paged_a_week": 0.5, "tests_a_week": 1e6, "page": 5.7, "warn": 4.2, "kinds": {"spike": spike}
    });
    assert_eq!(budget["budget"], stands);
    assert!(get(console.address, "/api/v1/budget").await.json()["budget"].is_null());
    console.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_right() {
    let console = Running::start(Config::default(), async |_: &dyn Journal| {}).await;
    let at = console.address;
    for path in [
        "/api/v1/incidents?limit=0",
        "/api/v1/incidents?limit=1001",
        "/api/v1/incidents?limit=ten",
        "/api/v1/incidents?status=broken",
        "/api/v1/incidents?statsu=open",
        "/api/v1/incidents?status=open&status=open",
        "/api/v1/patterns?service=x",
        "/api/v1/budget?limit=1",
        "/api/v1/findings?kind=nothing",
        "/api/v1/findings?tenant=%2F",
        &format!("/api/v1/incidents?service={}", "x".repeat(3000)),
    ] {
        let answer = get(at, path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(get(at, "/api/v2/incidents").await.status, 404);
    assert_eq!(ask(at, "POST", "/api/v1/incidents", &format!("Host: {at}\r\n")).await.status, 405);
    console.stop().await;
}

#[tokio::test]
async fn a_foreign_name_is_refused_and_no_other_origin_may_read() {
    let config = Config { hosts: vec!["console.example".into()], ..Config::default() };
    let console = Running::start(config, with_gallery).await;
    let at = console.address;
    for host in ["evil.example", "localhost.evil.example:7700"] {
        let answer = ask(at, "GET", "/api/v1/incidents", &format!("Host: {host}\r\n")).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("payment"));
    }
    for host in ["localhost:7700", "console.example", "127.0.0.1"] {
        let headers = format!("Host: {host}\r\nOrigin: https://evil.example\r\n");
        let answer = ask(at, "GET", "/api/v1/incidents", &headers).await;
        assert_eq!(answer.status, 200, "{host}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    console.stop().await;
}

#[tokio::test]
async fn the_page_runs_its_own_script_alone_and_needs_nothing_from_elsewhere() {
    let console = Running::start(Config::default(), with_gallery).await;
    let page = get(console.address, "/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for way_in in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "src=",
        " style=\"",
        "onclick",
    ] {
        assert!(!page.body.contains(way_in), "{way_in}");
    }
    assert_eq!(page.header("x-frame-options"), "DENY");
    console.stop().await;
}

#[tokio::test]
async fn events_tell_what_changes_and_a_client_that_comes_back_gets_what_it_missed() {
    let console = Running::start(Config::default(), with_gallery).await;
    let mut listener = Listener::start(console.address, "").await;
    assert_eq!(listener.event().await.name, "hello");
    let mut second = gallery().remove(1);
    second.revision = 2;
    second.status = IncidentStatus::Acknowledged;
    say_incident(console.journal.as_ref(), &second).await;
    let event = listener.event().await;
    assert_eq!(event.name, "incident");
    let told: serde_json::Value = serde_json::from_str(&event.text).unwrap();
    assert_eq!(told["status"], "acknowledged");
    assert_eq!(ids(&get(console.address, "/api/v1/incidents?status=acknowledged").await), [2]);
    drop(listener);

    say_finding(console.journal.as_ref(), &finding(Kind::Spike, "cart", HOSTILE, Duration::ZERO, &[])).await;
    let mut listener = Listener::start(console.address, &format!("Last-Event-ID: {}\r\n", event.id)).await;
    assert_eq!(listener.event().await.name, "hello");
    let missed = listener.event().await;
    assert_eq!(missed.name, "finding");
    assert!(missed.text.contains("onerror"));
    let mut listener = Listener::start(console.address, "Last-Event-ID: 1-1\r\n").await;
    assert_eq!(listener.event().await.name, "reset");
    console.stop().await;
}

#[tokio::test]
async fn clients_of_the_stream_are_bounded_and_make_room_when_they_leave() {
    let config = Config { stream_clients: 2, ..Config::default() };
    let console = Running::start(config, async |_: &dyn Journal| {}).await;
    let mut first = Listener::start(console.address, "").await;
    let mut second = Listener::start(console.address, "").await;
    first.event().await;
    second.event().await;
    assert_eq!(get(console.address, "/api/v1/stream").await.status, 503);
    drop((first, second));
    let deadline = Instant::now() + Duration::from_secs(10);
    while console.metrics.stream_clients.load(Relaxed) > 0 {
        assert!(Instant::now() < deadline, "they are still counted");
        tokio::task::yield_now().await;
    }
    Listener::start(console.address, "").await.event().await;
    console.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let console = Running::start(Config::default(), async |_: &dyn Journal| {}).await;
    let mut lazy = Listener::start(console.address, "").await;
    lazy.event().await;
    // More than the sockets' buffers and the events a client may be behind.
    let line = "x".repeat(60_000);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut revision = 0;
    while console.metrics.stream_dropped.load(Relaxed) == 0 && revision < 600 {
        assert!(Instant::now() < deadline, "it is still there");
        revision += 1;
        let mut news = incident(7, revision, Severity::Info, "long");
        news.findings = vec![finding(Kind::Spike, "cart", "long", Duration::ZERO, &[&line])];
        say_incident(console.journal.as_ref(), &news).await;
    }
    // It reads what lay in the buffers; then the stream is at its end, or it was let go meanwhile.
    let mut seen = 0;
    while console.metrics.stream_dropped.load(Relaxed) == 0 {
        lazy.event().await;
        seen += 1;
        assert!(seen < revision, "it was told everything and never let go");
    }
    console.stop().await;
}
