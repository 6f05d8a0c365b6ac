//! What the tests of the command share: a Foreshock that runs, and ways to ask it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod alone;
pub mod history;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub const DEADLINE: Duration = Duration::from_secs(60);

/// The command, on ports of its own.
pub fn foreshock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    for key in ["INGEST__GRPC_ADDRESS", "INGEST__HTTP_ADDRESS", "CONSOLE__LISTEN", "ADMIN__ADDRESS"] {
        command.env(format!("FORESHOCK_{key}"), "127.0.0.1:0");
    }
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `foreshock run` and the addresses it printed. Killed when dropped.
pub struct Running {
    child: Child,
    printed: Vec<String>,
}

impl Running {
    pub fn start(data_dir: &Path) -> Self {
        Self::with(data_dir, foreshock().arg("run"))
    }

    /// Started by this command, to which the directory is added.
    pub fn with(data_dir: &Path, command: &mut Command) -> Self {
        let mut child = command.arg("--data-dir").arg(data_dir).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let printed: Vec<String> = lines.map_while(Result::ok).take(7).collect();
        Self { child, printed }
    }

    /// Where nobody reads what it prints. Returned once its metrics can be asked for, at `admin`.
    pub fn unread(data_dir: &Path, command: &mut Command, admin: SocketAddr) -> Self {
        let (reader, unread) = std::io::pipe().unwrap();
        drop(reader);
        command.env("FORESHOCK_ADMIN__ADDRESS", admin.to_string());
        let child = command.arg("--data-dir").arg(data_dir).stdout(unread).spawn().unwrap();
        let running = Self { child, printed: vec![format!("metrics http://{admin}/metrics")] };
        let until = Instant::now() + DEADLINE;
        while TcpStream::connect(admin).is_err() {
            assert!(Instant::now() < until, "it is up in time");
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    pub fn address(&self, name: &str) -> String {
        let line = self.printed.iter().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} in {:?}", self.printed));
        let rest = line.split("http://").nth(1).unwrap();
        rest.split('/').next().unwrap().to_owned()
    }

    pub fn request(&self, address: &str, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn get(&self, name: &str, path: &str) -> String {
        let address = self.address(name);
        self.request(
            &address,
            &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        )
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits until a row of its metrics reads so.
    pub fn until_metric(&self, row: &str) {
        let until = Instant::now() + DEADLINE;
        loop {
            let metrics = self.get("metrics", "/metrics");
            if metrics.lines().any(|line| line == row) {
                return;
            }
            assert!(Instant::now() < until, "{row} did not come:\n{metrics}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM");
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
