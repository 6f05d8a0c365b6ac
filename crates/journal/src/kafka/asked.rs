//! Clients that are only asked now and then.
//!
//! A client of the library takes its token, and tells what is wrong with its connections, when it is polled alone.
//! One that is asked and not polled never comes in where a token is wanted, and keeps what it has to tell for ever.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    metadata::Metadata,
    producer::{BaseProducer, Producer, ProducerContext},
};
use tracing::debug;

use super::{
    KafkaOptions,
    context::{Common, Connection},
    tap::PATIENCE,
};

/// How often a client is polled.
const EVERY: Duration = Duration::from_millis(200);
/// The first answer is waited for so long, each later one as much longer.
const FIRST_ANSWER: Duration = Duration::from_millis(500);

/// A client that is polled by a thread of its own as long as it is there.
pub(super) struct Asked<C: ConsumerContext + 'static> {
    client: Arc<BaseConsumer<C>>,
    stop: Arc<AtomicBool>,
}

impl<C: ConsumerContext + 'static> Asked<C> {
    /// Makes the client. It is not to be subscribed to anything, and what is assigned to it is read through queues that
    /// are split off before: what comes to the client itself is looked at and dropped.
    pub(super) fn new(config: &ClientConfig, context: C) -> KafkaResult<Self> {
        let client: Arc<BaseConsumer<C>> = Arc::new(config.create_with_context(context)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (polled, stopped) = (Arc::clone(&client), Arc::clone(&stop));
        thread::Builder::new()
            .name("kafka-asked".into())
            .spawn(move || {
                while !stopped.load(Relaxed) {
                    if let Some(Err(error)) = polled.poll(EVERY) {
                        debug!("a client that is asked says: {error}");
                    }
                }
            })
            .map_err(|error| KafkaError::ClientCreation(format!("no thread for it: {error}")))?;
        Ok(Self { client, stop })
    }

    /// Asks for all topics, the nth time in a row. Waits no longer than that time allows.
    pub(super) fn look(&self, tries: u32) -> KafkaResult<Metadata> {
        self.client.fetch_metadata(None, (FIRST_ANSWER * (tries + 1)).min(PATIENCE))
    }

    /// Asks for all topics until there is an answer, trying is no use, or it has been long enough. Why not, as text.
    pub(super) fn look_patiently(&self, connection: &Connection) -> Result<Metadata, String> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            match self.look(tries) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => match connection.refused() {
                    Some(refused) => return Err(refused),
                    None if began.elapsed() >= PATIENCE => return Err(unanswered(&error, connection)),
                    None => tries += 1,
                },
            }
        }
    }
}

/// Clients that are asked for the offsets of groups, each made once.
pub(super) struct Lookups {
    options: KafkaOptions,
    common: Common,
    clients: Mutex<HashMap<String, Arc<Asked<Common>>>>,
}

impl Lookups {
    pub(super) fn new(options: &KafkaOptions, common: &Common) -> Self {
        Self { options: options.clone(), common: common.clone(), clients: Mutex::default() }
    }

    /// The client for the group of `consumer`. It is no member of it.
    pub(super) fn of(&self, consumer: &str) -> KafkaResult<Arc<Asked<Common>>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(consumer) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(Asked::new(&self.options.lookup(consumer), self.common.clone())?);
        clients.insert(consumer.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

/// That there was no answer, and what was heard meanwhile.
pub(super) fn unanswered(error: &KafkaError, connection: &Connection) -> String {
    match connection.last() {
        last if last.is_empty() => error.to_string(),
        last => format!("{error}: {last}"),
    }
}

impl<C: ConsumerContext + 'static> Deref for Asked<C> {
    type Target = Arc<BaseConsumer<C>>;

    fn deref(&self) -> &Arc<BaseConsumer<C>> {
        &self.client
    }
}

impl<C: ConsumerContext + 'static> Drop for Asked<C> {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Begins to make transactions. The producer is polled before, to have its token, and after it failed, to hear why.
pub(super) fn begin<C: ProducerContext>(producer: &BaseProducer<C>) -> KafkaResult<()> {
    producer.poll(Duration::ZERO);
    producer.init_transactions(PATIENCE).inspect_err(|_| producer.poll(Duration::from_millis(10)))
}
