//! The topics that Foreshock needs: what is there, what has to be made or changed, and the doing of it.
//!
//! Nothing is ever taken away: neither partitions nor topics nor settings of others.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    error::RDKafkaErrorCode,
};

use super::{
    KafkaOptions, OWN_MESSAGE_BYTES,
    asked::Asked,
    context::{Common, Connection},
    failure::{failure, unmade},
    names::Names,
    tap::PATIENCE,
};
use crate::{JournalError, Stream};

/// What the topics are to be like.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Partitions of logs, metrics and spans each.
    pub telemetry_partitions: u16,
    /// Partitions of summaries, findings and incidents each. Fixed when they are made: state is cut by them.
    pub stage_partitions: u16,
    /// Copies of each partition.
    pub replication: u16,
    /// Copies that must be written before an append is acknowledged.
    pub min_insync_replicas: u16,
    /// How long telemetry is kept.
    pub telemetry_age: Duration,
    /// Bytes of a telemetry stream above which its oldest goes.
    pub telemetry_bytes: u64,
    /// How long everything else is kept.
    pub stages_age: Duration,
}

/// A topic as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Topic {
    name: String,
    partitions: u16,
    may_grow: bool,
    settings: BTreeMap<&'static str, String>,
}

impl Wanted {
    fn topics(&self, names: &Names) -> Vec<Topic> {
        let mut topics: Vec<Topic> = names.all().map(|(stream, name)| self.topic(stream, name)).collect();
        let mut settings = self.settings(self.stages_age.min(Duration::from_secs(30 * 24 * 3600)));
        // What a state is made of is written anew all the time: the old goes soon.
        settings.insert("cleanup.policy", "compact,delete".into());
        settings.insert("segment.ms", "3600000".into());
        settings.insert("segment.bytes", (64 << 20).to_string());
        settings.insert("min.cleanable.dirty.ratio", "0.2".into());
        topics.push(Topic {
            name: names.snapshots.clone(),
            partitions: self.stage_partitions,
            may_grow: false,
            settings,
        });
        topics
    }

    fn topic(&self, stream: Stream, name: &str) -> Topic {
        let partitions = match stream {
            Stream::Logs | Stream::Metrics | Stream::Spans => self.telemetry_partitions,
            Stream::Summaries | Stream::Findings | Stream::Incidents => self.stage_partitions,
            Stream::Control | Stream::Deliveries | Stream::Poison => 1,
        };
        let may_grow = stream.is_telemetry();
        let mut settings = self.settings(if may_grow { self.telemetry_age } else { self.stages_age });
        if may_grow {
            let share = self.telemetry_bytes / u64::from(partitions.max(1));
            settings.insert("retention.bytes", share.to_string());
        } else {
            settings.insert("max.message.bytes", (OWN_MESSAGE_BYTES + (1 << 20)).to_string());
        }
        if stream == Stream::Control {
            settings.insert("retention.ms", "-1".into());
        }
        Topic { name: name.to_owned(), partitions, may_grow, settings }
    }

    fn settings(&self, age: Duration) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("cleanup.policy", "delete".to_owned()),
            ("min.insync.replicas", self.min_insync_replicas.to_string()),
            ("retention.ms", age.as_millis().to_string()),
        ])
    }
}

/// One step towards what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A topic is made.
    Make {
        /// Its name.
        topic: String,
        /// With so many partitions.
        partitions: u16,
        /// Copies of each.
        replication: u16,
        /// And these settings.
        settings: BTreeMap<&'static str, String>,
    },
    /// A topic gets more partitions.
    Grow {
        /// Its name.
        topic: String,
        /// It has.
        from: u16,
        /// It gets.
        to: u16,
    },
    /// Settings of a topic are changed.
    Set {
        /// Its name.
        topic: String,
        /// Key, present value, new value.
        changes: Vec<(&'static str, Option<String>, String)>,
        /// What was set for this topic and stays.
        kept: BTreeMap<String, String>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make { topic, partitions, replication, settings } => {
                write!(f, "make {topic}: {partitions} partitions, replication {replication}")?;
                settings.iter().try_for_each(|(key, value)| write!(f, ", {key}={value}"))
            }
            Self::Grow { topic, from, to } => write!(f, "grow {topic}: {from} to {to} partitions"),
            Self::Set { topic, changes, .. } => {
                write!(f, "set {topic}:")?;
                changes.iter().try_for_each(|(key, from, to)| {
                    write!(f, " {key} {} to {to}", from.as_deref().unwrap_or("unset"))
                })
            }
        }
    }
}

/// What has to be done, and what can't be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// Why it can't be as it is wanted, a sentence each. While there is one nothing is done.
    pub refused: Vec<String>,
}

/// What a topic is like at present.
#[derive(Clone, Debug, Default)]
struct Present {
    partitions: u16,
    /// Every setting in force.
    settings: BTreeMap<String, String>,
    /// Those set for this topic.
    own: BTreeMap<String, String>,
}

