//! A changed configuration while the services run: what may change live changes, all of it or, where any part is
//! wrong, none of it.
//!
//! Live are `[tenants]` (tokens and rates), `[ingest.limits]` and `[notify]`. Not what decides findings: the stages
//! answer for the same findings from the same records, and a signal is no record.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use toml::{Table, Value};
use tracing::{error, info, warn};

use super::{System, notify};
use crate::config::Config;

/// Something that is replaced now and then and read in between.
pub(crate) struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    pub(super) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    pub(super) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

/// How often the configuration was read again, and when it was taken last.
pub(crate) struct Reloads {
    pub(super) applied: AtomicU64,
    pub(super) refused: AtomicU64,
    /// Unix time in seconds; the start counts.
    pub(super) taken_at: AtomicU64,
}

impl Reloads {
    pub(super) fn started() -> Self {
        Self {
            applied: AtomicU64::default(),
            refused: AtomicU64::default(),
            taken_at: AtomicU64::new(unix_seconds()),
        }
    }
}

impl System {
    /// Goes on with `new` as far as that is possible without a start, or, with anything wrong in it, as before.
    pub(crate) async fn reload(&mut self, new: Config) {
        let mut live = self.in_force.clone();
        live.notify = new.notify.clone();
        live.ingest.limits = new.ingest.limits.clone();
        live.tenants = new.tenants.clone();
        for (name, tenant) in &mut live.tenants.0 {
            // The stages', not ingest's.
            let before = self.in_force.tenants.0.get(name);
            tenant.max_series = before.and_then(|before| before.max_series);
            tenant.max_patterns = before.and_then(|before| before.max_patterns);
        }

        let rules = self.rules.as_ref().map(|rules| rules.prepare(&live.ingest, &live.tenants)).transpose();
        let mut problems: Vec<String> = Vec::new();
        problems.extend(rules.as_ref().err().into_iter().flatten().map(ToString::to_string));
        problems.extend(foreshock_notify::check(&live.notify).err().map(|error| error.to_string()));
        let rules = match rules {
            Ok(rules) if problems.is_empty() => rules,
            _ => return self.refuse(&problems),
        };

        if let (Some(ours), Some(rules)) = (&self.rules, rules) {
            ours.apply(rules);
        }
        if live.notify != self.in_force.notify || live.notify.names_files() {
            self.restart_notify(live.notify.clone()).await;
        }
        for key in differing(&live, &new) {
            warn!(key, "was changed in the configuration; it takes effect at the next start");
        }
        self.in_force = live;
        self.figures.reloads.applied.fetch_add(1, Relaxed);
        self.figures.reloads.taken_at.store(unix_seconds(), Relaxed);
        info!("the configuration was read again and is in force");
    }

    /// Counts and tells a configuration that is not taken.
    pub(crate) fn refuse(&self, problems: &[String]) {
        for problem in problems {
            error!("{problem}");
        }
        self.figures.reloads.refused.fetch_add(1, Relaxed);
        error!(
            problems = problems.len(),
            "the configuration was read again and refused whole; the one before stays in force"
        );
    }

    /// What was told and what has still to be told lies on the journal: the next run goes on there.
    async fn restart_notify(&mut self, config: foreshock_notify::Config) {
        let Some(running) = &mut self.notify else { return };
        if let Err(failure) = running.stop().await {
            error!(service = "notify", "{failure:#}");
        }
        self.figures.notify.set(self.figures.notify.get().renewed(&config));
        self.notify = Some(notify(config, &self.journal, &self.figures, &self.failed));
    }
}

/// The keys by which two configurations differ.
fn differing(one: &Config, other: &Config) -> Vec<String> {
    let (one, other) = (leaves(one), leaves(other));
    let mut keys: Vec<String> = one.keys().chain(other.keys()).cloned().collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| one.get(key) != other.get(key));
    keys
}

/// Values by their dotted keys. Secrets are written as stars.
pub(super) fn leaves(config: &Config) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    let table = Table::try_from(config).expect("what was read as TOML can be written as TOML");
    collect("", table, &mut leaves);
    leaves
}

fn collect(prefix: &str, table: Table, leaves: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => collect(&format!("{path}."), inner, leaves),
            value => drop(leaves.insert(path, value)),
        }
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_differ_are_named_whole() {
        let before = Config::default();
        let mut after = before.clone();
        after.detect.budget.pages_a_week = 5.0;
        after.admin.address.set_port(1);
        after.console.hosts.push("console.example.com".to_owned());
        assert_eq!(
            differing(&before, &after),
            ["admin.address", "console.hosts", "detect.budget.pages_a_week"]
        );
    }
}
