//! All metrics of one service: what they do together, what one of them is worth among them, which are silent.

use std::{collections::BTreeMap, time::Duration};

use foreshock_model::{Kind, Severity, Timestamp, Window};
use foreshock_stats::{
    Company, Leaps, Tail, Watched,
    series::{FEWEST_PEERS, JointlyWatched, OddOneOut, Peers},
};
use serde::{Deserialize, Serialize};

use super::text::Names;
use crate::detect::{
    ServiceKey,
    draft::{Draft, number},
    report::Report,
    silence::{AGAIN, JUDGED_ON},
};

/// The series of what is told of all metrics together.
pub(super) const TOGETHER: &str = "metrics";
/// Lengths of window that what is told may be of: as often as the service is observed.
const LENGTHS: [u64; 7] = [60, 300, 600, 1_800, 3_600, 21_600, 86_400];
/// Metrics named in what is told of many.
const NAMED: usize = 3;
/// What one of several is told for is so large a share of what the others are.
const APART_SHARE: f64 = 0.2;
/// An instance that was not heard for so many windows is silent itself, which is told of it and not of its metrics.
const HEARD_WINDOWS: u32 = 2;

/// The metrics of one service.
#[derive(Serialize, Deserialize)]
pub(super) struct ServiceMetrics {
    key: ServiceKey,
    company: Company,
    instances: Vec<Instance>,
    numbers: BTreeMap<Box<str>, u32>,
    /// The number of each metric, and, of those that enough instances have, these beside one another.
    metrics: BTreeMap<Box<str>, u32>,
    peers: BTreeMap<u32, Peers>,
    #[serde(skip)]
    minute: Minute,
}

#[derive(Default, Serialize, Deserialize)]
struct Instance {
    name: Box<str>,
    heard: Timestamp,
    /// When it was last told that some of its metrics are silent.
    told: Timestamp,
}

/// What the present minute has shown. Empty between minutes.
#[derive(Default)]
struct Minute {
    leaps: Leaps,
    loudest: f64,
    /// How far the farthest leapt, their numbers and instances.
    farthest: Vec<(f64, u32, u32)>,
    silent: Vec<Silent>,
    /// Of services with several instances.
    values: Vec<Value>,
}

/// What a series was, beside those of the same metric at other instances.
struct Value {
    metric: u32,
    series: u32,
    instance: u32,
    value: f64,
}

struct Silent {
    series: u32,
    instance: u32,
    overdue: Tail,
}

impl ServiceMetrics {
    pub(super) fn new(key: ServiceKey) -> Self {
        let (company, instances, numbers, minute) = Default::default();
        let (metrics, peers) = Default::default();
        Self { key, company, instances, numbers, metrics, peers, minute }
    }

    pub(super) fn key(&self) -> &ServiceKey {
        &self.key
    }

