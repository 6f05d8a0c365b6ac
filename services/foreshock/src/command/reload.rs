//! SIGHUP: the configuration is read again, as at the start.

use std::path::Path;

use super::config;
use crate::system::System;

/// Reads it and hands it on; with anything wrong in it everything stays as it is.
pub(super) async fn run(system: &mut System, file: Option<&Path>) {
    match config::load(file) {
        Ok(config) => system.reload(config).await,
        Err(faults) => {
            // One fault a line.
            let faults: Vec<String> = faults.to_string().lines().map(str::to_owned).collect();
            system.refuse(&faults);
        }
    }
}
