//! Messages of our own streams as one JSON object a line.

use anyhow::Context;
use bytes::Bytes;
use foreshock_journal::{Offset, Stream};
use foreshock_model::{Feedback, Finding, Incident, Timestamp, proto};
use prost::Message;
use serde_json::{Value, json};

/// The line of a message: where it lies, and what it says.
pub(super) fn line(
    stream: Stream,
    partition: u16,
    offset: Offset,
    received: Timestamp,
    payload: &Bytes,
) -> anyhow::Result<String> {
    let bytes = payload.clone();
    let says = match stream {
        Stream::Summaries => summaries(&proto::Summaries::decode(bytes)?),
        Stream::Findings => findings(&proto::Findings::decode(bytes)?)?,
        Stream::Incidents => incidents(&proto::Incidents::decode(bytes)?)?,
        Stream::Deliveries => delivery(&proto::Delivery::decode(bytes)?),
        Stream::Poison => poison(&proto::Poison::decode(bytes)?),
        // Control has no message yet; telemetry is printed as OTLP.
        Stream::Control | Stream::Logs | Stream::Metrics | Stream::Spans => json!({ "bytes": payload.len() }),
    };
    let mut line = json!({ "partition": partition, "offset": offset.0, "received": received });
    if let (Value::Object(line), Value::Object(says)) = (&mut line, says) {
        line.extend(says);
    }
    Ok(line.to_string())
}

fn source(source: Option<&proto::Source>) -> Value {
    source.map_or(Value::Null, |source| {
        json!({
            "stage": source.stage,
            "stream": source.stream,
            "partition": source.partition,
            "offset": source.offset,
            "sequence": source.sequence,
        })
    })
}

fn time(nanos: u64) -> Value {
    if nanos == 0 { Value::Null } else { json!(Timestamp(nanos)) }
}

fn summaries(message: &proto::Summaries) -> Value {
    let windows: Vec<Value> = message
        .windows
        .iter()
        .map(|window| {
            let logs = window.logs.unwrap_or_default();
            let shapes = window.shapes.iter().map(|shape| {
                json!({ "shape": format!("{:016x}", shape.shape), "count": shape.count, "errors": shape.errors, "text": shape.text })
            });
            json!({
                "tenant": window.tenant,
                "service": window.service,
                "window_start": time(window.window_start),
                "lines": logs.lines,
                "errors": logs.errors,
                "late": logs.late,
                "shapes": shapes.collect::<Vec<_>>(),
                "series": window.series.as_ref().map_or(0, |series| series.id.len()),
                "operations": window.spans.len(),
            })
        })
        .collect();
    let urgent = message.urgent.iter().map(|new| {
        json!({ "tenant": new.tenant, "service": new.service, "time": time(new.time), "text": new.text })
    });
    json!({
        "source": source(message.source.as_ref()),
        "watermark": time(message.watermark),
        "windows": windows,
        "urgent": urgent.collect::<Vec<_>>(),
    })
}

fn findings(message: &proto::Findings) -> anyhow::Result<Value> {
    let findings: Vec<Finding> =
        message.findings.iter().map(Finding::try_from).collect::<Result<_, _>>().context("a finding")?;
    let tests = message.tests.iter().map(|tests| {
        json!({ "tenant": tests.tenant, "kind": tests.kind, "count": tests.count, "window_seconds": tests.window_seconds })
    });
    Ok(json!({
        "source": source(message.source.as_ref()),
        "watermark": time(message.watermark),
        "findings": findings,
        "tests": tests.collect::<Vec<_>>(),
    }))
}

fn incidents(message: &proto::Incidents) -> anyhow::Result<Value> {
    let incidents: Vec<Incident> =
        message.incidents.iter().map(Incident::try_from).collect::<Result<_, _>>().context("an incident")?;
    let feedback: Vec<Feedback> =
        message.feedback.iter().map(Feedback::try_from).collect::<Result<_, _>>().context("a feedback")?;
    Ok(json!({
        "source": source(message.source.as_ref()),
        "watermark": time(message.watermark),
        "incidents": incidents,
        "feedback": feedback,
    }))
}

fn delivery(delivery: &proto::Delivery) -> Value {
    let outcome = delivery.outcome().as_str_name().trim_start_matches("OUTCOME_").to_lowercase();
    json!({
        "incident": delivery.incident,
        "revision": delivery.revision,
        "route": delivery.route,
        "receiver": delivery.receiver,
        "at": time(delivery.at),
        "attempt": delivery.attempt,
        "outcome": outcome,
        "error": delivery.error,
    })
}

fn poison(poison: &proto::Poison) -> Value {
    json!({
        "stage": poison.stage,
        "stream": poison.stream,
        "of_partition": poison.partition,
        "of_offset": poison.offset,
        "reason": poison.reason,
        "payload_bytes": poison.payload_bytes,
    })
}
