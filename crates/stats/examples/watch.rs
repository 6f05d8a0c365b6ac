//! Watches recorded series: `watch IN OUT`, one file to one file.
//!
//! IN is `timestamp,value` (OUT: `timestamp,value,score`, then the surprise of every kind), or
//! `service,series,ts,value` in order of time (OUT: `service,series,ts,page,kind,surprise`).

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
};

use foreshock_stats::SeriesWatch;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut names = std::env::args().skip(1);
    while let (Some(from), Some(to)) = (names.next(), names.next()) {
        let mut lines = BufReader::with_capacity(1 << 20, File::open(&from)?).lines();
        let out = BufWriter::new(File::create(&to)?);
        let head = lines.next().ok_or("an empty file")??;
        if head.starts_with("service") {
            events(lines, out, BufWriter::new(File::create(to.replace("raw", "alarms"))?))?
        } else {
            scores(lines, out)?
        }
    }
    Ok(())
}

type Lines = std::io::Lines<BufReader<File>>;

fn scores(lines: Lines, mut out: impl Write) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, "timestamp,value,score,bounds,leap,level,shift,flat,stepz,stepp,rampz,rampp,seas")?;
    let mut watch = SeriesWatch::new();
    for line in lines {
        let line = line?;
        let Some((stamp, value)) = line.split_once(',') else { continue };
        let watched = watch.observe(unix_secs(stamp).ok_or("a time that is none")?, value.trim().parse()?);
        write!(out, "{line},{:.9}", watched.score())?;
        for raw in watched.raw {
            write!(out, ",{raw:.4}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn events(
    lines: Lines,
    mut out: impl Write,
    mut alarms: impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, "service,series,ts,bounds,leap,level,shift,flat,stepz,stepp,rampz,rampp,x")?;
    let mut joint = BufWriter::new(File::create("/tmp/ser/joint.csv")?);
    let (mut now, mut leaps) = ((String::new(), String::new()), Vec::new());
    writeln!(alarms, "service,series,ts,page,kind")?;
    let mut watches: HashMap<String, SeriesWatch> = HashMap::new();
    for line in lines {
        let line = line?;
        let mut cells = line.split(',');
        let (Some(service), Some(series), Some(ts), Some(value)) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            continue;
        };
        let key = format!("{service},{series}");
        let watch = watches.entry(key).or_default();
        let watched = watch.observe(ts.parse()?, value.parse()?);
        let raw = watched.raw;
        if (service, ts) != (now.0.as_str(), now.1.as_str()) {
            if leaps.len() > 2 {
                leaps.sort_by(|a: &f64, b: &f64| b.total_cmp(a));
                let n = leaps.len();
                let rms = (leaps.iter().map(|z| z * z).sum::<f64>() / n as f64).sqrt();
                let lsum = leaps.iter().map(|z| (1.0 + z * z / 3.0).ln()).sum::<f64>() / n as f64;
                writeln!(
                    joint,
                    "{},{},{rms:.3},{:.3},{:.3},{lsum:.4}",
                    now.0,
                    now.1,
                    leaps[2],
                    leaps[n / 4]
                )?;
            }
            leaps.clear();
            now = (service.to_owned(), ts.to_owned());
        }
        leaps.push(watched.leap.abs());
        if let Some(kind) = watched.alarm() {
            writeln!(alarms, "{service},{series},{ts},1,{kind:?}")?;
        }
        if raw.iter().any(|r| *r > 3.5) {
            write!(out, "{service},{series},{ts}")?;
            for r in raw {
                write!(out, ",{r:.2}")?;
            }
            writeln!(out)?;
        }
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
