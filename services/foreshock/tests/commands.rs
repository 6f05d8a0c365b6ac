//! The command as a user runs it: start, send, look, stop.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(60);

fn foreshock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    for key in ["INGEST__GRPC_ADDRESS", "INGEST__HTTP_ADDRESS", "CONSOLE__LISTEN", "ADMIN__ADDRESS"] {
        command.env(format!("FORESHOCK_{key}"), "127.0.0.1:0");
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `foreshock run` and the addresses it printed. Killed when dropped.
struct Running {
    child: Child,
    printed: Vec<String>,
}

impl Running {
    fn start(data_dir: &Path) -> Self {
        let mut child =
            foreshock().arg("run").arg("--data-dir").arg(data_dir).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let printed: Vec<String> = lines.map_while(Result::ok).take(7).collect();
        Self { child, printed }
    }

    fn address(&self, name: &str) -> String {
        let line = self.printed.iter().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} in {:?}", self.printed));
        let rest = line.split("http://").nth(1).unwrap();
        rest.split('/').next().unwrap().to_owned()
    }

    fn request(&self, address: &str, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, name: &str, path: &str) -> String {
        let address = self.address(name);
        self.request(
            &address,
            &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        )
    }

    /// SIGTERM, and how it ended.
    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "it ends in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn journal(data_dir: &Path, arguments: &[&str]) -> Output {
    foreshock().arg("journal").args(arguments).arg("--data-dir").arg(data_dir).output().unwrap()
}

#[test]
fn what_is_shipped_is_read_beside_the_running_system_and_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path());
    assert!(running.get("metrics", "/readyz").starts_with("HTTP/1.1 200"));
    assert!(running.get("metrics", "/livez").starts_with("HTTP/1.1 200"));

    let lines = directory.path().join("shop.log");
    std::fs::write(&lines, "2026-01-01T00:00:00Z INFO first\n2026-01-01T00:00:01Z INFO second\n").unwrap();
    let to = format!("http://{}", running.address("OTLP/gRPC"));
    let shipped = foreshock()
        .args(["ship", "--to", &to, "--state-dir"])
        .arg(directory.path().join("state"))
        .arg(&lines)
        .output()
        .unwrap();
    assert!(shipped.status.success(), "{}", text(&shipped.stderr));
    assert!(text(&shipped.stderr).contains("2 lines accepted"), "{}", text(&shipped.stderr));

    let beside = text(&journal(directory.path(), &["read", "logs"]).stdout);
    assert_eq!(beside.lines().count(), 2, "{beside}");
    assert!(beside.contains("INFO second") && beside.contains("\"shop\""), "{beside}");
    let metrics = running.get("metrics", "/metrics");
    let acknowledged = "foreshock_ingest_acknowledged_records_total{signal=\"logs\",transport=\"grpc\"} 2";
    assert!(metrics.contains(acknowledged), "{metrics}");
    assert!(metrics.contains("foreshock_stage_lag_entries{stage=\"reduce\""), "{metrics}");

    assert_eq!(running.terminate(), Some(0));
    let after = journal(directory.path(), &["read", "logs", "--limit", "1"]);
    assert_eq!(text(&after.stdout).lines().count(), 1);
    let stat = text(&journal(directory.path(), &["stat"]).stdout);
    assert!(stat.lines().any(|row| row.starts_with("otlp_logs-") && row.contains("reduce=")), "{stat}");
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path());
    let second = foreshock().arg("run").arg("--data-dir").arg(directory.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("is in use by process"), "{}", text(&second.stderr));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2_and_say_where() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.toml");
    std::fs::write(&file, "[worker]\nthreds = 1\n[admin]\naddress = \"nowhere\"\n").unwrap();
    let checked = foreshock().args(["config", "check"]).arg(&file).output().unwrap();
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stderr);
    assert!(said.contains("f.toml:2:1: ") && said.contains("f.toml:4:11: "), "{said}");

    let unknown = journal(directory.path(), &["read", "nonsense"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("otlp_logs"), "{}", text(&unknown.stderr));
    assert_eq!(foreshock().arg("dance").output().unwrap().status.code(), Some(2));
}

#[test]
fn the_printed_default_is_a_good_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let printed = foreshock().args(["config", "default"]).output().unwrap();
    let file = directory.path().join("default.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let checked = foreshock().args(["config", "check"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}
