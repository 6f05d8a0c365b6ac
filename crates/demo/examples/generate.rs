//! Runs the shop without sending anything: its speed, or its lines to read.
//!
//! `cargo run --release -p foreshock-demo --example generate -- HOURS [FAULT] [print]`

use std::time::{Duration, Instant};

use foreshock_demo::{Fault, Shop, ShopOptions};
use foreshock_model::Timestamp;
use foreshock_shipper::Signal;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest, common::v1::any_value::Value,
};
use prost::Message;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let hours: f64 = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let mut options = ShopOptions::new(Timestamp::from_secs(1_763_900_000 / 300 * 300));
    options.fault = arguments.iter().find_map(|name| Fault::parse(name));
    let prints = arguments.iter().any(|word| word == "print");
    let mut shop = Shop::new(1, options);
    let began = Instant::now();
    let until = shop.now().plus(Duration::from_secs_f64(hours * 3600.0));
    let (mut records, mut bytes) = ([0u64; 3], 0);
    while shop.now() < until {
        for request in shop.step() {
            records[request.signal as usize] += u64::from(request.records);
            bytes += request.body.len();
            if prints && request.signal == Signal::Logs {
                print_lines(&request.body);
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    eprintln!(
        "{hours} h in {took:.2} s: {:.0} x real time; {:.1} lines/s simulated; {records:?} lines, points, spans; {} MB",
        hours * 3600.0 / took,
        records[0] as f64 / hours / 3600.0,
        bytes / 1_000_000
    );
    if let Some(label) = shop.label() {
        eprintln!("{}", label.to_csv());
    }
}

fn print_lines(body: &[u8]) {
    let request = ExportLogsServiceRequest::decode(body).expect("own request");
    for resource in request.resource_logs {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let name = attributes.iter().find(|a| a.key == "service.instance.id").and_then(|a| a.value.clone());
        for record in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            if let (Some(Value::StringValue(line)), Some(Value::StringValue(name))) =
                (record.body.and_then(|b| b.value), name.clone().and_then(|n| n.value))
            {
                println!("{name}\t{line}");
            }
        }
    }
}
