//! One series: the value of its minute, and what is told of it.

use crate::PEER_ADDRESS;
use foreshock_model::{Kind, Severity, Timestamp, Window, proto};
use foreshock_stats::{
    Fared, Oddity, RunOut, SeriesWatch, Tail, Watched,
    tail::{negative_binomial_lower, negative_binomial_upper},
};
use serde::{Deserialize, Serialize};

use super::{
    service::ServiceMetrics,
    text::{Names, SeriesText, attribute, limit_of},
};
use crate::detect::{
    draft::{Draft, LEAST_SURPRISE, number},
    harm::{less_is_given_back, more_harms},
    report::Report,
};

/// What is large against all that the series did is told from this surprise: the budget knows what it is worth.
const TOLD_SURPRISE: f64 = 2.0;
/// A deviation that is not large against all that the series did matters from this share of what was expected.
const SHARE: f64 = 0.2;
/// Of a bounded resource from this share of its bound.
const BOUND_SHARE: f64 = 0.05;
/// A bounded resource is nearly used up from this share of its bound.
const NEARLY_USED_UP: f64 = 0.9;
/// And of a flow from so many a minute.
const RATE_STEP: f64 = 5.0;
/// A quantile of fewer samples a minute says nothing.
const FEWEST_SAMPLES: u32 = 20;
/// Size of the negative binomial: variance mean + mean² / size. At first, and so much more for each minute that taught how
/// the counts vary.
const COUNT_SIZE: f64 = 20.0;
const COUNT_SIZE_A_MINUTE: f64 = 0.1;
/// Above this an increase is taken for a quantity.
const MOST_COUNTED: f64 = 1e6;
/// A series that was not reported for so many seconds, and so many of its steps, is gone: how things are, and not told any more.
const GONE_SECONDS: f64 = 3_600.0;
const GONE_STEPS: f64 = 20.0;
/// Surprise from which a series is taken for silent.
const SILENT_SURPRISE: f64 = 5.0;

/// What every minute touches of a series.
#[derive(Serialize, Deserialize)]
pub(super) struct SeriesState {
    /// Of the minute: sum of values and of samples.
    sum: f64,
    samples: u32,
    service: u32,
    instance: u32,
    /// Among the service's metrics: the same at every instance.
    metric: u32,
    measure: Measure,
    /// The base window of its first value. Not that of its announcement, which comes early where other sources of
    /// its partition move time on: what is learned must not depend on who shares a partition. Never, before it.
    since: Timestamp,
    /// The latest value that was judged.
    last: f64,
    /// The minute before was odd as well.
    again: bool,
    watch: SeriesWatch,
    run_out: Option<Box<RunOut>>,
}

/// Whose a series is, by number.
pub(super) struct Place {
    pub(super) service: u32,
    pub(super) instance: u32,
    pub(super) metric: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Measure {
    Gauge,
    Rate,
    Quantile,
}

impl Measure {
    pub(super) fn of(kind: i32) -> Self {
        match proto::SeriesKind::try_from(kind) {
            Ok(proto::SeriesKind::Rate) => Self::Rate,
            Ok(proto::SeriesKind::Quantile) => Self::Quantile,
            _ => Self::Gauge,
        }
    }
}

impl SeriesState {
    /// Knows nothing yet. `limit`: where it is used up.
    pub(super) fn new(of: Place, measure: Measure, limit: Option<f64>) -> Self {
        let Place { service, instance, metric } = of;
        Self {
            sum: 0.0,
            samples: 0,
            service,
            instance,
            metric,
            measure,
            since: Timestamp::MAX,
            last: 0.0,
            again: false,
            watch: SeriesWatch::new(),
            run_out: limit.map(|limit| Box::new(RunOut::new(60.0).bounded_by(limit))),
        }
    }

    pub(super) fn service(&self) -> u32 {
        self.service
    }

    pub(super) fn instance(&self) -> u32 {
        self.instance
    }

    pub(super) fn watch(&self) -> &SeriesWatch {
        &self.watch
    }

    /// The latest value that was judged, and the end of its minute.
    pub(super) fn last(&self) -> Option<(Timestamp, f64)> {
        self.watch.last_secs().map(|secs| (Timestamp::from_secs_f64(secs), self.last))
    }

    /// How its forecasts have fared, of what can be used up.
    pub(super) fn fared(&self) -> Option<Fared> {
        self.run_out.as_ref().map(|run_out| run_out.fared())
    }

    pub(super) fn run_out(&mut self) -> Option<&mut RunOut> {
        self.run_out.as_deref_mut()
    }

