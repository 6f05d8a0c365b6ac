//! The end of a run: until when to wait for it, and what a server says of itself by then.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use foreshock_detect::{Stage as _, correlate::Correlate, detect::Detect, reduce::Reduce};
use foreshock_journal::{Offset, Partition, Stream};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{Instant, sleep};

use crate::remains::{Look, Remains};

/// The consumer that tells receivers of incidents.
pub(crate) const NOTIFY: &str = "notify";
/// How often it is looked whether everything is caught up with.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Waits until every stage, and then notify, has come to where its input ended when the stage before was done.
pub(crate) async fn settle(remains: &Remains, patience: Duration) -> anyhow::Result<()> {
    let steps: [(&'static str, &'static [Stream]); 4] = [
        (Reduce::NAME, &Stream::TELEMETRY),
        (Detect::NAME, &[Stream::Summaries]),
        (Correlate::NAME, &[Stream::Findings]),
        (NOTIFY, &[Stream::Incidents]),
    ];
    let until = Instant::now() + patience;
    for (consumer, inputs) in steps {
        let mut behind = looked(remains, move |look| {
            Ok(look.all(inputs).into_iter().map(|partition| (partition, look.end(partition))).collect())
        })
        .await?;
        loop {
            behind = looked(remains, move |look| still_behind(look, consumer, behind)).await?;
            if behind.is_empty() {
                break;
            }
            let named: Vec<String> = behind.iter().map(|(partition, _)| partition.to_string()).collect();
            anyhow::ensure!(
                Instant::now() < until,
                "{consumer} does not get to the end of {}",
                named.join(", ")
            );
            sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// Partitions and where they ended.
type Ends = Vec<(Partition, Offset)>;

/// Those whose end a consumer has not come to.
fn still_behind(look: &mut Look, consumer: &str, ends: Ends) -> anyhow::Result<Ends> {
    let mut behind = Ends::new();
    for (partition, end) in ends {
        let committed = look.committed(consumer, partition).unwrap_or_default();
        if look.has_any(partition, committed, end)? {
            behind.push((partition, end));
        }
    }
    Ok(behind)
}

/// What somebody makes of the journal as it is now.
async fn looked<T: Send + 'static>(
    remains: &Remains,
    make: impl FnOnce(&mut Look) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let remains = remains.clone();
    tokio::task::spawn_blocking(move || make(&mut remains.look()?)).await?
}

/// The text of a running server's metrics page.
pub(crate) async fn metrics_page(url: &str) -> anyhow::Result<String> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let page = client.request(Request::get(url).body(Full::default())?).await.context("the metrics page")?;
    let page = page.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// The sum of all rows of a metrics page whose line holds `name`. Fails where there is none.
pub(crate) fn total(page: &str, name: &str) -> anyhow::Result<u64> {
    let rows = page.lines().filter(|line| !line.starts_with('#') && line.contains(name));
    let values: Vec<f64> =
        rows.filter_map(|line| line.rsplit_once(' ')).filter_map(|(_, value)| value.parse().ok()).collect();
    anyhow::ensure!(!values.is_empty(), "the metrics page says nothing of {name}");
    Ok(values.iter().sum::<f64>() as u64)
}

/// Bytes of the files below a directory.
pub(crate) fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            // What was set aside and never written takes no room.
            Ok(metadata) => metadata.len().min(metadata.blocks() * 512),
            Err(_) => 0,
        })
        .sum()
}

/// Refuses a run that may write `bytes` where the disk would have less than a gigabyte left.
pub(crate) fn ensure_room(directory: &Path, bytes: u64) -> anyhow::Result<()> {
    let stat = rustix::fs::statvfs(directory).with_context(|| format!("{}", directory.display()))?;
    let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed_bytes = bytes.saturating_add(1_000_000_000);
    anyhow::ensure!(
        free_bytes >= needed_bytes,
        "{} has {:.1} GB free and the run may need {:.1} GB; free some, choose another directory by TMPDIR, or let it write less",
        directory.display(),
        free_bytes as f64 / 1e9,
        needed_bytes as f64 / 1e9
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_name_are_added_up_and_comments_are_not() {
        let page = "# HELP holes x 7\nholes{a=\"1\"} 2\nholes{a=\"2\"} 3\nother 9\n";
        assert_eq!(total(page, "holes").unwrap(), 5);
        assert!(total(page, "nothing").is_err());
    }

    #[test]
    fn a_run_larger_than_the_disk_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        ensure_room(directory.path(), 0).unwrap();
        let refused = ensure_room(directory.path(), u64::MAX / 2).unwrap_err().to_string();
        assert!(refused.contains("free some"), "{refused}");
    }
}
