//! What a person says of an incident on the console moves what pages, and a replay and an explanation know of it.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use foreshock_console::{Config, Console, NoInsight};
use foreshock_demo::{Fault, Shop, ShopOptions};
use foreshock_detect::Clock;
use foreshock_journal::Journal;
use foreshock_model::{Finding, Incident, Severity, Timestamp};
use serde_json::Value;
use support::history::{
    DEADLINE, LENGTH, START, assert_same, caught_up, explain, found, open, play, replayed, shop, work,
};
use tokio_util::sync::CancellationToken;

const CALM: Duration = Duration::from_secs(5400);
const BAD: Duration = Duration::from_secs(240);

fn ask(at: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut connection = TcpStream::connect(at).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// On a console over the journal.
async fn at_the_console<T: Send + 'static>(
    journal: &Arc<dyn Journal>,
    doing: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> T {
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    let console = Console::bind(config).await.unwrap();
    let (at, stop) = (console.address(), CancellationToken::new());
    let running = console.serve(journal.clone(), Arc::new(NoInsight), None, Arc::default(), stop.clone());
    let running = tokio::spawn(running);
    let done = tokio::task::spawn_blocking(move || doing(at)).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    done
}

/// Says of every incident that it was expected. Returns which there were.
fn expect_all(at: SocketAddr) -> BTreeSet<String> {
    let (_, listed) = ask(at, "GET", "/api/v1/incidents", "");
    let ids =
        listed["incidents"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    let ids: BTreeSet<String> = ids.collect();
    for id in &ids {
        let path = format!("/api/v1/incidents/{id}/feedback");
        let (status, said) = ask(at, "POST", &path, r#"{"verdict": "expected", "by": "ada"}"#);
        assert_eq!(status, 202, "{said}");
    }
    ids
}

/// The shop for a while, calm or with a bad release in it.
async fn go_on(
    journal: &Arc<dyn Journal>,
    from: Timestamp,
    length: Duration,
    fault: Option<Fault>,
) -> Timestamp {
    let options = ShopOptions { fault, fault_after: Duration::ZERO, ..ShopOptions::new(from) };
    play(&mut Shop::new(3, options), journal, from.plus(length)).await;
    from.plus(length)
}

/// A bad release that is rolled back after minutes, twice. Says something after the first, and returns when that was.
async fn two_bad_releases(
    data_dir: &Path,
    say: fn(SocketAddr) -> BTreeSet<String>,
) -> (Timestamp, BTreeSet<String>) {
    let journal = open(data_dir);
    let bad = go_on(&journal, START, CALM, None).await;
    let back = go_on(&journal, bad, BAD, Some(Fault::BadRelease)).await;
    let again = go_on(&journal, back, CALM, None).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics, again)).await;
    let said = at_the_console(&journal, say).await;
    let back = go_on(&journal, again, BAD, Some(Fault::BadRelease)).await;
    let end = go_on(&journal, back, BAD, None).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics, end)).await;
    journal.close().await;
    (again, said)
}

/// The incidents that paged after `from`, each as it was at its worst.
fn pages(incidents: &[String], from: Timestamp) -> Vec<Incident> {
    let incidents = incidents.iter().map(|line| serde_json::from_str::<Incident>(line).unwrap());
    let paged = incidents.filter(|one| one.started_at >= from && one.severity == Severity::Critical);
    paged.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_expects_pages_no_second_time_and_replay_and_explain_say_so() {
    let (silent, spoken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (again, _) = two_bad_releases(silent.path(), |_| BTreeSet::new()).await;
    let (_, incidents) = found(silent.path(), Timestamp::MAX);
    assert!(!pages(&incidents, again).is_empty(), "the second bad release pages where nobody said anything");

    let (_, said) = two_bad_releases(spoken.path(), expect_all).await;
    let (findings, incidents) = found(spoken.path(), Timestamp::MAX);
    let judged: BTreeSet<_> = incidents
        .iter()
        .map(|line| serde_json::from_str::<Incident>(line).unwrap())
        .filter(|incident| said.contains(&incident.id.to_string()))
        .flat_map(|incident| incident.findings)
        .map(|finding| (finding.service, finding.series, finding.kind))
        .collect();
    for page in pages(&incidents, again) {
        let of_new = |finding: &Finding| {
            finding.severity < Severity::Critical
                || !judged.contains(&(finding.service.clone(), finding.series.clone(), finding.kind))
        };
        assert!(page.findings.iter().all(of_new), "{page:?}");
    }

    // Made again without the journal's findings, from what the shop sent and what was said.
    assert_same("findings", &replayed(spoken.path(), "event", &[]), &findings);
    assert_same("incidents", &replayed(spoken.path(), "event", &["--incidents"]), &incidents);

    let of_judged = |finding: &Finding| {
        finding.window_end > again
            && judged.contains(&(finding.service.clone(), finding.series.clone(), finding.kind))
    };
    let all = findings.iter().map(|line| serde_json::from_str::<Finding>(line).unwrap());
    let ids: Vec<String> = all.filter(of_judged).map(|finding| finding.id.to_string()).collect();
    assert!(!ids.is_empty());
    let mut held = 0;
    for line in explain(spoken.path(), "event", &ids, true) {
        let explained: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(explained["is_equal"], true, "{line}");
        let (prior, reported) = (&explained["decision"]["prior"], &explained["reported"]);
        // Of an incident that was told as a warning some series are information, which nobody is told of.
        if prior.is_null() {
            continue;
        }
        assert_eq!(prior["verdict"], "expected", "{line}");
        let judged = prior["judged"].as_f64().unwrap();
        let page = explained["decision"]["thresholds"]["page"].as_f64().unwrap();
        assert!(page >= judged + 3.0, "{line}");
        let pages = explained["decision"]["severity"] == "critical";
        assert!(!pages || reported["surprise"].as_f64().unwrap() >= page, "{line}");
        held += usize::from(!pages);
    }
    assert!(held > 0, "nothing was held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_is_listed_with_its_end_and_can_be_undone() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let again = START.plus(LENGTH);
    play(&mut shop(START), &journal, again).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics, again)).await;
    let said = at_the_console(&journal, expect_all).await;
    // A word holds from the next window on, so something has to come.
    let mut shop = shop(again);
    let more = again.plus(DEADLINE);
    play(&mut shop, &journal, more).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics, more)).await;
    let listed = at_the_console(&journal, |at| {
        let listed = ask(at, "GET", "/api/v1/feedback", "").1["feedback"].clone();
        for one in listed.as_array().unwrap() {
            let path = format!("/api/v1/incidents/{}/feedback", one["incident"].as_str().unwrap());
            assert_eq!(ask(at, "DELETE", &path, "").0, 202);
        }
        listed
    })
    .await;
    let listed = listed.as_array().unwrap();
    let ids: BTreeSet<String> =
        listed.iter().map(|one| one["incident"].as_str().unwrap().to_owned()).collect();
    assert!(!ids.is_empty() && ids.is_subset(&said), "{listed:?} of {said:?}");
    for one in listed {
        let time = |field: &str| Timestamp::parse_rfc3339(one[field].as_str().unwrap()).unwrap();
        assert_eq!(time("until").since(time("from")).as_secs(), 30 * 86_400, "{one}");
        assert!(time("from") <= more && time("from") >= again.minus(DEADLINE), "{one}");
    }
    let end = more.plus(DEADLINE);
    play(&mut shop, &journal, end).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics, end)).await;
    let left = at_the_console(&journal, |at| ask(at, "GET", "/api/v1/feedback", "").1).await;
    assert_eq!(left["feedback"], Value::Array(Vec::new()));
    journal.close().await;
}
