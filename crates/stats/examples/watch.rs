//! Watches recorded series: `watch IN OUT`, one file to one file.
//!
//! IN is `timestamp,value` (OUT: `timestamp,value,score`), or
//! `service,series,ts,value` in order of time (OUT: `service,series,ts,page,kind`).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
};

use foreshock_stats::{Company, Leaps, SeriesScore, SeriesWatch, Tail};

/// Surprise of a silence that is told.
const SILENT_SURPRISE: f64 = 5.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut names = std::env::args().skip(1);
    while let (Some(from), Some(to)) = (names.next(), names.next()) {
        let mut lines = BufReader::with_capacity(1 << 20, File::open(&from)?).lines();
        let out = BufWriter::new(File::create(&to)?);
        let head = lines.next().ok_or("an empty file")??;
        if head.starts_with("service") { events(lines, out)? } else { scores(lines, out)? }
    }
    Ok(())
}

type Lines = std::io::Lines<BufReader<File>>;

fn scores(lines: Lines, mut out: impl Write) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, "timestamp,value,score")?;
    let mut watch = SeriesScore::default();
    for line in lines {
        let line = line?;
        let Some((stamp, value)) = line.split_once(',') else { continue };
        let secs = unix_secs(stamp).ok_or("a time that is none")?;
        writeln!(out, "{line},{:.9}", watch.observe(secs, value.trim().parse()?))?;
    }
    Ok(())
}

/// The metrics of one service, and what the present window has shown of them.
#[derive(Default)]
struct Service {
    watches: BTreeMap<String, (SeriesWatch, bool)>,
    company: Company,
    leaps: Leaps,
    alarms: Vec<(String, String, Tail)>,
}

impl Service {
    fn observe(&mut self, series: &str, secs: f64, value: f64) {
        let (watch, silent) = self.watches.entry(series.to_owned()).or_default();
        let watched = watch.observe(secs, value);
        *silent = false;
        watched.leap.iter().for_each(|leap| self.leaps.add(*leap));
        if let Some(oddity) = watched.alarm() {
            self.alarms.push((series.to_owned(), format!("{oddity:?}"), watched.oddest().1));
        }
    }

    /// Ends the window at `secs`.
    fn end(&mut self, name: &str, secs: f64, out: &mut impl Write) -> std::io::Result<()> {
        for (series, (watch, silent)) in &mut self.watches {
            let overdue = watch.overdue(secs);
            if overdue.surprise() >= SILENT_SURPRISE && !*silent {
                *silent = true;
                self.alarms.push((series.clone(), "Silent".to_owned(), overdue));
            }
        }
        let loudest = self.alarms.iter().map(|(_, _, tail)| tail.surprise()).fold(0.0, f64::max);
        for (series, oddity, tail) in self.alarms.drain(..) {
            let worth = self.company.worth(tail).surprise();
            writeln!(out, "{name},{series},{secs},1,{oddity},{:.2} {worth:.2}", tail.surprise())?;
        }
        let leaps = std::mem::take(&mut self.leaps);
        if leaps.metrics() == 0 {
            return Ok(());
        }
        let jointly = self.company.close(secs, &leaps, loudest);
        if let Some(jointly) = jointly.filter(|watched| watched.alarm()) {
            writeln!(out, "{name},,{secs},1,Joint,{:.2}", jointly.tail.surprise())?;
        }
        Ok(())
    }
}

fn events(lines: Lines, mut out: impl Write) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, "service,series,ts,page,kind")?;
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    let mut now = f64::NAN;
    for line in lines {
        let line = line?;
        let cells: Vec<&str> = line.split(',').collect();
        let [service, series, ts, value] = cells[..] else { continue };
        let secs: f64 = ts.parse()?;
        if secs != now {
            for (name, service) in &mut services {
                service.end(name, now, &mut out)?;
            }
            now = secs;
        }
        if !services.contains_key(service) {
            services.insert(service.to_owned(), Service::default());
        }
        if let Some(service) = services.get_mut(service) {
            service.observe(series, secs, value.parse()?);
        }
    }
    for (name, service) in &mut services {
        service.end(name, now, &mut out)?;
    }
    Ok(())
}

/// `YYYY-MM-DD hh:mm:ss[.f]` as Unix time.
fn unix_secs(stamp: &str) -> Option<f64> {
    let number = |range: std::ops::Range<usize>| stamp.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days from civil (Hinnant 2013).
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = (shifted.rem_euclid(400)) * 365 + shifted.rem_euclid(400) / 4
        - shifted.rem_euclid(400) / 100
        + of_year;
    let days = shifted.div_euclid(400) * 146_097 + of_era - 719_468;
    let secs = days * 86_400 + number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19).unwrap_or(0);
    Some(secs as f64)
}