/// The two sides and what lies between them.
fn compare(wanted: &[Topic], replication: u16, present: &BTreeMap<String, Present>) -> Plan {
    let mut plan = Plan::default();
    for topic in wanted {
        let Topic { name, partitions, may_grow, settings } = topic;
        let Some(present) = present.get(name) else {
            plan.steps.push(Step::Make {
                topic: name.clone(),
                partitions: *partitions,
                replication,
                settings: settings.clone(),
            });
            continue;
        };
        let key =
            if *may_grow { "journal.kafka.telemetry_partitions" } else { "journal.kafka.stage_partitions" };
        if present.partitions > *partitions && *may_grow {
            plan.refused.push(format!(
                "{name} has {} partitions and {partitions} are configured; Kafka can't take partitions away: set {key} to {} or more",
                present.partitions, present.partitions
            ));
        } else if present.partitions != *partitions && !*may_grow {
            plan.refused.push(format!(
                "{name} has {} partitions and {partitions} are configured; their number is fixed when they are made, for state is cut by it: set {key} to {}, or give another journal.kafka.topic_prefix to begin anew",
                present.partitions, present.partitions
            ));
        } else if present.partitions < *partitions {
            plan.steps.push(Step::Grow { topic: name.clone(), from: present.partitions, to: *partitions });
        }
        let changes: Vec<_> = settings
            .iter()
            .filter(|(key, value)| present.settings.get(**key) != Some(*value))
            .map(|(key, value)| (*key, present.settings.get(*key).cloned(), value.clone()))
            .collect();
        if !changes.is_empty() {
            plan.steps.push(Step::Set { topic: name.clone(), changes, kept: present.own.clone() });
        }
    }
    plan
}

/// Kafka's side of the topics.
pub struct Topics {
    looking: Asked<Common>,
    /// It is never polled by the library that we have it from, and so has no token.
    admin: Option<AdminClient<Common>>,
    connection: Arc<Connection>,
    names: Names,
}

impl Topics {
    /// Reaches the cluster when it is first asked.
    pub fn new(options: &KafkaOptions) -> Result<Self, JournalError> {
        let connection = Arc::<Connection>::default();
        let common = Common { connection: Arc::clone(&connection), token_file: options.token_file.clone() };
        let looking = Asked::new(&options.admin(), common.clone()).map_err(|error| unmade(&error))?;
        let admin = (!options.takes_token()).then(|| options.admin().create_with_context(common));
        let admin = admin.transpose().map_err(|error| unmade(&error))?;
        Ok(Self { looking, admin, connection, names: Names::new(&options.prefix) })
    }

    fn admin(&self, doing: &'static str) -> Result<&AdminClient<Common>, JournalError> {
        let reason = "with OAUTHBEARER topics can be neither changed nor their settings looked at; let another user do it, by \
                      certificate, SCRAM or PLAIN, or Kafka's own tools as `foreshock topics plan` shows";
        self.admin.as_ref().ok_or_else(|| JournalError::Kafka { doing, reason: reason.to_owned() })
    }

    /// What lies between what is there and what is wanted.
    pub async fn plan(&self, wanted: &Wanted) -> Result<Plan, JournalError> {
        let topics = wanted.topics(&self.names);
        Ok(compare(&topics, wanted.replication, &self.present(&topics).await?))
    }

    async fn present(&self, topics: &[Topic]) -> Result<BTreeMap<String, Present>, JournalError> {
        const LOOKING: &str = "looking at the topics";
        let looked = tokio::task::block_in_place(|| self.looking.look_patiently(&self.connection));
        let metadata = looked.map_err(|reason| JournalError::Kafka { doing: LOOKING, reason })?;
        let mut present: BTreeMap<String, Present> = BTreeMap::new();
        for topic in metadata.topics() {
            if topics.iter().any(|wanted| wanted.name == topic.name()) {
                let partitions = u16::try_from(topic.partitions().len()).unwrap_or(u16::MAX);
                present.insert(topic.name().to_owned(), Present { partitions, ..Present::default() });
            }
        }
        let asked: Vec<String> = present.keys().cloned().collect();
        let asked: Vec<ResourceSpecifier<'_>> =
            asked.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        if asked.is_empty() {
            return Ok(present);
        }
        let answers = self.admin(LOOKING)?.describe_configs(&asked, &patient()).await;
        let answers = answers.map_err(|error| failure(LOOKING, &error))?;
        for (topic, answer) in asked.iter().zip(answers) {
            let ResourceSpecifier::Topic(name) = topic else { continue };
            let resource = answer.map_err(|code| refused("looking at the settings of", name, code))?;
            let Some(present) = present.get_mut(*name) else { continue };
            for entry in resource.entries {
                let Some(value) = entry.value else { continue };
                if entry.source == ConfigSource::DynamicTopic {
                    present.own.insert(entry.name.clone(), value.clone());
                }
                present.settings.insert(entry.name, value);
            }
        }
        Ok(present)
    }

