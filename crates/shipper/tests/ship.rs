//! Files through rotation, truncation, kills and bad bytes, to a receiver that answers by script.
#![allow(clippy::unwrap_used)]

mod receiver;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use foreshock_shipper::{ClientOptions, Input, ShipError, ShipOptions, ShipReport, ship};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use receiver::{Answer, Receiver, wait_until};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::Code;

/// A directory with one log and one checkpoint.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("app.log")
    }

    fn append(&self, text: &str) {
        append(&self.log(), text.as_bytes());
    }

    fn options(&self, url: &str) -> ShipOptions {
        let mut client = ClientOptions::new(url);
        client.retry.initial = Duration::from_millis(2);
        client.retry.max = Duration::from_millis(20);
        let mut options = ShipOptions::new(client, vec![Input::File(self.log())]);
        options.checkpoint_dir = Some(self.path("checkpoint"));
        options.poll = Duration::from_millis(10);
        options.flush_after = Duration::from_millis(200);
        options.linger = Duration::from_millis(300);
        options
    }

    fn follow(&self, url: &str) -> Following {
        let mut options = self.options(url);
        options.follow = true;
        Following::start(options)
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("line number {n}")).collect()
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

struct Following {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<ShipReport, ShipError>>,
}

impl Following {
    fn start(options: ShipOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(ship(options, async move {
            let _ = stopped.await;
        }));
        Self { stop, task }
    }

    async fn stop(self) -> ShipReport {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap()
    }

    /// As a kill would: nothing is written any more.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<Value> {
    attributes.iter().find(|a| a.key == key).and_then(|a| a.value.clone()?.value)
}

#[tokio::test]
async fn a_file_arrives_whole_with_who_wrote_it_and_no_time_of_its_own() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    place.append(&format!("{}last without an end", text(&numbered(0..2500))));
    let report = ship(place.options(&url), std::future::pending()).await.unwrap();
    let mut wanted = numbered(0..2500);
    wanted.push("last without an end".to_owned());
    assert_eq!(receiver.texts(), wanted);
    assert_eq!(report, ShipReport { lines: 2501, ..ShipReport::default() });
    let first = &receiver.arrived()[0];
    assert_eq!(attribute(&first.resource, "service.name"), Some(Value::StringValue("app".to_owned())));
    assert!(attribute(&first.resource, "host.name").is_some());
    let path = place.log().to_string_lossy().into_owned();
    assert_eq!(attribute(&first.attributes, "log.file.path"), Some(Value::StringValue(path)));
    assert_eq!(first.time, 0);
    assert!(first.observed > 0);

    // A second run goes on where the first stopped.
    place.append(" at last\nmore\n");
    ship(place.options(&url), std::future::pending()).await.unwrap();
    assert_eq!(receiver.texts()[2501..], [" at last", "more"]);
}

#[tokio::test]
async fn a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    place.append("one\n");
    let following = place.follow(&url);
    receiver.has(1).await;
    fs::rename(place.log(), place.path("app.log.1")).unwrap();
    // The writer has not noticed yet.
    append(&place.path("app.log.1"), b"two\n");
    receiver.has(2).await;
    place.append("three\n");
    append(&place.path("app.log.1"), b"");
    receiver.has(3).await;
    // Even now something may come to the old file.
    append(&place.path("app.log.1"), b"four\n");
    receiver.has(4).await;
    let report = following.stop().await;
    assert_eq!(receiver.texts(), ["one", "two", "three", "four"]);
    assert_eq!(report.lines, 4);
}

#[tokio::test]
async fn a_file_that_is_copied_and_truncated_is_begun_again() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    let mut wanted = Vec::new();
    let following = place.follow(&url);
    for round in 0..4usize {
        // Each time longer than before: the size alone does not tell.
        let lines = numbered(round * 100..round * 100 + 10 * (round + 1));
        if round > 0 {
            fs::copy(place.log(), place.path(&format!("app.log.{round}"))).unwrap();
            OpenOptions::new().write(true).truncate(true).open(place.log()).unwrap();
        }
        place.append(&text(&lines));
        wanted.extend(lines);
        receiver.has(wanted.len()).await;
    }
    following.stop().await;
    assert_eq!(receiver.texts(), wanted);
}

#[tokio::test]
async fn a_killed_shipper_loses_nothing_though_files_were_rotated_meanwhile() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    let mut written = 0usize;
    for round in 0..6usize {
        let following = place.follow(&url);
        let before = receiver.texts().len();
        place.append(&text(&numbered(written..written + 300)));
        written += 300;
        if round % 2 == 0 {
            receiver.has(before + 100).await;
        }
        following.kill().await;
        // While nobody looks: more lines, and twice another file.
        place.append(&text(&numbered(written..written + 50)));
        written += 50;
        if round >= 3 {
            for _ in 0..2 {
                fs::rename(place.log(), place.path(&format!("app.log.{written}"))).unwrap();
                place.append(&text(&numbered(written..written + 20)));
                written += 20;
            }
        }
    }
    ship(place.options(&url), std::future::pending()).await.unwrap();
    let mut seen = receiver.texts();
    seen.sort();
    seen.dedup();
    let missing: Vec<String> =
        numbered(0..written).into_iter().filter(|line| seen.binary_search(line).is_err()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(seen.len(), written);
}

