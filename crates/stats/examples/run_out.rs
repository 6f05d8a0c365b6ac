//! Forecasts from a table of used percent: CSV `series,ts,used_percent` on standard input, sorted by time within a
//! series; `series,ts,t_pred,low,high` on standard output, for each series the forecast that stands at each full hour.

use std::io::{BufRead, Write, stdin, stdout};

use foreshock_stats::RunOut;

const HOUR: f64 = 3_600.0;
const FULL: f64 = 100.0;

fn main() -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "series,ts,t_pred,low,high")?;
    let (mut name, mut resource, mut hour) = (String::new(), RunOut::new(60.0).bounded_by(FULL), f64::MIN);
    for line in stdin().lock().lines() {
        let line = line?;
        let mut cells = line.split(',');
        let (Some(series), Some(ts), Some(used)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let (Ok(ts), Ok(used)) = (ts.parse::<f64>(), used.parse::<f64>()) else { continue };
        if series != name {
            (name, resource, hour) = (series.to_owned(), RunOut::new(60.0).bounded_by(FULL), f64::MIN);
        }
        resource.observe(ts, used);
        if (ts / HOUR).floor() > hour {
            hour = (ts / HOUR).floor();
            if let Some(forecast) = resource.forecast(FULL) {
                resource.keep(FULL, &forecast);
                let late = if forecast.high.is_finite() { forecast.high } else { 1e30 };
                writeln!(out, "{name},{ts},{},{},{late}", forecast.at, forecast.low)?;
            }
        }
    }
    Ok(())
}
