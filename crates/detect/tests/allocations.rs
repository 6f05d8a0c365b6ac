//! The way of a log record through reduce allocates nothing once its shape and its source are known.

use std::{
    alloc::System,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use foreshock_detect::{DetectConfig, Input, InputId, InputKind, Outputs, Stage, reduce::Reduce};
use foreshock_model::{Tenant, Timestamp};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const START: u64 = 1_750_000_000_000_000_000;

/// Lines in several formats, a stack trace among them.
static PAYLOAD: LazyLock<Bytes> = LazyLock::new(|| {
    let line = |n: u64| match n % 6 {
        0 => format!("2024-03-05T11:22:33.{:03}Z INFO [main] shop.Cart: order {n} placed in {n}ms", n % 1000),
        1 => format!("{{\"level\":\"info\",\"msg\":\"reserved {n} of article {n}\",\"took_ms\":{n}}}"),
        2 => format!("level=warn msg=\"slow query took {n}ms\" service=db rows={n}"),
        3 => format!("Accepted order {n} of customer {n} from 10.0.0.{}:{n}", n % 250),
        4 => "java.lang.IllegalStateException: cart is empty".to_owned(),
        _ => format!("\tat shop.Cart.checkout(Cart.java:{n})"),
    };
    let text = |text: String| Some(AnyValue { value: Some(Value::StringValue(text)) });
    let resource = |instance: u64| ResourceLogs {
        resource: Some(Resource {
            attributes: vec![KeyValue {
                key: "service.instance.id".to_owned(),
                value: text(format!("shop-{instance}")),
                ..Default::default()
            }],
            ..Default::default()
        }),
        scope_logs: vec![ScopeLogs {
            log_records: (0..500)
                .map(|n| LogRecord { time_unix_nano: START + n, body: text(line(n)), ..Default::default() })
                .collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    LogsData { resource_logs: (0..5).map(resource).collect() }.encode_to_vec().into()
});

#[test]
fn a_record_whose_shape_and_source_are_known_allocates_nothing() {
    let input = InputId { stream: "otlp_logs".to_owned(), partition: 0 };
    let mut stage = Reduce::new(Arc::new(DetectConfig::default()), input, Vec::new(), 4);
    let (tenant, mut out) = (Tenant::default(), Outputs::default());
    let mut allocations = |offset| {
        let region = Region::new(ALLOCATOR);
        let received = Timestamp(START + 1_000_000);
        let input = Input { offset, tenant: &tenant, received, kind: InputKind::Data, payload: &PAYLOAD };
        stage.apply(input, &mut out);
        let change = region.change();
        change.allocations + change.reallocations
    };
    assert_ne!(allocations(0), 0, "nothing is known yet");
    // The test's harness may allocate beside it, once.
    let least = (1..6).map(&mut allocations).min();
    assert_eq!(least, Some(0));
}
