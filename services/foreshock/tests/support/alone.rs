//! Services that run alone, each a process.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{DEADLINE, foreshock, text};

/// One process. Ended by a signal when dropped.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service that is up, and the lines with its addresses.
pub struct Service {
    process: Process,
    printed: Vec<String>,
}

impl Service {
    pub fn start(name: &str, config: &Path) -> Self {
        let mut child =
            foreshock().arg(name).arg("--config").arg(config).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            printed.push(line);
            if printed.last().is_some_and(|line| line.contains("/metrics")) {
                break;
            }
        }
        Self { process: Process(child), printed }
    }

    pub fn address(&self, name: &str) -> String {
        let line = self.printed.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
    }

    /// The values of a metric's rows, whatever their labels.
    pub fn metric(&self, name: &str) -> Vec<f64> {
        self.metric_of(name, "")
    }

    /// The values of those of a metric's rows whose labels hold this.
    pub fn metric_of(&self, name: &str, label: &str) -> Vec<f64> {
        let page = get(&self.address("metrics"), "/metrics").unwrap_or_default();
        let rows = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        let rows =
            rows.map(|row| row.rsplit_once("} ").unwrap()).filter(|(labels, _)| labels.contains(label));
        rows.map(|(_, value)| value.parse().unwrap()).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.process.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.process.0.wait().unwrap().code()
    }
}

pub fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What a command says that is given a configuration.
pub fn output(command: &mut Command, config: &Path) -> String {
    let output = command.arg("--config").arg(config).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The incidents that there are by what lies on the topics. Which they are depends on the hour at which the shop begins.
pub fn incidents_due(config: &Path) -> BTreeSet<String> {
    let replayed = output(foreshock().args(["replay", "--incidents"]), config);
    let id = |line: &str| Some(line.split(r#""id":""#).nth(1)?.split('"').next()?.to_owned());
    let due: BTreeSet<String> = replayed.lines().filter_map(id).collect();
    assert!(!due.is_empty(), "no incident: {replayed}");
    due
}

pub fn until(what: &str, holds: impl FnMut() -> bool) {
    until_within(2 * DEADLINE, what, holds);
}

pub fn until_within(time: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + time;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
