//! What detect keeps of one service.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use crate::Table;
use foreshock_model::{Change, Finding, Id, Kind, ServiceName, Severity, Timestamp, Window, proto};
use foreshock_stats::{Novelty, Pace, Shown, Tail};
use foreshock_template::{Miner, MinerLimits, Outcome, TemplateId, marks, words_where_open};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    ServiceKey,
    belied::{self, Belied, Spoken},
    draft::{Draft, HOUR, TEN_MINUTES, evidence, window_bar},
    errors::{self, ErrorWatch},
    merged::{Example, Merged, MergedShape},
    news::NewsRate,
    operations::Operations,
    patterns::{Gone, Pattern, PatternView, pattern_id, shown},
    report::Report,
    sessions::Sessions,
    silence::Sources,
    values::{ShapePlaces, Values},
};
use crate::{Asked, ERROR_LEVEL, Folds, Limits, WARN_LEVEL, degraded, workings::numbers};

/// New patterns less surprising than this are put out neither at once nor at the window's close, but for [`is_told`].
const NEW_PATTERN_SURPRISE: f64 = 2.0;
/// Base windows in a row in which instances come on several partitions before that is told: a minute.
const SCATTERED_WINDOWS: u32 = 6;
/// What a release does shows within this time.
const RELEASE: Duration = Duration::from_secs(7_200);
/// Lines whose level is belied that are told in an hour.
const LEVELS_AN_HOUR: usize = 3;
/// Places whose values are watched, a pattern that a service may have.
const PLACES_A_PATTERN: usize = 8;
/// New patterns of one window that become findings of their own.
const NEW_PATTERNS: usize = 10;

/// What there is room for.
#[derive(Clone, Copy)]
pub(super) struct Rooms {
    /// More patterns of the tenant.
    pub(super) patterns: usize,
    /// Sessions of the service, those remembered among them.
    pub(super) sessions: usize,
}

/// What a window taught of patterns.
struct Learned {
    /// Templates that are new, each with the shape that made it.
    new: Vec<(TemplateId, u64)>,
    /// Patterns that were gone for long.
    returned: Vec<(TemplateId, Gone)>,
    /// Lines that no template could be kept for.
    folded: u64,
}

/// What is known of a shape.
#[derive(Serialize, Deserialize)]
struct KnownShape {
    template: TemplateId,
    places: ShapePlaces,
}

/// The baselines of one service.
#[derive(Serialize, Deserialize)]
pub(super) struct ServiceState {
    /// Start of the first window it was seen in.
    since: Timestamp,
    miner: Miner,
    /// Template of each shape met.
    templates: Table<u64, KnownShape>,
    patterns: BTreeMap<TemplateId, Pattern>,
    values: Values,
    /// Windows in which it said something.
    heard: u64,
    returns: NewsRate,
    belied: Belied,
    novelty: Novelty,
    /// How much the counts of its patterns vary, as a rule.
    dispersion: Option<f64>,
    lines: ErrorWatch,
    operations: Operations,
    sources: Sources,
    sessions: Sessions,
    versions: BTreeMap<String, Timestamp>,
    /// Windows in a row in which instances came on several partitions of a stream.
    scattered: u32,
}

impl ServiceState {
    pub(super) fn new(since: Timestamp, limits: &Limits) -> Self {
        let limits = MinerLimits { templates: limits.patterns as usize, ..MinerLimits::default() };
        Self {
            since,
            miner: Miner::new(limits),
            templates: Table::default(),
            patterns: BTreeMap::new(),
            values: Values::default(),
            heard: 0,
            returns: NewsRate::default(),
            belied: Belied::default(),
            novelty: Novelty::default(),
            dispersion: None,
            lines: ErrorWatch::default(),
            operations: Operations::default(),
            sources: Sources::default(),
            sessions: Sessions::default(),
            versions: BTreeMap::new(),
            scattered: 0,
        }
    }

    /// Sessions remembered.
    pub(super) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Verdicts on sessions since this was last called.
    pub(super) fn take_verdicts(&mut self) -> Vec<(String, f64)> {
        self.sessions.take_verdicts()
    }

    /// The end of the input: every session ends.
    pub(super) fn finish(&mut self, config: &crate::Sessions) {
        self.sessions.finish(config);
    }

    /// Ends the sessions that are over with the window.
    pub(super) fn close_sessions(
        &mut self,
        key: &ServiceKey,
        window: Window,
        config: &crate::Sessions,
        report: &mut Report,
    ) {
        self.sessions.close(key, window, config, report);
    }

