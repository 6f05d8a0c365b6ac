//! The p-values of a service's series are what they say, both ways: as often at or below p as p.
//!
//! A service of series of one kind, one value a minute: ten days teach, ten are judged.
#![allow(clippy::unwrap_used)]

mod simulate;

use foreshock_stats::{Calibration, Company, Leaps, Oddity, SeriesWatch, Tail};
use simulate::{CLEAN, Random};

const MINUTE: f64 = 60.0;
const START: f64 = 1.7e9;
const DAY: usize = 1_440;
const SERIES: usize = 80;
const LEARNING: usize = 10 * DAY;
const MINUTES: usize = 20 * DAY;

/// What is judged of each kind: oddities whose tail is that of a model, and so may be too small or too large.
const OF_MODELS: [Oddity; 3] = [Oddity::Deviation, Oddity::Shift, Oddity::Trend];
/// What is counted is exact or above it: never below.
const COUNTED: [Oddity; 2] = [Oddity::Spread, Oddity::Flat];
/// Levels that a kind is held to within a factor of two, and what the largest error of the whole distribution may be.
const LEVELS: [f64; 3] = [3.0, 4.0, 5.0];
const FACTOR: f64 = 2.0;
const DISTANCE: f64 = 0.08;

/// p-values of one oddity: how many at or below each power of ten, and how many in each hundredth.
#[derive(Clone)]
struct Seen {
    tests: u64,
    below: [u64; 10],
    hundredths: [u64; 100],
}

impl Default for Seen {
    fn default() -> Self {
        Self { tests: 0, below: [0; 10], hundredths: [0; 100] }
    }
}

impl Seen {
    /// `spread` in (0, 1): where among equal p-values of 1 this one is put.
    fn note(&mut self, tail: Tail, of_none: f64, spread: f64) {
        self.tests += 1;
        let p = if tail.surprise() > 0.0 { tail.p() } else { 1.0 - of_none * spread };
        let power = -libm::log10(p);
        self.below
            .iter_mut()
            .zip(0..)
            .for_each(|(below, level)| *below += u64::from(power >= f64::from(level)));
        self.hundredths[((p * 100.0) as usize).min(99)] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.tests += other.tests;
        self.below.iter_mut().zip(other.below).for_each(|(a, b)| *a += b);
    }

    fn ratio(&self, level: f64) -> f64 {
        self.below[level as usize] as f64 / self.expected(level)
    }

    fn expected(&self, level: f64) -> f64 {
        self.tests as f64 * libm::pow(10.0, -level)
    }

    /// Kolmogorov's distance from uniform, at hundredths.
    fn distance(&self) -> f64 {
        let mut sum = 0;
        let off = self.hundredths.iter().zip(1..).map(|(count, hundredth)| {
            sum += count;
            (sum as f64 / self.tests as f64 - f64::from(hundredth) / 100.0).abs()
        });
        off.fold(0.0, f64::max)
    }
}

/// All p-values of a service of one kind, by oddity, and of all its series together.
fn judge(make: fn(&mut Random, usize) -> Vec<f64>) -> ([Seen; 6], Seen) {
    let values: Vec<Vec<f64>> =
        (0..SERIES as u64).map(|seed| make(&mut Random::new(seed), MINUTES)).collect();
    let mut watches = vec![SeriesWatch::new(); SERIES];
    let mut company = Company::default();
    let mut spread = Random::new(1);
    let mut seen: [Seen; 6] = Default::default();
    let mut together = Seen::default();
    for minute in 0..MINUTES {
        let secs = START + minute as f64 * MINUTE;
        let mut leaps = Leaps::default();
        for (watch, values) in watches.iter_mut().zip(&values) {
            let mut watched = watch.observe(secs, values[minute]);
            company.calibrate(&mut watched);
            watched.leap.iter().for_each(|leap| leaps.add(*leap));
            if minute < LEARNING {
                continue;
            }
            for (oddity, seen) in Oddity::ALL.into_iter().zip(&mut seen) {
                let none = company.calibration(oddity).and_then(Calibration::share_of_none).unwrap_or(0.0);
                seen.note(watched.tail(oddity), none, spread.uniform());
            }
        }
        if let Some(jointly) = company.close(secs, &leaps, 0.0).filter(|_| minute >= LEARNING) {
            together.note(jointly.tail, 0.0, 0.0);
        }
    }
    (seen, together)
}

/// Three standard errors more than the factor, as exceedances that overlap come in clusters of some windows.
fn may_be(expected: f64) -> f64 {
    const CLUSTER: f64 = 4.0;
    FACTOR + 3.0 * (FACTOR * CLUSTER / expected).sqrt()
}

