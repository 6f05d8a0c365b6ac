//! How the command ends: 0 done, 1 failed at run time, 2 wrong usage or configuration; errors in one sentence.

use std::{fmt, process::ExitCode};

/// What the caller got wrong, as opposed to what went wrong.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Says what went wrong on stderr and how it ended.
pub(crate) fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if let Some(usage) = error.downcast_ref::<Usage>() {
        eprintln!("{usage}");
        return ExitCode::from(2);
    }
    if is_broken_pipe(&error) {
        // The reader of our output has seen enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("foreshock: {}", sentence(&error));
    ExitCode::FAILURE
}

/// The error and its causes, less those that an error before them has quoted already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        before if before.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::sentence;

    #[test]
    fn a_cause_that_was_quoted_already_is_not_said_twice() {
        let error = anyhow!("no such file").context("f can't be read: no such file").context("opening");
        assert_eq!(sentence(&error), "opening: f can't be read: no such file");
    }
}