    /// Patterns told apart.
    pub(super) fn pattern_count(&self) -> usize {
        self.patterns.len() - usize::from(self.patterns.contains_key(&TemplateId::OTHER))
    }

    pub(super) fn pattern_views(&self, service: &ServiceName) -> Vec<PatternView> {
        let total: u64 = self.patterns.values().map(Pattern::total).sum();
        self.patterns
            .iter()
            .map(|(id, pattern)| pattern.view(*id, service, self.miner.render(*id), total))
            .collect()
    }

    /// Every number that a finding of the service is held against.
    pub(super) fn workings(&self, asked: &Asked) -> serde_json::Value {
        let of_pattern = |(id, _): &(&TemplateId, &Pattern)| asked.series.starts_with(&pattern_id(**id));
        let pattern = self.patterns.iter().find(of_pattern);
        match (asked.kind, pattern) {
            (Kind::NewPattern, pattern) => {
                json!({ "novelty": self.novelty, "pattern": pattern.map(|(_, pattern)| pattern) })
            }
            (Kind::ParameterValue | Kind::NewValue | Kind::Cardinality, Some((id, pattern))) => {
                json!({ "values": self.values.workings(*id), "pattern": pattern })
            }
            (Kind::BeliedLevel, Some((_, pattern))) => json!({ "words": self.belied, "pattern": pattern }),
            (_, Some((_, pattern))) => json!({ "dispersion": self.dispersion, "pattern": pattern }),
            (Kind::Silence, None) => self.sources.workings(&asked.series),
            (Kind::BrokenSequence, None) => self.sessions.workings(),
            (Kind::ErrorShare, None) if asked.series == errors::LINES => numbers(&self.lines),
            _ => self.operations.workings(&asked.series),
        }
    }

    /// The template that a shape belongs to now.
    pub(super) fn template_of(&self, shape: u64) -> TemplateId {
        self.templates.get(&shape).map_or(TemplateId::OTHER, |known| self.miner.resolve(known.template))
    }

    /// A shape that reduce has never met in the service: a provisional finding, if detect knows no template for it
    /// and new ones are rare. `lines` of the window are known so far.
    pub(super) fn judge_now(
        &self,
        key: &ServiceKey,
        urgent: &proto::NewShape,
        window: Window,
        lines: u64,
    ) -> Option<Finding> {
        let known = self.templates.contains_key(&urgent.shape) || self.miner.lookup(&urgent.text).is_some();
        // Judged as the window will be at its close, so that nothing is told that is withdrawn then.
        let lines = lines.max(self.novelty.usual_lines() as u64).max(1);
        let tail = self.novelty.judge(Shown { lines, new: 1, new_lines: 1 });
        if known || !is_told(urgent.level, tail, self.novelty.is_quiet_so_far()) {
            return None;
        }
        let template = TemplateId::of_shape(&urgent.text);
        let example = Example {
            time: Timestamp(urgent.time),
            line: urgent.line.clone(),
            instance: urgent.instance.clone(),
        };
        let mut finding = new_pattern(key, template, &urgent.text, urgent.level, &example, window, tail, 1);
        finding.provisional = true;
        finding.id = provisional_id(key, template, window);
        finding.replaces.clear();
        Some(finding)
    }

    /// Takes one base window. Returns what there was no room for.
    pub(super) fn take(
        &mut self,
        key: &ServiceKey,
        mut merged: Merged,
        window: Window,
        (limits, rooms): (&Limits, Rooms),
        report: &mut Report,
    ) -> Folds {
        self.heard += u64::from(merged.lines > 0);
        let Learned { new, returned, folded: patterns } = self.learn_shapes(&merged, limits, rooms.patterns);
        self.tell_returned(key, &returned, window, report);
        self.judge_new(key, &merged, new, window, report);
        self.judge_values(key, &merged, window, limits, report);
        self.lines.add(merged.lines, merged.errors, merged.shapes.values());
        self.note_versions(key, &merged, report);
        self.sources.take(&merged, window);
        self.tell_scattered(key, merged.scattered(), window, report);
        let edges = merged.calls.keys().map(|callee| (key.0.clone(), key.1.clone(), callee.clone()));
        report.edges.extend(edges);
        let (operations, calls) = (std::mem::take(&mut merged.operations), std::mem::take(&mut merged.calls));
        let operations = self.operations.take(operations, calls, window.start, limits);
        let steps = std::mem::take(&mut merged.steps);
        let mut folds = self.sessions.take(key, steps, window, rooms.sessions, report);
        folds.add(&Folds { patterns, operations, ..Folds::default() });
        folds
    }