#[test]
fn p_values_of_every_kind_of_series_are_what_they_say() {
    // As counts: many are equally odd, and none less so than it says.
    let of_few_values = ["integer gauge", "pool in use, few values"];
    let halves = CLEAN.split_at(CLEAN.len() / 2);
    let of = |kinds: &'static [simulate::Kind<f64>]| -> Vec<(&'static str, ([Seen; 6], Seen))> {
        kinds.iter().map(|(kind, make)| (*kind, judge(*make))).collect()
    };
    let mut judged = std::thread::scope(|scope| {
        let other = scope.spawn(|| of(halves.1));
        let mut all = of(halves.0);
        all.extend(other.join().unwrap());
        all
    });
    judged.sort_by_key(|(kind, _)| *kind);
    let mut failures = Vec::new();
    let mut pooled = Seen::default();
    for (kind, (seen, together)) in &judged {
        println!(
            "{kind:26} together {:5.2?} at 1e-2 and 1e-3",
            [2.0, 3.0].map(|level| together.ratio(level))
        );
        let is_continuous = !of_few_values.contains(kind);
        for oddity in OF_MODELS {
            let seen = &seen[oddity as usize];
            let (ratios, distance) = (LEVELS.map(|level| seen.ratio(level)), seen.distance());
            println!("{kind:26} {oddity:?} {ratios:5.2?}, Kolmogorov {distance:.3}");
            pooled.add(seen);
            for (ratio, level) in ratios.into_iter().zip(LEVELS) {
                let most = may_be(seen.expected(level));
                let least = if is_continuous { 1.0 / most } else { 0.0 };
                if !(least..=most).contains(&ratio) {
                    failures.push(format!("{kind} {oddity:?}: 1e-{level} comes {ratio:.2} times as often"));
                }
            }
            if distance > DISTANCE && is_continuous {
                failures.push(format!("{kind} {oddity:?}: {distance:.3} from uniform"));
            }
        }
        for oddity in COUNTED {
            let seen = &seen[oddity as usize];
            let ratios = LEVELS.map(|level| seen.ratio(level));
            println!("{kind:26} {oddity:?} {ratios:5.2?}");
            for (ratio, level) in ratios.into_iter().zip(LEVELS) {
                if ratio > may_be(seen.expected(level)) {
                    failures.push(format!("{kind} {oddity:?}: 1e-{level} comes {ratio:.2} times as often"));
                }
            }
        }
    }
    let (ratio, expected) = (pooled.ratio(7.0), pooled.expected(7.0));
    println!("1e-7, all together: {ratio:.2} times, {expected:.1} expected");
    if !(0.2..=5.0).contains(&ratio) {
        failures.push(format!("1e-7 comes {ratio:.2} times as often as it should"));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_broken_day_is_as_rare_as_it_says() {
    let daily = CLEAN.iter().find(|(kind, _)| *kind == "daily rhythm, 1 min").unwrap();
    let seen = &judge(daily.1).0[Oddity::Season as usize];
    let ratios = LEVELS.map(|level| seen.ratio(level));
    println!("{ratios:5.2?}, Kolmogorov {:.3}", seen.distance());
    for (ratio, level) in ratios.into_iter().zip(LEVELS) {
        // What lasts hangs together for hours.
        let most = may_be(seen.expected(level) / 20.0);
        assert!((1.0 / most..=most).contains(&ratio), "1e-{level} comes {ratio:.2} times as often");
    }
}

#[test]
fn an_incident_of_a_day_takes_nothing_from_the_next() {
    let mut random = Random::new(3);
    let mut calm = Calibration::new(1_000);
    for window in 0..9 * DAY {
        calm.observe(Tail::from_p(random.uniform()));
        calm.close(START + window as f64 * MINUTE);
    }
    let mut troubled = calm.clone();
    for window in 9 * DAY..11 * DAY {
        let trouble = window % 10 == 0;
        troubled.observe(Tail::from_p(if trouble { 1e-9 } else { random.uniform() }));
        troubled.close(START + window as f64 * MINUTE);
    }
    for surprise in [3.0, 4.0, 6.0] {
        let [before, after] =
            [&calm, &troubled].map(|one| one.worth(Tail::from_surprise(surprise)).surprise());
        assert!((before - surprise).abs() < 0.15 * surprise, "{surprise} is {before}");
        assert!((after - before).abs() < 0.1 * surprise, "{surprise}: {before} before and {after} after");
    }
}

#[test]
fn until_days_are_known_a_tail_is_worth_what_it_says() {
    let mut young = Calibration::new(1_000);
    for window in 0..2 * DAY {
        let tail = Tail::from_surprise(8.0);
        assert_eq!(young.observe(tail), tail);
        young.close(START + window as f64 * MINUTE);
    }
}
