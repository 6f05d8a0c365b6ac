//! `foreshock scan` over metrics as a user runs it: forecasts, scores and alarms as tables.
#![allow(clippy::unwrap_used)]

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use foreshock_model::{Finding, Timestamp};

const BEGAN: u64 = 1_760_000_400;
const FIVE_MINUTES: u64 = 300;

fn scan(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_foreshock")).arg("scan").args(arguments).args(files).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a scan that writes one table, and reads the table.
fn table(option: &str, files: &[&Path]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let output = scan(&["--json", option, path.to_str().unwrap()], files);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    rows(&std::fs::read_to_string(path).unwrap())
}

fn rows(table: &str) -> Vec<Vec<String>> {
    table.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Between -1 and 1, and always the same.
fn noise(n: u64) -> f64 {
    let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Days until the disk of [`disks`] is full.
const FULL_AFTER: f64 = 7.0;

/// One disk that fills, then one that swings by the day and one that stands still, series by series.
fn disks(days: u64) -> String {
    let mut table = String::from("series,ts,used_percent\n");
    for (series, course) in [
        ("filling", (|day| 30.0 + 70.0 * day / FULL_AFTER) as fn(f64) -> f64),
        ("daily", |day| 60.0 + 15.0 * (day * std::f64::consts::TAU).sin()),
        ("still", |_| 91.0),
    ] {
        for n in 0..days * 288 {
            let used = course(n as f64 / 288.0) + 0.2 * noise(n);
            writeln!(table, "{series},{},{used:.3}", BEGAN + n * FIVE_MINUTES).unwrap();
        }
    }
    table
}

#[test]
fn a_disk_that_fills_is_forecast_every_hour_and_others_never_are() {
    let folder = tempfile::tempdir().unwrap();
    let rows = table("--forecasts", &[&write(folder.path(), "host.csv", &disks(7))]);
    assert_eq!(rows[0], ["series", "ts", "t_pred", "low", "high"]);
    let full = BEGAN as f64 + FULL_AFTER * 86_400.0;
    let mut before = None;
    for row in &rows[1..] {
        assert_eq!(row[0], "filling", "{row:?}");
        let [ts, at, low, high] = [1, 2, 3, 4].map(|cell: usize| row[cell].parse::<f64>().unwrap());
        assert!(low <= at && at <= high && ts < full, "{row:?}");
        assert!((at - full).abs() <= 0.2 * (full - ts) + 1_200.0, "{row:?}");
        assert!(
            before.is_none_or(|before| ts > before && ts - before <= 3_600.0),
            "{row:?} after {before:?}"
        );
        before = Some(ts);
    }
    let first: f64 = rows[1][1].parse().unwrap();
    assert!(full - first > 40.0 * 3_600.0, "first said {} h before", (full - first) / 3_600.0);
    assert!(full - before.unwrap() < 3_600.0);
}

#[test]
fn forecasts_and_alarms_of_the_first_days_are_the_same_whatever_follows() {
    let folder = tempfile::tempdir().unwrap();
    let whole = write(folder.path(), "host.csv", &disks(7));
    let tables = ["--forecasts", "--alarms"].map(|option| (option, table(option, &[&whole])));
    let start = write(folder.path(), "host.csv", &disks(6));
    // What ends with the file is closed before its time.
    let (end, mut compared) = (BEGAN + 6 * 86_400 - 600, 0);
    for (option, whole) in tables {
        let place = whole[0].iter().position(|name| name == "ts").unwrap();
        let early = |rows: Vec<Vec<String>>| -> Vec<Vec<String>> {
            rows.into_iter().skip(1).filter(|row| row[place].parse::<u64>().unwrap() <= end).collect()
        };
        let (whole, start) = (early(whole), early(table(option, &[&start])));
        assert_eq!(whole, start, "{option}");
        compared += start.len();
    }
    assert!(compared > 50, "{compared} rows");
}

/// Three days of one series with a spike.
fn spiked(from: u64, to: u64) -> String {
    let mut table = String::from("timestamp,value\n");
    for n in from..to {
        let value = 50.0 + noise(n) + if n == 700 { 40.0 } else { 0.0 };
        let at = civil(BEGAN + n * FIVE_MINUTES);
        writeln!(table, "{at},{value}").unwrap();
    }
    table
}

fn civil(secs: u64) -> String {
    Timestamp::from_secs(secs).to_rfc3339().replace('T', " ")[..19].to_owned()
}

#[test]
fn scores_stand_beside_the_rows_as_they_were_and_depend_on_nothing_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let whole = table("--scores", &[&write(folder.path(), "cpu.csv", &spiked(0, 864))]);
    assert_eq!(whole[0], ["timestamp", "value", "score"]);
    let input = rows(&spiked(0, 864));
    assert_eq!(whole.len(), input.len());
    assert!(whole.iter().zip(&input).all(|(scored, row)| scored[..2] == row[..]), "text is kept");
    let score = |row: &[String]| row[2].parse::<f64>().unwrap();
    assert!(whole[1..].iter().all(|row| (0.0..=1.0).contains(&score(row))));
    let highest = (1..whole.len()).max_by(|a, b| score(&whole[*a]).total_cmp(&score(&whole[*b])));
    assert_eq!(highest, Some(701));
    for rows in [1, 2, 300, 701, 702] {
        let prefix = table("--scores", &[&write(folder.path(), "cpu.csv", &spiked(0, rows))]);
        assert_eq!(prefix, whole[..=rows as usize], "of {rows} rows");
    }
}

#[test]
fn scores_of_several_series_name_them_and_keep_the_order_of_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let single = table("--scores", &[&write(folder.path(), "cpu.csv", &spiked(0, 864))]);
    let scores = |rows: &[Vec<String>], series: &str| -> Vec<String> {
        rows[1..].iter().filter(|row| row[0] == series).map(|row| row[3].clone()).collect()
    };
    let expected: Vec<String> = single[1..].iter().map(|row| row[2].clone()).collect();

    let (mut long, mut wide) = (String::from("series,ts,service,v\n"), String::from("ts,a,b\n"));
    let input = rows(&spiked(0, 864));
    for series in ["a", "b"] {
        input[1..].iter().for_each(|row| writeln!(long, "{series},{},shop,{}", row[0], row[1]).unwrap());
    }
    input[1..].iter().for_each(|row| writeln!(wide, "{},{},{}", row[0], row[1], row[1]).unwrap());
    let long = table("--scores", &[&write(folder.path(), "long.csv", &long)]);
    let wide = table("--scores", &[&write(folder.path(), "wide.csv", &wide)]);
    for table in [&long, &wide] {
        assert_eq!(table[0], ["series", "timestamp", "value", "score"]);
        assert_eq!((scores(table, "a"), scores(table, "b")), (expected.clone(), expected.clone()));
    }
    let order = |table: &[Vec<String>]| [1, 2, 864, 865].map(|row| table[row][0].clone());
    assert_eq!(
        (order(&long), order(&wide)),
        (["a", "a", "a", "b"].map(str::to_owned), ["a", "b", "b", "a"].map(str::to_owned))
    );

    // What can't be read has its row as well, and rotated files are one series.
    let odd = "timestamp,value\n1,2\nsoon, 3 \n4,\n5,high\n6,7\n";
    let odd = table("--scores", &[&write(folder.path(), "odd.csv", odd)]);
    let cells: Vec<&[String]> = odd[1..].iter().map(|row| &row[..2]).collect();
    assert_eq!(cells, [["1", "2"], ["soon", " 3 "], ["4", ""], ["5", "high"], ["6", "7"]]);
    let halves = [
        write(folder.path(), "cpu.1.csv", &spiked(0, 400)),
        write(folder.path(), "cpu.2.csv", &spiked(400, 864)),
    ];
    assert_eq!(table("--scores", &[&halves[0], &halves[1]]), single);
}

#[test]
fn scores_and_findings_of_standard_input_come_from_one_reading() {
    let folder = tempfile::tempdir().unwrap();
    let single = table("--scores", &[&write(folder.path(), "stdin.csv", &spiked(0, 864))]);
    let path = folder.path().join("scores.csv");
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    command.args(["scan", "--scores", path.to_str().unwrap(), "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(spiked(0, 864).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert!(
        said.contains("864 metric points and spans in 3 days") && said.contains("Metric series"),
        "{said}"
    );
    assert_eq!(rows(&std::fs::read_to_string(path).unwrap()), single);
}

/// Four hours of two series a minute; `bad` is worse from the third hour on. `time` spells the times.
fn minutes(time: &dyn Fn(u64) -> String, is_long: bool, range: std::ops::Range<u64>) -> String {
    let mut table = String::from(if is_long { "service,time,series,value\n" } else { "time,calm,bad\n" });
    for n in range {
        let (calm, bad) = (10.0 + noise(n), if n < 180 { 3.0 } else { 9.0 } + 0.2 * noise(n + 7));
        let at = time(BEGAN + n * 60);
        if is_long {
            writeln!(table, "host,{at},calm,{calm}\nhost,{at},bad,{bad}").unwrap();
        } else {
            writeln!(table, "{at},{calm},{bad}").unwrap();
        }
    }
    table
}

#[test]
fn alarms_are_the_same_however_times_are_spelled_and_tables_are_laid_out() {
    let folder = tempfile::tempdir().unwrap();
    let secs = |secs: u64| secs.to_string();
    let expected = table("--alarms", &[&write(folder.path(), "host.csv", &minutes(&secs, false, 0..240))]);
    assert_eq!(expected[0], ["service", "series", "ts", "page"]);
    assert!(expected.len() > 1);
    for row in &expected[1..] {
        let ts: u64 = row[2].parse().unwrap();
        assert!(row[0] == "host" && row[1] == "bad" && ts > BEGAN + 180 * 60, "{row:?}");
    }
    let spellings: [&dyn Fn(u64) -> String; 6] = [
        &|secs| format!("{secs}.0"),
        &|secs| format!("{secs}000"),
        &|secs| format!("{secs}000000"),
        &|secs| format!("{secs}000000000"),
        &|secs| Timestamp::from_secs(secs).to_rfc3339(),
        &civil,
    ];
    for time in spellings {
        for is_long in [false, true] {
            let file = write(folder.path(), "host.csv", &minutes(time, is_long, 0..240));
            assert_eq!(table("--alarms", &[&file]), expected, "{}, long {is_long}", time(BEGAN));
        }
    }
    let packed = folder.path().join("host.csv.gz");
    let mut gzip = GzEncoder::new(std::fs::File::create(&packed).unwrap(), Compression::fast());
    gzip.write_all(minutes(&secs, true, 0..240).as_bytes()).unwrap();
    gzip.finish().unwrap();
    assert_eq!(table("--alarms", &[&packed]), expected);
    let parts = [(1, 0..100), (2, 100..240)].map(|(part, range)| {
        write(folder.path(), &format!("host.{part}.csv"), &minutes(&secs, part == 1, range))
    });
    assert_eq!(table("--alarms", &[&parts[1], &parts[0]]), expected);
}

#[test]
fn alarms_are_the_final_findings_and_page_where_their_incident_does() {
    let mut log = String::new();
    for second in 0..7200 {
        let at = Timestamp::from_secs(BEGAN + second).to_rfc3339();
        writeln!(log, "{at} INFO request {second} served in {} ms", second * 7919 % 97).unwrap();
        if second > 6900 {
            (0..5).for_each(|n| {
                writeln!(log, "{at} ERROR database 10.0.0.{n} refused the connection").unwrap()
            });
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "shop.log", &log);
    let alarms = table("--alarms", &[&file]);
    let output = scan(&["--json"], &[&file]);
    let findings: Vec<Finding> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told: Vec<[String; 3]> = findings
        .iter()
        .map(|f| {
            [f.service.as_str().to_owned(), f.series.clone(), format!("{:.0}", f.window_end.as_secs_f64())]
        })
        .collect();
    let mut said: Vec<[String; 3]> =
        alarms[1..].iter().map(|row| [row[0].clone(), row[1].clone(), row[2].clone()]).collect();
    told.sort();
    said.sort();
    assert_eq!(said, told);
    let pages: Vec<u64> =
        alarms[1..].iter().filter(|row| row[3] == "1").map(|row| row[2].parse().unwrap()).collect();
    let first = pages.iter().min().copied().unwrap_or(0);
    assert!((BEGAN + 6_900..BEGAN + 7_200).contains(&first), "{alarms:?}");
}

/// As the Collector's file exporter writes metrics.
fn otlp(minutes: u64) -> String {
    let mut lines = String::new();
    for n in 0..minutes {
        let used = 0.3 + 0.7 * n as f64 / (2.0 * 1_440.0) + 0.001 * noise(n);
        let at = (BEGAN + n * 60) * 1_000_000_000;
        writeln!(
            lines,
            "{{\"resourceMetrics\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\"value\":\
             {{\"stringValue\":\"db\"}}}}]}},\"scopeMetrics\":[{{\"metrics\":[{{\"name\":\
             \"system.filesystem.utilization\",\"unit\":\"1\",\"gauge\":{{\"dataPoints\":[{{\"timeUnixNano\":\"{at}\",\
             \"asDouble\":{used},\"attributes\":[{{\"key\":\"device\",\"value\":{{\"stringValue\":\"sda\"}}}}]}}]}}}}]}}]}}]}}"
        )
        .unwrap();
    }
    lines
}

#[test]
fn otlp_metrics_have_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "metrics.jsonl", &otlp(2_300));
    let series = "system.filesystem.utilization{device=sda}";
    let forecasts = table("--forecasts", &[&file]);
    let last = forecasts.last().unwrap();
    let (at, full): (f64, f64) = (last[2].parse().unwrap(), BEGAN as f64 + 2.0 * 86_400.0);
    assert!(last[0] == series && (at - full).abs() < 7_200.0, "{last:?}");
    let scores = table("--scores", &[&file]);
    assert_eq!((scores.len(), scores[0].join(",")), (2_301, "series,timestamp,value,score".to_owned()));
    assert_eq!(scores[1][..2], [series.to_owned(), format!("{BEGAN}000000000")]);
    assert!(table("--alarms", &[&file])[1..].iter().all(|row| row[0] == "db" && row[1] == series));
}

#[test]
fn series_are_shown_with_their_charts_the_oddest_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "host.csv", &minutes(&|secs| secs.to_string(), false, 0..240));
    let page = folder.path().join("page.html");
    let output = scan(&["--html", page.to_str().unwrap()], &[&file]);
    let said = text(&output.stdout);
    let (_, shown) = said.split_once("Metric series, the oddest first\n").expect(&said);
    let shown: Vec<&str> = shown.lines().collect();
    assert!(shown[0].contains("  bad  ") && shown[0].contains("finding") && shown[0].contains('█'), "{said}");
    assert!(shown[1].contains("  calm") && !shown[1].contains("finding"), "{said}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<h2 id=\"metrics\">") && page.contains("<code>bad</code>"));
}

