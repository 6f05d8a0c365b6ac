//! How long partitions are not served after something was taken away, by what the workers' metrics pages say.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use crate::aftermath::metrics_page;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(100);
/// How long a page may take: one that is held never comes.
const PAGE: Duration = Duration::from_millis(500);
/// After this nobody looks any longer.
const LONGEST: Duration = Duration::from_secs(90);
/// A stage and its partition, as labels.
type Served = String;

/// What was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    WorkerKilled,
    WorkerStopped,
    BrokerKilled,
}

/// One time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailOver {
    pub(super) cause: Cause,
    /// `None`: not within the time that it was looked for.
    pub(super) took: Option<Duration>,
    /// Nothing else was disturbed meanwhile.
    pub(super) alone: bool,
}

/// Waits until so many partitions are served, all stages together; how long that was since `began`.
pub(super) async fn until_served(pages: &[String], partitions: usize, began: Instant) -> Option<Duration> {
    while began.elapsed() < LONGEST {
        let mut served = BTreeSet::<Served>::new();
        for page in texts(pages).await {
            if value(&page, "foreshock_worker_recovering_partitions") == Some(0) {
                served.extend(column(&page, "foreshock_stage_commits_total{").into_keys());
            }
        }
        if served.len() >= partitions {
            return Some(began.elapsed());
        }
        sleep(EVERY).await;
    }
    None
}

/// Waits until every partition of the first stage has been committed twice more than at first: once may have been
/// under way. How long that was since `began`.
pub(super) async fn until_committed(pages: &[String], partitions: usize, began: Instant) -> Option<Duration> {
    let mut first = BTreeMap::<Served, u64>::new();
    let mut committed = BTreeSet::<Served>::new();
    while began.elapsed() < LONGEST {
        for page in texts(pages).await {
            for (served, commits) in column(&page, "foreshock_stage_commits_total{") {
                if !served.contains("stage=\"reduce\"") || !served.contains("stream=\"otlp_logs\"") {
                    continue;
                }
                let before = first.entry(served.clone()).or_insert(commits);
                // A partition that has moved counts from nothing again.
                *before = commits.min(*before);
                if commits >= *before + 2 {
                    committed.insert(served);
                }
            }
        }
        if committed.len() >= partitions {
            return Some(began.elapsed());
        }
        sleep(EVERY).await;
    }
    None
}

async fn texts(pages: &[String]) -> Vec<String> {
    let mut texts = Vec::new();
    for page in pages {
        if let Ok(Ok(text)) = timeout(PAGE, metrics_page(page)).await {
            texts.push(text);
        }
    }
    texts
}

fn value(page: &str, name: &str) -> Option<u64> {
    let row = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("{} "))?;
    row.trim().parse::<f64>().ok().map(|value| value as u64)
}

/// The rows of a metric by their labels.
fn column(page: &str, name: &str) -> BTreeMap<String, u64> {
    let rows = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once("} "));
    rows.filter_map(|(labels, value)| Some((labels.to_owned(), value.parse::<f64>().ok()? as u64))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_by_name_and_labels() {
        let page = "# HELP a b\na{} 3.0\nab{} 4.0\nc{x=\"1\",y=\"2\"} 5\nc{x=\"2\",y=\"2\"} 6\n";
        assert_eq!(value(page, "a"), Some(3));
        let rows = [("x=\"1\",y=\"2\"".to_owned(), 5), ("x=\"2\",y=\"2\"".to_owned(), 6)];
        assert_eq!(column(page, "c{"), BTreeMap::from(rows));
    }
}