    /// Adds the value of a base window.
    pub(super) fn take(&mut self, start: Timestamp, value: f64, samples: u32) {
        self.since = self.since.min(start);
        match self.measure {
            Measure::Rate => self.sum += value,
            Measure::Gauge | Measure::Quantile => self.sum += value * f64::from(samples),
        }
        self.samples = self.samples.saturating_add(samples);
    }

    /// Judges the minute. `number` is this one's.
    pub(super) fn close_minute(
        &mut self,
        number: u32,
        service: &mut ServiceMetrics,
        names: &Names,
        minute: Window,
        report: &mut Report,
    ) {
        let (sum, samples) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.samples));
        if minute.start < self.since {
            return;
        }
        let secs = minute.end().as_secs_f64();
        if samples == 0 {
            self.again = false;
            let silent = self.silent(secs);
            if silent.surprise() >= SILENT_SURPRISE {
                service.note_silent(number, self.instance, silent);
            }
            return;
        }
        service.note_heard(self.instance, minute);
        let value = match self.measure {
            Measure::Rate => sum / 60.0,
            Measure::Gauge | Measure::Quantile => sum / f64::from(samples),
        };
        if self.measure == Measure::Quantile && samples < FEWEST_SAMPLES {
            self.again = false;
            return;
        }
        service.note_value(self.metric, number, self.instance, value);
        if let Some(run_out) = &mut self.run_out {
            run_out.observe(secs, value);
        }
        let was_rare = self.measure == Measure::Gauge && self.watch.is_rare_count();
        if value.is_finite() {
            self.last = value;
        }
        let mut watched = self.watch.observe(secs, value);
        let counted = match self.measure {
            Measure::Rate => Some((sum, watched.mean * 60.0)),
            // What comes is more than what was; that nothing comes says nothing.
            Measure::Gauge if was_rare && watched.up => Some((value, watched.mean)),
            Measure::Gauge | Measure::Quantile => None,
        };
        if let Some((count, expected)) = counted
            && watched.oddest().1.surprise() >= TOLD_SURPRISE
        {
            let held = of_counts(count, expected, self.watch.learned());
            watched.hold(Oddity::Deviation, held);
            if !self.again {
                // One minute by itself is no more than its count.
                watched.hold(Oddity::Shift, held);
                watched.hold(Oddity::Trend, held);
            }
            if was_rare {
                // Of events so rare there is no usual spread.
                watched.hold(Oddity::Spread, held);
            }
        }
        if counted.is_none() {
            service.calibrate(&mut watched);
        }
        if let Some(leap) = watched.leap {
            service.note_leap(number, self.instance, leap);
        }
        if let Some(tail) = self.judge(number, service, names, value, minute, &watched, report) {
            service.note_alarm(tail);
        }
    }

    /// How unlikely it is that it has not been reported for so long. Without requests there is no quantile of them, and of
    /// what is counted there may have been none.
    fn silent(&self, secs: f64) -> Tail {
        let (silent, step) = (self.watch.silent_secs(secs), self.watch.step_secs().unwrap_or(f64::INFINITY));
        let overdue = self.watch.overdue(secs);
        let is_gone = silent > GONE_SECONDS.max(GONE_STEPS * step);
        match self.measure {
            _ if is_gone || overdue.surprise() < SILENT_SURPRISE => Tail::ONE,
            Measure::Gauge => overdue,
            Measure::Quantile => Tail::ONE,
            Measure::Rate => {
                // What is kept is the increase of a report over a minute, however often it is reported.
                let expected = self.watch.usual().max(0.0) * 60.0 * silent / step;
                overdue.max(negative_binomial_lower(0, expected, COUNT_SIZE))
            }
        }
    }

    /// Tells of what is odd. Its probability, if it would be told of by itself.
    #[allow(clippy::too_many_arguments, reason = "the parts of one verdict")]
    fn judge(
        &mut self,
        series: u32,
        service: &ServiceMetrics,
        names: &Names,
        value: f64,
        minute: Window,
        watched: &Watched,
        report: &mut Report,
    ) -> Option<Tail> {
        let (oddest, tail) = watched.oddest();
        let oddity = watched.alarm().unwrap_or(oddest);
        if watched.alarm().is_none() && tail.surprise() < LEAST_SURPRISE {
            self.again = false;
            return None;
        }
        let text = names.of(series, self.instance, service);
        let is_large = watched.alarm().is_some() && self.is_worth_a_page(text, value, watched.mean);
        // A quantile of one minute rests on few requests.
        let is_sure = self.measure != Measure::Quantile || self.again;
        self.again = is_large;
        let worth = service.worth(tail);
        let told = if is_large {
            worth.surprise() >= TOLD_SURPRISE
        } else {
            worth.surprise() >= LEAST_SURPRISE && self.matters(text, value, watched.mean)
        };
        let alarm = is_large.then_some(tail);
        if !told {
            return alarm;
        }
        let (kind, word) = described(oddity, watched.up);
        let is_given_back = self.measure == Measure::Gauge
            && !watched.up
            && oddity != Oddity::Flat
            && less_is_given_back(text.name);
        let wakes = !is_given_back && !is_bounded_and_far_from_it(text, value);
        let severity = if is_large && is_sure && wakes {
            Severity::Critical
        } else if is_large || watched.up && more_harms(text.name, text.unit) {
            Severity::Warning
        } else {
            Severity::Info
        };
        let key = service.key();
        let shown = format!("{}{}", number(value), text.unit_shown());
        let draft = Draft {
            key,
            kind,
            series: &text.series(),
            window: service.window(minute),
            tail: worth,
            effect: value / if watched.mean == 0.0 { 1.0 } else { watched.mean },
            observed: value,
            expected: watched.expected,
            severity,
            title: match oddity {
                Oddity::Flat => format!("{}: {} {word}: {shown} all the time", key.1, text.shown()),
                _ => format!(
                    "{}: {} {word}: {shown}, about {} expected",
                    key.1,
                    text.shown(),
                    number(watched.mean)
                ),
            },
        };
        let mut finding = draft.finish();
        finding.labels.insert("alone".into(), format!("{:.2}", tail.surprise()));
        if let Some(address) = attribute(text.name, "server.address") {
            finding.labels.insert(PEER_ADDRESS.to_owned(), address.to_owned());
        }
        report.findings.push(finding);
        alarm
    }

    /// Practical significance of what is large for the series: a few events, or some percent of a bound, wake nobody.
    fn is_worth_a_page(&self, text: SeriesText<'_>, value: f64, mean: f64) -> bool {
        let step = match self.measure {
            Measure::Rate => RATE_STEP / 60.0,
            Measure::Gauge | Measure::Quantile => {
                limit_of(text.name, text.unit).map_or(0.0, |limit| BOUND_SHARE * limit)
            }
        };
        step == 0.0 || (value - mean).abs() > step
    }

    /// Practical significance of what is not: it must also be large against what was expected.
    fn matters(&self, text: SeriesText<'_>, value: f64, mean: f64) -> bool {
        (value - mean).abs() >= SHARE * mean.abs() && self.is_worth_a_page(text, value, mean)
    }
}

