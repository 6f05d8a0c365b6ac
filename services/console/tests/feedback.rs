//! Feedback over real sockets, on the embedded journal.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use foreshock_console::Config;
use foreshock_journal::Journal;
use foreshock_model::{Feedback, Id, Kind, Severity, Tenant, Timestamp, Verdict};
use serde_json::{Value, json};
use support::{
    Running,
    http::{exchange, get, post, send},
    sample::{finding, gallery, incident, said, say_incident, tell},
};

fn path(incident: u128) -> String {
    format!("/api/v1/incidents/{}/feedback", Id(incident))
}

async fn until(console: &Running, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let list = get(console.address, "/api/v1/feedback").await.json()["feedback"].clone();
        if is_so(&list) {
            return list;
        }
        assert!(Instant::now() < deadline, "{what}: {list}");
        tokio::task::yield_now().await;
    }
}

async fn with_gallery(journal: &dyn Journal) {
    for incident in gallery() {
        say_incident(journal, &incident).await;
    }
    let mut own = incident(4, 1, Severity::Warning, "Foreshock is 90 s behind");
    own.findings = vec![finding(Kind::Degraded, "foreshock", "lag", Duration::ZERO, &[])];
    say_incident(journal, &own).await;
}

#[tokio::test]
async fn feedback_is_a_marker_on_the_findings_of_its_tenant_and_is_listed_once_it_holds() {
    let console = Running::start(Config::default(), with_gallery).await;
    let (at, journal) = (console.address, console.journal.clone());
    let body = r#"{"verdict": "expected", "by": "ada", "note": "the load test"}"#;
    let answer = post(at, &path(1), &format!("Origin: http://{at}\r\n"), body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.json()["feedback"]["verdict"], "expected");

    let mut word = said(&*journal).await.remove(0);
    assert_eq!((word.incident, word.verdict, word.by.as_str()), (Id(1), Verdict::Expected, "ada"));
    assert_eq!((word.from, word.until), (Timestamp(0), Timestamp(0)), "that is correlate's to say");
    let kinds: Vec<Kind> = word.series.iter().map(|of| of.kind).collect();
    assert_eq!(kinds, [Kind::ErrorShare, Kind::NewPattern, Kind::Dip]);
    assert_eq!((word.series[2].service.as_str(), word.series[2].surprise), ("shop/orders", 14.2));

    assert_eq!((word.series[0].window_seconds, word.series[0].lasted_seconds), (10, 60), "of all three");

    // It is on its way until correlate says that it holds.
    assert_eq!(get(at, "/api/v1/feedback").await.json(), json!({"feedback": []}));
    (word.from, word.until) = (Timestamp::from_secs(1_800_000_000), Timestamp::from_secs(1_802_592_000));
    tell(&*journal, &word).await;
    let list = until(&console, "it holds", |list| list[0]["until"].is_string()).await;
    assert_eq!(list[0]["until"], "2027-02-14T08:00:00.000000000Z");
    assert_eq!(
        (&list[0]["note"], &list[0]["incident"]),
        (&json!("the load test"), &json!(Id(1).to_string()))
    );
    let shown = get(at, &format!("/api/v1/incidents/{}", Id(1))).await.json();
    assert_eq!(
        (&shown["feedback"]["verdict"], &shown["feedback"]["by"]),
        (&json!("expected"), &json!("ada"))
    );
    assert!(get(at, &format!("/api/v1/incidents/{}", Id(2))).await.json()["feedback"].is_null());
    assert_eq!(get(at, "/api/v1/feedback?tenant=other").await.json(), json!({"feedback": []}));

    let answer = send(at, "DELETE", &path(1), &format!("Host: {at}\r\n"), "").await;
    assert_eq!((answer.status, &answer.json()["feedback"]["verdict"]), (202, &json!("none")));
    let back = said(&*journal).await.remove(1);
    assert_eq!((back.incident, back.verdict, back.series.len()), (Id(1), Verdict::None, 0));
    tell(&*journal, &Feedback { verdict: Verdict::None, ..word }).await;
    until(&console, "it does not hold any more", |list| list == &json!([])).await;
    console.stop().await;
}

