//! Whatever moment the service is killed at, nothing is lost, nothing overtakes, and repeats carry the same key.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use foreshock_journal::{Batch, Entry, Journal, Partition, Stream};
use foreshock_model::proto::delivery::Outcome;
use support::{
    Service,
    correlate::{Correlate, incident, now, resolved},
    deliveries,
    memory::Memory,
    receiver::{Receiver, answer},
    until, webhook,
};

#[tokio::test]
async fn an_incident_sent_but_not_recorded_is_sent_again_with_its_key() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    Correlate::new(journal.clone()).says(&incident(1, 1)).await;
    // The receiver takes it, the journal does not take the record of it.
    journal.refuse(true);
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    receiver.until("the incident", |requests| !requests.is_empty()).await;
    service.kill().await;
    journal.refuse(false);
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    let requests = receiver.until("its repeat", |requests| requests.len() == 2).await;
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    assert_eq!(requests[0].text, requests[1].text);
    service.stop().await;
}

#[tokio::test]
async fn a_journal_that_refuses_for_a_while_gets_the_records_later_and_nothing_is_sent_twice() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    Correlate::new(journal.clone()).says(&incident(1, 1)).await;
    journal.refuse(true);
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    receiver.until("the incident", |requests| !requests.is_empty()).await;
    journal.refuse(false);
    until(&journal, "the record", |journal| deliveries(journal).len() == 1).await;
    service.stop().await;
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn what_was_told_is_not_told_again_after_a_restart_and_a_new_route_is_not_flooded() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    for number in 1..20 {
        correlate.says(&incident(number, 1)).await;
    }
    receiver.until("all", |requests| requests.len() == 19).await;
    service.stop().await;

    let newcomer = Receiver::agreeable().await;
    let mut config = webhook(&receiver.url());
    let mut route = config.routes[0].clone();
    route.name = "newcomer".into();
    route.webhook.as_mut().unwrap().url = newcomer.url();
    config.routes.push(route);
    let service = Service::start(config, journal.clone());
    correlate.says(&incident(50, 1)).await;
    receiver.until("the new one", |requests| requests.len() == 20).await;
    newcomer.until("the new one", |requests| !requests.is_empty()).await;
    service.stop().await;
    assert_eq!(receiver.requests().len(), 20);
    assert_eq!(newcomer.requests().len(), 1);
}

#[tokio::test]
async fn repeated_and_missing_messages_of_a_source_are_counted_and_repeats_left_out() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    correlate.says_as(&incident(2, 1), 1).await;
    correlate.says_as(&incident(4, 1), 1).await;
    correlate.says_as(&incident(6, 1), 2).await;
    correlate.says_as(&incident(8, 1), 5).await;
    receiver.until("three", |requests| requests.len() == 3).await;
    assert_eq!(service.metrics.source_duplicates.load(Relaxed), 1);
    assert_eq!(service.metrics.source_holes.load(Relaxed), 2);
    service.stop().await;
    let four = foreshock_model::Id(4).to_string();
    assert!(receiver.requests().iter().all(|request| request.id() != four));
}

#[tokio::test]
async fn a_message_that_can_not_be_read_is_set_aside_and_the_next_is_told() {
    let receiver = Receiver::agreeable().await;
    let journal = Memory::new();
    let garbage = Entry::data(Default::default(), now(), 1, vec![0xff; 40]);
    let entries = vec![(Partition::new(Stream::Incidents, 0), garbage)];
    journal.append(Batch { entries, consumed: None }).await.unwrap();
    let service = Service::start(webhook(&receiver.url()), journal.clone());
    Correlate::new(journal.clone()).says(&incident(2, 1)).await;
    receiver.until("the next", |requests| !requests.is_empty()).await;
    until(&journal, "the poison", |journal| journal.entries(Stream::Poison).len() == 1).await;
    assert_eq!(service.metrics.poison.load(Relaxed), 1);
    service.stop().await;
}

/// Numbers that look random and are the same each time.
struct Lottery(u64);

impl Lottery {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[tokio::test]
async fn killed_forty_times_at_any_moment_nothing_is_lost_and_nothing_overtakes() {
    let receiver = Receiver::start(|number, _| match number % 5 {
        0 => answer(503),
        1 => Box::pin(async {
            // An answer that takes its time, so that kills fall between request and answer.
            tokio::time::sleep(Duration::from_millis(15)).await;
            answer(200).await
        }),
        _ => answer(200),
    })
    .await;
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let mut lottery = Lottery(42);
    let mut newest: HashMap<String, u64> = HashMap::new();
    let mut open: BTreeMap<u128, u64> = BTreeMap::new();
    for run in 0..40_u128 {
        let url = format!("http://{}/{run:03}", receiver.address);
        let service = Service::start(webhook(&url), journal.clone());
        let before = receiver.requests().len();
        for step in 0..6_u128 {
            let number = 1 + u128::from(lottery.below(60));
            let revision = open.get(&number).map_or(0, |last| last + 1);
            open.insert(number, revision);
            let news = if step == 5 { resolved(number, revision) } else { incident(number, revision) };
            newest.insert(news.id.to_string(), revision);
            correlate.says(&news).await;
        }
        let after = before + lottery.below(6) as usize;
        receiver.until("some requests", |requests| requests.len() >= after).await;
        for _ in 0..lottery.below(40) {
            tokio::task::yield_now().await;
        }
        service.kill().await;
    }
    let service = Service::start(webhook(&format!("http://{}/999", receiver.address)), journal.clone());
    let all_settled = |journal: &Memory| {
        let mut settled: HashMap<String, u64> = HashMap::new();
        for delivery in deliveries(journal).into_iter().filter(|d| d.outcome() == Outcome::Delivered) {
            let known = settled.entry(delivery.incident).or_default();
            *known = delivery.revision.max(*known);
        }
        settled == newest
    };
    until(&journal, "every newest revision", all_settled).await;
    assert_eq!(service.metrics.source_holes.load(Relaxed), 0);
    assert_eq!(service.metrics.source_duplicates.load(Relaxed), 0);
    service.stop().await;

    // By run: bytes of a killed run may be read by the receiver after those of the next.
    let mut requests = receiver.requests();
    requests.sort_by(|a, b| a.path.cmp(&b.path));
    let mut bodies: HashMap<String, String> = HashMap::new();
    let mut last: HashMap<String, u64> = HashMap::new();
    for request in requests {
        let last = last.entry(request.id().to_owned()).or_default();
        assert!(request.revision() >= *last, "{} went back from {last}", request.id());
        *last = request.revision();
        let body = bodies.entry(request.header("idempotency-key").to_owned()).or_insert(request.text.clone());
        assert_eq!(*body, request.text, "one key, two bodies");
    }
    assert_eq!(last, newest);
}
