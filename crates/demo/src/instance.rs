//! One running instance of a service, with what it wrote and measured and has not sent yet.

use std::fmt;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;

use crate::{
    lines::{Envelope, Level, LogBuffer, TraceContext},
    meters::Meters,
    random::Random,
    services::{Home, Service},
    wire,
};

/// An attribute with a text.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// An attribute with a whole number.
pub(crate) fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) service: Service,
    /// From 1; a pod that takes another's place keeps its number.
    pub(crate) number: u8,
    pub(crate) version: &'static str,
    /// Host or pod.
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) resource: Resource,
    /// The resource as field 1 of ResourceLogs and its like.
    pub(crate) encoded_resource: Vec<u8>,
    /// For each file its lines come from, the attributes of a record.
    attributes: Vec<Vec<u8>>,
    pub(crate) logs: LogBuffer,
    pub(crate) spans: Vec<Span>,
    pub(crate) meters: Meters,
    /// When its process began.
    pub(crate) started: u64,
    /// Takes no requests before this.
    pub(crate) up_from: u64,
    /// Stands still until then (garbage collection).
    pub(crate) paused_until: u64,
    /// Another took its place: it takes no more requests and measures nothing.
    pub(crate) is_retired: bool,
}

impl Instance {
    pub(crate) fn new(
        service: Service,
        number: u8,
        version: &'static str,
        started: u64,
        random: &mut Random,
    ) -> Self {
        let name = match service.home() {
            Home::Host => format!("{}-{number}", service.name()),
            Home::Pod => {
                format!("{}-{:08x}-{:05x}", service.name(), random.below(1 << 32), random.below(1 << 20))
            }
        };
        let attributes = if service.files().is_empty() {
            vec![Vec::new()]
        } else {
            let encoded = |path: &&str| {
                let mut out = Vec::new();
                wire::put_field(&mut out, 6, &text("log.file.path", path).encode_to_vec());
                out
            };
            service.files().iter().map(encoded).collect()
        };
        let resource = resource(service, number, version, &name, random);
        let mut encoded_resource = Vec::new();
        wire::put_field(&mut encoded_resource, 1, &resource.encode_to_vec());
        Self {
            service,
            number,
            version,
            name,
            pid: 300 + random.below(3000) as u32,
            resource,
            encoded_resource,
            attributes,
            logs: LogBuffer::default(),
            spans: Vec::new(),
            started,
            meters: Meters::new(started),
            up_from: 0,
            paused_until: 0,
            is_retired: false,
        }
    }

    /// Writes a line to the instance's first (or only) log.
    pub(crate) fn say(&mut self, at: u64, level: Level, line: fmt::Arguments<'_>) {
        self.write(0, at, level, None, line);
    }

    /// Writes a line to one of the instance's files.
    pub(crate) fn say_in(&mut self, file: usize, at: u64, level: Level, line: fmt::Arguments<'_>) {
        self.write(file, at, level, None, line);
    }

    /// Writes a line that carries its trace.
    pub(crate) fn say_of(&mut self, context: TraceContext, at: u64, level: Level, line: fmt::Arguments<'_>) {
        self.write(0, at, level, Some(context), line);
    }

    fn write(
        &mut self,
        file: usize,
        at: u64,
        level: Level,
        context: Option<TraceContext>,
        line: fmt::Arguments<'_>,
    ) {
        let envelope = Envelope {
            timed: self.service.is_timed(),
            severity: self.service.has_severity().then_some(level),
            attributes: &self.attributes[file],
            context,
        };
        self.logs.write(at, envelope, line);
    }

    /// Whether it takes requests.
    pub(crate) fn is_up(&self, at: u64) -> bool {
        !self.is_retired && at >= self.up_from
    }
}

fn resource(service: Service, number: u8, version: &str, name: &str, random: &mut Random) -> Resource {
    let mut attributes = vec![
        text("service.namespace", "shop"),
        text("service.name", service.name()),
        text("service.version", version),
        text("deployment.environment.name", "production"),
        text("os.type", "linux"),
    ];
    match service.home() {
        Home::Host => {
            attributes.push(text("service.instance.id", name));
            attributes.push(text("host.name", name));
        }
        Home::Pod => {
            let uid = format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                random.below(1 << 32),
                random.below(1 << 16),
                random.below(1 << 12),
                random.below(1 << 12),
                random.below(1 << 48)
            );
            attributes.push(text("service.instance.id", name));
            attributes.push(text("host.name", &format!("node-{}", 1 + (service as u8 + number) % 4)));
            attributes.push(text("k8s.namespace.name", "shop"));
            attributes.push(text("k8s.deployment.name", service.name()));
            attributes.push(text("k8s.pod.name", name));
            attributes.push(text("k8s.pod.uid", &uid));
            attributes.push(text("container.image.tag", version));
        }
    }
    Resource { attributes, ..Resource::default() }
}
