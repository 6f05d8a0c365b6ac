//! A Foreshock of our own, or one of its services: started, greeted, killed, held or asked to end.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::random::Random;

/// How long a start, or an end that was asked for, may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How to start it, the same way every time.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The program.
    pub(crate) program: PathBuf,
    /// Which of its commands: `run`, or one of the services.
    pub(crate) service: &'static str,
    /// Its configuration.
    pub(crate) config: PathBuf,
    /// Where its journal lies, where that is a directory.
    pub(crate) data_dir: Option<PathBuf>,
    /// What its environment adds to the configuration.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where its stderr goes, one start after the other.
    pub(crate) log: PathBuf,
}

impl Start {
    /// Of a whole system with a journal of its own: all of it, and its configuration in TOML, below `directory`.
    pub(crate) fn system(program: &Path, directory: &Path, settings: &str) -> anyhow::Result<Self> {
        let (data_dir, config) = (directory.join("data"), directory.join("foreshock.toml"));
        fs::create_dir_all(&data_dir).context("the data directory")?;
        fs::write(&config, settings).context("the server's configuration")?;
        Ok(Self {
            program: program.to_owned(),
            service: "run",
            config,
            data_dir: Some(data_dir),
            environment: Vec::new(),
            log: directory.join("server.log"),
        })
    }
}

/// A running process. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    /// Where /metrics is, once it has said so.
    admin: Option<String>,
}

impl Server {
    pub(crate) fn start(how: &Start) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(&how.log).context("the server's log")?;
        let mut command = Command::new(&how.program);
        command.arg(how.service).arg("--config").arg(&how.config);
        if let Some(data_dir) = &how.data_dir {
            command.arg("--data-dir").arg(data_dir);
        }
        let mut child = command
            .env("FORESHOCK_LOG", "warn")
            .envs(how.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} can't be started", how.program.display()))?;
        let stdout = child.stdout.take().context("it has no stdout")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), log: how.log.clone(), admin: None })
    }

    /// Waits until it says that it is up.
    pub(crate) async fn greeted(&mut self) -> anyhow::Result<()> {
        let greeting = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(address) = line.trim().strip_prefix("metrics ") {
                    self.admin = Some(address.trim().to_owned());
                    return Ok(());
                }
            }
            bail!("the server ended before it was up: {}", last_lines(&self.log));
        };
        timeout(PATIENCE, greeting).await.context("the server was not up in time")?
    }

    /// Where its metrics page is.
    pub(crate) fn admin(&self) -> anyhow::Result<&str> {
        self.admin.as_deref().context("the server has not said where its metrics are")
    }

    /// Its process, while it runs.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server has ended already")
    }

    /// How it ended, and its last words, where it has ended by itself.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<String>> {
        Ok(self.child.try_wait()?.map(|status| format!("{status}: {}", last_lines(&self.log))))
    }

    /// SIGKILL. Fails where it had ended by itself before.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        if let Some(how) = self.ended()? {
            bail!("the server ended by itself ({how})");
        }
        self.child.kill().await.context("killing the server")
    }

    /// SIGSTOP: it does nothing at all until [`Server::go_on`].
    pub(crate) fn hold(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn terminate(mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        Ok(timeout(PATIENCE, self.child.wait()).await.context("the server did not end in time")??)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).context("the server has ended already")?;
        kill_process(pid, signal).context("a signal to the server")
    }
}

/// The end of a log, for an error message.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut last: Vec<&str> = text.lines().rev().take(5).collect();
    last.reverse();
    last.join(" | ")
}

/// A port that stays free between two starts: below the range that outgoing connections take theirs from.
pub(crate) fn free_port(random: &mut Random) -> anyhow::Result<u16> {
    for _ in 0..1000 {
        let port = 15_000 + (random.below(15_000) as u16);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from 15000 to 29999 is free on 127.0.0.1")
}
