//! One broker, as a process of this one.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Options, Port, io, scripts, scripts::script};

/// How long a broker may take until it answers, on a machine that is busy with other things.
const PATIENCE_SECONDS: u32 = 120;

/// How long one may take to hand its partitions over, of three whose others are gone already.
const GRACE: Duration = Duration::from_secs(10);

/// Of the log of a broker that did not come up.
const LINES_TOLD: usize = 15;

/// A broker's life.
#[derive(Debug)]
enum Life {
    Runs(Child),
    /// Stopped by SIGSTOP.
    Stands(Child),
    Ended,
}

#[derive(Debug)]
pub(crate) struct Node {
    /// From one on, as Kafka's `node.id`.
    pub(crate) number: usize,
    pub(crate) folder: PathBuf,
    pub(crate) plain: Port,
    pub(crate) controller: Port,
    /// In the order of the options' listeners.
    pub(crate) listeners: Vec<Port>,
    pub(crate) jvm: Option<String>,
    scram_users: String,
    life: Life,
}

impl Node {
    /// A node that does not run yet.
    pub(crate) fn reserve(number: usize, folder: PathBuf, options: &Options) -> Result<Self, Error> {
        Ok(Self {
            number,
            folder,
            plain: Port::reserve()?,
            controller: Port::reserve()?,
            listeners: options.listeners.iter().map(|_| Port::reserve()).collect::<Result<_, _>>()?,
            jvm: options.jvm.clone(),
            scram_users: options.users(),
            life: Life::Ended,
        })
    }

    pub(crate) fn runs(&self) -> bool {
        matches!(self.life, Life::Runs(_))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("kafka.log")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.plain.address()
    }

    /// Starts it, without waiting for anything. What it logs goes on in the same file.
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        let log = File::options().create(true).append(true).open(self.log()).map_err(io("a broker's log"))?;
        let mut command = script("node");
        if let Some(jvm) = &self.jvm {
            command.env("KAFKA_JVM", jvm);
        }
        let child = command
            .env("KAFKA_SCRAM_USERS", &self.scram_users)
            .arg(&self.folder)
            .stdout(log.try_clone().map_err(io("a broker's log"))?)
            .stderr(log)
            // A group of its own, for deploy/kafka/down to end.
            .process_group(0)
            .spawn()
            .map_err(io("deploy/kafka/node does not start (is bash there?)"))?;
        self.life = Life::Runs(child);
        Ok(())
    }

    /// Waits until it answers and knows so many brokers.
    pub(crate) fn wait_until_it_knows(&self, brokers: usize) -> Result<(), Error> {
        let mut wait = script("await");
        wait.args([brokers.to_string(), PATIENCE_SECONDS.to_string(), self.plain.number().to_string()]);
        if let Life::Runs(child) = &self.life {
            wait.arg(child.id().to_string());
        }
        match scripts::output("await", &mut wait) {
            Err(Error::Script { said, .. }) => {
                Err(Error::NotUp { node: self.number, said, log: self.end_of_log() })
            }
            other => other.map(drop),
        }
    }

    /// SIGKILL, also to one that stands.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        let (Life::Runs(mut child) | Life::Stands(mut child)) =
            std::mem::replace(&mut self.life, Life::Ended)
        else {
            return Ok(());
        };
        signal(&child, Signal::KILL)?;
        child.wait().map(drop).map_err(io("the end of a broker"))
    }

    /// SIGTERM: it hands its partitions over and ends by itself. Killed if it does not.
    pub(crate) fn shut_down(&mut self) -> Result<(), Error> {
        self.resume()?;
        let Life::Runs(child) = &mut self.life else { return Ok(()) };
        signal(child, Signal::TERM)?;
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && child.try_wait().map_err(io("the end of a broker"))?.is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        self.kill()
    }

    /// SIGSTOP: connections stay, nothing answers.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        self.life = match std::mem::replace(&mut self.life, Life::Ended) {
            Life::Runs(child) => {
                signal(&child, Signal::STOP)?;
                Life::Stands(child)
            }
            other => other,
        };
        Ok(())
    }

    /// SIGCONT to one that stands.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        self.life = match std::mem::replace(&mut self.life, Life::Ended) {
            Life::Stands(child) => {
                signal(&child, Signal::CONT)?;
                Life::Runs(child)
            }
            other => other,
        };
        Ok(())
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES_TOLD)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that can't be killed has ended.
        let _ = self.kill();
    }
}

/// The pid is its own as long as nobody has waited for it.
fn signal(child: &Child, signal: Signal) -> Result<(), Error> {
    match kill_process(Pid::from_child(child), signal) {
        // It has ended by itself, and is to be waited for.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(io("a signal to a broker")(error.into())),
    }
}