#[test]
fn what_is_of_metrics_is_refused_of_logs_with_a_word_of_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = write(folder.path(), "cpu.csv", &spiked(0, 20));
    let log = write(folder.path(), "app.log", "2026-01-31 12:00:00 INFO one\n");
    let in_columns = write(
        folder.path(),
        "logs.csv",
        "Timestamp,TimeUnixNano,Pod,Log\n2023-01-29T09:20:29.295,7,web-1,\"it failed, twice\"\n",
    );
    let (out, other) = (folder.path().join("out.csv"), folder.path().join("gone/out.csv"));
    let [out, other] = [&out, &other].map(|path| path.to_str().unwrap());
    let cpu = metrics.to_str().unwrap().to_owned();
    for (arguments, file, code, word) in [
        (&["--scores", out][..], &log, 2, "app.log holds no metrics, and --scores is of metrics"),
        (&["--forecasts", out], &log, 2, "app.log holds no metrics, and --forecasts is of metrics"),
        (&["--scores", out], &in_columns, 2, "logs.csv holds no metrics"),
        (&["--scores", out, "--alarms", out], &metrics, 2, "name a file of its own for each"),
        (&["--scores", &cpu], &metrics, 2, "name another file"),
        (&["--alarms", other], &metrics, 1, "gone/out.csv can't be written: its folder is not there"),
    ] {
        let refused = scan(arguments, &[file]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word) && !said.contains(".foreshock-"), "{arguments:?}: {said}");
    }
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing is left behind: {left:?}");
    // Logs in columns are read as the lines they are.
    let said = text(&scan(&["--alarms", out], &[&in_columns]).stdout);
    assert!(said.contains("2 lines"), "{said}");
}
