//! What fills up, warms up and drifts: memory, processors, disks.

use crate::{calendar::SECOND, random::Random};

/// A value that wanders around zero: an Ornstein-Uhlenbeck process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    value: f64,
    deviation: f64,
    /// Seconds after which it has mostly forgotten where it was.
    memory_s: f64,
}

impl Drift {
    pub(crate) fn new(deviation: f64, memory_s: f64, random: &mut Random) -> Self {
        Self { value: deviation * random.normal(), deviation, memory_s }
    }

    pub(crate) fn step(&mut self, seconds: f64, random: &mut Random) -> f64 {
        let keep = (-seconds / self.memory_s).exp();
        self.value = keep * self.value + self.deviation * (1.0 - keep * keep).sqrt() * random.normal();
        self.value
    }
}

/// The data disk of the database: grows slowly, and with each cycle of write-ahead log that is archived away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatabaseDisk {
    /// Share of it that is used.
    used: f64,
}

impl DatabaseDisk {
    const AT_FIRST: f64 = 0.56;
    const GROWTH_A_HOUR: f64 = 0.0006;
    /// Write-ahead log that gathers until it is archived.
    pub(crate) const CYCLE_S: u64 = 300;
    const CYCLE_SWING: f64 = 0.008;
    const NOISE: f64 = 0.0004;
    /// With nothing removed any more, the rest of the disk lasts this long.
    const FILLS_IN_S: f64 = 3600.0;

    pub(crate) fn new() -> Self {
        Self { used: Self::AT_FIRST }
    }

    /// `filling_s`: seconds since it began to fill up. Says whether that is more than usual ups and downs.
    pub(crate) fn step(
        &mut self,
        at: u64,
        since_start_s: f64,
        filling_s: Option<f64>,
        random: &mut Random,
    ) -> bool {
        let cycle = (at / SECOND % Self::CYCLE_S) as f64 / Self::CYCLE_S as f64;
        let excess = (1.0 - Self::AT_FIRST) * filling_s.unwrap_or(0.0) / Self::FILLS_IN_S;
        let usual = Self::AT_FIRST
            + Self::GROWTH_A_HOUR * since_start_s / 3600.0
            + Self::CYCLE_SWING * cycle
            + Self::NOISE * random.normal();
        self.used = (usual + excess).min(1.0);
        excess > Self::CYCLE_SWING + 4.0 * Self::NOISE
    }

    pub(crate) fn used(&self) -> f64 {
        self.used
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used >= 0.9995
    }
}

/// The disk of a web server: its logs grow with the requests and are rotated away every hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogDisk {
    used: f64,
}

impl LogDisk {
    const AT_FIRST: f64 = 0.31;
    const A_REQUEST: f64 = 0.4e-6;

    pub(crate) fn new() -> Self {
        Self { used: Self::AT_FIRST }
    }

    pub(crate) fn wrote_line(&mut self) {
        self.used = (self.used + Self::A_REQUEST).min(0.95);
    }

    pub(crate) fn rotate(&mut self) {
        self.used = Self::AT_FIRST;
    }

    pub(crate) fn used(&self) -> f64 {
        self.used
    }
}

/// Heap of a Java service: filled by requests, emptied by collections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    used_mb: f64,
    collections: u64,
    /// The instance's count of requests when it was last looked at.
    requests: u64,
}

/// One collection: megabytes before and after, and how long everything stood still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Collection {
    pub(crate) number: u64,
    pub(crate) before_mb: f64,
    pub(crate) after_mb: f64,
    pub(crate) pause_s: f64,
}

impl Heap {
    const LIVE_MB: f64 = 210.0;
    const COLLECT_AT_MB: f64 = 690.0;
    const A_REQUEST_MB: f64 = 1.4;
    const A_SECOND_MB: f64 = 2.2;

    pub(crate) fn new(random: &mut Random) -> Self {
        Self { used_mb: random.between(Self::LIVE_MB, Self::COLLECT_AT_MB), collections: 0, requests: 0 }
    }

    /// `requests`: the instance's count, which begins again at zero now and then.
    pub(crate) fn step(&mut self, seconds: f64, requests: u64, random: &mut Random) -> Option<Collection> {
        let before = std::mem::replace(&mut self.requests, requests);
        let requests = requests.checked_sub(before).unwrap_or(requests);
        let filled = Self::A_SECOND_MB * seconds + Self::A_REQUEST_MB * requests as f64;
        self.used_mb += filled * random.between(0.7, 1.3);
        if self.used_mb < Self::COLLECT_AT_MB {
            return None;
        }
        let before_mb = self.used_mb;
        self.used_mb = Self::LIVE_MB * random.lognormal(1.0, 0.06);
        let number = self.collections;
        self.collections += 1;
        let pause_s = random.lognormal(0.018, 0.4);
        Some(Collection { number, before_mb, after_mb: self.used_mb, pause_s })
    }

    pub(crate) fn used_mb(&self) -> f64 {
        self.used_mb
    }
}

/// Memory and processor of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    memory: Drift,
    processor: Drift,
    /// Share of its memory limit it uses when warm.
    warm: f64,
    /// What it lost track of, as a share of its limit.
    pub(crate) leaked: f64,
    pub(crate) memory_used: f64,
    pub(crate) processor_used: f64,
    pub(crate) heap: Option<Heap>,
}

impl Body {
    const NOISE: f64 = 0.004;

    pub(crate) fn new(has_heap: bool, random: &mut Random) -> Self {
        let memory = Drift::new(Self::NOISE, 240.0, random);
        let processor = Drift::new(0.10, 60.0, random);
        let warm = random.between(0.42, 0.52);
        let heap = has_heap.then(|| Heap::new(random));
        Self { memory, processor, warm, leaked: 0.0, memory_used: warm, processor_used: 0.05, heap }
    }

    /// `requests` in these `seconds`; `up_s`: since the process started, caches fill in the first half hour.
    pub(crate) fn step(&mut self, seconds: f64, requests: u64, up_s: f64, random: &mut Random) {
        let warmth = 1.0 - 0.35 * (-up_s / 500.0).exp();
        self.memory_used = self.warm * warmth + self.memory.step(seconds, random) + self.leaked;
        let load = 0.03 + 0.012 * requests as f64 / seconds;
        self.processor_used = (load * self.processor.step(seconds, random).exp()).min(1.0);
    }

    /// Leaks for `seconds` at the usual load; says whether that is more than usual ups and downs.
    pub(crate) fn leak(&mut self, seconds: f64, load: f64) -> bool {
        self.leaked += 0.5 * seconds / 3600.0 * (0.6 + 0.4 * load);
        self.leaked > 5.0 * Self::NOISE
    }
}