    /// Tells that the order within instances is lost. One that moves as its stream grows is no news, nor is one whose lines
    /// are late.
    fn tell_scattered(&mut self, key: &ServiceKey, instances: u64, window: Window, report: &mut Report) {
        self.scattered = if instances == 0 { 0 } else { self.scattered.saturating_add(1) };
        if self.scattered >= SCATTERED_WINDOWS {
            report.findings.push(degraded::scattered(&key.0, &key.1, instances, window));
        }
    }

    /// Learns the templates of shapes met for the first time, in the order of their first lines, and counts all.
    fn learn_shapes(&mut self, merged: &Merged, limits: &Limits, mut room: usize) -> Learned {
        let mut unknown: Vec<(&u64, &MergedShape)> =
            merged.shapes.iter().filter(|(hash, _)| !self.templates.contains_key(*hash)).collect();
        unknown.sort_by_key(|(hash, shape)| (shape.example.time, **hash));
        let mut new = Vec::new();
        let mut merged_templates = false;
        for (hash, shape) in unknown {
            let mut words = Vec::new();
            let template = if room == 0 {
                // What would become a pattern of its own may not; it can still be a line of a known one.
                self.miner.lookup(&shape.text).unwrap_or(TemplateId::OTHER)
            } else {
                let learned = self.miner.learn(&shape.text);
                merged_templates |= learned.outcome == Outcome::Generalised;
                if learned.outcome == Outcome::New {
                    new.push((learned.template, *hash));
                    room -= 1;
                }
                if learned.outcome == Outcome::Known {
                    words = words_where_open(self.miner.text_of(learned.template), &shape.text);
                }
                learned.template
            };
            if self.templates.len() < limits.shapes as usize {
                let places = ShapePlaces::of(&marks(&shape.text), &words);
                self.templates.insert(*hash, KnownShape { template, places });
            }
        }
        if merged_templates {
            self.follow_merged_templates();
            // What was new and became part of a template that was there already is not new.
            new.retain(|(template, _)| self.miner.resolve(*template) == *template);
        }
        let (mut folded, mut returned) = (0, Vec::new());
        for (hash, shape) in &merged.shapes {
            let template = self.templates.get(hash).map_or(TemplateId::OTHER, |known| known.template);
            if template == TemplateId::OTHER {
                folded += shape.count + shape.late;
            }
            let watched = shape.example.time.since(self.since).as_secs() / 60;
            let pattern =
                self.patterns.entry(template).or_insert_with(|| Pattern::new(shape.example.time, watched));
            returned.extend(pattern.add(shape, self.heard).map(|gone| (template, gone)));
        }
        Learned { new, returned, folded }
    }

    fn tell_returned(
        &mut self,
        key: &ServiceKey,
        returned: &[(TemplateId, Gone)],
        window: Window,
        report: &mut Report,
    ) {
        for (id, gone) in returned {
            let Some(pattern) = self.patterns.get(id) else { continue };
            report.tested(&key.0, Kind::ReturningPattern, window.length.as_secs() as u32, 1);
            if self.returns.is_told() {
                report.findings.push(pattern.returned(key, *id, window, gone).finish(key, &self.miner));
            }
        }
    }

    /// Tells of lines of the hour whose level is belied by their words.
    fn judge_levels(&mut self, key: &ServiceKey, hour: Window, report: &mut Report) {
        for (id, pattern) in &mut self.patterns {
            let level = pattern.level();
            self.belied.hear(self.miner.text_of(*id), level, &mut pattern.spoken);
        }
        let mut told = 0;
        for (id, pattern) in &mut self.patterns {
            if pattern.last_seen() < hour.start || told >= LEVELS_AN_HOUR {
                continue;
            }
            let text = self.miner.text_of(*id);
            let Some(tail) = self.belied.judge(text, pattern.level(), pattern.spoken) else { continue };
            pattern.spoken = Spoken::Told;
            told += 1;
            let (series, lines) = (pattern_id(*id), pattern.total());
            let finding = belied::finding(key, &series, text, hour, tail, lines, pattern.shown());
            report.findings.push(finding);
        }
    }

