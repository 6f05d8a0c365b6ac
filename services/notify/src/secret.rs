//! Secrets, which the configuration names but never holds.

use std::{fmt, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Longest secret that is taken, in bytes.
const LONGEST: usize = 4096;

/// Where a secret is to be read from: `{ env = "NAME" }` or `{ file = "/path" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; white space at its end is left out.
    File(PathBuf),
}

/// A secret. Its debug form does not show it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl SecretRef {
    /// Reads the secret for somebody who needs it as it is. The error says what to do.
    pub fn read_text(&self) -> Result<String, String> {
        self.read().map(|secret| secret.0)
    }

    /// Reads the secret. The error says in one sentence what to do, and never the secret.
    pub(crate) fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| {
                format!("the environment variable {name} is not set (or is not UTF-8); set it")
            })?,
            Self::File(path) => fs::read_to_string(path)
                .map_err(|error| format!("the file {} can't be read: {error}", path.display()))?,
        };
        let secret = text.trim_end();
        if secret.is_empty() || secret.len() > LONGEST {
            return Err(format!("{self} holds {} bytes; 1 to {LONGEST} are a secret", secret.len()));
        }
        Ok(Secret(secret.to_owned()))
    }
}

impl Secret {
    /// The secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_without_the_line_end_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "s3cr3t\n").unwrap();
        let secret = SecretRef::File(path.clone()).read().unwrap();
        assert_eq!(secret.expose(), "s3cr3t");
        assert!(!format!("{secret:?}").contains("s3cr3t"));
        fs::write(&path, " \n").unwrap();
        assert!(SecretRef::File(path).read().is_err());
    }
}
