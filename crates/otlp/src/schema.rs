//! The messages of OTLP as one static table: field numbers, JSON names, types.
//!
//! Checking and JSON both go by it, so that a field is written down once. Views do not: they name their fields.

use crate::wire::Value;

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    /// As the specification has it.
    pub(crate) name: &'static str,
    /// In the order JSON is written.
    pub(crate) fields: &'static [Field],
    by_number: [Option<&'static Field>; SLOTS],
}

/// One field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// In lowerCamelCase, as in JSON.
    pub(crate) name: &'static str,
    pub(crate) label: Label,
    pub(crate) kind: Kind,
}

/// How often a field may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    One,
    Many,
    /// One of the message's only choice; the last on the wire counts.
    OneOf,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Fixed32,
    Fixed64,
    /// A fixed64 that is a record's own time, and so is checked to be a sensible one.
    Time,
    Sfixed64,
    Double,
    /// An int32 with names.
    Enum(&'static [(&'static str, i32)]),
    Text,
    Bytes,
    /// Bytes, 16 or none; hexadecimal in JSON.
    TraceId,
    /// Bytes, 8 or none; hexadecimal in JSON.
    SpanId,
    AnyValue,
    /// A KeyValue that counts as an attribute.
    Attribute,
    Message(&'static Message),
}

/// Highest field number of any OTLP message, and one.
const SLOTS: usize = 17;

impl Message {
    /// The field of that number; `None` if OTLP has no such field.
    #[inline(always)]
    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        self.by_number.get(number as usize).copied().flatten()
    }

    /// The field of that name in JSON.
    pub(crate) fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// Whether a value has the wire type the field's kind has; packed numbers are one too.
    pub(crate) fn fits(&self, value: Value<'_>) -> bool {
        use Kind::*;
        match value {
            Value::Varint(_) => {
                matches!(self.kind, Bool | Int32 | Int64 | Uint32 | Uint64 | Sint32 | Enum(_))
            }
            Value::Fixed64(_) => matches!(self.kind, Fixed64 | Time | Sfixed64 | Double),
            Value::Fixed32(_) => matches!(self.kind, Fixed32),
            Value::Bytes(_) => {
                matches!(self.kind, Text | Bytes | TraceId | SpanId)
                    || self.kind.message().is_some()
                    || self.packs()
            }
        }
    }

    /// Whether it is a list of numbers, which may be packed.
    pub(crate) fn packs(&self) -> bool {
        self.label == Label::Many && matches!(self.kind, Kind::Fixed64 | Kind::Double | Kind::Uint64)
    }
}

impl Kind {
    /// The message a field of this kind holds.
    pub(crate) fn message(self) -> Option<&'static Message> {
        match self {
            Self::AnyValue => Some(&ANY_VALUE),
            Self::Attribute => Some(&KEY_VALUE),
            Self::Message(message) => Some(message),
            _ => None,
        }
    }
}

const fn by_number(fields: &'static [Field]) -> [Option<&'static Field>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut at = 0;
    while at < fields.len() {
        table[fields[at].number as usize] = Some(&fields[at]);
        at += 1;
    }
    table
}

macro_rules! messages {
    ($($name:ident $text:literal { $($number:literal $json:literal $label:ident $kind:expr;)* })*) => {$(
        pub(crate) static $name: Message = {
            static FIELDS: &[Field] = {
                use Kind::*;
                &[$(Field { number: $number, name: $json, label: Label::$label, kind: $kind }),*]
            };
            Message { name: $text, fields: FIELDS, by_number: by_number(FIELDS) }
        };
    )*};
}

