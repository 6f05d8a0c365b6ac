//! How often a pattern comes: far more or far fewer lines than expected, in a minute, in ten and in an hour.

mod absence;
mod slump;

use std::time::Duration;

use foreshock_model::{Finding, Kind, ServiceName, Severity, Timestamp, Window};
use foreshock_stats::{CountBaseline, PaceWatch, Regularity, Tail};
use foreshock_template::{Miner, TemplateId, mask_secrets};
use serde::{Deserialize, Serialize};

pub(super) use self::absence::Gone;

use super::{
    ServiceKey,
    belied::Spoken,
    draft::{Draft, HOUR, SURE, TEN_MINUTES, bar, evidence, number, span, window_bar},
    harm::speaks_of_harm,
    hours::{AtThisTime, Hours},
    merged::{Example, MergedShape},
    report::Report,
    silence::gaps,
    told::Told,
};
use crate::{ERROR_LEVEL, WARN_LEVEL};

/// A rise matters from this many times the expected count, and this many lines.
const RISE: f64 = 2.0;
const RISE_LINES: f64 = 10.0;
/// And where this hour of a day or a week before had a peak, so many times that.
const OVER_PEAK: f64 = 1.25;
/// Of a pattern that is an error by its level, this many.
const RISE_ERRORS: f64 = 3.0;
/// Minutes without a line that a pattern's baseline begins with, at most.
const QUIET_MINUTES: u64 = 60;
/// A fall matters from an expected count of this, to this share of it.
const FALL_FROM: f64 = 20.0;
const FALL: f64 = 0.34;
/// Lines from which it is worth while to keep a pattern's half day.
const KEPT_FROM: u64 = 30;
/// The same deviation is told again after so long: an incident stays open while it is told.
const AGAIN: Duration = Duration::from_secs(240);
/// Arrivals of a pattern nearer than this are one, in seconds.
const BURST_SECONDS: f32 = 15.0;
/// A pattern that comes more often than this is missed by its count, not by its silence, in seconds.
const RARE_ENOUGH: f64 = 90.0;
/// The label of a finding about missing lines that names the version that began to run before.
const AFTER_VERSION: &str = "after_version";
/// Examples and templates in titles are cut at this many characters.
const SHOWN: usize = 120;

/// A pattern of a service: its counts and when it comes.
#[derive(Serialize, Deserialize)]
pub(super) struct Pattern {
    first: Timestamp,
    last: Timestamp,
    total: u64,
    errors: u64,
    level: u32,
    minute: u64,
    ten_minutes: u64,
    per_minute: CountBaseline,
    per_ten_minutes: CountBaseline,
    hours: Hours,
    /// In units of ten minutes.
    pace: PaceWatch,
    /// The usual count of ten minutes that its share in the pace of the whole is weighed by; 0 while it is young.
    voice: f64,
    rose: Told,
    fell: Told,
    missing: Told,
    regularity: Regularity,
    /// First line of the ten minutes that are open, and of the last base window that had one.
    example: Option<Example>,
    latest: Option<Example>,
    /// It came for the second time since it was last asked.
    second: bool,
    /// Windows in which the service had said something when it came last.
    heard: u64,
    pub(super) spoken: Spoken,
}

/// A pattern as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternView {
    /// Its id.
    pub id: String,
    /// Its text, variable parts as `<*>`.
    pub template: String,
    /// Whose it is.
    pub service: ServiceName,
    /// Lines seen.
    pub count: u64,
    /// Lines of the service seen.
    pub of: u64,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// A line of it, secrets masked.
    pub example: String,
}

/// What there was at the same time of the day and of the week.
#[derive(Clone, Copy)]
struct Before {
    /// In the hours of this time.
    low: f64,
    high: f64,
    /// The most in a roll-up of this length, in the hours of this time.
    peak: f64,
}

impl Before {
    fn of_hour(usual: AtThisTime) -> Self {
        let low = usual.fewest.unwrap_or(f64::INFINITY);
        Self { low, high: usual.most.unwrap_or(0.0), peak: 0.0 }
    }

    fn of_short(most: Option<f64>) -> Self {
        Self { low: f64::INFINITY, high: 0.0, peak: most.unwrap_or(0.0) }
    }
}

/// A finding about a pattern, still without the pattern's text.
pub(super) struct PatternDraft {
    id: TemplateId,
    finding: Finding,
    harm_by_level: bool,
}

