//! The section `[journal.kafka]`.

use std::{collections::BTreeMap, fs::File, path::PathBuf, time::Duration};

use foreshock_journal::{KafkaOptions, kafka::topics::Wanted};
use foreshock_notify::SecretRef;
use serde::{Deserialize, Serialize};

use super::JournalConfig;

/// How the brokers are spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Security {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// Where Kafka is, and what its topics are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KafkaConfig {
    /// host:port, comma-separated.
    pub(crate) brokers: String,
    /// Before the name of every topic, group and transactional id.
    pub(crate) topic_prefix: String,
    /// Partitions of logs, metrics and spans each; may grow.
    pub(crate) telemetry_partitions: u16,
    /// Partitions of summaries, findings and incidents each. Fixed when the topics are made.
    pub(crate) stage_partitions: u16,
    /// Copies of each partition.
    pub(crate) replication: u16,
    /// Copies that must be written before anything is acknowledged.
    pub(crate) min_insync_replicas: u16,
    /// A name that stays over restarts.
    pub(crate) instance: String,
    /// A process that is not heard of for this time loses its partitions.
    pub(crate) session_timeout_ms: u32,
    /// The least time between two transactions of a stage.
    pub(crate) commit_interval_ms: u32,
    pub(crate) security_protocol: Security,
    pub(crate) ca_file: PathBuf,
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
    pub(crate) sasl_mechanism: String,
    pub(crate) sasl_username: String,
    /// Where the password is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sasl_password: Option<SecretRef>,
    /// Where OAUTHBEARER finds its token.
    pub(crate) sasl_token_file: PathBuf,
    /// Any property of librdkafka, for every client.
    pub(crate) properties: BTreeMap<String, String>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            topic_prefix: String::new(),
            telemetry_partitions: 16,
            stage_partitions: 64,
            replication: 3,
            min_insync_replicas: 2,
            instance: String::new(),
            session_timeout_ms: 6000,
            commit_interval_ms: 100,
            security_protocol: Security::Plaintext,
            ca_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            sasl_mechanism: String::new(),
            sasl_username: String::new(),
            sasl_password: None,
            sasl_token_file: PathBuf::new(),
            properties: BTreeMap::new(),
        }
    }
}

/// Mechanisms that the client has.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
/// Properties that what is promised rests on.
const OURS: [&str; 8] = [
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "transactional.id",
    "isolation.level",
    "enable.auto.commit",
    "group.id",
    "partition.assignment.strategy",
];

impl KafkaConfig {
    /// Files that are read by the library, or later.
    fn check_files(&self) -> Result<(), String> {
        let files = [
            ("ca_file", &self.ca_file),
            ("certificate_file", &self.certificate_file),
            ("key_file", &self.key_file),
            ("sasl_token_file", &self.sasl_token_file),
        ];
        let unreadable =
            files.iter().filter(|(_, file)| !file.as_os_str().is_empty()).filter_map(|(key, file)| {
                let error = File::open(file).err()?;
                Some(format!("journal.kafka.{key}: {} can't be read: {error}", file.display()))
            });
        let unreadable: Vec<String> = unreadable.collect();
        if unreadable.is_empty() { Ok(()) } else { Err(unreadable.join("; ")) }
    }

    /// As the journal takes it. Fails where a secret, a certificate or a key can't be read.
    pub(crate) fn options(&self, queue_bytes: u64) -> Result<KafkaOptions, String> {
        self.check_files()?;
        let mut options = KafkaOptions::new(&self.brokers);
        options.prefix.clone_from(&self.topic_prefix);
        options.instance.clone_from(&self.instance);
        options.session_timeout = Duration::from_millis(self.session_timeout_ms.into());
        options.commit_interval = Duration::from_millis(self.commit_interval_ms.into());
        options.queue_bytes = queue_bytes;
        let protocol = match self.security_protocol {
            Security::Plaintext => "plaintext",
            Security::Ssl => "ssl",
            Security::SaslPlaintext => "sasl_plaintext",
            Security::SaslSsl => "sasl_ssl",
        };
        let mut set = |key: &str, value: &str| {
            if !value.is_empty() {
                options.properties.insert(key.to_owned(), value.to_owned());
            }
        };
        set("security.protocol", protocol);
        set("ssl.ca.location", &self.ca_file.to_string_lossy());
        set("ssl.certificate.location", &self.certificate_file.to_string_lossy());
        set("ssl.key.location", &self.key_file.to_string_lossy());
        set("sasl.mechanism", &self.sasl_mechanism);
        set("sasl.username", &self.sasl_username);
        if let Some(password) = &self.sasl_password {
            let password =
                password.read_text().map_err(|error| format!("journal.kafka.sasl_password: {error}"))?;
            set("sasl.password", &password);
        }
        options.properties.extend(self.properties.clone());
        if !self.sasl_token_file.as_os_str().is_empty() {
            options.token_file = Some(self.sasl_token_file.clone());
        }
        Ok(options)
    }

