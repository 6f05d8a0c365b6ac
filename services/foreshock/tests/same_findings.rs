//! The final findings of a fixed input are the same, byte for byte, whatever the journal, the number of partitions
//! and the number of workers. A few settings by default; all of them with FORESHOCK_MATRIX=full.
#![allow(unreachable_pub, clippy::unwrap_used)]

#[path = "matrix/inputs.rs"]
mod inputs;
#[path = "matrix/run.rs"]
mod run;

use foreshock_demo::Fault;
use foreshock_kafka_testing::Kafka;

use crate::{
    inputs::Request,
    run::{Setting, findings},
};

fn is_full() -> bool {
    std::env::var("FORESHOCK_MATRIX").is_ok_and(|matrix| matrix == "full")
}

fn settings() -> Vec<Setting> {
    let embedded = [1, 3, 16].map(Setting::Embedded);
    let kafka: Vec<Setting> = if is_full() {
        let each = |partitions| [1, 2, 4].map(|workers| Setting::Kafka { partitions, workers });
        [1, 3, 16].into_iter().flat_map(each).collect()
    } else {
        vec![Setting::Kafka { partitions: 1, workers: 1 }, Setting::Kafka { partitions: 3, workers: 2 }]
    };
    embedded.into_iter().chain(kafka).collect()
}

/// Runs every setting and compares its findings with the first one's.
fn compare(what: &str, input: &[Request]) {
    let kafka = Kafka::shared().bootstrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut first: Option<(Setting, Vec<String>)> = None;
    for setting in settings() {
        let began = std::time::Instant::now();
        let found = runtime.block_on(findings(&setting, Some(&kafka), input));
        eprintln!("{what}: {setting:?}: {} final findings in {:.1?}", found.len(), began.elapsed());
        let (other, expected) = first.get_or_insert_with(|| (setting.clone(), found.clone()));
        assert!(!expected.is_empty(), "{what}: an input without findings shows nothing");
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|one| !those.contains(one)).cloned().collect()
        };
        let (more, fewer) = (only(&found, expected), only(expected, &found));
        assert!(
            more.is_empty() && fewer.is_empty() && found.len() == expected.len(),
            "{what}: only in {setting:?}:\n{}\nonly in {other:?}:\n{}",
            more.join("\n"),
            fewer.join("\n")
        );
    }
}

#[test]
fn of_the_shop_through_its_faults() {
    let faults: &[Fault] = if is_full() { &Fault::ALL } else { &Fault::ALL[..2] };
    compare("the shop", &inputs::shop(faults));
}

#[test]
fn of_a_block_log_from_64_instances() {
    match inputs::block_log() {
        Some(path) => compare("the block log", &inputs::blocks(path)),
        None => eprintln!("SKIPPED: the block log of ../shared is not there"),
    }
}

/// What growth may cost is one step of a counter whose instance moves (docs/partitioning.md). Silences above all have
/// to stay what they are.
#[test]
fn of_streams_that_grow_no_silence_comes_and_logs_are_judged_as_before() {
    let kafka = Kafka::shared().bootstrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let input = inputs::shop(&Fault::ALL[1..2]);
    let of_logs = |found: Vec<String>| -> Vec<String> {
        let kinds = ["silence", "new_pattern", "pattern_rate_up", "pattern_rate_down", "error_share"];
        let is_one = |line: &String| kinds.iter().any(|kind| line.contains(&format!("\"kind\":\"{kind}\"")));
        found.into_iter().filter(is_one).collect()
    };
    let grown = of_logs(runtime.block_on(run::findings_of_streams_that_grow(&kafka, &input)));
    let expected = of_logs(runtime.block_on(findings(&Setting::Embedded(1), None, &input)));
    assert!(!expected.is_empty());
    assert_eq!(grown, expected);
}