impl Pattern {
    /// A pattern that was first seen at `first`, in a service that was watched for `watched_minutes` before: in all
    /// of them there was no line of it.
    pub(super) fn new(first: Timestamp, watched_minutes: u64) -> Self {
        let mut per_minute = CountBaseline::default();
        for _ in 0..watched_minutes.min(QUIET_MINUTES) {
            per_minute.observe(0);
        }
        Self {
            first,
            last: first,
            total: 0,
            errors: 0,
            level: 0,
            minute: 0,
            ten_minutes: 0,
            per_minute,
            per_ten_minutes: CountBaseline::default(),
            hours: Hours::default(),
            pace: PaceWatch::default(),
            voice: 0.0,
            rose: Told::default(),
            fell: Told::default(),
            missing: Told::default(),
            regularity: Regularity::new(BURST_SECONDS),
            example: None,
            latest: None,
            second: false,
            heard: 0,
            spoken: Spoken::default(),
        }
    }

    /// Adds what one base window held of it; `heard` is the number of windows so far in which the service said something.
    /// Returns how long it was gone, where that is much longer than ever and the service said other things meanwhile.
    pub(super) fn add(&mut self, shape: &MergedShape, heard: u64) -> Option<Gone> {
        let gone = self.gone(shape, heard);
        self.heard = heard;
        let before = self.total;
        self.total += shape.count + shape.late;
        self.second |= before <= 1 && self.total > 1;
        self.errors += shape.errors;
        self.minute += shape.count;
        self.ten_minutes += shape.count;
        self.hours.add(shape.count);
        self.level = self.level.max(shape.level);
        self.last = self.last.max(shape.last);
        if shape.count > 0 {
            self.regularity.arrival(shape.example.time.as_secs_f64());
            self.regularity.arrival(shape.last.as_secs_f64());
        }
        // One from before shows where it was seen last, as long as nothing newer does.
        let open = shape.example.time.window(TEN_MINUTES).start;
        if self.example.as_ref().is_none_or(|example| example.time < open || shape.example < *example) {
            self.example = Some(shape.example.clone());
        }
        self.latest = Some(shape.example.clone());
        gone
    }

    /// Whose level may be belied: level, lines and a line.
    pub(super) fn level(&self) -> u32 {
        self.level
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        self.last
    }

    pub(super) fn shown(&self) -> Option<&Example> {
        self.example.as_ref().or(self.latest.as_ref())
    }

