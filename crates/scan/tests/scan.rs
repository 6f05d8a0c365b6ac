//! Files as they lie around, scanned whole: what is found, and what is refused.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fmt::Write as _, io::Write as _, path::PathBuf};

use foreshock_model::{Finding, Kind, Timestamp};

use support::{Noise, Run, START, file, log, scan_one, time, try_scan};

/// Whether it is about the lines of the trouble.
fn is_trouble(finding: &Finding) -> bool {
    finding.template.contains("connection to database")
        && matches!(finding.kind, Kind::NewPattern | Kind::PatternRateUp)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_error_never_seen_and_its_burst_are_found_where_they_begin_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let trouble = 2 * 3600 + 1800;
    let run = scan_one(&file(&directory, "shop.log", log(Some(trouble))));
    let began = Timestamp::from_secs(START + trouble);
    let new = run.findings.iter().find(|finding| is_trouble(finding)).expect("the new error");
    assert!(new.window_start <= began && began < new.window_end, "{} {}", new.window_start, new.window_end);
    assert!(new.template.contains("<*>") && new.kind == Kind::NewPattern, "{} {}", new.template, new.kind);
    let surprise = run.findings.iter().filter(|finding| is_trouble(finding)).map(|finding| finding.surprise);
    assert!(surprise.clone().any(|surprise| surprise > 20.0), "{:?}", surprise.collect::<Vec<_>>());
    assert_eq!(new.service.as_str(), "shop");
    assert!(new.evidence.iter().any(|line| line.line.contains("too many clients")), "{:?}", new.evidence);
    let error_share = run.findings.iter().any(|finding| finding.kind == Kind::ErrorShare);
    assert!(error_share, "{:?}", run.findings.iter().map(|finding| &finding.title).collect::<Vec<_>>());
    assert_eq!(run.scanned.patterns.len(), 4, "{:?}", run.scanned.patterns);
    assert_eq!(run.scanned.unreadable, [] as [String; 0]);
    assert_eq!(run.last.records, run.scanned.records);
    assert_eq!(run.last.read_bytes, run.last.total_bytes);

    let quiet = scan_one(&file(&directory, "shop.log", log(None)));
    let pages =
        quiet.findings.iter().filter(|finding| finding.kind == Kind::NewPattern || finding.surprise > 8.0);
    assert_eq!(pages.map(|finding| &finding.title).collect::<Vec<_>>(), [] as [&String; 0]);
}

#[test]
fn packed_files_and_split_ones_say_what_the_plain_one_says() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(Some(2 * 3600));
    let plain = scan_one(&file(&directory, "shop.log", &text));
    assert!(!plain.findings.is_empty());
    let packed = scan_one(&file(&directory, "shop.log.gz", gzip(&text)));
    assert_eq!(packed.unplaced(), plain.unplaced());
    let packed = scan_one(&file(&directory, "shop.log.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()));
    assert_eq!(packed.unplaced(), plain.unplaced());
    assert_eq!(packed.last.read_bytes, packed.last.total_bytes, "progress counts bytes as they lie there");

    let cut = text[..text.len() / 3].rfind('\n').unwrap() + 1;
    let halves = [file(&directory, "shop.1", &text[..cut]), file(&directory, "shop.2", &text[cut..])];
    let split = try_scan(&halves).unwrap();
    assert_eq!(split.scanned.records, plain.scanned.records);
    assert!(split.findings.iter().any(is_trouble));
}

#[test]
fn what_is_no_text_is_refused_by_name_and_a_missing_file_before_anything_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let binary = file(&directory, "core.1234", [0x7f, b'E', b'L', b'F', 0, 1, 2, 3]);
    let good = file(&directory, "good.log", "INFO fine\n");
    let said = |paths: &[PathBuf]| try_scan(paths).err().expect("refused").to_string();
    assert!(said(&[binary]).contains("core.1234 is a binary file"));
    let hidden = file(&directory, "core.gz", gzip("\0\0\0\u{1}"));
    assert!(said(&[hidden]).contains("core.gz is a binary file"));
    assert!(said(&[good.clone(), directory.path().join("missing.log")]).contains("missing.log"));
    assert!(said(&[directory.path().to_owned()]).contains("it is a directory"));
    let broken = file(&directory, "broken.log.gz", &gzip(&log(None))[..5000]);
    assert!(said(&[broken]).contains("broken.log.gz"));
    assert_eq!(scan_one(&file(&directory, "empty.log", "")).scanned.records, 0);
}

