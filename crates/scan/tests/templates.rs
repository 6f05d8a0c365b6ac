//! The template of every line, and what was counted of each pattern.
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeMap, path::PathBuf};

use foreshock_detect::{DetectConfig, Limits};
use foreshock_scan::ScanOptions;
use support::{Row, Run, file, log, scan_with, time};
use tempfile::TempDir;

fn scan(directory: &TempDir, paths: &[PathBuf], limits: Limits) -> Run {
    let detect = DetectConfig { limits, ..DetectConfig::default() };
    let templates_in = Some(directory.path().to_owned());
    scan_with(paths, ScanOptions { templates_in, detect, ..ScanOptions::default() }).unwrap()
}

fn scanned(directory: &TempDir, paths: &[PathBuf]) -> (Run, Vec<Row>) {
    let mut run = scan(directory, paths, Limits::default());
    let rows = run.templates();
    (run, rows)
}

/// Lines of each template.
fn counts(rows: &[Row]) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry((row.id.clone(), row.template.clone())).or_default() += 1;
    }
    counts
}

#[test]
fn every_line_has_the_template_that_it_has_at_the_end_and_patterns_count_the_same_lines() {
    let directory = tempfile::tempdir().unwrap();
    let (run, rows) = scanned(&directory, &[file(&directory, "shop.log", log(Some(6_000)))]);
    assert_eq!(rows.len() as u64, run.scanned.lines);
    assert!(rows.iter().zip(1..).all(|(row, line)| row.line == line));
    let patterns: BTreeMap<(String, String), u64> = run
        .scanned
        .patterns
        .iter()
        .map(|pattern| ((pattern.view.id.clone(), pattern.view.template.clone()), pattern.view.count))
        .collect();
    assert_eq!(counts(&rows), patterns);
    assert!(patterns.keys().any(|(_, template)| template == "request <*> served in <*>"), "{patterns:?}");
    for pattern in &run.scanned.patterns {
        let charted: u64 = pattern.counts.iter().map(|count| u64::from(*count)).sum();
        assert_eq!(charted, pattern.view.count, "{}", pattern.view.template);
    }
    let timeline = &run.scanned.timeline;
    assert_eq!(timeline.lines.iter().map(|count| u64::from(*count)).sum::<u64>(), run.scanned.lines);
    assert_eq!(timeline.errors.iter().map(|count| u64::from(*count)).sum::<u64>(), run.scanned.errors);
    assert_eq!(run.scanned.errors, 600);
}

#[test]
fn a_second_pass_over_the_same_lines_adds_no_template() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "shop.log", log(Some(6_000)));
    let (_, once) = scanned(&directory, std::slice::from_ref(&path));
    let (_, twice) = scanned(&directory, &[path.clone(), path]);
    assert_eq!(twice.len(), 2 * once.len());
    let doubled: BTreeMap<_, u64> = counts(&once).into_iter().map(|(key, count)| (key, 2 * count)).collect();
    assert_eq!(counts(&twice), doubled);
}

#[test]
fn lines_count_on_over_files_in_the_order_they_are_named_though_they_are_read_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let at = |seconds| time(seconds);
    let newer = file(&directory, "a.log", format!("{} INFO stopped\n{} INFO gone\n", at(50), at(60)));
    let older = file(&directory, "b.log", format!("{} INFO started\n{} INFO ready", at(0), at(55)));
    let (_, rows) = scanned(&directory, &[newer, older]);
    let told: Vec<(u64, &str)> = rows.iter().map(|row| (row.line, row.template.as_str())).collect();
    assert_eq!(told, [(1, "stopped"), (2, "gone"), (3, "started"), (4, "ready")]);
}

#[test]
fn the_lines_of_a_stack_trace_have_the_template_of_their_event() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "{} ERROR checkout of cart 17 failed\njava.lang.IllegalStateException: empty\n\tat shop.Cart.checkout(Cart.java:41)\n\
         {} INFO next\n",
        time(0),
        time(1)
    );
    let (run, rows) = scanned(&directory, &[file(&directory, "shop.log", text)]);
    let templates: Vec<&str> = rows.iter().map(|row| row.template.as_str()).collect();
    let event = "checkout of cart <*> failed";
    assert_eq!(templates, [event, event, event, "next"]);
    assert_eq!((run.scanned.lines, run.scanned.errors, run.scanned.patterns.len()), (4, 1, 2));
}

#[test]
fn what_is_over_the_limit_of_shapes_is_the_other_template() {
    let directory = tempfile::tempdir().unwrap();
    let words = ["alpha", "beta gamma", "delta one two", "zeta one two three", "eta one two three four"];
    let text: String = (0..).zip(words).map(|(n, word)| format!("{} INFO {word}\n", time(n))).collect();
    let path = file(&directory, "shop.log", text);
    let mut run = scan(&directory, &[path], Limits { shapes: 3, ..Limits::default() });
    let rows = run.templates();
    let other = |row: &Row| row.id == "0000000000000000" && row.template == "<*>";
    assert_eq!(rows.iter().map(other).collect::<Vec<_>>(), [false, false, false, true, true]);
}

#[test]
fn rubbish_in_the_midst_of_text_breaks_nothing_and_each_line_keeps_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    for second in 0..300 {
        bytes.extend(format!("{} INFO request {second} served in 7 ms\n", time(second)).bytes());
    }
    // What stands at the start is what tells a binary file.
    let rubbish: Vec<u8> = (0..4_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bytes.extend(&rubbish);
    bytes.extend(b"\n\0\0\0\n\n");
    bytes.extend(std::iter::repeat_n(b'x', 3 << 20));
    bytes.extend(format!("\n{} INFO request 9 served in 7 ms\n", time(301)).bytes());
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let (run, rows) = scanned(&directory, &[file(&directory, "shop.log", &bytes)]);
    assert_eq!((rows.len(), run.scanned.unreadable.as_slice()), (lines, &[] as &[String]));
    assert_eq!(rows.last().map(|row| row.template.as_str()), Some("request <*> served in <*>"));
    assert_eq!(rows[0].id, rows[rows.len() - 1].id);
}

#[test]
fn of_metrics_and_of_nothing_there_are_no_rows() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = file(&directory, "queue.csv", "timestamp,queue\n1760000400,1\n1760000460,2\n");
    let empty = file(&directory, "empty.log", "");
    assert_eq!(scanned(&directory, &[metrics, empty]).1, []);
}