#[tokio::test]
async fn what_was_being_sent_at_a_kill_is_found_again_under_its_new_name() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    receiver.will([Answer::Never]);
    place.append("one\n");
    let following = place.follow(&url);
    wait_until("a request", || !receiver.requests().is_empty(), || receiver.texts()).await;
    following.kill().await;
    for (name, line) in [("app.log.2", "two\n"), ("app.log.1", "three\n")] {
        fs::rename(place.log(), place.path(name)).unwrap();
        place.append(line);
    }
    ship(place.options(&url), std::future::pending()).await.unwrap();
    assert_eq!(receiver.texts(), ["one", "two", "three"]);
}

#[tokio::test]
async fn what_was_not_accepted_is_not_in_the_checkpoint() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    place.append("one\n");
    receiver.will([Answer::Refuse(Code::Unauthenticated)]);
    let error = ship(place.options(&url), std::future::pending()).await.unwrap_err();
    assert!(matches!(error, ShipError::Refused(_)), "{error:?}");
    let report = ship(place.options(&url), std::future::pending()).await.unwrap();
    assert_eq!((receiver.texts(), report.lines), (vec!["one".to_owned()], 1));
    // And what was is: a third run has nothing to send.
    let report = ship(place.options(&url), std::future::pending()).await.unwrap();
    assert_eq!(report.lines, 0);
}

#[tokio::test]
async fn overload_is_waited_out_and_a_line_at_fault_does_not_take_others_with_it() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    place.append(&text(&numbered(0..100)));
    receiver.will([Answer::RefuseFor(Code::Unavailable, Duration::from_millis(50))]);
    receiver.refuse_requests_with("line number 37");
    let report = ship(place.options(&url), std::future::pending()).await.unwrap();
    let mut wanted = numbered(0..100);
    wanted.remove(37);
    assert_eq!(receiver.texts(), wanted);
    assert_eq!((report.lines, report.refused), (99, 1));
}

#[tokio::test]
async fn bad_bytes_long_lines_and_pauses_are_told_and_survived() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    append(&place.log(), b"caf\xe9\nnul\0 and \x1b[31m colour\n");
    append(&place.log(), &[vec![b'x'; 3 << 20], b"\nafter\n".to_vec()].concat());
    let following = place.follow(&url);
    receiver.has(4).await;
    place.append("no end yet");
    receiver.has(5).await;
    place.append("\nnext\n");
    receiver.has(6).await;
    let report = following.stop().await;
    let lines = receiver.arrived();
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts[0], "caf\u{fffd}");
    assert_eq!(texts[1], "nul\0 and \x1b[31m colour");
    assert_eq!(texts[2].len(), 1 << 20);
    assert_eq!(attribute(&lines[2].attributes, "log.record.truncated"), Some(Value::BoolValue(true)));
    assert_eq!(texts[3..], ["after", "no end yet", "next"]);
    assert_eq!((report.lines, report.invalid_utf8, report.cut), (6, 1, 1));
}

#[tokio::test]
async fn a_link_is_followed_and_its_checkpoint_found_again() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    append(&place.path("0.log"), b"one\n");
    std::os::unix::fs::symlink(place.path("0.log"), place.log()).unwrap();
    assert_eq!(ship(place.options(&url), std::future::pending()).await.unwrap().lines, 1);
    append(&place.path("0.log"), b"two\n");
    fs::rename(place.path("0.log"), place.path("0.log.old")).unwrap();
    append(&place.path("0.log"), b"three\n");
    assert_eq!(ship(place.options(&url), std::future::pending()).await.unwrap().lines, 2);
    assert_eq!(receiver.texts(), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_file_that_grows_all_the_time_does_not_keep_another_waiting() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    place.append(&text(&numbered(0..20_000)));
    append(&place.path("other.log"), b"patience\n");
    let mut options = place.options(&url);
    options.inputs.push(Input::File(place.path("other.log")));
    options.batch.lines = 100;
    ship(options, std::future::pending()).await.unwrap();
    let texts = receiver.texts();
    assert_eq!(texts.len(), 20_001);
    assert!(texts.iter().position(|line| line == "patience").unwrap() < 10_000);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_waited_for_or_named() {
    let (receiver, url) = Receiver::start().await;
    let place = Place::new();
    let error = ship(place.options(&url), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("app.log can't be read"), "{error}");
    let following = place.follow(&url);
    wait_until("the checkpoint's directory", || place.path("checkpoint").exists(), || ()).await;
    place.append("there now\n");
    receiver.has(1).await;
    following.stop().await;
}
