//! Requests to send, encoded ahead.
//!
//! A payload is stamped as it is sent: each record gets the present as its time, and the request's number is written
//! into each line, in place, at offsets found once. So every record of a run can be told from every other, and
//! found again in a journal.

use std::{fmt::Write as _, io::Write as _};

use bytes::Bytes;
use flate2::write::GzEncoder;
use foreshock_otlp::views;
use foreshock_shipper::Signal;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use prost::Message;

/// Stands where the request's number will be: as many characters as a number has hexadecimal digits.
const NUMBER_MARK: &str = "~number~~number~";
/// Stands where a time will be.
const TIME_MARK: u64 = 0x7e74_696d_657e_7e21;

/// What a run sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadOptions {
    /// Logs or metrics.
    pub signal: Signal,
    /// Resources a request.
    pub resources: usize,
    /// Records (lines, data points) a resource.
    pub records: usize,
    /// Distinct payloads; sent in turn.
    pub pool: usize,
    /// Least length of a line, in bytes.
    pub line_bytes: usize,
    /// Services the resources belong to.
    pub services: usize,
    /// Metric series over all payloads (metrics only). The pool is made as large as they need.
    pub series: usize,
}

/// One request, encoded, with the places that are stamped.
#[derive(Clone, Debug)]
pub struct Payload {
    body: Bytes,
    plain_bytes: usize,
    numbers: Vec<usize>,
    times: Vec<usize>,
    /// Records in it.
    pub records: u32,
}

impl Payload {
    fn new(body: Vec<u8>, records: usize) -> Self {
        let numbers = places(&body, NUMBER_MARK.as_bytes());
        let times = places(&body, &TIME_MARK.to_le_bytes());
        let body = Bytes::from(body);
        Self {
            plain_bytes: body.len(),
            body,
            numbers,
            times,
            records: u32::try_from(records).unwrap_or(u32::MAX),
        }
    }

    /// The bytes to send as request `number` at `now` (Unix nanoseconds).
    pub fn stamped(&self, number: u64, now: u64) -> Bytes {
        let mut body = self.body.to_vec();
        let mut digits = [0u8; 16];
        for (place, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (60 - 4 * place) & 15) as usize];
        }
        for at in &self.numbers {
            body[*at..*at + 16].copy_from_slice(&digits);
        }
        for at in &self.times {
            body[*at..*at + 8].copy_from_slice(&now.to_le_bytes());
        }
        body.into()
    }

    /// The same bytes every time, without a copy: request number 0, with the time given when it was made.
    #[must_use]
    pub fn fixed(self, now: u64) -> Self {
        let body = self.stamped(0, now);
        Self { body, numbers: Vec::new(), times: Vec::new(), ..self }
    }

    /// A fixed payload, compressed with gzip once and for all, as hard as most senders do.
    pub fn gzipped(self) -> std::io::Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(&self.body)?;
        Ok(Self { body: encoder.finish()?.into(), ..self })
    }

    /// The bytes as they are.
    pub fn as_is(&self) -> Bytes {
        self.body.clone()
    }

    /// Its size before compression.
    pub fn plain_bytes(&self) -> usize {
        self.plain_bytes
    }
}

fn places(body: &[u8], mark: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + mark.len() <= body.len() {
        if body[at] == mark[0] && &body[at..at + mark.len()] == mark {
            found.push(at);
            at += mark.len();
        } else {
            at += 1;
        }
    }
    found
}

/// The request's number and the record's place in it, as a stamped line carries them.
pub fn sequence(line: &str) -> Option<(u64, u32)> {
    let (_, rest) = line.split_once("seq=")?;
    let (number, rest) = rest.split_once('.')?;
    let place = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((u64::from_str_radix(number, 16).ok()?, place.parse().ok()?))
}

