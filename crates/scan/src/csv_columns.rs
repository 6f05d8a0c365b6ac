//! What stands where in a row of CSV metrics, and whether a CSV file holds metrics at all.

use foreshock_model::Timestamp;

/// A time after this is none: time never goes back, so one absurd row would make all that follow late.
const YEAR_2200_NANOS: f64 = 7_258_118_400e9;
/// Columns of text that make a file a log, whatever stands beside them.
const LOG_TEXT: [&str; 8] = ["log", "message", "msg", "body", "content", "text", "line", "event"];

/// Where everything stands in a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) time: usize,
    /// Of long input.
    pub(crate) series: Option<usize>,
    pub(crate) service: Option<usize>,
    /// Each column of values.
    pub(crate) values: Vec<ValueColumn>,
}

/// A column of values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ValueColumn {
    pub(crate) name: String,
    /// As the name tells it.
    pub(crate) unit: String,
    pub(crate) at: usize,
}

impl Columns {
    /// By the header, and by the first row where several columns could be the time.
    pub(crate) fn of(header: &csv::StringRecord, first: &csv::StringRecord) -> Result<Self, String> {
        let names: Vec<String> =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        let lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let times: Vec<usize> = (0..lower.len()).filter(|at| is_time_column(&lower[*at])).collect();
        let is_read = |at: &&usize| first.get(**at).is_some_and(|text| parse_time(text).is_some());
        let time = times.iter().find(is_read).or(times.first()).copied();
        let time = time.ok_or("it has no timestamp or ts column")?;
        let series = lower.iter().position(|name| name == "series");
        let service = lower.iter().position(|name| name == "service");
        let is_value = |at: &usize| !times.contains(at) && Some(*at) != series && Some(*at) != service;
        let value = |(at, name): (usize, String)| ValueColumn { unit: unit_of(&name), name, at };
        let values = names.into_iter().enumerate().filter(|(at, _)| is_value(at)).map(value);
        let values: Vec<ValueColumn> =
            if series.is_some() { values.take(1).collect() } else { values.collect() };
        if values.is_empty() {
            return Err("it has no column of values".into());
        }
        Ok(Self { time, series, service, values })
    }
}

/// Whether a column of this name (lower case) holds the time.
fn is_time_column(name: &str) -> bool {
    matches!(name, "timestamp" | "ts" | "time_stamp" | "time")
}

/// A percentage, of what the column's name says: an annotation in the sense of UCUM.
fn unit_of(column: &str) -> String {
    let lower = column.to_ascii_lowercase();
    let is_share = lower.ends_with("percent") || lower.ends_with("pct");
    if is_share { format!("%{{{}}}", lower.replace(['{', '}'], "")) } else { String::new() }
}

/// Whether a CSV text, as far as it is there, holds metrics: a column of time, and the others mostly numbers. A file of log
/// lines may well have a column of numbers.
pub(crate) fn are_metrics(start: &str) -> bool {
    let whole = start.rfind('\n').map_or(start, |end| &start[..end]);
    let mut rows =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(whole.as_bytes());
    let Ok(header) = rows.headers().cloned() else { return false };
    let rows: Vec<csv::StringRecord> = rows.into_records().map_while(Result::ok).take(50).collect();
    let Ok(columns) = Columns::of(&header, rows.first().unwrap_or(&csv::StringRecord::new())) else {
        // Who names time, series and service alone is told that values are missing.
        return header.iter().any(|name| is_time_column(&name.to_ascii_lowercase()));
    };
    // A first line of text may hold commas and the word: only where a row has a time, it was a header.
    let timed =
        |row: &csv::StringRecord| row.get(columns.time).is_some_and(|text| parse_time(text).is_some());
    if !rows.is_empty() && !rows.iter().any(timed) {
        return false;
    }
    let (mut numbers, mut texts) = (0, 0);
    for column in &columns.values {
        let fields: Vec<&str> =
            rows.iter().filter_map(|row| row.get(column.at)).filter(|field| !is_gap(field)).collect();
        let read = fields.iter().filter(|field| field.parse::<f64>().is_ok()).count();
        if fields.is_empty() {
            continue;
        }
        // A bad row among good ones is one that can't be read.
        if 2 * read >= fields.len() {
            numbers += u32::from(!column.name.to_ascii_lowercase().contains("time"));
        } else if LOG_TEXT.contains(&column.name.to_ascii_lowercase().as_str()) {
            return false;
        } else {
            texts += 1;
        }
    }
    // Where no row has any value yet, the header alone tells.
    (numbers == 0 && texts == 0) || (numbers > 0 && numbers >= texts)
}

/// Whether a field says that there is no value.
pub(crate) fn is_gap(field: &str) -> bool {
    field.is_empty() || ["nan", "null", "none", "na", "n/a"].iter().any(|gap| field.eq_ignore_ascii_case(gap))
}

/// RFC 3339, `YYYY-MM-DD HH:MM:SS` as UTC, or the epoch in seconds, milliseconds, microseconds or nanoseconds.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(nanos) = text.parse::<u64>()
        && nanos >= 100_000_000_000_000_000
    {
        return ((nanos as f64) < YEAR_2200_NANOS).then_some(Timestamp(nanos));
    }
    if let Ok(number) = text.parse::<f64>() {
        let scale = match number {
            n if n < 1e11 => 1e9,
            n if n < 1e14 => 1e6,
            n if n < 1e17 => 1e3,
            _ => 1.0,
        };
        let nanos = number * scale;
        return (0.0..YEAR_2200_NANOS).contains(&nanos).then_some(Timestamp(nanos as u64));
    }
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Some(time);
    }
    let civil: jiff::civil::DateTime = text.replace('/', "-").parse().ok()?;
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    u64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_spelling() {
        let expected = Some(Timestamp::from_secs(1_396_310_400));
        for text in [
            "2014-04-01 00:00:00",
            "2014-04-01T00:00:00Z",
            "1396310400",
            "1396310400.0",
            "1396310400000",
            "1396310400000000",
            "1396310400000000000",
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
        assert_eq!(parse_time("1396310400000000123"), Some(Timestamp(1_396_310_400_000_000_123)));
        for text in ["yesterday", "", "nan", "inf", "-1", "1e30"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn logs_in_columns_are_no_metrics() {
        for metrics in [
            "timestamp,value\n",
            "timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,\n",
            "ts,series,service,value\n1,a,shop,2\n",
            "ts,value\n1,2\nsoon,3\n2,high\n3,4\n",
            "Time,TimeStamp,PodName,Cpu\n2023-01-29 08:41:10.3 +0000 UTC m=+1.4,1674981670,pod-7,16.4\n",
        ] {
            assert!(are_metrics(metrics), "{metrics}");
        }
        for logs in [
            "Timestamp,TimeUnixNano,Node,Pod,Log\n2023-01-29T09:20:29.295,-6795364578871345152,10.0.0.1,a,\"{}\"\n",
            "time,code,message\n2014-04-01 00:00:00,7,disk is full\n",
            "Jun 14 15:16:01 combo sshd: timestamp, failed\nJun 14 15:16:02 combo sshd: time, failed\n",
            "started,timestamp,ready\nstopped,now,7\n",
        ] {
            assert!(!are_metrics(logs), "{logs}");
        }
    }

    #[test]
    fn a_percentage_is_known_by_its_name() {
        let header = csv::StringRecord::from(vec!["series", "ts", "used_percent"]);
        let columns = Columns::of(&header, &csv::StringRecord::new()).expect("columns");
        assert_eq!(columns.values[0].unit, "%{used_percent}");
    }
}
