//! The close of one base window, over all services of the partition.

use std::collections::BTreeMap;

use foreshock_model::{Kind, Tenant, Window};

use super::{
    ServiceKey,
    draft::{HOUR, MINUTE, TEN_MINUTES},
    merged::Merged,
    quotas::Shares,
    report::Report,
    series::SeriesTable,
    service::{Rooms, ServiceState},
};
use crate::{DetectConfig, Folds, OWN_SERVICE};

/// What the close of a window works on.
pub(super) struct Closing<'a> {
    pub(super) services: &'a mut BTreeMap<ServiceKey, ServiceState>,
    pub(super) series: &'a mut SeriesTable,
    /// What went over a limit so far.
    pub(super) folds: &'a mut Folds,
    pub(super) config: &'a DetectConfig,
    pub(super) quotas: Shares<'a>,
    /// How many more patterns each tenant may have in this window, as far as it was asked.
    pub(super) rooms: BTreeMap<Tenant, usize>,
    /// Sessions remembered in all services.
    pub(super) sessions: usize,
    pub(super) window: Window,
    /// A source is given up: what is missing may be missing on our own way.
    pub(super) is_blind: bool,
}

impl Closing<'_> {
    /// Takes what was seen and judges every roll-up that ends here.
    pub(super) fn run(&mut self, merged: BTreeMap<ServiceKey, Merged>) -> Report {
        let mut report = Report::default();
        for (key, merged) in merged {
            self.take(&key, merged, &mut report);
        }
        self.tell_unwatched(&mut report);
        for (key, service) in self.services.iter_mut() {
            service.close_sessions(key, self.window, &self.config.sessions, &mut report);
        }
        let end = self.window.end();
        if end == end.window(MINUTE).start {
            let minute = end.minus(MINUTE).window(MINUTE);
            for (key, service) in self.services.iter_mut() {
                service.close_minute(key, minute, &mut report);
            }
            self.series.close_minute(minute, &mut report);
        }
        if end == end.window(TEN_MINUTES).start {
            let ten = end.minus(TEN_MINUTES).window(TEN_MINUTES);
            for (key, service) in self.services.iter_mut() {
                service.close_ten_minutes(key, ten, &mut report);
            }
            self.series.close_ten_minutes(ten, &mut report);
        }
        if end == end.window(HOUR).start {
            let hour = end.minus(HOUR).window(HOUR);
            for (key, service) in self.services.iter_mut() {
                service.close_hour(key, hour, &mut report);
            }
        }
        if self.is_blind {
            // That a source is given up is told by itself; what it would have said is no news of the service.
            report.findings.retain(|finding| !matches!(finding.kind, Kind::Silence | Kind::PatternRateDown));
        }
        report
    }

    fn take(&mut self, key: &ServiceKey, mut merged: Merged, report: &mut Report) {
        let (tenant, name) = key;
        let unread = merged.unread.iter();
        report.findings.extend(unread.filter_map(|(of, unread)| unread.finding(tenant, of, self.window)));
        let mut folds = merged.folds;
        if self.services.contains_key(key) || self.make_room(key, &merged, report) {
            let new_series = std::mem::take(&mut merged.new_series);
            let values = std::mem::take(&mut merged.series);
            let histograms = std::mem::take(&mut merged.histograms);
            let most = self.quotas.series(tenant).min(self.config.limits.series as usize);
            self.series.announce(key, new_series, self.config.limits.series, most);
            let unwatched = self.series.take(self.window.start, &values);
            self.series.take_histograms(histograms);
            let mut own = Folds { series: unwatched, ..Folds::default() };
            own.add(&self.learn(key, merged, report));
            self.folds.add(&own);
            folds.add(&own);
        }
        report.findings.extend(folds.findings(tenant, name, self.window));
    }

    /// Begins to watch a service, if there is something to watch and room for one more.
    fn make_room(&mut self, key: &ServiceKey, merged: &Merged, report: &mut Report) -> bool {
        if merged.is_of_foreshock_alone() {
            return false;
        }
        if self.services.len() >= self.config.limits.services as usize {
            *report.unwatched.entry(key.0.clone()).or_default() += 1;
            return false;
        }
        self.services.insert(key.clone(), ServiceState::new(self.window.start, &self.config.limits));
        true
    }

    /// Gives a service its window. Returns what there was no room for.
    fn learn(&mut self, key: &ServiceKey, merged: Merged, report: &mut Report) -> Folds {
        let room = match self.rooms.get(&key.0) {
            Some(room) => *room,
            None => self.quotas.room_for_patterns(&key.0, self.services),
        };
        let Some(service) = self.services.get_mut(key) else { return Folds::default() };
        let before = service.pattern_count();
        let limits = &self.config.limits;
        let own = service.session_count();
        let others = self.sessions.saturating_sub(own);
        let rooms = Rooms { patterns: room, sessions: (limits.sessions as usize).saturating_sub(others) };
        let folds = service.take(key, merged, self.window, (limits, rooms), report);
        self.sessions = others + service.session_count();
        let grown = service.pattern_count().saturating_sub(before);
        self.rooms.insert(key.0.clone(), room.saturating_sub(grown));
        folds
    }

    /// Tells each tenant of its services that are not watched at all.
    fn tell_unwatched(&mut self, report: &mut Report) {
        for (tenant, services) in std::mem::take(&mut report.unwatched) {
            let folds = Folds { services, ..Folds::default() };
            report.findings.extend(folds.findings(&tenant, &OWN_SERVICE.into(), self.window));
            self.folds.add(&folds);
        }
    }
}
