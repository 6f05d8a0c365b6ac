//! A what-if asked of a running Foreshock, while it works through what a shop has sent.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use foreshock_model::Timestamp;
use serde_json::{Value, json};
use support::{
    DEADLINE, Running, foreshock,
    history::{LENGTH, START, assert_same, open, play, replayed, shop},
};

/// The journal of the shop's trouble, with nothing made of it yet.
async fn history(data_dir: &Path) {
    let journal = open(data_dir);
    play(&mut shop(START), &journal, START.plus(LENGTH)).await;
    journal.close().await;
    drop(journal);
    // The threads of the journal have let go of it.
    drop(open(data_dir));
}

fn start(data_dir: &Path) -> Running {
    let mut command = foreshock();
    for (key, value) in [
        ("DETECT__CLOCK", "event"),
        ("JOURNAL__TELEMETRY_PARTITIONS", "3"),
        ("JOURNAL__STAGE_PARTITIONS", "2"),
        // Holds over a text as it does over the file.
        ("DETECT__LIMITS__SERIES", "900000"),
        // The shop's time is long ago.
        ("JOURNAL__RETENTION_HOURS", "1000000"),
        ("JOURNAL__STAGES_RETENTION_HOURS", "1000000"),
    ] {
        command.env(format!("FORESHOCK_{key}"), value);
    }
    Running::with(data_dir, command.arg("run"))
}

fn request(address: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST /api/v1/what-if HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn ask(running: &Running, body: &Value) -> (u16, Value) {
    let address = running.address("console");
    let answer = running.request(&address, &request(&address, body));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn question(config: &str) -> Value {
    let (from, to) = (START, START.plus(LENGTH));
    json!({"config": config, "from": from.to_rfc3339(), "to": to.to_rfc3339()})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_foreshock_tells_what_another_configuration_would_have_found() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    history(data_dir).await;
    let running = start(data_dir);

    let (status, same) = ask(&running, &question(""));
    assert_eq!(status, 200, "{same}");
    assert_eq!((&same["differences"], &same["left_out"]), (&json!([]), &json!(0)));
    assert_eq!(same["from"], START.to_rfc3339());
    assert_eq!(same["to"], START.plus(LENGTH).to_rfc3339());
    for what in ["incidents", "findings"] {
        let now = same[what]["now"].as_u64().unwrap();
        assert!(now > 0, "{same}");
        assert_eq!(same[what], json!({"now": now, "other": now, "come": 0, "go": 0, "change": 0}));
    }

    // Of a budget that hardly pays for a page, what was one is less, and is told as the command tells it.
    let tight = "[detect.budget]\npages_a_week = 1e-9\n";
    let (status, less) = ask(&running, &question(tight));
    assert_eq!(status, 200, "{less}");
    let rows = less["differences"].as_array().unwrap();
    let was_a_page = |row: &&Value| {
        let severity = &row["fields"]["severity"][0];
        row["what"] == "incident" && (row["way"] == "goes" || severity == "critical")
    };
    assert!(rows.iter().any(|row| was_a_page(&row)), "{less}");
    let file = data_dir.join("tight.toml");
    std::fs::write(&file, tight).unwrap();
    let to = START.plus(LENGTH).to_rfc3339();
    let arguments = ["--to", &to, "--against", file.to_str().unwrap(), "--json"];
    let told: Vec<Value> = replayed(data_dir, "event", &arguments)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let lines = |rows: &[Value]| rows.iter().map(Value::to_string).collect::<Vec<_>>();
    assert_same("differences", &lines(rows), &lines(&told));

    let refused = |body: Value, told: &str| {
        let (status, answer) = ask(&running, &body);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(told), "{answer}");
    };
    refused(question("[detect]\nclokc = \"live\"\n"), "config:2:1: unknown field `clokc`");
    refused(question("[detect.limits]\npatterns = 9000\n"), "detect.limits.patterns must not be above");

    // Of a file that is named nothing is told, not even whether it is there.
    let (status, _) = ask(
        &running,
        &json!({
            "config": "[tenants.acme]\ntoken_file = \"/nowhere\"\n",
            "from": Timestamp::from_secs(1).to_rfc3339(),
            "to": Timestamp::from_secs(2).to_rfc3339(),
        }),
    );
    assert_eq!(status, 200);

    // One that is under way has no other beside it, holds up nothing, and ends with the service.
    let address = running.address("console");
    let until = Instant::now() + DEADLINE;
    let pauses = [0, 5, 20, 80, 320].map(Duration::from_millis);
    let mut pauses = pauses.iter().cycle();
    let mut client = loop {
        let mut client = TcpStream::connect(&address).unwrap();
        client.write_all(request(&address, &question("")).as_bytes()).unwrap();
        // Whichever of the two came first is answered: how long that takes depends on the machine.
        pauses.next().into_iter().for_each(|pause| std::thread::sleep(*pause));
        if ask(&running, &question("")).0 == 429 {
            break client;
        }
        assert!(Instant::now() < until, "it is under way");
    };
    let metrics = running.get("metrics", "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    let told = Instant::now();
    assert_eq!(running.terminate(), Some(0));
    assert!(told.elapsed() < DEADLINE / 4, "{:?}", told.elapsed());
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}