#[tokio::test]
async fn what_was_said_of_an_incident_that_is_not_held_any_more_can_be_taken_back() {
    let console = Running::start(Config::default(), async |journal: &dyn Journal| {
        let word = Feedback {
            incident: Id(9),
            tenant: Tenant::default(),
            verdict: Verdict::Useful,
            by: String::new(),
            note: String::new(),
            said_at: Timestamp(1),
            from: Timestamp(2),
            until: Timestamp(3),
            series: Vec::new(),
        };
        tell(journal, &word).await;
    })
    .await;
    let useful = post(console.address, &path(9), "", r#"{"verdict": "useful"}"#).await;
    assert_eq!(useful.status, 404, "its series are not known any more");
    let none = post(console.address, &path(9), "", r#"{"verdict": "none"}"#).await;
    assert_eq!(none.status, 202, "{}", none.body);
    assert_eq!(said(&*console.journal).await[0].verdict, Verdict::None);
    console.stop().await;
}

#[tokio::test]
async fn wrong_feedback_is_told_what_is_right_and_appends_nothing() {
    let console = Running::start(Config::default(), with_gallery).await;
    let at = console.address;
    let error =
        |answer: support::http::Answer| (answer.status, answer.json()["error"].as_str().unwrap().to_owned());
    let useful = r#"{"verdict": "useful"}"#;
    let (status, why) = error(post(at, &path(77), "", useful).await);
    assert!(status == 404 && why.contains("no incident 0000"), "{why}");
    assert_eq!(error(post(at, "/api/v1/incidents/1/feedback", "", useful).await).0, 400);
    let (status, why) = error(post(at, &path(1), "", r#"{"verdict": "great"}"#).await);
    assert!(status == 400 && why.contains("expected, useful, not_useful, none"), "{why}");
    for body in ["", "{}", "[]", r#"{"verdict": "useful", "extra": 1}"#, r#"{"verdict": 1}"#] {
        assert_eq!(error(post(at, &path(1), "", body).await).0, 400, "{body}");
    }
    let long = format!(r#"{{"verdict": "useful", "by": "{}"}}"#, "x".repeat(101));
    assert_eq!(error(post(at, &path(1), "", &long).await).0, 400);
    let (status, why) = error(post(at, &path(4), "", useful).await);
    assert!(status == 409 && why.contains("says this of itself"), "{why}");

    let large = format!(r#"{{"verdict": "useful", "note": "{}"}}"#, "x".repeat(20_000));
    let (status, why) = error(post(at, &path(1), "", &large).await);
    assert!(status == 413 && why.contains("16384 bytes"), "{why}");
    let json = "Content-Type: application/json\r\n";
    let pieces = format!(
        "POST {} HTTP/1.1\r\nHost: {at}\r\n{json}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        path(1),
        large.len()
    );
    assert_eq!(error(exchange(at, &pieces).await).0, 413, "its length was not told");
    assert_eq!(get(at, &path(1)).await.status, 405);
    assert_eq!(said(&*console.journal).await, []);
    console.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_can_say_nothing() {
    let config = Config { hosts: vec!["console.example".into()], ..Config::default() };
    let console = Running::start(config, with_gallery).await;
    let at = console.address;
    let useful = r#"{"verdict": "useful"}"#;
    let host = format!("Host: {at}\r\n");
    // What a form or a script can send without being asked.
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        let answer = send(at, "POST", &path(1), &format!("{host}{kind}"), useful).await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    for foreign in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(post(at, &path(1), foreign, useful).await.status, 403, "{foreign}");
        assert_eq!(send(at, "DELETE", &path(1), &format!("{host}{foreign}"), "").await.status, 403);
    }
    let asked = send(at, "OPTIONS", &path(1), &format!("{host}Origin: https://evil.example\r\n"), "").await;
    assert_eq!(asked.header("access-control-allow-origin"), "", "no browser is let");
    assert_eq!(said(&*console.journal).await, []);
    let behind_a_proxy = "Origin: https://console.example\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(post(at, &path(1), behind_a_proxy, useful).await.status, 202);
    console.stop().await;
}
