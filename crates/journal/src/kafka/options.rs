//! How Kafka is reached, and what each kind of client is set to.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use rdkafka::ClientConfig;

/// Where Kafka is and how it is used.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// host:port, comma-separated.
    pub brokers: String,
    /// Before the name of every topic, group and transactional id.
    pub prefix: String,
    /// A name that is this process's over restarts: it becomes a static member of its groups, and a restart within
    /// the session time moves nothing. Empty: a name of its own for each start, and leaving gives its partitions
    /// away at once.
    pub instance: String,
    /// Whether processes of this instance stand by for one another: see [`crate::Journal::turn`].
    pub standby: bool,
    /// A member that is not heard of for this time has lost its partitions.
    pub session_timeout: Duration,
    /// The least time between the starts of two transactions of a stage.
    pub commit_interval: Duration,
    /// Bytes that may wait for the brokers' acknowledgement.
    pub queue_bytes: u64,
    /// Properties of librdkafka for every client, security among them. They win over what is set here.
    pub properties: BTreeMap<String, String>,
    /// Where SASL/OAUTHBEARER finds its token, read anew each time it is asked for.
    pub token_file: Option<PathBuf>,
}

/// How long the brokers may take over an append before the sender is told to try again.
pub(super) const APPEND_TIMEOUT: Duration = Duration::from_secs(10);
/// A transaction open for this long is ended by the brokers.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest message of our own streams. `foreshock topics apply` allows it on their topics.
pub const OWN_MESSAGE_BYTES: usize = 32 << 20;

impl KafkaOptions {
    /// As librdkafka has it by default, for a cluster without security.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            prefix: String::new(),
            instance: String::new(),
            standby: false,
            session_timeout: Duration::from_secs(6),
            commit_interval: Duration::from_millis(100),
            queue_bytes: 128 << 20,
            properties: BTreeMap::new(),
            token_file: None,
        }
    }

    /// The id of a consumer's group.
    pub fn group_id(&self, consumer: &str) -> String {
        format!("{}foreshock-{consumer}", self.prefix)
    }

    /// Whether it comes in by SASL/OAUTHBEARER.
    pub(super) fn takes_token(&self) -> bool {
        let mechanism =
            ["sasl.mechanism", "sasl.mechanisms"].iter().find_map(|key| self.properties.get(*key));
        mechanism.is_some_and(|mechanism| mechanism == "OAUTHBEARER")
    }

    fn client(&self, what: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", format!("foreshock-{what}"));
        // New partitions and moved leaders are noticed within this time.
        config.set("topic.metadata.refresh.interval.ms", "30000");
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("socket.keepalive.enable", "true");
        config.set("allow.auto.create.topics", "false");
        config
    }

    /// One that reads. All of them have the session time of a group's members, also those that join none: a
    /// property may set max.poll.interval.ms for every client, and below the session time the library refuses it.
    fn consumer(&self, what: &str) -> ClientConfig {
        let mut config = self.client(what);
        config.set("session.timeout.ms", self.session_timeout.as_millis().to_string());
        config
    }

    fn with_properties(&self, mut config: ClientConfig) -> ClientConfig {
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    /// For metadata and the making of topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.with_properties(self.consumer("admin"))
    }

    /// Appends that stand for themselves: acks=all, idempotent, the bytes as they are.
    pub(super) fn append(&self) -> ClientConfig {
        let mut config = self.client("append");
        config.set("enable.idempotence", "true");
        config.set("compression.type", "none");
        config.set("linger.ms", "2");
        config.set("batch.size", "1000000");
        // With the usual 5, which is also the most that an idempotent producer has on their way, the client's thread
        // polls without pause while it waits: measured at 100 records a request 1.7 CPU-s/M, with 1 to 3 of them 0.7.
        // Why was not found out; look again when librdkafka is raised.
        config.set("max.in.flight.requests.per.connection", "3");
        config.set("message.max.bytes", (OWN_MESSAGE_BYTES + (1 << 20)).to_string());
        // For ever: see append.rs. Who waits for it is refused after our own time, and our own count bounds it.
        config.set("message.timeout.ms", "0");
        // Our own count refuses first; this is the line behind it.
        config.set("queue.buffering.max.kbytes", (2 * self.queue_bytes / 1024).max(1024).to_string());
        config.set("queue.buffering.max.messages", "1000000");
        self.with_properties(config)
    }

    /// Outputs and offsets in one transaction.
    pub(super) fn transactions(&self, id: &str) -> ClientConfig {
        let mut config = self.client("commit");
        config.set("transactional.id", id);
        config.set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string());
        config.set("message.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string());
        config.set("compression.type", "lz4");
        // What belongs together is there already: waiting brings nothing.
        config.set("linger.ms", "0");
        config.set("batch.size", "1000000");
        config.set("message.max.bytes", (OWN_MESSAGE_BYTES + (1 << 20)).to_string());
        config.set("queue.buffering.max.kbytes", "1048576");
        config.set("queue.buffering.max.messages", "1000000");
        self.with_properties(config)
    }

    /// Reads partitions from given offsets on, committed records alone.
    pub(super) fn reading(&self) -> ClientConfig {
        let mut config = self.consumer("read");
        config.set("group.id", self.group_id("reader"));
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error");
        config.set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true");
        config.set("check.crcs", "true");
        // A partition that is opened is asked for with the next request: this long after, at the most.
        config.set("fetch.wait.max.ms", "100");
        config.set("fetch.queue.backoff.ms", "5");
        config.set("fetch.error.backoff.ms", "100");
        // Read ahead, for each partition that is read. One partition alone gave 261 k records/s with 4 MiB, 438 k with 8,
        // 680 k with 16 and larger fetches: memory of a worker that catches up on all of them is the price.
        config.set("queued.max.messages.kbytes", "8192");
        config.set("statistics.interval.ms", "1000");
        self.with_properties(config)
    }

    /// Takes part in a consumer's group. It never reads: `reading` does.
    pub(super) fn member(&self, consumer: &str) -> ClientConfig {
        let mut config = self.lookup(consumer);
        config.set("isolation.level", "read_committed");
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config.set("heartbeat.interval.ms", (self.session_timeout / 6).as_millis().to_string());
        if !self.instance.is_empty() {
            config.set("group.instance.id", &self.instance);
        }
        if self.standby {
            // Whoever stands by is to have the turn, and the name's place with it, before the group gives it away.
            config.set("session.timeout.ms", (2 * self.session_timeout).as_millis().to_string());
        }
        self.with_properties(config)
    }

    /// Takes part in the group in which processes of this instance tell whose turn it is.
    pub(super) fn turn(&self) -> ClientConfig {
        let mut config = self.consumer("turn");
        config.set("group.id", self.group_id(&format!("turn-{}", self.instance)));
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config.set("heartbeat.interval.ms", (self.session_timeout / 6).as_millis().to_string());
        config.set("enable.auto.commit", "false");
        self.with_properties(config)
    }

    /// Looks at a group's offsets, those of an open transaction left out, without taking part.
    pub(super) fn lookup(&self, consumer: &str) -> ClientConfig {
        let mut config = self.consumer(consumer);
        config.set("group.id", self.group_id(consumer));
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("isolation.level", "read_uncommitted");
        self.with_properties(config)
    }
}
