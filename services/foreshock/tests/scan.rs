//! `foreshock scan` as a user runs it.
#![allow(clippy::unwrap_used)]

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use foreshock_model::{Finding, Incident, Timestamp};

fn scan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    command.arg("scan").args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two hours of a service, the last minutes of them with a burst of errors never seen before.
fn log() -> String {
    let mut log = String::new();
    for second in 0..7200 {
        let at = Timestamp::from_secs(1_760_000_400 + second).to_rfc3339();
        writeln!(log, "{at} INFO request {second} served in {} ms", second * 7919 % 97).unwrap();
        if second > 6900 {
            for n in 0..5 {
                writeln!(log, "{at} ERROR token=s3cr3t\u{1b}[31m database 10.0.0.{n} refused the connection")
                    .unwrap();
            }
        }
    }
    log
}

fn fed(arguments: &[&str], input: &str) -> Output {
    let mut child =
        scan(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    output
}

#[test]
fn standard_input_gives_a_summary_findings_or_incidents() {
    let log = log();
    let summary = fed(&["--service", "shop", "-"], &log);
    assert_eq!(summary.status.code(), Some(0), "{}", text(&summary.stderr));
    let (said, progress) = (text(&summary.stdout), text(&summary.stderr));
    assert!(said.contains("CRITICAL") && said.contains("shop"), "{said}");
    assert!(said.contains("8,695 lines, 1,495 errors in 2 h"), "{said}");
    assert!(said.contains("1 critical") && said.contains("▁") && said.contains("observed"), "{said}");
    assert!(said.contains("request <*> served in <*>"), "{said}");
    assert!(!said.contains("s3cr3t") && !said.contains('\u{1b}'), "{said}");
    assert_eq!(progress, "", "no bar where nobody looks");

    let output = fed(&["--service", "shop", "--json", "-"], &log);
    let findings: Vec<Finding> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        findings.iter().any(|finding| finding.template.contains("refused the connection")),
        "{findings:?}"
    );
    assert!(findings.iter().all(|finding| !finding.provisional && finding.service.as_str() == "shop"));

    let output = fed(&["--service", "shop", "--incidents", "--json", "-"], &log);
    let incidents: Vec<Incident> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert!(!incidents[0].provisional && !incidents[0].findings.is_empty());
}

#[test]
fn what_cannot_be_scanned_exits_with_1_and_wrong_usage_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("core");
    std::fs::write(&binary, [0u8; 64]).unwrap();
    let run = |arguments: &[&str], file: &Path| scan(arguments).arg(file).output().unwrap();
    let refused = run(&[], &binary);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("core is a binary file"), "{}", text(&refused.stderr));
    assert_eq!(run(&[], &directory.path().join("missing")).status.code(), Some(1));
    assert_eq!(scan(&[]).output().unwrap().status.code(), Some(2));
    assert_eq!(run(&["--incidents"], &binary).status.code(), Some(2));
    assert_eq!(scan(&["-", "-"]).stdin(Stdio::null()).output().unwrap().status.code(), Some(2));
}

#[test]
fn files_are_written_whole_or_left_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("shop.log"), log()).unwrap();
    std::fs::write(path("core"), [0u8; 64]).unwrap();
    std::fs::write(path("found.csv"), "from before").unwrap();
    let run = |file: &str, options: &[(&str, &Path)]| {
        let mut command = scan(&["--json"]);
        for (option, path) in options {
            command.arg(option).arg(path);
        }
        command.arg(path(file)).output().unwrap()
    };
    let to = [("--templates", &*path("found.csv")), ("--html", &*path("page.html"))];
    let failed = run("core", &to);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(path("found.csv")).unwrap(), "from before");
    assert_eq!(directory.path().read_dir().unwrap().count(), 3, "nothing is left behind");

    let done = run("shop.log", &to);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let rows = std::fs::read_to_string(path("found.csv")).unwrap();
    assert_eq!(rows.lines().count(), log().lines().count() + 1);
    assert!(
        rows.starts_with("line_no,template_id,template\n1,") && rows.contains(",request <*> served in <*>\n")
    );
    let page = std::fs::read_to_string(path("page.html")).unwrap();
    assert!(page.ends_with("</html>\n") && !page.contains("s3cr3t") && !page.contains('\u{1b}'));
    assert_eq!(directory.path().read_dir().unwrap().count(), 4);

    for nowhere in [path("missing/found.csv"), directory.path().to_owned()] {
        let refused = run("shop.log", &[("--templates", &nowhere)]);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), String::new()));
        assert!(text(&refused.stderr).contains("can't be written"), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.log");
    std::fs::write(&file, log()).unwrap();
    for arguments in [&["--json"][..], &[]] {
        let mut child =
            scan(arguments).arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    }
}

