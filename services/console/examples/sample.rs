//! The console with a few incidents in it, to look at: `cargo run -p foreshock-console --example sample [--empty]`.
#![allow(unreachable_pub, missing_docs, dead_code)]

#[path = "../tests/support/sample.rs"]
mod sample;

use std::sync::Arc;

use foreshock_console::{Config, Metrics, NoInsight, run};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let journal = sample::journal(folder.path());
    if std::env::args().nth(1).as_deref() != Some("--empty") {
        for incident in sample::gallery() {
            sample::say_incident(journal.as_ref(), &incident).await;
        }
    }
    let config = Config::default();
    println!("http://{}/", config.listen);
    let (metrics, shutdown) = (Arc::new(Metrics::default()), CancellationToken::new());
    run(config, journal, Arc::new(NoInsight), None, metrics, shutdown).await?;
    Ok(())
}
