//! What a run leaves behind: until when to wait for it, and how to read it.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use foreshock_detect::{Stage as _, correlate::Correlate, detect::Detect, reduce::Reduce};
use foreshock_journal::{EmbeddedReader, Entry, Offset, Partition, Stream};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{Instant, sleep};

/// The consumer that tells receivers of incidents.
pub(crate) const NOTIFY: &str = "notify";
/// How often it is looked whether everything is caught up with.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Bytes read at a time.
const READ_BYTES: usize = 4 << 20;

/// Waits until every stage, and then notify, has come to where its input ended when the stage before was done.
pub(crate) async fn settle(journal: &Path, patience: Duration) -> anyhow::Result<()> {
    let steps: [(&str, &[Stream]); 4] = [
        (Reduce::NAME, &Stream::TELEMETRY),
        (Detect::NAME, &[Stream::Summaries]),
        (Correlate::NAME, &[Stream::Findings]),
        (NOTIFY, &[Stream::Incidents]),
    ];
    let until = Instant::now() + patience;
    for (consumer, inputs) in steps {
        let reader = look(journal).await?;
        let ends = reader.stat().into_iter().filter(|row| inputs.contains(&row.partition.stream));
        let ends: Vec<(Partition, Offset)> = ends.map(|row| (row.partition, row.next)).collect();
        let mut reader = Some(reader);
        loop {
            let looked = match reader.take() {
                Some(reader) => reader,
                None => look(journal).await?,
            };
            let behind = ends
                .iter()
                .filter(|(partition, end)| looked.committed(consumer, *partition).unwrap_or_default() < *end);
            let behind: Vec<String> = behind.map(|(partition, _)| partition.to_string()).collect();
            if behind.is_empty() {
                break;
            }
            anyhow::ensure!(
                Instant::now() < until,
                "{consumer} does not get to the end of {}",
                behind.join(", ")
            );
            sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

async fn look(journal: &Path) -> anyhow::Result<EmbeddedReader> {
    let journal = journal.to_owned();
    tokio::task::spawn_blocking(move || Ok(EmbeddedReader::open(journal)?)).await?
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

/// Every entry of a partition, from the first on. Fails where retention has taken the beginning.
pub(crate) fn each_entry(
    reader: &mut EmbeddedReader,
    partition: Partition,
    mut look: impl FnMut(Offset, Entry) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut next = Offset(0);
    loop {
        let fetched =
            reader.read(partition, next, READ_BYTES).with_context(|| format!("reading {partition}"))?;
        if fetched.is_empty() {
            return Ok(());
        }
        for (offset, entry) in fetched {
            anyhow::ensure!(offset == next, "{partition} goes from {next} to {offset}");
            next = offset.next();
            look(offset, entry)?;
        }
    }
}

/// Bytes of the files below a directory.
pub(crate) fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
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