/// A series that jumps to another level in its last half hour.
fn value(noise: &mut Noise, minute: u64) -> f64 {
    50.0 + noise.below(10) as f64 + if minute >= 330 { 400.0 } else { 0.0 }
}

fn jumps(run: &Run, series: &str) -> bool {
    let began = Timestamp::from_secs(START + 330 * 60);
    run.findings.iter().any(|finding| {
        finding.series.contains(series) && finding.window_end > began && finding.surprise > 4.0
    })
}

#[test]
fn metrics_are_read_wide_and_long_and_the_jump_is_found_in_the_series_that_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut wide, mut long) =
        (String::from("ts,queue,idle\n"), String::from("timestamp,service,series,value\n"));
    let mut noise = Noise(3);
    for minute in 0..360 {
        let (at, queue, idle) = (START + minute * 60, value(&mut noise, minute), noise.below(9));
        writeln!(wide, "{at},{queue},{idle}").unwrap();
        writeln!(long, "{0},cart,queue,{queue}\n{0},cart,idle,{idle}", time(minute * 60)).unwrap();
    }
    for (name, text, service) in [("host.csv", wide, "host"), ("long.csv", long, "cart")] {
        let run = scan_one(&file(&directory, name, text));
        assert_eq!((run.scanned.records, run.scanned.series), (720, 2), "{name}");
        assert!(jumps(&run, "queue") && !jumps(&run, "idle"), "{name}: {:?}", run.findings);
        assert!(run.findings.iter().all(|finding| finding.service.as_str() == service), "{name}");
    }
    let nothing = file(&directory, "nothing.csv", "timestamp,service\n1,a\n");
    assert!(try_scan(&[nothing]).err().expect("refused").to_string().contains("no column of values"));
}

#[test]
fn otlp_json_lines_of_every_signal_are_read_and_bad_ones_counted() {
    let directory = tempfile::tempdir().unwrap();
    let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]}"#;
    let mut text = String::new();
    for second in 0..60 {
        let at = (START + second) * 1_000_000_000;
        writeln!(text, r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{at}","body":{{"stringValue":"INFO item {second} added"}}}}]}}]}}]}}"#).unwrap();
        writeln!(text, r#"{{"resourceMetrics":[{{"resource":{resource},"scopeMetrics":[{{"metrics":[{{"name":"items","gauge":{{"dataPoints":[{{"timeUnixNano":"{at}","asDouble":{second}}}]}}}}]}}]}}]}}"#).unwrap();
    }
    text.push_str("{\"resourceLogs\":[{]}\n\nnot json at all\n");
    // As large as a Collector's batches are.
    let record = format!(
        r#"{{"timeUnixNano":"{}","body":{{"stringValue":"INFO item 7 added"}}}}"#,
        (START + 60) * 1_000_000_000
    );
    let records = vec![record.as_str(); 20_000].join(",");
    writeln!(
        text,
        r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#
    )
    .unwrap();
    // A time that is none would make all that follows late.
    let absurd = r#"{"timeUnixNano":"18000000000000000000","body":{"stringValue":"INFO item 1 added"}}"#;
    writeln!(text, r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{absurd},{absurd}]}}]}}]}}"#).unwrap();
    let run = scan_one(&file(&directory, "export.jsonl", text));
    let patterns: Vec<&str> =
        run.scanned.patterns.iter().map(|pattern| pattern.view.template.as_str()).collect();
    assert_eq!((patterns.len(), run.scanned.series), (1, 1), "{patterns:?}");
    assert!(patterns[0].contains("item <*> added"), "{patterns:?}");
    assert_eq!(run.scanned.records, 20_120);
    let [said] = run.scanned.unreadable.as_slice() else { panic!("{:?}", run.scanned.unreadable) };
    assert!(said.contains("export.jsonl: 3 lines can't be read"), "{said}");
}
