//! Runs the shop through the three stages in process, on the event clock, and prints what they say.
//!
//! `judge [FAULT|quiet] [SEED] [HOURS] [QUIET_HOURS]`

use std::time::{Duration, Instant};

use foreshock_demo::{Fault, Shop, ShopOptions};
use foreshock_detect::{
    Clock, DetectConfig, InputKind,
    correlate::Correlate,
    pipeline::{Entry, Partitions, Pipeline},
};
use foreshock_model::{Tenant, Timestamp};
use foreshock_shipper::Signal;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let fault = arguments.next().and_then(|name| Fault::parse(&name));
    let mut number = |otherwise: f64| arguments.next().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (seed, hours, quiet) = (number(1.0) as u64, number(3.0), number(1.0));
    let start = Timestamp::from_secs(1_760_000_400);
    let options = ShopOptions {
        fault,
        fault_after: Duration::from_secs_f64(quiet * 3600.0),
        ..ShopOptions::new(start)
    };
    let mut shop = Shop::new(seed, options);
    let mut pipeline =
        Pipeline::new(DetectConfig { clock: Clock::Event, ..DetectConfig::default() }, Partitions::default());
    let (tenant, began) = (Tenant::default(), Instant::now());
    let mut records = 0u64;
    let verbose = std::env::var_os("FINDINGS").is_some();
    let end = start.plus(Duration::from_secs_f64(hours * 3600.0));
    while shop.now() < end {
        for request in shop.step() {
            let stream = match request.signal {
                Signal::Logs => 0,
                Signal::Metrics => 1,
                Signal::Traces => 2,
            };
            records += u64::from(request.records);
            let entry = Entry {
                tenant: &tenant,
                received: shop.now(),
                kind: InputKind::Data,
                payload: &request.body,
            };
            pipeline.feed(stream, 0, entry);
        }
        pipeline.tick(shop.now());
        let seen = pipeline.take();
        for poison in &seen.poison {
            println!("POISON {poison:?}");
        }
        if verbose {
            for f in seen.findings {
                println!(
                    "  finding {} {}{} {} s={:.1} e={:.2} {:?} {}",
                    f.window_end,
                    if f.provisional { "~" } else { "" },
                    f.kind,
                    f.series,
                    f.surprise,
                    f.effect,
                    f.severity,
                    f.title
                );
            }
        }
        for i in seen.incidents {
            println!(
                "INCIDENT {} r{}{} {:?} {:?} {} :: {:?}",
                i.updated_at,
                i.revision,
                if i.provisional { "~" } else { "" },
                i.status,
                i.severity,
                i.title,
                i.services.iter().map(|s| s.as_str()).collect::<Vec<_>>()
            );
        }
    }
    if let Some(label) = shop.label() {
        println!("{}", label.to_csv());
    }
    for (tenant, spending) in pipeline.correlate().flat_map(Correlate::spending) {
        println!("{tenant}: {:.1?} of {}", spending.thresholds, spending.pages_a_week);
        for (kind, of) in spending.kinds {
            println!("  {kind}: {of:.2?}");
        }
    }
    let patterns: usize = pipeline.detect().map(|d| d.pattern_count()).sum();
    let series: usize = pipeline.detect().map(|d| d.series_count()).sum();
    println!(
        "{records} records, {patterns} patterns, {series} series, {:.1} s",
        began.elapsed().as_secs_f64()
    );
}