/// The numbers in the lines of an encoded request. Lines of other senders carry none and are passed over.
pub(crate) fn each_number(payload: &[u8], mut look: impl FnMut(u64, u32)) {
    for resource in views::logs(payload).flatten() {
        for scope in resource.scopes().flatten() {
            for record in scope.records().flatten() {
                if let Some((number, place)) = record.body.as_str().and_then(sequence) {
                    look(number, place);
                }
            }
        }
    }
}

/// splitmix64: values that differ, the same in every run.
struct Varied(u64);

impl Varied {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// The payloads of a run.
pub fn pool(options: &PayloadOptions) -> Vec<Payload> {
    let mut varied = Varied(1);
    match options.signal {
        Signal::Metrics => {
            let each = options.resources * options.records;
            let payloads = options.series.div_ceil(each.max(1)).max(1);
            (0..payloads).map(|index| metrics(options, index, &mut varied)).collect()
        }
        _ => (0..options.pool.max(1)).map(|index| logs(options, index, &mut varied)).collect(),
    }
}

fn text(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource(number: usize, services: usize) -> Resource {
    let service = number % services.max(1);
    let attributes = vec![
        text("service.namespace", "load".to_owned()),
        text("service.name", format!("service-{service:03}")),
        text("service.instance.id", format!("service-{service:03}-{number:05}")),
        text("host.name", format!("host-{:04}", number % 977)),
        text("service.version", "1.4.2".to_owned()),
    ];
    Resource { attributes, ..Resource::default() }
}

fn logs(options: &PayloadOptions, index: usize, varied: &mut Varied) -> Payload {
    let mut place = 0;
    let resource_logs = (0..options.resources)
        .map(|within| {
            let records = (0..options.records)
                .map(|_| {
                    let line = line(varied, place, options.line_bytes);
                    place += 1;
                    LogRecord {
                        time_unix_nano: TIME_MARK,
                        observed_time_unix_nano: TIME_MARK,
                        severity_number: 9,
                        severity_text: "INFO".to_owned(),
                        body: Some(AnyValue { value: Some(Value::StringValue(line)) }),
                        attributes: vec![
                            text("log.file.path", "/var/log/service/service.log".to_owned()),
                            text("thread.name", format!("worker-{}", varied.below(16))),
                        ],
                        ..LogRecord::default()
                    }
                })
                .collect();
            ResourceLogs {
                resource: Some(resource(index * options.resources + within, options.services)),
                scope_logs: vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }],
                ..ResourceLogs::default()
            }
        })
        .collect();
    Payload::new(ExportLogsServiceRequest { resource_logs }.encode_to_vec(), place)
}

/// One of 24 patterns with varied parameters, filled up to a length.
fn line(varied: &mut Varied, place: usize, line_bytes: usize) -> String {
    const VERBS: [&str; 6] = ["Processed", "Accepted", "Stored", "Forwarded", "Indexed", "Released"];
    const THINGS: [&str; 4] = ["order", "shipment", "invoice", "reservation"];
    let mut line = String::with_capacity(line_bytes + 64);
    let (verb, thing) = (varied.pick(&VERBS), varied.pick(&THINGS));
    // Writing to a String never fails.
    let _ = write!(
        line,
        "{verb} {thing} {} of customer {} in {} ms, amount {}.{:02} EUR, from 10.{}.{}.{}:{} seq={NUMBER_MARK}.{place}",
        varied.below(10_000_000),
        varied.below(100_000),
        varied.below(4000),
        varied.below(900),
        varied.below(100),
        varied.below(256),
        varied.below(256),
        varied.below(256),
        1024 + varied.below(60_000),
    );
    while line.len() < line_bytes {
        let _ = write!(line, " ref={:08x}", varied.next() as u32);
    }
    line
}

