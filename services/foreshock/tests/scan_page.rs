//! The page of `foreshock scan --html`, in a real browser: it stands alone, and shows what the JSON says.
#![allow(clippy::unwrap_used)]

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Output},
};

use foreshock_model::Timestamp;

/// Two hours of a shop; before their end errors nobody has seen before, and lines that would rather be markup.
fn log(port: u16) -> String {
    let mut log = String::new();
    for second in 0..7200u64 {
        let at = Timestamp::from_secs(1_760_000_400 + second).to_rfc3339();
        writeln!(log, "{at} INFO request {second} served in {} ms", second * 7919 % 97).unwrap();
        if second % 600 == 0 {
            writeln!(
                log,
                "{at} INFO rotated </code></script><script src=\"http://127.0.0.1:{port}/a.js\"></script>"
            )
            .unwrap();
        }
        if second > 6900 {
            for n in 0..5 {
                writeln!(log, "{at} ERROR token=s3cr3t \"><img src=http://127.0.0.1:{port}/b.png onerror=alert(1)> database 10.0.0.{n} refused").unwrap();
            }
        }
    }
    for n in 0..30 {
        let at = Timestamp::from_secs(1_760_007_600 + n * 7).to_rfc3339();
        let words: String = "abcdefghijklmnopqrstuvwxyz".chars().cycle().skip(n as usize).take(5).collect();
        writeln!(log, "{at} INFO {words} {}", "was done ".repeat(n as usize % 9 + 1)).unwrap();
    }
    log
}

fn foreshock(arguments: &[&str], file: &Path) -> Output {
    let output =
        Command::new(env!("CARGO_BIN_EXE_foreshock")).arg("scan").args(arguments).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the browser made of the page, and what it said meanwhile; `None` where there is no browser.
fn browse(folder: &Path, page: &Path) -> Option<(String, String)> {
    let started = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--virtual-time-budget=5000", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output();
    match started {
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(output.status.success(), "{}", text(&output.stderr));
            Some((text(&output.stdout), text(&output.stderr)))
        }
        Err(error) => {
            let message =
                format!("NOT TESTED in Chromium: {error}; install the package chromium (deploy/test-tools)");
            assert!(std::env::var_os("CI").is_none(), "{message}");
            eprintln!("{message}");
            None
        }
    }
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn a_browser_shows_what_the_json_says_runs_no_line_of_a_log_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = folder.path().join("shop.log");
    std::fs::write(&file, log(port)).unwrap();
    let (page, templates) = (folder.path().join("page.html"), folder.path().join("templates.csv"));
    let [html, csv] = [&page, &templates].map(|path| path.to_str().unwrap());
    let json = foreshock(&["--json", "--incidents", "--html", html, "--templates", csv], &file);
    let incidents: Vec<serde_json::Value> = String::from_utf8_lossy(&json.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!incidents.is_empty());
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(!written.contains("s3cr3t"), "a secret is shown");
    assert_eq!(
        (count(&written, "<img"), count(&written, "<script src")),
        (0, 0),
        "log text became an element"
    );

    let Some((shown, said)) = browse(folder.path(), &page) else { return };
    assert!(!said.contains("CONSOLE"), "{said}");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(
        listener.accept().err().map(|error| error.kind()),
        Some(std::io::ErrorKind::WouldBlock),
        "it asked"
    );
    assert_eq!((count(&shown, "<script"), count(&shown, "<img"), count(&shown, "<link")), (1, 0, 1));

    assert_eq!(count(&shown, "<article class=\"incident"), incidents.len());
    for incident in &incidents {
        assert_eq!(count(&shown, &format!("id=\"{}\"", incident["id"].as_str().unwrap())), 1);
    }
    let findings: usize =
        incidents.iter().map(|incident| incident["findings"].as_array().unwrap().len()).sum();
    assert_eq!(count(&shown, "<div class=\"finding\">"), findings);

    // Lines of each pattern, as the table of templates has them.
    let table = std::fs::read_to_string(&templates).unwrap();
    let mut lines = std::collections::BTreeMap::<&str, usize>::new();
    for row in table.lines().skip(1) {
        *lines.entry(row.split(',').nth(1).unwrap()).or_default() += 1;
    }
    let all = shown.split("id=\"patterns\"").nth(1).unwrap();
    for (id, count) in &lines {
        let row = all.split("<tr ").find(|row| row.contains(&format!("id {id}<"))).unwrap();
        assert!(row.starts_with(&format!("data-count=\"{count}\"")), "{id} has {count}: {row}");
    }
    // The script ran, though nothing else may.
    assert!(shown.contains(&format!("{0} of {0} patterns", lines.len())), "{} patterns", lines.len());
}
