//! Several files as one: merged by the time of their records, whatever order they are named in.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use foreshock_detect::DetectConfig;
use foreshock_model::{Kind, Timestamp};
use foreshock_scan::ScanOptions;
use support::{Noise, START, file, log, scan_one, scan_with, time, try_scan};

fn shop() -> ScanOptions {
    ScanOptions { service: Some("shop".into()), ..ScanOptions::default() }
}

#[test]
fn lines_spread_over_files_that_are_named_in_any_order_give_the_findings_of_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(Some(2 * 3600));
    let whole = scan_one(&file(&directory, "shop.log", &text));
    assert!(!whole.findings.is_empty());
    let (mut noise, mut parts) = (Noise(11), vec![String::new(); 3]);
    for line in text.lines() {
        writeln!(parts[noise.below(3) as usize], "{line}").unwrap();
    }
    let parts: Vec<PathBuf> =
        (0..).zip(&parts).map(|(n, part)| file(&directory, &format!("shop-{n}.log"), part)).collect();
    for order in [[0, 1, 2], [2, 0, 1]] {
        let named: Vec<PathBuf> = order.iter().map(|part: &usize| parts[*part].clone()).collect();
        let merged = scan_with(&named, shop()).unwrap();
        assert_eq!(merged.unplaced(), whole.unplaced());
        assert_eq!(merged.scanned.records, whole.scanned.records);
        assert_eq!(merged.scanned.timeline, whole.scanned.timeline);
        assert_eq!(merged.last.read_bytes, merged.last.total_bytes);
    }
}

#[test]
fn rotated_files_named_newest_first_give_the_findings_of_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(Some(2 * 3600));
    let whole = scan_one(&file(&directory, "shop.log", &text));
    let cut = text[..text.len() / 3].rfind('\n').unwrap() + 1;
    let (older, newer) = text.split_at(cut);
    let named = [file(&directory, "shop.now", newer), file(&directory, "shop.old", older)];
    let merged = scan_with(&named, shop()).unwrap();
    // Of two instances one falls silent where the other begins.
    let judged = |findings: Vec<foreshock_model::Finding>| {
        findings.into_iter().filter(|finding| finding.kind != Kind::Silence).collect::<Vec<_>>()
    };
    assert_eq!(judged(merged.unplaced()), judged(whole.unplaced()));
}

#[test]
fn files_of_different_kinds_keep_step_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut metrics = String::from("timestamp,queue\n");
    let mut noise = Noise(3);
    for minute in 0..180 {
        let jump = if minute >= 150 { 500 } else { 0 };
        writeln!(metrics, "{},{}", START + minute * 60, 50 + noise.below(10) + jump).unwrap();
    }
    let metrics = file(&directory, "queue.csv", metrics);
    let lines = file(&directory, "shop.log", log(Some(9_000)));
    let both = scan_with(&[lines.clone(), metrics.clone()], shop()).unwrap();
    let [alone, values] = [scan_with(&[lines], shop()), scan_with(&[metrics], shop())].map(Result::unwrap);
    let of = |findings: &[foreshock_model::Finding], metrics: bool| {
        let mut of: Vec<String> = findings
            .iter()
            .filter(|finding| finding.series.contains("queue") == metrics)
            // At the end of the input nothing is waited for.
            .filter(|finding| finding.window_end < Timestamp::from_secs(START + 175 * 60))
            .map(|finding| format!("{} {} {}", finding.kind, finding.window_start, finding.title))
            .collect();
        of.sort();
        of
    };
    assert!(!alone.findings.is_empty() && !values.findings.is_empty());
    assert_eq!(of(&both.findings, false), of(&alone.findings, false));
    assert_eq!(of(&both.findings, true), of(&values.findings, true));
}

#[test]
fn what_stands_before_the_first_time_of_a_file_belongs_to_it_and_makes_nothing_late() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(Some(2 * 3600));
    let plain = scan_one(&file(&directory, "shop.log", &text));
    let headed = scan_one(&file(&directory, "shop.log", format!("starting up\n# version 7\n{text}")));
    let told = |run: &support::Run| {
        run.findings
            .iter()
            .map(|finding| (finding.kind, finding.window_start, finding.observed))
            .collect::<Vec<_>>()
    };
    assert!(!plain.findings.is_empty());
    assert_eq!(told(&headed), told(&plain));
    assert_eq!(headed.scanned.span, plain.scanned.span);
    let first =
        headed.scanned.patterns.iter().find(|pattern| pattern.view.template.contains("starting up")).unwrap();
    assert_eq!(Some(first.view.first), plain.scanned.span.map(|(first, _)| first));
}

#[test]
fn times_without_a_year_are_completed_by_when_the_file_was_written_also_over_quiet_weeks() {
    let directory = tempfile::tempdir().unwrap();
    let text = "Dec 24 06:00:00 host app[1]: backup done\nDec 31 23:59:58 host app[1]: backup done\n\
                Jan  2 06:00:00 host app[1]: backup done\nJan 20 06:00:00 host app[1]: backup done\n";
    let path = file(&directory, "syslog", text);
    let written = std::time::UNIX_EPOCH + Duration::from_secs(1_769_000_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
    let span = Some((at("2025-12-24T06:00:00Z"), at("2026-01-20T06:00:00Z")));
    assert_eq!(scan_one(&path).scanned.span, span);
    let other = file(&directory, "other.log", format!("{} INFO fine\n", time(0)));
    let merged = try_scan(&[path, other]).unwrap().scanned;
    assert_eq!(merged.span.map(|(_, last)| last), span.map(|(_, last)| last));
}

/// The same line, its time as a clock two hours east of UTC shows it, without a zone.
fn local(line: &str) -> String {
    let (at, rest) = line.split_once(' ').unwrap();
    let at = Timestamp::parse_rfc3339(at).unwrap().plus(Duration::from_secs(7_200)).to_rfc3339();
    format!("{} {rest}\n", at.replace('T', " ").trim_end_matches('Z'))
}

#[test]
fn times_that_name_no_zone_are_those_of_the_zone_given_in_one_file_and_beside_one_that_names_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(Some(2 * 3600));
    let plain = scan_one(&file(&directory, "shop.log", format!("starting up\n{text}")));
    let detect = DetectConfig { zone: "+02:00".into(), ..DetectConfig::default() };
    let east = ScanOptions { detect, ..shop() };
    let told = |run: &support::Run| {
        run.findings
            .iter()
            .map(|finding| (finding.kind, finding.window_start, finding.title.clone(), finding.observed))
            .collect::<Vec<_>>()
    };
    assert!(!plain.findings.is_empty());

    let body: String = text.lines().map(local).collect();
    let one = file(&directory, "east.log", format!("starting up\n{body}"));
    let one = scan_with(&[one], east.clone()).unwrap();
    assert_eq!(told(&one), told(&plain));
    assert_eq!(one.scanned.span, plain.scanned.span);

    let (mut noise, mut zoned, mut zoneless) = (Noise(5), String::new(), String::from("starting up\n"));
    for line in text.lines() {
        match noise.below(2) {
            0 => writeln!(zoned, "{line}").unwrap(),
            _ => zoneless.push_str(&local(line)),
        }
    }
    let named = [file(&directory, "zoneless.log", zoneless), file(&directory, "zoned.log", zoned)];
    let merged = scan_with(&named, east).unwrap();
    assert_eq!(told(&merged), told(&plain));
    assert_eq!(merged.scanned.span, plain.scanned.span);
}