fn metrics(options: &PayloadOptions, index: usize, varied: &mut Varied) -> Payload {
    const NAMES: [&str; 5] = ["cpu.usage", "queue.depth", "cache.hit.ratio", "requests.active", "pool.used"];
    let each = options.resources * options.records;
    let mut place = 0;
    let resource_metrics = (0..options.resources)
        .map(|within| {
            let points = (0..options.records)
                .map(|_| {
                    let series = index * each + place;
                    place += 1;
                    let value = 50.0 + (varied.below(1000) as f64) / 100.0;
                    let point = NumberDataPoint {
                        attributes: vec![text("shard", format!("{series}"))],
                        time_unix_nano: TIME_MARK,
                        value: Some(number_data_point::Value::AsDouble(value)),
                        ..NumberDataPoint::default()
                    };
                    (NAMES[series % NAMES.len()], point)
                })
                .collect::<Vec<_>>();
            let named = NAMES.iter().map(|name| Metric {
                name: format!("load.{name}"),
                unit: "1".to_owned(),
                data: Some(Data::Gauge(Gauge {
                    data_points: points.iter().filter(|p| p.0 == *name).map(|p| p.1.clone()).collect(),
                })),
                ..Metric::default()
            });
            ResourceMetrics {
                resource: Some(resource(index * options.resources + within, options.services)),
                scope_metrics: vec![ScopeMetrics { metrics: named.collect(), ..ScopeMetrics::default() }],
                ..ResourceMetrics::default()
            }
        })
        .collect();
    Payload::new(ExportMetricsServiceRequest { resource_metrics }.encode_to_vec(), place)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const LOGS: PayloadOptions = PayloadOptions {
        signal: Signal::Logs,
        resources: 3,
        records: 10,
        pool: 4,
        line_bytes: 200,
        services: 5,
        series: 0,
    };

    #[test]
    fn a_stamped_payload_carries_its_number_its_places_and_the_time() {
        let payloads = pool(&LOGS);
        assert_eq!(payloads.len(), 4);
        assert!(payloads[0].as_is() != payloads[1].as_is());
        let request =
            ExportLogsServiceRequest::decode(payloads[2].stamped(0xabc_def0_1234_5678, 42)).unwrap();
        let records: Vec<LogRecord> = request
            .resource_logs
            .into_iter()
            .flat_map(|r| r.scope_logs)
            .flat_map(|scope| scope.log_records)
            .collect();
        assert_eq!(records.len(), 30);
        for (place, record) in records.iter().enumerate() {
            assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (42, 42));
            let Some(Value::StringValue(line)) = record.body.clone().and_then(|b| b.value) else { panic!() };
            assert_eq!(sequence(&line), Some((0xabc_def0_1234_5678, place as u32)));
            assert!((200..230).contains(&line.len()), "{line}");
        }
    }

    #[test]
    fn a_compressed_payload_is_what_it_was_before() {
        let fixed = pool(&LOGS)[1].clone().fixed(7);
        let gzipped = fixed.clone().gzipped().unwrap();
        assert_eq!(gzipped.plain_bytes(), fixed.as_is().len());
        let (body, mut plain) = (gzipped.as_is(), Vec::new());
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        assert!(plain == fixed.as_is() && body.len() < plain.len());
    }

    #[test]
    fn every_series_is_in_exactly_one_payload() {
        let options = PayloadOptions { signal: Signal::Metrics, series: 95, ..LOGS };
        let mut shards = Vec::new();
        for payload in pool(&options) {
            let request = ExportMetricsServiceRequest::decode(payload.stamped(0, 1)).unwrap();
            for metric in
                request.resource_metrics.into_iter().flat_map(|r| r.scope_metrics).flat_map(|s| s.metrics)
            {
                let Some(Data::Gauge(gauge)) = metric.data else { panic!() };
                shards.extend(gauge.data_points.into_iter().map(|point| point.attributes[0].clone()));
            }
        }
        assert_eq!(shards.len(), 120);
        let mut distinct: Vec<String> = shards.iter().map(|shard| format!("{shard:?}")).collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 120);
    }
}
