//! The scripts of deploy/kafka, run to their end.

use std::process::{Command, Stdio};

use crate::{Error, io, scripts};

/// A script, by itself.
pub(crate) fn script(name: &'static str) -> Command {
    let mut command = Command::new(scripts().join(name));
    on_its_own(&mut command);
    command
}

/// Keeps the variables of `make kafka-up` out of its way.
pub(crate) fn on_its_own(command: &mut Command) {
    const VARIABLES: [&str; 9] = [
        "DIR",
        "PROPERTIES",
        "LISTENERS",
        "SCRAM_USERS",
        "JVM",
        "WIPE",
        "BROKERS",
        "PORT",
        "CONTROLLER_PORT",
    ];
    for variable in VARIABLES {
        command.env_remove(format!("KAFKA_{variable}"));
    }
    command.stdin(Stdio::null());
}

/// Runs it to its end; what it printed.
pub(crate) fn output(name: &'static str, command: &mut Command) -> Result<String, Error> {
    let output =
        command.output().map_err(io(format!("deploy/kafka/{name} does not start (is bash there?)")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Script { script: name, said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Sees to it that the jars are there.
pub(crate) fn fetch_jars() -> Result<(), Error> {
    output("jars", &mut script("jars")).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, path::PathBuf};

    use super::*;
    use crate::Port;

    /// A `PATH` of nothing but these commands.
    fn only(commands: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        for name in commands {
            let found: PathBuf = std::env::split_paths(&path)
                .map(|folder| folder.join(name))
                .find(|file| file.exists())
                .unwrap();
            symlink(found, folder.path().join(name)).unwrap();
        }
        folder
    }

    #[test]
    fn without_java_or_maven_the_package_is_named() {
        const SHELL: [&str; 8] = ["bash", "sed", "dirname", "cat", "cksum", "mkdir", "flock", "grep"];
        let empty = tempfile::tempdir().unwrap();
        let refusal = |path: &tempfile::TempDir| {
            output("jars", script("jars").env("PATH", path.path()).env("XDG_CACHE_HOME", empty.path()))
                .unwrap_err()
                .to_string()
        };
        let java = "missing: java; install openjdk-17-jre-headless (Debian)";
        let said = refusal(&only(&SHELL));
        assert!(said.contains(java), "{said}");
        let maven = "missing: mvn; install maven (Debian)";
        let said = refusal(&only(&[&SHELL[..], &["java"]].concat()));
        assert!(said.contains(maven), "{said}");
    }

    #[test]
    fn up_twice_is_up_once_and_down_ends_it_and_leaves_what_it_did_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let (port, controller) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        let run = |name, wipe: &str| {
            output(
                name,
                script(name)
                    .env("KAFKA_DIR", folder.path())
                    .env("KAFKA_PORT", port.number().to_string())
                    .env("KAFKA_CONTROLLER_PORT", controller.number().to_string())
                    .env("KAFKA_WIPE", wipe),
            )
        };
        let pid = || std::fs::read_to_string(folder.path().join("node-1/pid")).unwrap();
        // Whatever fails from here on, what was started is ended.
        let _end = crate::attendant::Attendant::over(folder.path()).unwrap();

        let said = run("up", "").unwrap();
        assert!(said.contains(&format!("is up at {}\n", port.address())), "{said}");
        let first = pid();
        run("up", "").unwrap();
        assert_eq!(pid(), first);

        // A pid file that tells of somebody else's process: this one.
        std::fs::create_dir(folder.path().join("node-2")).unwrap();
        std::fs::write(folder.path().join("node-2/pid"), std::process::id().to_string()).unwrap();
        run("down", "").unwrap();
        assert!(std::net::TcpStream::connect(port.address()).is_err(), "it still listens");
        assert!(folder.path().join("node-1/data/meta.properties").exists(), "its data are gone");

        run("down", "1").unwrap();
        assert!(!folder.path().exists(), "its data are still there");
    }
}