    /// What its topics are to be like.
    pub(crate) fn topics(&self, journal: &JournalConfig) -> Wanted {
        let hours = |hours: u32| Duration::from_secs(u64::from(hours) * 3600);
        Wanted {
            telemetry_partitions: self.telemetry_partitions,
            stage_partitions: self.stage_partitions,
            replication: self.replication,
            min_insync_replicas: self.min_insync_replicas,
            telemetry_age: hours(journal.retention_hours),
            telemetry_bytes: journal.retention_bytes,
            stages_age: hours(journal.stages_retention_hours),
        }
    }

    /// What is wrong with the values, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut problem = |what: String| problems.push(what);
        if self.brokers.split(',').any(|broker| !broker.trim().contains(':')) {
            problem(format!("journal.kafka.brokers is {:?}; give host:port, comma-separated", self.brokers));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if self.topic_prefix.len() > 100 || !self.topic_prefix.bytes().all(fits) {
            problem(format!(
                "journal.kafka.topic_prefix is {:?}; take letters, digits, dot, dash and underscore",
                self.topic_prefix
            ));
        }
        for (key, partitions) in
            [("telemetry_partitions", self.telemetry_partitions), ("stage_partitions", self.stage_partitions)]
        {
            if !(1..=1024).contains(&partitions) {
                problem(format!("journal.kafka.{key} is {partitions}; take 1 to 1024"));
            }
        }
        if self.replication == 0
            || self.min_insync_replicas == 0
            || self.min_insync_replicas > self.replication
        {
            problem(format!(
                "journal.kafka.min_insync_replicas is {} of {} replicas; take 1 or more, and no more than journal.kafka.replication",
                self.min_insync_replicas, self.replication
            ));
        }
        if !(1000..=300_000).contains(&self.session_timeout_ms) {
            problem(format!(
                "journal.kafka.session_timeout_ms is {}; take 1000 to 300000 (brokers allow 6000 and more by default)",
                self.session_timeout_ms
            ));
        }
        if self.commit_interval_ms > 5000 {
            problem(format!(
                "journal.kafka.commit_interval_ms is {}; take 0 to 5000",
                self.commit_interval_ms
            ));
        }
        if !self.sasl_mechanism.is_empty() && !MECHANISMS.contains(&self.sasl_mechanism.as_str()) {
            problem(format!(
                "journal.kafka.sasl_mechanism is {:?}; these are: {}",
                self.sasl_mechanism,
                MECHANISMS.join(", ")
            ));
        }
        for key in self.properties.keys().filter(|key| OURS.contains(&key.as_str())) {
            problem(format!(
                "journal.kafka.properties.{key:?} can't be set: that nothing is lost or told twice rests on it"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_there_are_told_at_the_start_all_at_once_by_their_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let (there, nowhere) = (folder.path().join("there"), folder.path().join("nowhere"));
        std::fs::write(&there, "").expect("written");
        let good = KafkaConfig { ca_file: there.clone(), sasl_token_file: there, ..KafkaConfig::default() };
        assert!(good.options(1).is_ok());
        let wrong = KafkaConfig {
            ca_file: nowhere.clone(),
            certificate_file: nowhere.clone(),
            key_file: nowhere.clone(),
            sasl_token_file: nowhere.clone(),
            ..good
        };
        let told = wrong.options(1).expect_err("nothing is there");
        let why = format!("{} can't be read: No such file or directory (os error 2)", nowhere.display());
        let expected = ["ca_file", "certificate_file", "key_file", "sasl_token_file"];
        assert_eq!(told, expected.map(|key| format!("journal.kafka.{key}: {why}")).join("; "));
    }
}