    /// Does one step. One that was done meanwhile is as good.
    pub async fn apply(&self, step: &Step) -> Result<(), JournalError> {
        match step {
            Step::Make { topic, partitions, replication, settings } => {
                let replication = TopicReplication::Fixed((*replication).into());
                let mut new = NewTopic::new(topic, (*partitions).into(), replication);
                for (key, value) in settings {
                    new = new.set(key, value);
                }
                let answers = self.admin("making topics")?.create_topics([&new], &patient()).await;
                done("making", topic, answers.map_err(|error| failure("making topics", &error))?)
            }
            Step::Grow { topic, to, .. } => {
                let new = NewPartitions::new(topic, (*to).into());
                let answers = self.admin("growing topics")?.create_partitions([&new], &patient()).await;
                done("growing", topic, answers.map_err(|error| failure("growing topics", &error))?)
            }
            Step::Set { topic, changes, kept } => {
                // The request replaces everything that is set for the topic, so what stays goes along.
                let mut all = AlterConfig::new(ResourceSpecifier::Topic(topic));
                for (key, value) in kept {
                    all = all.set(key, value);
                }
                for (key, _, value) in changes {
                    all = all.set(key, value);
                }
                let answers = self.admin("setting topics")?.alter_configs([&all], &patient()).await;
                for answer in answers.map_err(|error| failure("setting topics", &error))? {
                    answer.map_err(|(_, code)| refused("setting", topic, code))?;
                }
                Ok(())
            }
        }
    }
}

fn patient() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn done(
    doing: &'static str,
    topic: &str,
    answers: Vec<Result<String, (String, RDKafkaErrorCode)>>,
) -> Result<(), JournalError> {
    for answer in answers {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(refused(doing, topic, code)),
        }
    }
    Ok(())
}

fn refused(doing: &'static str, topic: &str, code: RDKafkaErrorCode) -> JournalError {
    let advice = match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            "; there are fewer brokers than journal.kafka.replication asks for"
        }
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            "; allow it to this user on the cluster, or let its owner make them as `foreshock topics plan` shows"
        }
        _ => "",
    };
    JournalError::Kafka { doing, reason: format!("{topic}: {code}{advice}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            telemetry_partitions: 8,
            stage_partitions: 4,
            replication: 3,
            min_insync_replicas: 2,
            telemetry_age: Duration::from_secs(3600),
            telemetry_bytes: 8000,
            stages_age: Duration::from_secs(7200),
        }
    }

    /// The cluster once a plan has been carried out.
    fn after(plan: &Plan, mut present: BTreeMap<String, Present>) -> BTreeMap<String, Present> {
        for step in &plan.steps {
            match step.clone() {
                Step::Make { topic, partitions, settings, .. } => {
                    let settings: BTreeMap<String, String> =
                        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                    present.insert(topic, Present { partitions, own: settings.clone(), settings });
                }
                Step::Grow { topic, to, .. } => present.get_mut(&topic).expect("grown").partitions = to,
                Step::Set { topic, changes, .. } => {
                    let settings = &mut present.get_mut(&topic).expect("set").settings;
                    settings.extend(changes.into_iter().map(|(key, _, value)| (key.to_owned(), value)));
                }
            }
        }
        present
    }

    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do() {
        let topics = wanted().topics(&Names::new("a-"));
        assert_eq!(topics.len(), 10);
        let plan = compare(&topics, 3, &BTreeMap::new());
        assert_eq!((plan.steps.len(), plan.refused.len()), (10, 0));
        let present = after(&plan, BTreeMap::new());
        assert_eq!(compare(&topics, 3, &present), Plan::default());

        let more = Wanted { telemetry_partitions: 16, telemetry_age: Duration::from_secs(60), ..wanted() };
        let topics = more.topics(&Names::new("a-"));
        let plan = compare(&topics, 3, &present);
        assert_eq!(plan.steps.len(), 6, "three grow, three are set: {plan:?}");
        assert_eq!(compare(&topics, 3, &after(&plan, present)), Plan::default());
    }

    #[test]
    fn partitions_are_never_taken_away_and_those_that_cut_state_stay_as_they_are() {
        let present =
            after(&compare(&wanted().topics(&Names::new("")), 3, &BTreeMap::new()), BTreeMap::new());
        let fewer = Wanted { telemetry_partitions: 4, ..wanted() };
        let plan = compare(&fewer.topics(&Names::new("")), 3, &present);
        assert_eq!(plan.refused.len(), 3, "{plan:?}");
        assert!(plan.refused[0].contains("set journal.kafka.telemetry_partitions to 8"), "{plan:?}");
        let other = Wanted { stage_partitions: 8, ..wanted() };
        let plan = compare(&other.topics(&Names::new("")), 3, &present);
        assert_eq!(plan.refused.len(), 4, "summaries, findings, incidents and snapshots: {plan:?}");
    }
}