    /// Patterns whose templates became one become one.
    fn follow_merged_templates(&mut self) {
        self.templates.values_mut().for_each(|known| known.template = self.miner.resolve(known.template));
        self.values.follow_merged_templates(&self.miner);
        let moved: Vec<TemplateId> =
            self.patterns.keys().copied().filter(|id| self.miner.resolve(*id) != *id).collect();
        for id in moved {
            let Some(pattern) = self.patterns.remove(&id) else { continue };
            match self.patterns.entry(self.miner.resolve(id)) {
                Entry::Occupied(mut other) => other.get_mut().absorb(pattern),
                Entry::Vacant(free) => drop(free.insert(pattern)),
            }
        }
    }

    fn judge_new(
        &mut self,
        key: &ServiceKey,
        merged: &Merged,
        new: Vec<(TemplateId, u64)>,
        window: Window,
        report: &mut Report,
    ) {
        let second = self.patterns.values_mut().map(Pattern::take_second).filter(|second| *second).count();
        if merged.lines == 0 {
            return;
        }
        let shown =
            Shown { lines: merged.lines, new: new.len() as u64, new_lines: self.lines_of(&new, merged) };
        let (ready, quiet) = (self.novelty.learned().is_ready(), self.novelty.is_quiet_so_far());
        let tail = self.novelty.observe(shown, second as u64);
        report.tested(&key.0, Kind::NewPattern, 10, u64::from(ready));
        for (template, hash) in new.into_iter().take(NEW_PATTERNS) {
            let Some(shape) = merged.shapes.get(&hash) else { continue };
            if !is_told(shape.level, tail, quiet) {
                continue;
            }
            let text = self.miner.render(template);
            let finding =
                new_pattern(key, template, &text, shape.level, &shape.example, window, tail, shape.count);
            report.findings.push(finding);
        }
    }

    fn judge_values(
        &mut self,
        key: &ServiceKey,
        merged: &Merged,
        window: Window,
        limits: &Limits,
        report: &mut Report,
    ) {
        let shapes = merged.shapes.iter().filter(|(_, shape)| shape.count > 0);
        let known = shapes.filter_map(|(hash, shape)| {
            let known = self.templates.get(hash).filter(|known| known.template != TemplateId::OTHER)?;
            Some((shape, known.template, &known.places))
        });
        let most = limits.patterns as usize * PLACES_A_PATTERN;
        self.returns.passed(window.length, merged.lines);
        self.values.take(key, known, (window, merged.lines, most), &self.miner, report);
    }

    /// Lines of the window that are of these templates, in any of their shapes.
    fn lines_of(&self, templates: &[(TemplateId, u64)], merged: &Merged) -> u64 {
        if templates.is_empty() {
            return 0;
        }
        let of_these = |hash: &u64| {
            let own = self.templates.get(hash);
            own.is_some_and(|own| templates.iter().any(|(template, _)| *template == own.template))
        };
        merged.shapes.iter().filter(|(hash, _)| of_these(hash)).map(|(_, shape)| shape.count).sum()
    }

    /// A version never seen beside one that was: a release.
    fn note_versions(&mut self, key: &ServiceKey, merged: &Merged, report: &mut Report) {
        let versions = merged.instances.values().filter(|instance| !instance.version.is_empty());
        for instance in versions {
            if self.versions.contains_key(&instance.version) || self.versions.len() >= 100 {
                continue;
            }
            if let Some(last) = self.versions.iter().max_by_key(|(_, since)| **since).map(|(name, _)| name) {
                let change = Change {
                    time: instance.first,
                    service: key.1.clone(),
                    what: format!("version {} began to run (before: {last})", instance.version),
                };
                report.changes.push((key.0.clone(), change));
            }
            self.versions.insert(instance.version.clone(), instance.first);
        }
    }

    /// The version that began to run within the time in which a release is known by what it does, if another ran before.
    fn released(&self, before: Timestamp) -> Option<String> {
        let newest = self.versions.iter().max_by_key(|(_, since)| **since)?;
        let is_release = self.versions.len() > 1 && newest.1.plus(RELEASE) >= before;
        is_release.then(|| newest.0.clone())
    }

    /// Judges what is judged a minute. The service's first minute is only a part of one.
    pub(super) fn close_minute(&mut self, key: &ServiceKey, minute: Window, report: &mut Report) {
        let whole = minute.start >= self.since;
        let patterns = self.patterns.len();
        let released = self.released(minute.start);
        for (id, pattern) in &mut self.patterns {
            if let Some(draft) = pattern.close_minute(key, *id, minute, patterns, report) {
                report.findings.push(draft.finish_after(released.as_deref(), key, &self.miner));
            }
        }
        if whole {
            self.lines.close_minute(key, minute, errors::LINES, report);
            self.operations.close_minute(key, minute, report);
        }
        self.sources.close_minute(key, minute, report);
    }

