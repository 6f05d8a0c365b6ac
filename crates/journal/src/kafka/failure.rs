//! What Kafka's client says, in our words.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::JournalError;

/// A failure while `doing` something.
pub(super) fn failure(doing: &'static str, error: &KafkaError) -> JournalError {
    JournalError::Kafka { doing, reason: reason(error) }
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