messages! {
    LOGS_DATA "LogsData" { 1 "resourceLogs" Many Message(&RESOURCE_LOGS); }
    METRICS_DATA "MetricsData" { 1 "resourceMetrics" Many Message(&RESOURCE_METRICS); }
    TRACES_DATA "TracesData" { 1 "resourceSpans" Many Message(&RESOURCE_SPANS); }
    RESOURCE_LOGS "ResourceLogs" {
        1 "resource" One Message(&RESOURCE);
        2 "scopeLogs" Many Message(&SCOPE_LOGS);
        3 "schemaUrl" One Text;
    }
    RESOURCE_METRICS "ResourceMetrics" {
        1 "resource" One Message(&RESOURCE);
        2 "scopeMetrics" Many Message(&SCOPE_METRICS);
        3 "schemaUrl" One Text;
    }
    RESOURCE_SPANS "ResourceSpans" {
        1 "resource" One Message(&RESOURCE);
        2 "scopeSpans" Many Message(&SCOPE_SPANS);
        3 "schemaUrl" One Text;
    }
    SCOPE_LOGS "ScopeLogs" {
        1 "scope" One Message(&SCOPE);
        2 "logRecords" Many Message(&LOG_RECORD);
        3 "schemaUrl" One Text;
    }
    SCOPE_METRICS "ScopeMetrics" {
        1 "scope" One Message(&SCOPE);
        2 "metrics" Many Message(&METRIC);
        3 "schemaUrl" One Text;
    }
    SCOPE_SPANS "ScopeSpans" {
        1 "scope" One Message(&SCOPE);
        2 "spans" Many Message(&SPAN);
        3 "schemaUrl" One Text;
    }
    RESOURCE "Resource" {
        1 "attributes" Many Attribute;
        2 "droppedAttributesCount" One Uint32;
        3 "entityRefs" Many Message(&ENTITY_REF);
    }
    ENTITY_REF "EntityRef" {
        1 "schemaUrl" One Text;
        2 "type" One Text;
        3 "idKeys" Many Text;
        4 "descriptionKeys" Many Text;
    }
    SCOPE "InstrumentationScope" {
        1 "name" One Text;
        2 "version" One Text;
        3 "attributes" Many Attribute;
        4 "droppedAttributesCount" One Uint32;
    }
    KEY_VALUE "KeyValue" {
        1 "key" One Text;
        2 "value" One AnyValue;
        3 "keyStrindex" One Int32;
    }
    ANY_VALUE "AnyValue" {
        1 "stringValue" OneOf Text;
        2 "boolValue" OneOf Bool;
        3 "intValue" OneOf Int64;
        4 "doubleValue" OneOf Double;
        5 "arrayValue" OneOf Message(&ARRAY_VALUE);
        6 "kvlistValue" OneOf Message(&KEY_VALUE_LIST);
        7 "bytesValue" OneOf Bytes;
        8 "stringValueStrindex" OneOf Int32;
    }
    ARRAY_VALUE "ArrayValue" { 1 "values" Many AnyValue; }
    KEY_VALUE_LIST "KeyValueList" { 1 "values" Many Message(&KEY_VALUE); }
    LOG_RECORD "LogRecord" {
        1 "timeUnixNano" One Time;
        11 "observedTimeUnixNano" One Time;
        2 "severityNumber" One Enum(SEVERITY);
        3 "severityText" One Text;
        5 "body" One AnyValue;
        6 "attributes" Many Attribute;
        7 "droppedAttributesCount" One Uint32;
        8 "flags" One Fixed32;
        9 "traceId" One TraceId;
        10 "spanId" One SpanId;
        12 "eventName" One Text;
    }
    METRIC "Metric" {
        1 "name" One Text;
        2 "description" One Text;
        3 "unit" One Text;
        5 "gauge" OneOf Message(&GAUGE);
        7 "sum" OneOf Message(&SUM);
        9 "histogram" OneOf Message(&HISTOGRAM);
        10 "exponentialHistogram" OneOf Message(&EXPONENTIAL_HISTOGRAM);
        11 "summary" OneOf Message(&SUMMARY);
        12 "metadata" Many Attribute;
    }
    GAUGE "Gauge" { 1 "dataPoints" Many Message(&NUMBER_POINT); }
    SUM "Sum" {
        1 "dataPoints" Many Message(&NUMBER_POINT);
        2 "aggregationTemporality" One Enum(TEMPORALITY);
        3 "isMonotonic" One Bool;
    }
    HISTOGRAM "Histogram" {
        1 "dataPoints" Many Message(&HISTOGRAM_POINT);
        2 "aggregationTemporality" One Enum(TEMPORALITY);
    }
    EXPONENTIAL_HISTOGRAM "ExponentialHistogram" {
        1 "dataPoints" Many Message(&EXPONENTIAL_HISTOGRAM_POINT);
        2 "aggregationTemporality" One Enum(TEMPORALITY);
    }
    SUMMARY "Summary" { 1 "dataPoints" Many Message(&SUMMARY_POINT); }
    NUMBER_POINT "NumberDataPoint" {
        7 "attributes" Many Attribute;
        2 "startTimeUnixNano" One Fixed64;
        3 "timeUnixNano" One Time;
        4 "asDouble" OneOf Double;
        6 "asInt" OneOf Sfixed64;
        5 "exemplars" Many Message(&EXEMPLAR);
        8 "flags" One Uint32;
    }
    HISTOGRAM_POINT "HistogramDataPoint" {
        9 "attributes" Many Attribute;
        2 "startTimeUnixNano" One Fixed64;
        3 "timeUnixNano" One Time;
        4 "count" One Fixed64;
        5 "sum" One Double;
        6 "bucketCounts" Many Fixed64;
        7 "explicitBounds" Many Double;
        8 "exemplars" Many Message(&EXEMPLAR);
        10 "flags" One Uint32;
        11 "min" One Double;
        12 "max" One Double;
    }
    EXPONENTIAL_HISTOGRAM_POINT "ExponentialHistogramDataPoint" {
        1 "attributes" Many Attribute;
        2 "startTimeUnixNano" One Fixed64;
        3 "timeUnixNano" One Time;
        4 "count" One Fixed64;
        5 "sum" One Double;
        6 "scale" One Sint32;
        7 "zeroCount" One Fixed64;
        8 "positive" One Message(&BUCKETS);
        9 "negative" One Message(&BUCKETS);
        10 "flags" One Uint32;
        11 "exemplars" Many Message(&EXEMPLAR);
        12 "min" One Double;
        13 "max" One Double;
        14 "zeroThreshold" One Double;
    }
    BUCKETS "Buckets" {
        1 "offset" One Sint32;
        2 "bucketCounts" Many Uint64;
    }
    SUMMARY_POINT "SummaryDataPoint" {
        7 "attributes" Many Attribute;
        2 "startTimeUnixNano" One Fixed64;
        3 "timeUnixNano" One Time;
        4 "count" One Fixed64;
        5 "sum" One Double;
        6 "quantileValues" Many Message(&QUANTILE);
        8 "flags" One Uint32;
    }
    QUANTILE "ValueAtQuantile" {
        1 "quantile" One Double;
        2 "value" One Double;
    }
    EXEMPLAR "Exemplar" {
        7 "filteredAttributes" Many Attribute;
        2 "timeUnixNano" One Fixed64;
        3 "asDouble" OneOf Double;
        6 "asInt" OneOf Sfixed64;
        4 "spanId" One SpanId;
        5 "traceId" One TraceId;
    }
    SPAN "Span" {
        1 "traceId" One TraceId;
        2 "spanId" One SpanId;
        3 "traceState" One Text;
        4 "parentSpanId" One SpanId;
        16 "flags" One Fixed32;
        5 "name" One Text;
        6 "kind" One Enum(SPAN_KIND);
        7 "startTimeUnixNano" One Time;
        8 "endTimeUnixNano" One Time;
        9 "attributes" Many Attribute;
        10 "droppedAttributesCount" One Uint32;
        11 "events" Many Message(&EVENT);
        12 "droppedEventsCount" One Uint32;
        13 "links" Many Message(&LINK);
        14 "droppedLinksCount" One Uint32;
        15 "status" One Message(&STATUS);
    }
    EVENT "Event" {
        1 "timeUnixNano" One Fixed64;
        2 "name" One Text;
        3 "attributes" Many Attribute;
        4 "droppedAttributesCount" One Uint32;
    }
    LINK "Link" {
        1 "traceId" One TraceId;
        2 "spanId" One SpanId;
        3 "traceState" One Text;
        4 "attributes" Many Attribute;
        5 "droppedAttributesCount" One Uint32;
        6 "flags" One Fixed32;
    }
    STATUS "Status" {
        2 "message" One Text;
        3 "code" One Enum(STATUS_CODE);
    }
}

const SEVERITY: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];

const TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

const SPAN_KIND: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

const STATUS_CODE: &[(&str, i32)] =
    &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];
