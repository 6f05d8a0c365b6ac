//! `foreshock config check` and `foreshock config default`, and the reading of the configuration for all others.

use std::{
    fs,
    io::{Write, stdout},
    path::Path,
};

use crate::{
    cli,
    config::{self, Config},
    outcome::Usage,
};

/// Faults of a configuration that are printed; of more, how many.
const FAULTS: usize = 20;

pub(super) fn run(command: cli::Config) -> anyhow::Result<()> {
    match command {
        cli::Config::Check { file } => {
            load(Some(&file))?;
            Ok(writeln!(stdout(), "{} is good", file.display())?)
        }
        cli::Config::Default => Ok(stdout().write_all(config::DEFAULT.as_bytes())?),
    }
}

/// The configuration of a file, or the defaults, with the environment over it. Every fault is named at once.
pub(super) fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    let (name, text) = match file {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| {
                Usage(format!(
                    "can't read the configuration {}: {error}; name a file that is there, or leave it out for the defaults",
                    file.display()
                ))
            })?;
            (file.display().to_string(), text)
        }
        None => ("(defaults)".to_owned(), String::new()),
    };
    config::load(&text, config::variables()).map_err(|faults| {
        let mut lines: Vec<String> =
            faults.iter().take(FAULTS).map(|fault| fault.in_file(&name).to_string()).collect();
        if faults.len() > FAULTS {
            lines.push(format!("{name}: and {} more", faults.len() - FAULTS));
        }
        Usage(lines.join("\n")).into()
    })
}