    /// The number of an instance.
    pub(super) fn instance(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.instances.len()).unwrap_or(u32::MAX);
        self.instances.push(Instance { name: name.into(), ..Instance::default() });
        self.numbers.insert(name.into(), number);
        number
    }

    /// The number of a metric, whatever instance it is of.
    pub(super) fn metric(&mut self, name: &str) -> u32 {
        if let Some(number) = self.metrics.get(name) {
            return *number;
        }
        let number = u32::try_from(self.metrics.len()).unwrap_or(u32::MAX);
        self.metrics.insert(name.into(), number);
        number
    }

    pub(super) fn instance_name(&self, number: u32) -> &str {
        self.instances.get(number as usize).map_or("", |instance| &instance.name)
    }

    /// The window that what is told at the end of `minute` is of.
    pub(super) fn window(&self, minute: Window) -> Window {
        let length = Duration::from_secs(self.length());
        Window { start: minute.end().minus(length), length }
    }

    fn length(&self) -> u64 {
        let step = self.company.step_secs().unwrap_or(0.0) * 1.05;
        LENGTHS.into_iter().rev().find(|length| *length as f64 <= step).unwrap_or(LENGTHS[0])
    }

    /// What the surprise of one metric is worth here.
    pub(super) fn worth(&self, tail: Tail) -> Tail {
        self.company.worth(tail)
    }

    /// Holds the tails of a metric to how often such come here.
    pub(super) fn calibrate(&mut self, watched: &mut Watched) {
        self.company.calibrate(watched);
    }

    pub(super) fn note_heard(&mut self, instance: u32, minute: Window) {
        if let Some(instance) = self.instances.get_mut(instance as usize) {
            instance.heard = minute.end();
        }
    }

    pub(super) fn note_silent(&mut self, series: u32, instance: u32, overdue: Tail) {
        self.minute.silent.push(Silent { series, instance, overdue });
    }

    /// A metric is so far from its forecast.
    pub(super) fn note_leap(&mut self, series: u32, instance: u32, leap: f64) {
        let minute = &mut self.minute;
        minute.leaps.add(leap);
        let far = leap.abs();
        if minute.farthest.len() < NAMED || minute.farthest.iter().any(|(least, ..)| far > *least) {
            minute.farthest.push((far, series, instance));
            minute.farthest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            minute.farthest.truncate(NAMED);
        }
    }

    /// The value of a metric, for its peers at other instances.
    pub(super) fn note_value(&mut self, metric: u32, series: u32, instance: u32, value: f64) {
        if self.instances.len() >= FEWEST_PEERS {
            self.minute.values.push(Value { metric, series, instance, value });
        }
    }

    /// A metric would be told of by itself.
    pub(super) fn note_alarm(&mut self, tail: Tail) {
        self.minute.loudest = self.minute.loudest.max(tail.surprise());
    }

    /// Ends the minute, after all series.
    pub(super) fn close_minute(&mut self, names: &Names, minute: Window, report: &mut Report) {
        let mut seen = std::mem::take(&mut self.minute);
        self.judge_silent(&mut seen, names, minute, report);
        self.judge_peers(&mut seen.values, names, minute, report);
        if seen.leaps.metrics() == 0 {
            return;
        }
        let jointly = self.company.close(minute.end().as_secs_f64(), &seen.leaps, seen.loudest);
        if self.company.step_secs().is_none() {
            return;
        }
        let seconds = self.length() as u32;
        report.tested(&self.key.0, Kind::LevelShift, seconds, 1);
        if let Some(jointly) = jointly {
            report.tested(&self.key.0, Kind::JointDeviation, seconds, 1);
            if jointly.alarm() {
                self.tell_jointly(&seen, jointly, names, minute, report);
            }
        }
    }

    /// Instances whose metric is unlike that of the others.
    fn judge_peers(&mut self, values: &mut [Value], names: &Names, minute: Window, report: &mut Report) {
        values.sort_by_key(|value| (value.metric, value.series));
        let mut tests = 0;
        let of_peers = values.chunk_by(|a, b| a.metric == b.metric).filter(|of| of.len() >= FEWEST_PEERS);
        for values in of_peers {
            tests += 1;
            let at_each: Vec<(u32, f64)> = values.iter().map(|value| (value.series, value.value)).collect();
            let odd = self.peers.entry(values[0].metric).or_default().observe(&at_each);
            let matters = |odd: &OddOneOut| (odd.value - odd.median).abs() >= APART_SHARE * odd.median.abs();
            let Some(odd) = odd.filter(matters) else { continue };
            let Some(of) = values.iter().find(|value| value.series == odd.series) else { continue };
            self.tell_odd(&odd, of.instance, values.len() - 1, names, minute, report);
        }
        report.tested(&self.key.0, Kind::OddOneOut, self.length() as u32, tests);
    }

    fn tell_odd(
        &self,
        odd: &OddOneOut,
        instance: u32,
        peers: usize,
        names: &Names,
        minute: Window,
        report: &mut Report,
    ) {
        let who = names.of(odd.series, instance, self);
        let draft = Draft {
            key: &self.key,
            kind: Kind::OddOneOut,
            series: &who.series(),
            window: self.window(minute),
            tail: odd.tail,
            effect: odd.value / if odd.median == 0.0 { 1.0 } else { odd.median },
            observed: odd.value,
            expected: odd.expected,
            // One of several: the others still do their work.
            severity: Severity::Warning,
            title: format!(
                "{}: {} of {} is unlike that of its {peers} peers: {}{unit}, about {}{unit} at the others",
                self.key.1,
                who.shown(),
                who.instance,
                number(odd.value),
                number(odd.median),
                unit = who.unit_shown(),
            ),
        };
        report.findings.push(draft.finish());
    }

    fn tell_jointly(
        &self,
        seen: &Minute,
        jointly: JointlyWatched,
        names: &Names,
        minute: Window,
        report: &mut Report,
    ) {
        let far = |(_, series, instance): &(f64, u32, u32)| names.of(*series, *instance, self).shown();
        let farthest: Vec<String> = seen.farthest.iter().map(far).collect();
        let draft = Draft {
            key: &self.key,
            kind: Kind::JointDeviation,
            series: TOGETHER,
            window: self.window(minute),
            tail: jointly.tail,
            effect: jointly.z,
            observed: jointly.z,
            expected: (0.0, 2.0),
            severity: Severity::Critical,
            title: format!(
                "{}: its {} metrics are off together as never before, the farthest {}",
                self.key.1,
                seen.leaps.metrics(),
                farthest.join(", ")
            ),
        };
        report.findings.push(draft.finish());
    }

    /// Metrics that are overdue while their instance goes on with others.
    fn judge_silent(&mut self, seen: &mut Minute, names: &Names, minute: Window, report: &mut Report) {
        let within = Duration::from_secs(self.length()) * HEARD_WINDOWS;
        let mut silent = std::mem::take(&mut seen.silent);
        silent.sort_by_key(|silent| silent.instance);
        for of_instance in silent.chunk_by(|a, b| a.instance == b.instance) {
            let number = of_instance[0].instance;
            let Some(instance) = self.instances.get_mut(number as usize) else { continue };
            let now = minute.end();
            if now.since(instance.heard) >= within || now.since(instance.told) < AGAIN {
                continue;
            }
            instance.told = now;
            let tail = of_instance.iter().map(|silent| silent.overdue).fold(Tail::ONE, Tail::min);
            seen.loudest = seen.loudest.max(tail.surprise());
            let named = of_instance.iter().map(|silent| names.of(silent.series, number, self));
            let Some(who) = named.min_by(|a, b| a.name.cmp(b.name)) else { continue };
            let title = match of_instance {
                [_] => format!("{}: {} is not reported any more", self.key.1, who.shown()),
                more => format!(
                    "{}: {} metrics are not reported any more, {} among them",
                    self.key.1,
                    more.len(),
                    who.shown()
                ),
            };
            let draft = Draft {
                key: &self.key,
                kind: Kind::Silence,
                series: &who.series(),
                window: Window { start: now.minus(JUDGED_ON), length: JUDGED_ON },
                tail: self.company.worth(tail),
                effect: of_instance.len() as f64,
                observed: 0.0,
                expected: (1.0, 1.0),
                severity: Severity::Critical,
                title,
            };
            report.findings.push(draft.finish());
        }
    }
}
