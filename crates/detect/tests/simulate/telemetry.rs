//! What the simulated services say: ten minutes of lines, points and spans, quiet at first, with faults later on.
//!
//! Ten minutes, as baselines by the minute judge from the ninth on. Records are in the order of their time, and in many
//! runs times are whole seconds and lines much alike, so that different sources often say the same at the same time.

use std::ops::Range;

use foreshock_model::{Tenant, Timestamp};

use super::chance::Chance;

/// A whole minute.
const START: u64 = 1_750_000_020;
const SECONDS: u64 = 600;

/// Which of the telemetry streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    Logs,
    Metrics,
    Spans,
}

/// One signal of one instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) tenant: Tenant,
    pub(crate) service: &'static str,
    pub(crate) instance: String,
    pub(crate) version: &'static str,
    pub(crate) signal: Signal,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Line(String),
    /// A gauge.
    Queue(f64),
    /// A cumulative counter.
    Served(f64),
    Span {
        operation: &'static str,
        took_millis: u64,
        failed: bool,
        calls: Option<&'static str>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    /// Place in [`Telemetry::sources`].
    pub(crate) source: usize,
    pub(crate) body: Body,
}

/// All of it, records in the order of time.
pub(crate) struct Telemetry {
    pub(crate) sources: Vec<Source>,
    pub(crate) records: Vec<Record>,
}

/// What goes wrong with a service, from some second on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A line never seen before, an error.
    NewError,
    /// Errors that were rare come often.
    MoreErrors,
    /// It does more of the same.
    Busier,
    /// It says nothing more.
    Silent,
    /// Its queue grows long, its spans slow, and some fail.
    Slow,
    /// New instances of a new version take the place of the old ones, and write a line never seen before, an error.
    Release,
    None,
}

struct Service {
    tenant: &'static str,
    name: &'static str,
    calls: Option<&'static str>,
    instances: u64,
    /// Lines of an instance in ten seconds.
    lines: u64,
    fault: Fault,
    /// Seconds after the start.
    since: u64,
}

fn services(chance: &mut Chance) -> Vec<Service> {
    let all = [
        ("default", "shop/cart", Some("orders")),
        ("default", "shop/orders", None),
        ("acme", "billing", Some("ledger")),
        ("acme", "ledger", None),
    ];
    let faults = [
        Fault::NewError,
        Fault::MoreErrors,
        Fault::Busier,
        Fault::Silent,
        Fault::Slow,
        Fault::Release,
        Fault::None,
    ];
    let service = |(tenant, name, calls)| {
        let fault = chance.pick(&faults);
        // A silence has to last two minutes, all else has to begin when the minutes are judged.
        let since = if fault == Fault::Silent { chance.between(240, 400) } else { chance.between(480, 530) };
        let (instances, lines) = (chance.between(1, 3), chance.pick(&[4, 4, 5, 5, 6, 6, 7, 25]));
        Service { tenant, name, calls, instances, lines, fault, since }
    };
    all.into_iter().map(service).collect()
}

impl Telemetry {
    /// With `counters`: also what a source has to be on one partition for from beginning to end.
    pub(crate) fn generate(seed: u64, counters: bool) -> Self {
        let mut chance = Chance::new(seed, 1);
        let services = services(&mut chance);
        let mut telemetry = Self { sources: Vec::new(), records: Vec::new() };
        let (grain, numbers) = (chance.pick(&[1, 100, 1_000]), chance.pick(&[20, 10_000]));
        let mut habits = Habits { counters, grain, numbers, chance };
        for service in &services {
            let fails = service.since / 10;
            for instance in 0..service.instances {
                for signal in [Signal::Logs, Signal::Metrics, Signal::Spans] {
                    telemetry.say(service, instance, signal, 0..fails, Fault::None, &mut habits);
                    if service.fault != Fault::Silent {
                        let rest = fails..SECONDS / 10;
                        telemetry.say(service, instance, signal, rest, service.fault, &mut habits);
                    }
                }
            }
        }
        telemetry.records.sort_by_key(|record| (record.time, record.source));
        telemetry
    }

    /// What one signal of an instance says in these tens of seconds.
    fn say(
        &mut self,
        service: &Service,
        instance: u64,
        signal: Signal,
        tens: Range<u64>,
        fault: Fault,
        habits: &mut Habits,
    ) {
        let (version, generation) = if fault == Fault::Release { ("2.0", "b") } else { ("1.0", "a") };
        let source = self.source(Source {
            tenant: Tenant::new(service.tenant).expect("a name"),
            service: service.name,
            instance: format!("{generation}{instance}"),
            version,
            signal,
        });
        let Habits { counters, grain, numbers, chance } = habits;
        // Where a counter stands that went on from before.
        let mut served = tens.start * 30;
        for ten in tens {
            let begin = (START + ten * 10) * 1_000;
            let mut put = |body, chance: &mut Chance| {
                let millis = begin + chance.below(10_000) / *grain * *grain;
                self.records.push(Record { time: Timestamp(millis * 1_000_000), source, body });
            };
            match signal {
                Signal::Logs => {
                    let busy = if fault == Fault::Busier { 4 } else { 1 };
                    for _ in 0..(service.lines + chance.below(3)) * busy {
                        put(Body::Line(line(fault, *numbers, chance)), chance);
                    }
                }
                Signal::Metrics => {
                    let queue = 50 + chance.below(10) + if fault == Fault::Slow { 400 } else { 0 };
                    put(Body::Queue(queue as f64), chance);
                    if *counters {
                        served += 20 + chance.below(5) + if fault == Fault::Busier { 80 } else { 0 };
                        // In the middle of the ten seconds: a counter's points are in order.
                        let time = Timestamp((begin + 5_000) * 1_000_000);
                        self.records.push(Record { time, source, body: Body::Served(served as f64) });
                    }
                }
                Signal::Spans => {
                    for _ in 0..4 {
                        let slow = fault == Fault::Slow;
                        let took_millis = chance.between(10, 20) * if slow { 9 } else { 1 };
                        let failed = chance.percent(if slow { 40 } else { 2 });
                        let calls = service.calls.filter(|_| chance.percent(50));
                        put(Body::Span { operation: "GET /", took_millis, failed, calls }, chance);
                    }
                }
            }
        }
    }

    /// The place of a source, new if it was not there.
    fn source(&mut self, source: Source) -> usize {
        let known = self.sources.iter().position(|known| *known == source);
        known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        })
    }
}

/// What all sources of a run have in common.
struct Habits {
    counters: bool,
    /// Times are whole multiples of this, in milliseconds.
    grain: u64,
    /// How many different numbers lines hold: where there are few, different sources say the very same.
    numbers: u64,
    chance: Chance,
}

fn line(fault: Fault, numbers: u64, chance: &mut Chance) -> String {
    let n = chance.below(numbers);
    let errors = if fault == Fault::MoreErrors { 40 } else { 3 };
    match fault {
        Fault::NewError | Fault::Release if chance.percent(15) => {
            format!("ERROR payment {n} declined by the gateway")
        }
        _ if chance.percent(errors) => format!("ERROR no answer from 10.0.0.{} in time", n % 250),
        _ => match n % 4 {
            0 => format!("INFO cache hit for key user:{n}"),
            1 => format!("WARN slow query took {n} ms on table orders"),
            _ => format!("INFO request {n} served in {} ms", n % 97),
        },
    }
}