/// What can be used up wakes people when it nearly is, or is on its way there, which the forecast says.
fn is_bounded_and_far_from_it(text: SeriesText<'_>, value: f64) -> bool {
    limit_of(text.name, text.unit).is_some_and(|limit| value < NEARLY_USED_UP * limit)
}

/// The kind of finding, and its verb.
fn described(oddity: Oddity, up: bool) -> (Kind, &'static str) {
    match (oddity, up) {
        (Oddity::Deviation, true) => (Kind::Spike, "jumped"),
        (Oddity::Deviation, false) => (Kind::Dip, "dropped"),
        (Oddity::Shift, true) => (Kind::LevelShift, "stays high"),
        (Oddity::Shift, false) => (Kind::LevelShift, "stays low"),
        (Oddity::Trend, true) => (Kind::TrendChange, "climbs"),
        (Oddity::Trend, false) => (Kind::TrendChange, "falls"),
        (Oddity::Spread, _) => (Kind::VarianceChange, "varies otherwise than it did"),
        (Oddity::Flat, _) => (Kind::FlatLine, "does not move any more"),
        (Oddity::Season, _) => (Kind::SeasonBroken, "is off the rhythm of its days"),
    }
}

/// An increase by whole numbers is a count of events, so a lone one is never more surprising than such a count would be:
/// negative binomial, half an event added to what is expected. [`Tail`] 0 for what is no count.
fn of_counts(increase: f64, expected: f64, minutes: u32) -> Tail {
    if increase < 0.0 || increase.fract() != 0.0 || increase > MOST_COUNTED {
        return Tail::from_surprise(Tail::MOST);
    }
    let (count, expected) = (increase as u64, expected.max(0.0) + 0.5);
    let size = COUNT_SIZE + COUNT_SIZE_A_MINUTE * f64::from(minutes);
    negative_binomial_upper(count, expected, size).min(negative_binomial_lower(count, expected, size))
}
