//! Pages on pure noise, and whether strong faults in it page: the stages detect and correlate in process, a simulated week.
//!
//! Seven kinds of noise in equal parts, a value a minute and series. Nothing happens but what is planted, so every other
//! incident that reaches `critical` is a false page.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_detect::{
    Clock, DetectConfig, Input, InputId, InputKind, Outputs, Stage, correlate::Correlate, detect::Detect,
};
use foreshock_model::{Finding, Incident, Severity, Tenant, Timestamp, proto};
use prost::Message;

use crate::{process::Usage, random::Random};

const START: u64 = 1_760_000_400;
const MINUTE: u64 = 60;
/// Series of one service.
const A_SERVICE: usize = 100;
/// Nothing is planted before: two days to learn in.
const CLEAN_MINUTES: u64 = 2 * 1440;
/// How long a fault lasts, in minutes.
const FAULT_MINUTES: u64 = 60;
/// A page counts for a fault up to so long after it, in seconds.
const GRACE_SECONDS: u64 = 1_800;
/// How far a fault is from what is usual, in standard deviations.
const STRONG: f64 = 10.0;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct NoiseOptions {
    /// Metric series.
    pub series: usize,
    /// Minutes simulated.
    pub minutes: u64,
    /// Faults planted.
    pub faults: usize,
    /// Chooses the noise and the faults.
    pub seed: u64,
    /// Expected false pages a week.
    pub pages_a_week: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct NoiseReport {
    /// Incidents that reached `critical` and have nothing to do with a fault, by the kind of noise of their first series.
    pub false_pages: BTreeMap<&'static str, u64>,
    /// What they told: kind, surprise and title of the worst finding of each.
    pub told: Vec<String>,
    /// Final findings that belong to no fault, by kind.
    pub false_findings: BTreeMap<String, u64>,
    /// Faults that paged.
    pub found: usize,
    /// Faults that did not: noise and fault.
    pub missed: Vec<String>,
    /// Time of detect and correlate, a series and minute.
    pub a_value: Duration,
    /// What the process grew by, a series, beyond the message of a minute: state of both stages, names, tables, what they said.
    pub bytes_a_series: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    White,
    Red,
    FewEvents,
    ManyEvents,
    HeavyTailed,
    Seasonal,
    Walk,
}

const KINDS: [(Noise, &str); 7] = [
    (Noise::White, "white"),
    (Noise::Red, "red"),
    (Noise::FewEvents, "Poisson, few"),
    (Noise::ManyEvents, "Poisson, many"),
    (Noise::HeavyTailed, "heavy-tailed"),
    (Noise::Seasonal, "seasonal"),
    (Noise::Walk, "random walk"),
];

/// One series: its noise, and what it needs to go on.
struct Series {
    noise: Noise,
    level: f64,
    deviation: f64,
    memory: f64,
    phase: f64,
}

#[derive(Clone, Copy)]
struct Fault {
    series: usize,
    from: u64,
    is_silence: bool,
}

impl Fault {
    fn holds(&self, minute: u64) -> bool {
        (self.from..self.from + FAULT_MINUTES).contains(&minute)
    }
}

impl Random {
    fn unit(&mut self) -> f64 {
        (self.below(1 << 53) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (floor, mut product, mut count) = ((-mean).exp(), self.unit(), 0.0);
        while product > floor {
            product *= self.unit();
            count += 1.0;
        }
        count
    }
}

impl Series {
    fn new(number: usize, random: &mut Random) -> Self {
        let noise = KINDS[number % KINDS.len()].0;
        let level = [10.0, 100.0, 1e3, 1e6][random.below(4) as usize];
        let share = [0.01, 0.03, 0.08, 0.2][random.below(4) as usize];
        let (level, deviation) = match noise {
            Noise::FewEvents => (0.3 + random.unit(), 0.0),
            Noise::ManyEvents => (100.0 + 900.0 * random.unit(), 0.0),
            _ => (level, share * level),
        };
        let deviation = if deviation > 0.0 { deviation } else { level.sqrt() };
        Self { noise, level, deviation, memory: 0.0, phase: random.unit() * std::f64::consts::TAU }
    }

    /// The value of a minute, `beyond` standard deviations off.
    fn next(&mut self, minute: u64, beyond: f64, random: &mut Random) -> f64 {
        let day = (minute as f64 / 1440.0 * std::f64::consts::TAU + self.phase).sin();
        let own = match self.noise {
            Noise::White => random.normal(),
            Noise::Red => {
                self.memory = 0.9 * self.memory + 0.19f64.sqrt() * random.normal();
                self.memory
            }
            Noise::FewEvents | Noise::ManyEvents => {
                return random.poisson(self.level) + (beyond * self.deviation).round();
            }
            // Student's t with four degrees of freedom, of variance 1.
            Noise::HeavyTailed => {
                let chi: f64 = (0..4).map(|_| random.normal().powi(2)).sum();
                random.normal() / (chi / 4.0).sqrt() / 2f64.sqrt()
            }
            Noise::Seasonal => 5.0 * day + random.normal(),
            Noise::Walk => {
                self.memory += 0.2 * random.normal();
                self.memory
            }
        };
        self.level + self.deviation * (own + beyond)
    }

    fn is_count(&self) -> bool {
        matches!(self.noise, Noise::FewEvents | Noise::ManyEvents)
    }
}

/// Runs a week of noise.
pub fn run(options: &NoiseOptions) -> anyhow::Result<NoiseReport> {
    let mut random = Random(options.seed);
    let mut series: Vec<Series> =
        (0..options.series).map(|number| Series::new(number, &mut random)).collect();
    let minutes = options.minutes;
    let faults: Vec<Fault> = (0..options.faults)
        .map(|number| Fault {
            series: random.below(options.series as u64) as usize,
            from: CLEAN_MINUTES + random.below((minutes - CLEAN_MINUTES).saturating_sub(2 * FAULT_MINUTES)),
            is_silence: number % 4 == 3,
        })
        .collect();
    // What one minute's message takes is there before: it is reduce's and the journal's, and given back.
    let values: Vec<Option<f64>> = series.iter().map(|series| Some(series.level)).collect();
    let payload = Stages::new(options).message(0, &series, &values).encode_to_vec();
    drop((proto::Summaries::decode(payload.as_slice())?, payload, values));
    let before = Usage::own()?.resident_bytes;
    let mut stages = Stages::new(options);
    for minute in 0..minutes {
        let value = |(number, series): (usize, &mut Series)| {
            let fault = faults.iter().find(|fault| fault.series == number && fault.holds(minute));
            let beyond = if fault.is_some_and(|fault| !fault.is_silence) { STRONG } else { 0.0 };
            let value = series.next(minute, beyond, &mut random);
            (!fault.is_some_and(|fault| fault.is_silence)).then_some(value)
        };
        let values: Vec<Option<f64>> = series.iter_mut().enumerate().map(value).collect();
        let message = stages.message(minute, &series, &values);
        stages.take(message)?;
    }
    let grown = Usage::own()?.resident_bytes.saturating_sub(before);
    let mut report = stages.judge(&series, &faults);
    report.bytes_a_series = grown / options.series.max(1) as u64;
    report.a_value = stages.took / u32::try_from(minutes * options.series as u64).unwrap_or(u32::MAX).max(1);
    Ok(report)
}

/// Detect and correlate, and what they said.
struct Stages {
    detect: Detect,
    correlate: Correlate,
    sequence: u64,
    /// By the stages themselves.
    took: Duration,
    findings: Vec<Finding>,
    /// Incidents that reached `critical`, as they stood last.
    paged: BTreeMap<foreshock_model::IncidentId, Incident>,
}

impl Stages {
    fn new(options: &NoiseOptions) -> Self {
        let mut config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
        config.budget.pages_a_week = options.pages_a_week;
        let config = Arc::new(config);
        let input = |stream: &str| InputId { stream: stream.to_owned(), partition: 0 };
        let (metrics, summaries) = (input("otlp_metrics"), input("foreshock_summaries"));
        Self {
            detect: Detect::new(config.clone(), summaries.clone(), vec![metrics], 1),
            correlate: Correlate::new(config, input("foreshock_findings"), vec![summaries], 1),
            sequence: 0,
            took: Duration::ZERO,
            findings: Vec::new(),
            paged: BTreeMap::new(),
        }
    }

    /// What reduce would pass on of a minute.
    fn message(&mut self, minute: u64, series: &[Series], values: &[Option<f64>]) -> proto::Summaries {
        self.sequence += 1;
        let end = (START + (minute + 1) * MINUTE) * 1_000_000_000;
        let windows = series.chunks(A_SERVICE).zip(values.chunks(A_SERVICE)).enumerate();
        let windows = windows.map(|(service, (series, values))| {
            let id = |within: usize| (service * A_SERVICE + within) as u64 + 1;
            let mut columns = proto::SeriesColumns::default();
            for (within, value) in values.iter().enumerate() {
                if let Some(value) = value {
                    columns.id.push(id(within));
                    columns.value.push(*value);
                    columns.samples.push(1);
                }
            }
            let info = |(within, series): (usize, &Series)| proto::SeriesInfo {
                id: id(within),
                name: name_of(service * A_SERVICE + within),
                kind: if series.is_count() { proto::SeriesKind::Rate } else { proto::SeriesKind::Gauge }
                    .into(),
                ..Default::default()
            };
            let new_series =
                if minute == 0 { series.iter().enumerate().map(info).collect() } else { Vec::new() };
            proto::WindowSummary {
                tenant: Tenant::default().to_string(),
                service: format!("service-{service:03}"),
                window_start: end - 10_000_000_000,
                new_series,
                series: Some(columns),
                ..Default::default()
            }
        });
        let source = proto::Source {
            stage: "reduce".into(),
            stream: "otlp_metrics".into(),
            offset: self.sequence,
            sequence: self.sequence,
            partitions: 1,
            ..Default::default()
        };
        proto::Summaries {
            source: Some(source),
            windows: windows.collect(),
            watermark: end,
            ..Default::default()
        }
    }

    fn take(&mut self, message: proto::Summaries) -> anyhow::Result<()> {
        let tenant = Tenant::default();
        let received = Timestamp(message.watermark);
        let payload = message.encode_to_vec().into();
        let input = Input {
            offset: self.sequence,
            tenant: &tenant,
            received,
            kind: InputKind::Data,
            payload: &payload,
        };
        let mut found = Outputs::default();
        let began = Instant::now();
        self.detect.apply(input, &mut found);
        self.took += began.elapsed();
        anyhow::ensure!(found.poison.is_empty(), "{:?}", found.poison);
        for (offset, (_, message)) in (0..).zip(found.messages) {
            for finding in &message.findings {
                self.findings.push(Finding::try_from(finding)?);
            }
            let payload = message.encode_to_vec().into();
            let input = Input { offset, tenant: &tenant, received, kind: InputKind::Data, payload: &payload };
            let mut told = Outputs::default();
            let began = Instant::now();
            self.correlate.apply(input, &mut told);
            self.took += began.elapsed();
            for incident in told.messages.iter().flat_map(|(_, message)| &message.incidents) {
                let incident = Incident::try_from(incident)?;
                if incident.severity == Severity::Critical || self.paged.contains_key(&incident.id) {
                    self.paged.insert(incident.id, incident);
                }
            }
        }
        Ok(())
    }

    fn judge(&self, series: &[Series], faults: &[Fault]) -> NoiseReport {
        let is_of = |fault: &Fault, finding: &Finding| {
            let from = START + fault.from * MINUTE;
            let end = finding.window_end.nanos() / 1_000_000_000;
            // What is told of all metrics of a service names the farthest of them.
            let names = || finding.title.contains(&name_of(fault.series));
            (number_of(finding) == Some(fault.series) || names())
                && (from..=from + FAULT_MINUTES * MINUTE + GRACE_SECONDS).contains(&end)
        };
        let mut report = NoiseReport::default();
        for finding in
            self.findings.iter().filter(|finding| !faults.iter().any(|fault| is_of(fault, finding)))
        {
            *report.false_findings.entry(finding.kind.to_string()).or_default() += 1;
        }
        let mut found = BTreeSet::new();
        for incident in self.paged.values() {
            let of: Vec<usize> = (0..faults.len())
                .filter(|number| incident.findings.iter().any(|finding| is_of(&faults[*number], finding)))
                .collect();
            if of.is_empty() {
                let worst = incident.findings.iter().max_by(|a, b| a.surprise.total_cmp(&b.surprise));
                let number = worst.and_then(number_of).unwrap_or(0);
                *report.false_pages.entry(KINDS[number % KINDS.len()].1).or_default() += 1;
                report.told.extend(worst.map(|finding| {
                    format!(
                        "day {:.2}, {} {:.1} ({} alone): {}",
                        (finding.window_end.as_secs_f64() - START as f64) / 86_400.0,
                        finding.kind,
                        finding.surprise,
                        finding.labels.get("alone").map_or("", String::as_str),
                        finding.title
                    )
                }));
            }
            found.extend(of);
        }
        report.found = found.len();
        let missed = (0..faults.len()).filter(|number| !found.contains(number)).map(|number| &faults[number]);
        report.missed = missed
            .map(|fault| {
                let (noise, what) =
                    (KINDS[fault.series % KINDS.len()].1, if fault.is_silence { "silence" } else { "leap" });
                let said = self.findings.iter().filter(|finding| is_of(fault, finding));
                let loudest = said.max_by(|a, b| a.surprise.total_cmp(&b.surprise));
                let said = loudest.map_or("nothing".to_owned(), |finding| {
                    let alone = finding.labels.get("alone").map_or("", String::as_str);
                    format!("{} {:.1} ({alone} alone)", finding.kind, finding.surprise)
                });
                format!(
                    "{noise} ({what}, {:.3} of the level): {said}",
                    series[fault.series].deviation / series[fault.series].level
                )
            })
            .collect();
        report
    }
}

/// A name that says nothing of whether more of it harms.
fn name_of(number: usize) -> String {
    format!("meter.{number:05}")
}

fn number_of(finding: &Finding) -> Option<usize> {
    finding.series.strip_prefix("meter.")?.get(..5)?.parse().ok()
}
