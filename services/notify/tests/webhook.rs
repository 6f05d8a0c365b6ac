//! A webhook gets every incident, in order, with its key and signature, whatever the receiver does.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use foreshock_journal::{Journal, Offset, Partition, Stream};
use foreshock_model::{Severity, proto::delivery::Outcome};
use foreshock_notify::trial;
use serde_json::json;
use support::{
    Service, config,
    correlate::{Correlate, incident, resolved},
    deliveries,
    memory::Memory,
    receiver::{Receiver, answer, answer_with, silence},
    until, webhook,
};

#[tokio::test]
async fn an_incident_comes_signed_with_its_key_and_its_resolution_follows() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s3cr3t\n").unwrap();
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let routes = json!([{"name": "hook", "webhook": {"url": receiver.url(), "secret": {"file": secret}}}]);
    let service = Service::start(config(routes), journal.clone());

    let open = incident(1, 1);
    correlate.says(&open).await;
    let requests = receiver.until("the incident", |requests| !requests.is_empty()).await;
    assert_eq!(requests[0].text, serde_json::to_string(&open).unwrap());
    assert_eq!(requests[0].header("idempotency-key"), format!("{}-1", open.id));
    assert_eq!(requests[0].header("content-type"), "application/json");
    let signed = format!("{}.{}", requests[0].header("x-foreshock-timestamp"), requests[0].text);
    assert_eq!(
        requests[0].header("x-foreshock-signature"),
        format!("sha256={}", hmac_hex(b"s3cr3t", &signed))
    );

    correlate.says(&resolved(1, 2)).await;
    let requests = receiver.until("the resolution", |requests| requests.len() == 2).await;
    assert_eq!(requests[1].body["status"], "resolved");
    service.stop().await;
    let told: Vec<_> = deliveries(&journal).iter().map(|d| (d.revision, d.outcome())).collect();
    assert_eq!(told, [(1, Outcome::Delivered), (2, Outcome::Delivered)]);
    let partition = Partition::new(Stream::Incidents, 1);
    assert_eq!(journal.committed("notify", partition).unwrap(), Some(Offset(2)));
}

