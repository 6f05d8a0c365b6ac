//! What-ifs over real sockets, answered by a stand-in for the stages.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use foreshock_console::{Config, WhatIf, WhatIfAnswer, WhatIfError, WhatIfQuestion, WhatIfTotals};
use foreshock_journal::Journal;
use foreshock_model::Timestamp;
use serde_json::json;
use support::{
    Running,
    http::{Answer, post, send},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

const PATH: &str = "/api/v1/what-if";
const DEADLINE: Duration = Duration::from_secs(10);
/// The configuration with which the stand-in goes on until it is cancelled.
const ENDLESS: &str = "endless";

/// Answers by the text of the configuration, and keeps what it was asked.
#[derive(Default)]
struct StandIn {
    asked: Mutex<Vec<WhatIfQuestion>>,
    under_way: AtomicUsize,
    /// It knows that it is to end, and has not ended yet.
    ending: AtomicUsize,
    cancelled: AtomicUsize,
}

impl WhatIf for StandIn {
    fn ask(
        &self,
        question: &WhatIfQuestion,
        cancelled: &CancellationToken,
    ) -> Result<WhatIfAnswer, WhatIfError> {
        self.asked.lock().unwrap().push(question.clone());
        match question.config.as_str() {
            "wrong" => Err(WhatIfError::Config("config:1:1: no such key".to_owned())),
            "large" => Err(WhatIfError::TooMuch("too many findings".to_owned())),
            "broken" => panic!("as a stage might"),
            "many" => {
                let differences = (0..2500).take(question.rows).map(|row| json!({"id": row})).collect();
                let incidents = WhatIfTotals { now: 400, other: 300, come: 100, go: 200, change: 50 };
                let findings = WhatIfTotals { now: 3000, other: 3000, come: 0, go: 0, change: 2150 };
                Ok(WhatIfAnswer { incidents, findings, differences, warnings: vec!["young".to_owned()] })
            }
            ENDLESS => {
                self.under_way.fetch_add(1, SeqCst);
                let until = Instant::now() + DEADLINE * 2;
                while !cancelled.is_cancelled() {
                    assert!(Instant::now() < until, "nobody cancels it");
                    std::thread::sleep(Duration::from_millis(2));
                }
                self.ending.fetch_add(1, SeqCst);
                // What is read at once is read to its end.
                std::thread::sleep(Duration::from_millis(300));
                self.under_way.fetch_sub(1, SeqCst);
                self.cancelled.fetch_add(1, SeqCst);
                Err(WhatIfError::Passing("it was cancelled".to_owned()))
            }
            _ => {
                let incidents = WhatIfTotals { now: 3, other: 2, come: 0, go: 1, change: 0 };
                let differences = vec![json!({"what": "incident", "way": "goes"})];
                Ok(WhatIfAnswer { incidents, differences, ..Default::default() })
            }
        }
    }
}

async fn start(stand_in: &Arc<StandIn>) -> Running {
    let config = Config { what_if_hours: 2, ..Config::default() };
    Running::with(config, Some(stand_in.clone()), async |_: &dyn Journal| {}).await
}

async fn ask(at: SocketAddr, config: &str) -> Answer {
    post(at, PATH, "", &json!({"config": config}).to_string()).await
}

/// A client that asks for what never ends, and is there as long as this is held.
async fn endless(at: SocketAddr, stand_in: &StandIn) -> TcpStream {
    let body = json!({"config": ENDLESS}).to_string();
    let mut client = TcpStream::connect(at).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    until("it is under way", || stand_in.under_way.load(SeqCst) == 1).await;
    client
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_tells_its_stretch_its_totals_and_no_more_rows_than_it_holds() {
    let stand_in = Arc::<StandIn>::default();
    let console = start(&stand_in).await;
    let body =
        json!({"config": "", "from": "2026-01-31T10:00:00Z", "to": "2026-01-31T12:00:00Z"}).to_string();
    let answer = post(console.address, PATH, "", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let nothing = json!({"now": 0, "other": 0, "come": 0, "go": 0, "change": 0});
    let expected = json!({
        "from": "2026-01-31T10:00:00.000000000Z",
        "to": "2026-01-31T12:00:00.000000000Z",
        "incidents": {"now": 3, "other": 2, "come": 0, "go": 1, "change": 0},
        "findings": nothing,
        "differences": [{"what": "incident", "way": "goes"}],
        "left_out": 0,
        "warnings": [],
    });
    assert_eq!(answer.json(), expected);

    let many = ask(console.address, "many").await.json();
    let rows = many["differences"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[1999]["id"], &many["left_out"]), (2000, &json!(1999), &json!(500)));
    assert_eq!(many["warnings"], json!(["young"]));
    // Nothing was said of when: the last two hours.
    let asked = stand_in.asked.lock().unwrap()[1].clone();
    assert_eq!(asked.to.since(asked.from), Duration::from_secs(7200));
    assert!(asked.to > Timestamp::parse_rfc3339("2026-01-31T12:00:00Z").unwrap());
    console.stop().await;
}

#[tokio::test]
async fn wrong_questions_are_told_what_is_right_and_hold_up_no_other() {
    let stand_in = Arc::<StandIn>::default();
    let console = start(&stand_in).await;
    let at = console.address;
    for (body, status, told) in [
        (r#"{"config": "wrong"}"#, 400, "config:1:1: no such key"),
        (r#"{"config": "large"}"#, 422, "too many findings"),
        (r#"{"config": "broken"}"#, 500, "broke off"),
        (r#"{}"#, 400, "config"),
        (r#"{"config": "", "form": "x"}"#, 400, "form"),
        (r#"{"config": "", "from": "yesterday"}"#, 400, "which is not a time"),
        (
            r#"{"config": "", "from": "2026-01-31T10:00:00Z", "to": "2026-01-31T09:00:00Z"}"#,
            400,
            "the other way round",
        ),
        (
            r#"{"config": "", "from": "2026-01-31T10:00:00Z", "to": "2026-01-31T12:00:01Z"}"#,
            400,
            "console.what_if_hours",
        ),
    ] {
        let answer = post(at, PATH, "", body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.json()["error"].as_str().unwrap().contains(told), "{body}: {}", answer.body);
    }
    let large = json!({"config": "#".repeat(300_000)}).to_string();
    assert_eq!(post(at, PATH, "", &large).await.status, 413);
    let host = format!("Host: {at}\r\n");
    assert_eq!(send(at, "POST", PATH, &host, r#"{"config": ""}"#).await.status, 415);
    let foreign = post(at, PATH, "Origin: https://evil.example\r\n", r#"{"config": ""}"#).await;
    assert_eq!(foreign.status, 403);
    assert!(foreign.json()["error"].as_str().unwrap().contains("page of another site"), "{}", foreign.body);
    assert_eq!(stand_in.asked.lock().unwrap().len(), 3, "the others were not passed on");
    assert_eq!(ask(at, "").await.status, 200);
    console.stop().await;
}

#[tokio::test]
async fn one_is_answered_at_a_time_and_one_whose_client_left_ends() {
    let stand_in = Arc::<StandIn>::default();
    let console = start(&stand_in).await;
    let client = endless(console.address, &stand_in).await;
    let second = ask(console.address, "").await;
    assert_eq!(second.status, 429, "{}", second.body);
    assert!(second.json()["error"].as_str().unwrap().contains("under way"));
    assert_eq!(stand_in.asked.lock().unwrap().len(), 1);

    drop(client);
    until("it ends with its client", || stand_in.cancelled.load(SeqCst) == 1).await;
    let deadline = Instant::now() + DEADLINE;
    while ask(console.address, "").await.status != 200 {
        assert!(Instant::now() < deadline, "the next one is answered");
    }
    console.stop().await;
}

#[tokio::test]
async fn a_shutdown_ends_what_is_under_way_before_the_console_ends_and_tells_its_client() {
    let stand_in = Arc::<StandIn>::default();
    let console = start(&stand_in).await;
    let mut client = endless(console.address, &stand_in).await;
    console.stop().await;
    assert_eq!((stand_in.under_way.load(SeqCst), stand_in.cancelled.load(SeqCst)), (0, 1));
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("it was cancelled"), "{answer}");
}

#[tokio::test]
async fn a_console_does_not_end_before_what_nobody_waits_for_any_more() {
    let stand_in = Arc::<StandIn>::default();
    let console = start(&stand_in).await;
    drop(endless(console.address, &stand_in).await);
    until("it is told", || stand_in.ending.load(SeqCst) == 1).await;
    assert_eq!(ask(console.address, "").await.status, 429, "it has its turn until it ended");
    console.stop().await;
    assert_eq!(stand_in.under_way.load(SeqCst), 0);
}

#[tokio::test]
async fn where_nothing_can_be_run_again_it_is_told() {
    let console = Running::start(Config::default(), async |_: &dyn Journal| {}).await;
    let answer = ask(console.address, "").await;
    assert_eq!(answer.status, 501, "{}", answer.body);
    assert!(answer.json()["error"].as_str().unwrap().contains("no journal"));
    console.stop().await;
}
