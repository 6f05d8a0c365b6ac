//! What Kafka's client says, in our words.

use std::thread;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::JournalError;

/// A failure while `doing` something.
pub(super) fn failure(doing: &'static str, error: &KafkaError) -> JournalError {
    JournalError::Kafka { doing, reason: reason(error) }
}

/// Starts a thread of ours.
pub(super) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, JournalError> {
    let started = thread::Builder::new().name(format!("kafka-{name}")).spawn(work);
    started.map_err(|error| JournalError::Kafka { doing: "starting a thread", reason: error.to_string() })
}

/// Properties of the library that have a key of ours.
const KEYS: [(&str, &str); 5] = [
    ("ssl.ca.location", "journal.kafka.ca_file"),
    ("ssl.certificate.location", "journal.kafka.certificate_file"),
    ("ssl.key.location", "journal.kafka.key_file"),
    ("security.protocol", "journal.kafka.security_protocol"),
    ("sasl.mechanism", "journal.kafka.sasl_mechanism"),
];

/// The words of the library, with our names of what is set.
pub(super) fn in_our_keys(said: &str) -> String {
    KEYS.iter().fold(said.to_owned(), |said, (theirs, ours)| said.replace(theirs, ours))
}

/// A client that can't be made: something is set wrong.
pub(super) fn unmade(error: &KafkaError) -> JournalError {
    let said = in_our_keys(&error.to_string());
    JournalError::Unusable(format!("its client can't be made: {said}; see journal.kafka"))
}

/// The words of the library, without the name of its call.
pub(super) fn reason(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            "the topic is not there; make it with `foreshock topics apply`".to_owned()
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed) => {
            format!("{error}; allow it to this user on the cluster")
        }
        _ => error.to_string(),
    }
}