    /// Judges what is judged in ten minutes, and every ten minutes the hour before.
    pub(super) fn close_ten_minutes(&mut self, key: &ServiceKey, ten: Window, report: &mut Report) {
        let of = (self.patterns.len(), self.patterns.values().map(Pattern::share_of_ten_minutes).sum());
        let released = self.released(ten.start);
        for (id, pattern) in &mut self.patterns {
            if let Some(draft) = pattern.close_ten_minutes(key, *id, ten, of, report) {
                report.findings.push(draft.finish_after(released.as_deref(), key, &self.miner));
            }
        }
        self.judge_slumps(key, ten, report);
    }

    fn judge_slumps(&mut self, key: &ServiceKey, ten: Window, report: &mut Report) {
        let usual = self.dispersion;
        let judged = self.patterns.iter_mut();
        let hours: Vec<(TemplateId, Pace)> =
            judged.filter_map(|(id, pattern)| Some((*id, pattern.judge_hour(usual)?))).collect();
        let mut dispersions: Vec<f64> = hours.iter().map(|(_, pace)| pace.dispersion).collect();
        dispersions.sort_by(f64::total_cmp);
        self.dispersion = dispersions.get(dispersions.len() / 2).copied().filter(|_| dispersions.len() >= 4);
        report.tested(&key.0, Kind::PatternRateDown, HOUR.as_secs() as u32, hours.len() as u64);
        let bar = window_bar(hours.len(), TEN_MINUTES);
        let hour = Window { start: ten.end().minus(HOUR), length: HOUR };
        let released = self.released(hour.start);
        for (id, pace) in hours {
            let Some(pattern) = self.patterns.get_mut(&id) else { continue };
            if let Some(draft) = pattern.judge_slump(key, id, hour, &pace, bar) {
                report.findings.push(draft.finish_after(released.as_deref(), key, &self.miner));
            }
        }
    }

    /// Judges what is judged in an hour: what burns too slowly for the shorter roll-ups.
    pub(super) fn close_hour(&mut self, key: &ServiceKey, hour: Window, report: &mut Report) {
        let patterns = self.patterns.len();
        for (id, pattern) in &mut self.patterns {
            if let Some(draft) = pattern.close_hour(key, *id, hour, patterns, report) {
                report.findings.push(draft.finish(key, &self.miner));
            }
        }
        self.judge_levels(key, hour, report);
        self.lines.close_hour(key, hour, errors::LINES, report);
        self.operations.close_hour(key, hour, report);
    }
}

/// Whether a new pattern is put out: where it is surprising, and an error also where the service is `quiet`, though too
/// young for anything to be surprising.
fn is_told(level: u32, tail: Tail, quiet: bool) -> bool {
    tail.surprise() >= NEW_PATTERN_SURPRISE || (level >= ERROR_LEVEL && quiet)
}

/// The id of the provisional finding that a final new pattern takes the place of, if there was one.
fn provisional_id(key: &ServiceKey, template: TemplateId, window: Window) -> Id {
    Id::finding(&key.0, &key.1, &pattern_id(template), window, Kind::NewPattern, true)
}

#[allow(clippy::too_many_arguments, reason = "the parts of one finding, each of another type")]
fn new_pattern(
    key: &ServiceKey,
    template: TemplateId,
    text: &str,
    level: u32,
    example: &Example,
    window: Window,
    tail: Tail,
    count: u64,
) -> Finding {
    let (severity, word) = match level {
        ERROR_LEVEL.. => (Severity::Critical, "error "),
        WARN_LEVEL.. => (Severity::Warning, "warning "),
        _ => (Severity::Info, ""),
    };
    let draft = Draft {
        key,
        kind: Kind::NewPattern,
        series: &pattern_id(template),
        window,
        tail,
        effect: count as f64,
        observed: count as f64,
        expected: (0.0, 0.0),
        severity,
        title: format!("{} writes a new {word}line: {}", key.1, shown(text)),
    };
    let mut finding = draft.finish();
    finding.template = text.to_owned();
    finding.evidence.push(evidence(key, example));
    finding.replaces.push(provisional_id(key, template, window));
    finding
}
