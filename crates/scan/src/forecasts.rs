//! The forecasts of what runs out as rows: each as it was made, as it changes, and every hour that it stands.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use foreshock_detect::pipeline::Seen;
use foreshock_model::{Finding, Kind, ServiceName};

/// A forecast that stands is told again after so many seconds.
const AGAIN_SECS: f64 = 3_600.0;
/// One that was not made for so many seconds did not stand meanwhile.
const GONE_SECS: f64 = 1_200.0;
/// Share of the time left by which a forecast has to change to be another one, and seconds below which it has not.
const CHANGE: f64 = 0.02;
const LEAST_CHANGE_SECS: f64 = 60.0;
/// The end of the year 9999: a limit that may never be reached.
const NEVER_SECS: f64 = 253_402_300_799.0;

/// Writes `series,ts,t_pred,low,high`: seconds since the epoch, low and high the ends of the 80 % interval.
pub struct Forecasts<W: Write> {
    rows: csv::Writer<W>,
    told: BTreeMap<(ServiceName, String), Told>,
}

/// The row that was written last of a series, and when its forecast was last made.
struct Told {
    at: f64,
    times: [f64; 3],
    made: f64,
}

impl<W: Write> Forecasts<W> {
    /// Writes the header.
    pub fn new(out: W) -> io::Result<Self> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["series", "ts", "t_pred", "low", "high"])?;
        Ok(Self { rows, told: BTreeMap::new() })
    }

    /// Takes what came out of the stages.
    pub fn note(&mut self, seen: &Seen) -> io::Result<()> {
        let of_kind = |finding: &&Finding| finding.kind == Kind::WillRunOut && !finding.provisional;
        for finding in seen.findings.iter().filter(of_kind) {
            self.note_one(finding)?;
        }
        Ok(())
    }

    fn note_one(&mut self, finding: &Finding) -> io::Result<()> {
        let now = finding.window_end.as_secs_f64();
        let times = [finding.observed, finding.expected.low, finding.expected.high];
        let times = times.map(|time| time.clamp(0.0, NEVER_SECS));
        let key = (finding.service.clone(), finding.series.clone());
        if let Some(told) = self.told.get_mut(&key) {
            let stood = now - told.made <= GONE_SECS;
            told.made = now;
            let least = (CHANGE * (times[0] - now)).max(LEAST_CHANGE_SECS);
            let is_same = told.times.iter().zip(times).all(|(before, time)| (before - time).abs() <= least);
            if stood && is_same && now - told.at < AGAIN_SECS {
                return Ok(());
            }
        }
        let [t_pred, low, high] = times.map(|time| format!("{time:.0}"));
        self.rows.write_record([&finding.series, &format!("{now:.0}"), &t_pred, &low, &high])?;
        self.told.insert(key, Told { at: now, times, made: now });
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<()> {
        self.rows.flush()
    }
}
