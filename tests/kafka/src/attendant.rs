//! Who ends the brokers of a process that is no more.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{Error, io, scripts, scripts::on_its_own};

/// A process that waits for the end of this one, or of this value, and then ends every node of a folder and removes
/// its data.
///
/// It reads a pipe that nobody writes to: however a process ends, killed or without a word (statics are never
/// dropped), its pipes end with it.
#[derive(Debug)]
pub(crate) struct Attendant(Child);

impl Attendant {
    pub(crate) fn over(folder: &Path) -> Result<Self, Error> {
        let mut command = Command::new("bash");
        on_its_own(&mut command);
        command
            .args(["-c", "cat >/dev/null; exec \"$0\""])
            .arg(scripts().join("down"))
            .env("KAFKA_DIR", folder)
            .env("KAFKA_WIPE", "1")
            .stdin(Stdio::piped())
            // Who waits for the end of the tests' output is not to wait for this process.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the tests is not meant for it.
            .process_group(0);
        command.spawn().map(Self).map_err(io("bash does not start"))
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it could not end or remove, nobody here can either.
        let _ = self.0.wait();
    }
}
