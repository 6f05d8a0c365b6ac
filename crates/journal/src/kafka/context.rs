//! What every client tells us of its connection, and what it may ask for.

use std::{
    error::Error,
    fs,
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

/// What is known of the connection to the brokers, by all clients together.
#[derive(Debug, Default)]
pub(super) struct Connection {
    down: AtomicBool,
    said: Mutex<String>,
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
                if self.connection.trouble().is_none() {
                    warn!("no broker of Kafka answers: {reason}");
                }
                self.connection.fails(reason);
            }
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => {
                debug!("a broker of Kafka does not answer: {reason}");
            }
            _ => warn!("Kafka's client: {error}: {reason}"),
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let file =
            self.token_file.as_ref().ok_or("set journal.kafka.sasl_token_file to a file with the token")?;
        let token = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let token = token.trim().to_owned();
        // Read again in a minute, whatever it says of itself: who renews the file needs not tell us.
        let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() + 75_000;
        Ok(OAuthToken { token, principal_name: "foreshock".into(), lifetime_ms: i64::try_from(soon)? })
    }
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