fn hmac_hex(key: &[u8], text: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn failures_are_tried_again_with_the_same_key_and_retry_after_is_kept() {
    let receiver = Receiver::start(|number, _| match number {
        0 => answer(500),
        1 => answer_with(429, "retry-after", "1".to_owned()),
        2 => {
            let soon = jiff::Timestamp::now() + Duration::from_secs(2);
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&soon).unwrap();
            answer_with(503, "retry-after", date)
        }
        _ => answer(204),
    })
    .await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    correlate.says(&incident(1, 1)).await;
    until(&journal, "the delivery", |journal| {
        deliveries(journal).iter().any(|d| d.outcome() == Outcome::Delivered)
    })
    .await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|r| r.header("idempotency-key") == requests[0].header("idempotency-key")));
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(1), "seconds were not waited for");
    assert!(requests[3].at - requests[2].at >= Duration::from_millis(900), "the date was not waited for");
    let attempts: Vec<_> = deliveries(&journal).iter().map(|d| (d.attempt, d.outcome())).collect();
    let retry = Outcome::Retry;
    assert_eq!(attempts, [(1, retry), (2, retry), (3, retry), (4, Outcome::Delivered)]);
    assert_eq!(service.metrics.routes[0].retried.load(Relaxed), 3);
    assert_eq!(service.metrics.routes[0].delivered.load(Relaxed), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_refusal_is_final_and_recorded_and_the_next_revision_is_tried() {
    let receiver = Receiver::start(|number, _| if number == 0 { answer(422) } else { answer(200) }).await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    correlate.says(&incident(1, 1)).await;
    until(&journal, "the record", |journal| !deliveries(journal).is_empty()).await;
    assert_eq!(deliveries(&journal)[0].outcome(), Outcome::GivenUp);
    assert!(deliveries(&journal)[0].error.contains("422"));
    correlate.says(&incident(1, 2)).await;
    until(&journal, "the next", |journal| deliveries(journal).len() == 2).await;
    assert_eq!(deliveries(&journal)[1].outcome(), Outcome::Delivered);
    assert_eq!(service.metrics.routes[0].given_up.load(Relaxed), 1);
    service.stop().await;
}

#[tokio::test]
async fn retries_end_and_are_recorded() {
    let receiver = Receiver::start(|_, _| answer(500)).await;
    let journal = Memory::new();
    let mut config = webhook(&receiver.url());
    config.retry.give_up_after = Duration::from_millis(300);
    let service = Service::start(config, journal.clone());
    Correlate::new(journal.clone()).says(&incident(1, 1)).await;
    until(&journal, "the end", |journal| deliveries(journal).iter().any(|d| d.outcome() == Outcome::GivenUp))
        .await;
    service.stop().await;
}

#[tokio::test]
async fn one_that_fails_holds_up_no_other_and_its_newest_revision_wins() {
    let healed = Arc::new(AtomicBool::new(false));
    let stubborn = foreshock_model::Id(1).to_string();
    let receiver = Receiver::start({
        let healed = healed.clone();
        move |_, request| {
            if request.id() == stubborn && !healed.load(SeqCst) { answer(503) } else { answer(200) }
        }
    })
    .await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    correlate.says(&incident(1, 1)).await;
    for number in 2..30 {
        correlate.says(&incident(number, 1)).await;
    }
    receiver
        .until("the others", |requests| {
            (2..30).all(|n| requests.iter().any(|r| r.id() == foreshock_model::Id(n).to_string()))
        })
        .await;
    correlate.says(&incident(1, 2)).await;
    receiver.until("the second revision", |requests| requests.iter().any(|r| r.revision() == 2)).await;
    // Its entry is the first of its partition: nothing of it may count as consumed.
    let consumed = journal.committed("notify", Partition::new(Stream::Incidents, 1)).unwrap();
    assert_eq!(consumed.unwrap_or_default(), Offset(0));
    healed.store(true, SeqCst);
    until(&journal, "the delivery", |journal| {
        deliveries(journal).iter().any(|d| d.revision == 2 && d.outcome() == Outcome::Delivered)
    })
    .await;
    let stubborn = foreshock_model::Id(1).to_string();
    let revisions: Vec<_> =
        receiver.requests().iter().filter(|r| r.id() == stubborn).map(|r| r.revision()).collect();
    assert!(revisions.is_sorted(), "{revisions:?}");
    service.stop().await;
}

#[tokio::test]
async fn hanging_requests_are_bounded_and_do_not_stop_the_end() {
    let receiver = Receiver::start(|_, _| silence()).await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let mut config = webhook(&receiver.url());
    config.in_flight = 3;
    config.routes[0].webhook.as_mut().unwrap().timeout = Duration::from_millis(500);
    let service = Service::start(config, journal.clone());
    for number in 1..=10 {
        correlate.says(&incident(number, 1)).await;
    }
    let requests = receiver.until("three", |requests| requests.len() >= 3).await;
    assert_eq!(requests.len(), 3);
    service.stop().await;
    assert_eq!(deliveries(&journal).iter().filter(|d| d.outcome() == Outcome::Retry).count(), 3);
}

#[tokio::test]
async fn only_what_a_route_wants_is_told_but_what_was_told_is_told_to_its_end() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let routes = json!([{"name": "pay", "services": ["pay*"], "tenants": ["default"],
                         "webhook": {"url": receiver.url()}}]);
    let service = Service::start(config(routes), journal.clone());
    let mut info = incident(3, 1);
    info.severity = Severity::Info;
    correlate.says(&info).await;
    let mut elsewhere = incident(5, 1);
    elsewhere.services = vec!["catalog".into()];
    correlate.says(&elsewhere).await;
    correlate.says(&incident(7, 1)).await;
    let mut calmer = resolved(7, 2);
    calmer.severity = Severity::Info;
    calmer.services.clear();
    correlate.says(&calmer).await;
    let end =
        |requests: &[support::receiver::Request]| requests.iter().any(|r| r.body["status"] == "resolved");
    let requests = receiver.until("the end", end).await;
    service.stop().await;
    let seven = foreshock_model::Id(7).to_string();
    assert!(requests.iter().all(|r| r.id() == seven), "{requests:#?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::agreeable().await;
    let target = elsewhere.url();
    let receiver = Receiver::start(move |_, _| answer_with(307, "location", target.clone())).await;
    let journal = Memory::new();
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    Correlate::new(journal.clone()).says(&incident(1, 1)).await;
    until(&journal, "the record", |journal| !deliveries(journal).is_empty()).await;
    assert!(deliveries(&journal)[0].error.contains("307"));
    service.stop().await;
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_provisional_incident_is_told_at_once_and_so_is_its_withdrawal() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    // The first revision of a provisional incident is 0.
    let mut early = incident(1, 0);
    early.provisional = true;
    correlate.says(&early).await;
    let requests = receiver.until("the provisional one", |requests| requests.len() == 1).await;
    assert_eq!(requests[0].body["provisional"], true);
    assert!(requests[0].header("idempotency-key").ends_with("-0"));
    correlate.says(&resolved(1, 1)).await;
    receiver.until("its withdrawal", |requests| requests.len() == 2).await;
    service.stop().await;
}

#[tokio::test]
async fn a_test_alert_is_sent_and_a_refusal_told() {
    let receiver = Receiver::start(|number, _| if number < 2 { answer(200) } else { answer(403) }).await;
    let config = webhook(&receiver.url());
    trial(&config, "hook").await.unwrap();
    assert_eq!(receiver.requests().iter().map(|r| r.revision()).collect::<Vec<_>>(), [0, 1]);
    let refused = trial(&config, "hook").await.unwrap_err().to_string();
    assert!(refused.contains("403"), "{refused}");
    assert!(trial(&config, "nobody").await.is_err());
}