    /// Takes up another pattern whose template became one with this one's. The baselines of the busier one stay.
    pub(super) fn absorb(&mut self, other: Self) {
        let mut kept = other;
        if kept.total > self.total {
            std::mem::swap(self, &mut kept);
        }
        self.first = self.first.min(kept.first);
        self.last = self.last.max(kept.last);
        self.total += kept.total;
        self.errors += kept.errors;
        self.level = self.level.max(kept.level);
        self.minute += kept.minute;
        self.ten_minutes += kept.ten_minutes;
        self.hours.absorb(&kept.hours);
        self.pace.absorb(&kept.pace);
        self.example = self.example.take().into_iter().chain(kept.example).min();
        self.latest = self.latest.take().into_iter().chain(kept.latest).max();
        self.heard = self.heard.max(kept.heard);
        self.spoken = if self.spoken == Spoken::Told || kept.spoken == Spoken::Told {
            Spoken::Told
        } else {
            self.spoken
        };
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether it came for the second time since this was last asked.
    pub(super) fn take_second(&mut self) -> bool {
        std::mem::take(&mut self.second)
    }

    pub(super) fn view(
        &self,
        id: TemplateId,
        service: &ServiceName,
        template: String,
        of: u64,
    ) -> PatternView {
        let example = self.shown().map_or("", |example| example.line.as_str());
        PatternView {
            id: pattern_id(id),
            template,
            service: service.clone(),
            count: self.total,
            of,
            first: self.first,
            last: self.last,
            example: mask_secrets(example).into_owned(),
        }
    }

    /// Judges the minute, one of `patterns`.
    pub(super) fn close_minute(
        &mut self,
        key: &ServiceKey,
        id: TemplateId,
        minute: Window,
        patterns: usize,
        report: &mut Report,
    ) -> Option<PatternDraft> {
        let count = std::mem::take(&mut self.minute);
        let silent = self.judge_silence(key, id, minute, patterns, report);
        let most = self.hours.minute(count);
        let rate = if minute.start >= self.first {
            let verdict = self.per_minute.observe(count);
            let before = Before::of_short(most);
            self.judge_rate(key, id, minute, count, verdict, before, patterns, report)
        } else {
            None
        };
        self.hours.said(rate.as_ref().map(|draft| draft.finding.surprise));
        rate.filter(|draft| self.told(draft).tell(minute.end(), draft.finding.surprise, AGAIN))
            .or_else(|| silent.filter(|draft| self.missing.tell(minute.end(), draft.finding.surprise, AGAIN)))
    }

    /// Judges ten minutes, in which the shares of all patterns came to `total`. What one of their minutes has said already
    /// is not said again.
    pub(super) fn close_ten_minutes(
        &mut self,
        key: &ServiceKey,
        id: TemplateId,
        ten: Window,
        (patterns, total): (usize, f64),
        report: &mut Report,
    ) -> Option<PatternDraft> {
        let others = (total - self.share_of_ten_minutes()).max(0.0);
        let count = std::mem::take(&mut self.ten_minutes);
        let before = Before::of_short(self.hours.ten_minutes(count));
        if self.total >= KEPT_FROM {
            self.pace.push(count, others as u64);
        }
        if ten.start < self.first {
            return None;
        }
        let said = self.rose.until > ten.start;
        let mut verdict = self.per_ten_minutes.observe(count);
        self.weigh();
        if let Some(pace) = self.pace.judge_unit(said) {
            verdict.up = verdict.up.min(pace.up).among(2.0);
            // A baseline that has followed a fall is not surprised by its end alone.
            if verdict.mean < pace.observed as f64 {
                verdict.mean = verdict.mean.max(pace.between.1);
            }
        }
        let draft = self.judge_rate(key, id, ten, count, verdict, before, patterns, report);
        let rose = draft.as_ref().is_some_and(|draft| draft.finding.kind == Kind::PatternRateUp);
        if rose || said {
            self.pace.amend(verdict.mean);
        }
        self.hours.said(draft.as_ref().map(|draft| draft.finding.surprise));
        let draft =
            draft.filter(|draft| self.told(draft).tell(ten.end(), draft.finding.surprise, 2 * TEN_MINUTES));
        self.example = None;
        draft
    }

    fn told(&mut self, draft: &PatternDraft) -> &mut Told {
        if draft.finding.kind == Kind::PatternRateUp { &mut self.rose } else { &mut self.fell }
    }

    /// Judges the hour. What a shorter roll-up in it has said already is not said again.
    pub(super) fn close_hour(
        &mut self,
        key: &ServiceKey,
        id: TemplateId,
        hour: Window,
        patterns: usize,
        report: &mut Report,
    ) -> Option<PatternDraft> {
        let closed = self.hours.close(hour.start >= self.first)?;
        let before = Before::of_hour(closed.usual);
        let draft = self.judge_rate(key, id, hour, closed.count, closed.verdict, before, patterns, report)?;
        let surprise = draft.finding.surprise;
        (closed.said < surprise.min(SURE) && self.told(&draft).tell(hour.end(), surprise, HOUR))
            .then_some(draft)
    }

    /// What goes with the day or the week is no deviation: a rise has to be one against what there was `before` as well,
    /// and so has a fall.
    #[allow(clippy::too_many_arguments, reason = "the parts of one verdict")]
    fn judge_rate(
        &self,
        key: &ServiceKey,
        id: TemplateId,
        window: Window,
        count: u64,
        verdict: foreshock_stats::Verdict,
        before: Before,
        patterns: usize,
        report: &mut Report,
    ) -> Option<PatternDraft> {
        if !verdict.learned.is_ready() {
            return None;
        }
        let seconds = u32::try_from(window.length.as_secs()).unwrap_or(u32::MAX);
        report.tested(&key.0, Kind::PatternRateUp, seconds, 1);
        report.tested(&key.0, Kind::PatternRateDown, seconds, 1);
        let (observed, mean) = (count as f64, verdict.mean);
        let bar = window_bar(patterns, window.length);
        let floor = if self.level >= ERROR_LEVEL { RISE_ERRORS } else { RISE_LINES };
        let (low, high) = (mean.min(before.low), mean.max(before.high));
        let rose = observed >= RISE * high && observed - high >= floor && observed >= OVER_PEAK * before.peak;
        let fell = low >= FALL_FROM && observed <= FALL * low;
        let (kind, tail, word) = if rose && verdict.up.surprise() >= bar {
            (Kind::PatternRateUp, verdict.up, "more")
        } else if fell && verdict.down.surprise() >= bar {
            (Kind::PatternRateDown, verdict.down, "fewer")
        } else {
            return None;
        };
        let sustained = window.length >= TEN_MINUTES || kind == Kind::PatternRateUp;
        let title = rate_title(key, word, window, observed, mean);
        let severity = if sustained { Severity::Critical } else { Severity::Warning };
        let effect = observed.max(0.5) / mean.max(0.5);
        Some(self.draft(key, id, kind, window, tail, effect, observed, verdict.expected, severity, title))
    }

    /// A pattern that comes regularly and did not.
    fn judge_silence(
        &self,
        key: &ServiceKey,
        id: TemplateId,
        minute: Window,
        patterns: usize,
        report: &mut Report,
    ) -> Option<PatternDraft> {
        // What comes at any time is missed by its count.
        if self.regularity.period_secs() < RARE_ENOUGH || !self.regularity.is_regular() {
            return None;
        }
        let overdue = self.regularity.overdue(minute.end().as_secs_f64());
        report.told(&key.0, Kind::Silence, 60, gaps(minute, overdue.mean_secs), overdue.tail);
        if overdue.tail.surprise() < bar(patterns as f64 * 86_400.0 / overdue.mean_secs.max(60.0)) {
            return None;
        }
        let late_secs = overdue.silence_secs - self.regularity.period_secs();
        if self.hours.is_off((late_secs / 3_600.0).max(0.0) as usize) {
            return None;
        }
        let title = format!(
            "{} is overdue: a line that comes every {} is missing for {}",
            key.1,
            span(overdue.mean_secs),
            span(overdue.silence_secs),
        );
        let effect = overdue.silence_secs / overdue.mean_secs.max(1.0);
        let draft = self.draft(
            key,
            id,
            Kind::Silence,
            minute,
            overdue.tail,
            effect,
            overdue.silence_secs,
            overdue.expected_secs,
            Severity::Critical,
            title,
        );
        Some(PatternDraft { harm_by_level: true, ..draft })
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one finding, each of another meaning")]
    fn draft(
        &self,
        key: &ServiceKey,
        id: TemplateId,
        kind: Kind,
        window: Window,
        tail: Tail,
        effect: f64,
        observed: f64,
        expected: (f64, f64),
        severity: Severity,
        title: String,
    ) -> PatternDraft {
        let series = pattern_id(id);
        let draft =
            Draft { key, kind, series: &series, window, tail, effect, observed, expected, severity, title };
        let mut finding = draft.finish();
        finding.evidence.extend(self.shown().map(|example| evidence(key, example)));
        PatternDraft { id, finding, harm_by_level: self.level >= WARN_LEVEL }
    }
}

impl PatternDraft {
    /// The same of a service in which the version `released` began to run not long before: where lines are fewer or are
    /// missing, a release may have taken them out.
    pub(super) fn finish_after(self, released: Option<&str>, key: &ServiceKey, miner: &Miner) -> Finding {
        let mut finding = self.finish(key, miner);
        let is_gone = matches!(finding.kind, Kind::PatternRateDown | Kind::Silence);
        if let Some(version) = released.filter(|_| is_gone) {
            finding.title = format!("{}; version {version} began to run not long before", finding.title);
            finding.labels.insert(AFTER_VERSION.to_owned(), version.to_owned());
            finding.severity = finding.severity.min(Severity::Warning);
        }
        finding
    }

    /// Adds the pattern's text, and limits what it may matter to what harms.
    pub(super) fn finish(self, key: &ServiceKey, miner: &Miner) -> Finding {
        let mut finding = self.finding;
        finding.template = miner.render(self.id);
        let harms = match finding.kind {
            Kind::PatternRateUp => self.harm_by_level || speaks_of_harm(&finding.template),
            _ => true,
        };
        if !harms {
            finding.severity = finding.severity.min(Severity::Warning);
        }
        finding.title = format!("{} ({})", finding.title, shown(&finding.template));
        debug_assert_eq!(finding.service, key.1);
        finding
    }
}

fn rate_title(key: &ServiceKey, word: &str, window: Window, observed: f64, expected: f64) -> String {
    format!(
        "{} writes {word} lines than usual in {}: {} instead of about {}",
        key.1,
        span(window.length.as_secs_f64()),
        number(observed),
        number(expected),
    )
}

/// A template's id as people and findings have it: 16 hexadecimal digits.
pub(super) fn pattern_id(id: TemplateId) -> String {
    format!("{:016x}", id.0)
}

/// The start of a text for a title.
pub(super) fn shown(text: &str) -> String {
    let masked = mask_secrets(text);
    match masked.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("\"{}…\"", &masked[..end]),
        None => format!("\"{masked}\""),
    }
}