/// Four hundred jobs of three steps each, the one that is `broken` without its second.
fn jobs(broken: Option<u64>) -> String {
    let mut log = String::new();
    for job in 0..400u64 {
        for (n, step) in (0..).zip(["begun", "stored", "ended"]) {
            let at = Timestamp::from_secs(1_760_000_400 + job * 60 + n * 9).to_rfc3339();
            if broken != Some(job) || step != "stored" {
                writeln!(log, "{at} INFO job=j{job:03} {step}").unwrap();
            }
        }
    }
    log
}

#[test]
fn sessions_have_a_score_each_and_the_broken_one_stands_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scores.csv");
    let path = path.to_str().unwrap();
    for key in ["job", r"job=(j\d+)"] {
        let output = fed(&["--session-key", key, "--session-scores", path, "-"], &jobs(Some(398)));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let (count, broken) = broken_of(path);
        assert_eq!((count, broken), (400, vec!["j398".to_owned()]), "{key}");
    }
}

/// How many sessions have a score, and those that are broken by it.
fn broken_of(scores: &str) -> (usize, Vec<String>) {
    let rows = std::fs::read_to_string(scores).unwrap();
    assert!(rows.starts_with("session,score\n"), "{rows}");
    let scores: Vec<(&str, f64)> = rows
        .lines()
        .skip(1)
        .map(|row| row.split_once(',').unwrap())
        .map(|(session, score)| (session, score.parse().unwrap()))
        .collect();
    let broken = scores.iter().filter(|(_, score)| *score >= 0.5).map(|(session, _)| session.to_string());
    (scores.len(), broken.collect())
}

#[test]
fn a_session_of_several_services_is_as_broken_as_in_the_one_where_it_is_most() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (broken, sound) in [("cart.log", "shop.log"), ("shop.log", "cart.log")] {
        std::fs::write(path(broken), jobs(Some(398))).unwrap();
        std::fs::write(path(sound), jobs(None)).unwrap();
        let scores = path("scores.csv");
        let mut command = scan(&["--session-key", "job", "--session-scores"]);
        let output = command.arg(&scores).args([path(broken), path(sound)]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let found = broken_of(scores.to_str().unwrap());
        assert_eq!(found, (400, vec!["j398".to_owned()]), "broken in {broken}");
    }
}

#[test]
fn options_of_sessions_and_zones_that_can_not_be_used_say_why() {
    for (arguments, word) in [
        (&["--session-key", r"job=\d+"][..], "round brackets"),
        (&["--session-key", "(job"], "regular expression"),
        (&["--learn", "100"], "--session-scores"),
        (&["--learn", "10", "--session-scores", "/dev/null"], "at least 50 sessions"),
        (&["--zone", "noon"], "+02:00"),
    ] {
        let output = fed_nothing(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{arguments:?}: {}", text(&output.stderr));
    }
}

fn fed_nothing(arguments: &[&str]) -> Output {
    scan(arguments).arg("-").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_zone_places_times_that_name_none_those_of_lines_before_the_first_as_well() {
    let log = "the banner\n2026-01-31 12:00:00 INFO one\n2026-01-31 12:00:05 INFO two\n";
    let output = fed(&["--zone", "+02:00", "-"], log);
    let said = text(&output.stdout);
    assert!(said.contains("2026-01-31 10:00:00 to 10:00:05 UTC"), "{said}");
}
