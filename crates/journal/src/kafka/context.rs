//! What every client tells us of its connection, and what it may ask for.

use std::{
    error::Error,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rdkafka::{
    client::{ClientContext, OAuthToken},
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::ProducerContext,
};
use tracing::{debug, error, warn};

use super::{failure::in_our_keys, token};

/// What is known of the connection to the brokers, by all clients together.
#[derive(Debug, Default)]
pub(super) struct Connection {
    down: AtomicBool,
    said: Mutex<String>,
    /// Why the last broker that failed did.
    last: Mutex<String>,
    /// Why a broker will not have us, or we will not have it.
    refused: Mutex<Option<String>>,
}

impl Connection {
    /// Something got through.
    pub(super) fn works(&self) {
        if self.down.load(Relaxed) {
            self.down.store(false, Relaxed);
        }
    }

    /// Nothing gets through; why.
    pub(super) fn fails(&self, reason: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone_into(&mut said);
        self.down.store(true, Relaxed);
    }

    /// One broker does not answer; why.
    fn lost(&self, reason: String) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// It will be the same the next time: what is wrong is in our keys or on the cluster.
    fn refuses(&self, reason: String) {
        self.lost(reason.clone());
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Why we don't come in, as long as trying again is no use.
    pub(super) fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the last broker that failed did; empty: none has.
    pub(super) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nothing gets through at present.
    pub(super) fn trouble(&self) -> Option<String> {
        let said = || self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.down.load(Relaxed).then(said)
    }
}

/// The part of a client's context that is the same for all.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) connection: Arc<Connection>,
    pub(super) token_file: Option<PathBuf>,
}

impl ClientContext for Common {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// The library tells of each broker that does not answer, over and over. We tell once, below.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!("librdkafka: {facility}: {said}");
            }
            _ => debug!("librdkafka: {facility}: {said}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // Told by the reader's poll as well, where it belongs.
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                // It only counts them. What the last of them said comes first.
                let last = self.connection.last();
                let reason = if last.is_empty() { reason } else { &last };
                if self.connection.trouble().is_none() {
                    warn!("no broker of Kafka answers: {reason}");
                }
                self.connection.fails(reason);
            }
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve)
                if !dislikes_our_certificate(reason) =>
            {
                debug!("a broker of Kafka does not answer: {reason}");
                self.connection.lost(in_our_keys(reason));
            }
            Some(
                RDKafkaErrorCode::SSL
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::BrokerTransportFailure,
            ) => {
                let reason = self.refusal(&error, reason);
                warn!("Kafka can't be entered: {reason}");
                self.connection.refuses(reason);
            }
            _ => warn!("Kafka's client: {error}: {reason}"),
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let file =
            self.token_file.as_ref().ok_or("set journal.kafka.sasl_token_file to a file with the token")?;
        token::read(file)
    }
}

impl Common {
    /// What a broker that we don't get along with says, and where to look.
    fn refusal(&self, error: &KafkaError, reason: &str) -> String {
        let reason = in_our_keys(reason);
        match (error.rdkafka_error_code(), &self.token_file) {
            (Some(RDKafkaErrorCode::Authentication), Some(file)) => {
                format!("{reason}; the token is that of {} (journal.kafka.sasl_token_file)", file.display())
            }
            (Some(RDKafkaErrorCode::Authentication), None) if !reason.contains("sasl_token_file") => {
                format!("{reason}; see journal.kafka.sasl_mechanism, sasl_username and sasl_password")
            }
            _ if dislikes_our_certificate(&reason) => {
                format!(
                    "{reason}; see journal.kafka.certificate_file and key_file, and whom the cluster trusts"
                )
            }
            _ => reason,
        }
    }
}

/// Whether a broker said so in TLS. From 1.3 on it does after it has let us connect, by an alert in place of the first
/// answer: the library takes that for a connection that broke.
fn dislikes_our_certificate(reason: &str) -> bool {
    reason.contains("SSL alert number") && (reason.contains("certificate") || reason.contains("unknown ca"))
}

impl ConsumerContext for Common {}

impl ProducerContext for Common {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: ()) {}
}

/// Gives a context that holds a `common` the behaviour of it.
macro_rules! common_context {
    ($context:ty $(, $more:item)*) => {
        impl rdkafka::client::ClientContext for $context {
            const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, said: &str) {
                self.common.log(level, facility, said);
            }

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.common.error(error, reason);
            }

            fn generate_oauth_token(
                &self,
                config: Option<&str>,
            ) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
                self.common.generate_oauth_token(config)
            }

            $($more)*
        }
    };
}
pub(super) use common_context;
