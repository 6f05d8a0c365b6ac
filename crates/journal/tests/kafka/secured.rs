//! A cluster behind TLS, passwords and tokens: who is to come in does, and who does not is told what to look at.

use std::{
    fs,
    path::Path,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use foreshock_journal::{
    Batch, Health, Journal, JournalError, KafkaJournal, KafkaOptions, Offset, SnapshotKey, Stream,
    kafka::topics::Topics,
};
use foreshock_kafka_testing::{Kafka, Listener, Options};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::cluster::{
    FINDINGS, LOGS, SUMMARIES, apply, assigned, entry, options, runtime, soon, stage_batch, texts, wanted,
};

/// Connections by token are looked at anew so often. The broker allows it once in a second, and the client does it
/// after nine tenths of the time.
const TOKENS_EVERY: Duration = Duration::from_secs(2);

/// The one broker of these tests.
struct Secured {
    kafka: Kafka,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// What a certificate says. Its own name differs from its authority's: with the same it would count as self-signed.
fn saying(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = saying("authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for the name, and its key.
fn signed(by: &CertifiedIssuer<'static, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = saying(name).signed_by(&key, by).unwrap();
    (certificate.pem(), key.serialize_pem())
}

impl Secured {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Secured> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let authority = authority();
        let (certificate, key) = signed(&authority, "127.0.0.1");
        let login = "org.apache.kafka.common.security";
        let properties = [
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.certificate.chain", certificate),
            ("ssl.keystore.key", key),
            ("ssl.truststore.type", "PEM".to_owned()),
            ("ssl.truststore.certificates", authority.pem()),
            ("listener.name.mutual.ssl.client.auth", "required".to_owned()),
            ("listener.name.scram.sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()),
            (
                "listener.name.scram.scram-sha-512.sasl.jaas.config",
                format!("{login}.scram.ScramLoginModule required;"),
            ),
            ("listener.name.token.sasl.enabled.mechanisms", "OAUTHBEARER".to_owned()),
            (
                "listener.name.token.oauthbearer.sasl.jaas.config",
                format!("{login}.oauthbearer.OAuthBearerLoginModule required;"),
            ),
            (
                "listener.name.token.oauthbearer.sasl.server.callback.handler.class",
                format!(
                    "{login}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
                ),
            ),
            (
                "listener.name.token.oauthbearer.connections.max.reauth.ms",
                TOKENS_EVERY.as_millis().to_string(),
            ),
        ];
        let kafka = Kafka::start(Options {
            listeners: vec![
                Listener::secured("MUTUAL", "SSL"),
                Listener::secured("SCRAM", "SASL_SSL"),
                Listener::secured("TOKEN", "SASL_SSL"),
            ],
            properties: properties.map(|(key, value)| (key.to_owned(), value)).into(),
            scram_users: vec![("shock".into(), "fore".into())],
            ..Options::default()
        });
        Self { kafka: kafka.unwrap(), authority }
    }

    /// Options for a listener, with the authority's certificate in a file of this folder.
    fn options(&self, listener: &str, folder: &TempDir, properties: &[(&str, &str)]) -> KafkaOptions {
        let mut options = options(&self.kafka.bootstrap_of(listener));
        let ca = written(folder, "ca.pem", &self.authority.pem());
        options.properties.insert("ssl.ca.location".into(), ca);
        for (key, value) in properties {
            options.properties.insert((*key).into(), (*value).into());
        }
        options
    }

    /// Those of a client with a certificate of its own.
    fn mutual(&self, folder: &TempDir) -> KafkaOptions {
        let (certificate, key) = signed(&self.authority, "shock");
        let certificate = written(folder, "certificate.pem", &certificate);
        let key = written(folder, "key.pem", &key);
        let properties = [
            ("security.protocol", "ssl"),
            ("ssl.certificate.location", certificate.as_str()),
            ("ssl.key.location", key.as_str()),
        ];
        self.options("MUTUAL", folder, &properties)
    }

    fn scram(&self, folder: &TempDir, password: &str) -> KafkaOptions {
        let properties = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "shock"),
            ("sasl.password", password),
        ];
        self.options("SCRAM", folder, &properties)
    }

    fn token(&self, folder: &TempDir, token: &str) -> KafkaOptions {
        let properties = [("security.protocol", "sasl_ssl"), ("sasl.mechanism", "OAUTHBEARER")];
        let mut options = self.options("TOKEN", folder, &properties);
        options.token_file = Some(written(folder, "token", token).into());
        options
    }
}

fn written(folder: &TempDir, name: &str, text: &str) -> String {
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn one(text: &str) -> Batch {
    Batch { entries: vec![(LOGS, entry(text))], consumed: None }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// A JWT that nobody has signed.
fn token(expires: Duration) -> String {
    let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
    let claims = format!(r#"{{"sub":"shock","exp":{}}}"#, expires.as_secs_f64());
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims))
}

/// Makes topics and writes and reads one entry.
async fn comes_in(options: KafkaOptions) {
    apply(&options, &wanted()).await;
    let journal = soon("the cluster", KafkaJournal::open(options)).await.unwrap();
    soon("the broker", journal.append(one("known"))).await.unwrap();
    assert_eq!(texts(&*journal, LOGS).await, ["known"]);
}

/// Why neither `foreshock topics` nor the journal comes in; in the journal's words.
async fn refusal(options: &KafkaOptions) -> String {
    let planned = match Topics::new(options) {
        Ok(topics) => soon("a refusal", topics.plan(&wanted())).await.map(drop),
        Err(error) => Err(error),
    };
    let told = planned.unwrap_err().to_string();
    let opened = soon("a refusal", KafkaJournal::open(options.clone())).await;
    let Err(JournalError::Unusable(refused)) = opened.map(drop) else { panic!("it came in") };
    let (_, what) = refused.split_once("/bootstrap: ").unwrap_or(("", &refused));
    let (what, _) = what.split_once(" (after").unwrap_or((what, ""));
    assert!(told.contains(what), "{told:?} does not say {what:?}");
    refused
}

#[test]
fn over_tls_with_certificates_on_both_sides_all_is_as_it_is_without() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(comes_in(Secured::shared().mutual(&folder)));
}

#[test]
fn what_is_wrong_with_certificates_is_told_by_the_name_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let mutual = Secured::shared().mutual(&folder);
    let other = authority();
    let foreign_ca = written(&folder, "other-ca.pem", &other.pem());
    let nowhere = folder.path().join("nowhere.pem").to_str().unwrap().to_owned();
    let foreign = signed(&other, "shock");
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("ssl.ca.location", &foreign_ca)], "verify that journal.kafka.ca_file is correctly configured"),
        (&[("ssl.ca.location", &nowhere)], "journal.kafka.ca_file"),
        (&[("ssl.certificate.location", &nowhere)], "journal.kafka.certificate_file"),
        (&[("ssl.key.location", &nowhere)], "journal.kafka.key_file"),
        (
            &[
                ("ssl.certificate.location", &written(&folder, "other.pem", &foreign.0)),
                ("ssl.key.location", &written(&folder, "other-key.pem", &foreign.1)),
            ],
            "journal.kafka.certificate_file",
        ),
    ];
    runtime().block_on(async {
        for (wrong, named) in cases {
            let mut options = mutual.clone();
            options.properties.extend(wrong.iter().map(|(key, value)| ((*key).into(), (*value).into())));
            let told = refusal(&options).await;
            assert!(told.contains(named), "{wrong:?}: {told}");
        }
        let mut without = mutual;
        for key in ["ssl.certificate.location", "ssl.key.location"] {
            without.properties.remove(key);
        }
        let told = refusal(&without).await;
        assert!(told.contains("journal.kafka.certificate_file"), "{told}");
    });
}

#[test]
fn a_user_of_scram_comes_in_and_one_with_another_password_is_told_so() {
    let (secured, folder) = (Secured::shared(), tempfile::tempdir().unwrap());
    runtime().block_on(async {
        comes_in(secured.scram(&folder, "fore")).await;
        let told = refusal(&secured.scram(&folder, "after")).await;
        assert!(told.contains("invalid credentials") && told.contains("sasl_password"), "{told}");
    });
}

/// Appends, commits and saves, each by clients of its own.
async fn by_all_ways(journal: &KafkaJournal, text: &str, next: u64) {
    soon("the broker", journal.append(one(text))).await.unwrap();
    soon("the commit", journal.append(stage_batch(SUMMARIES, next, &[text]))).await.unwrap();
    let key = SnapshotKey { consumer: "detect".into(), partition: SUMMARIES };
    let save = || journal.save_snapshot(&key, Offset(next), &mut |to| to.write_all(text.as_bytes()));
    tokio::task::block_in_place(save).unwrap();
    assert_eq!(texts(journal, FINDINGS).await.last().map(String::as_str), Some(text));
}

#[test]
fn a_token_that_is_replaced_in_its_file_is_taken_up_before_the_old_one_ends() {
    let (secured, folder) = (Secured::shared(), tempfile::tempdir().unwrap());
    let first_ends = now() + Duration::from_secs(6);
    let options = secured.token(&folder, &token(first_ends));
    runtime().block_on(async {
        let mut plain = KafkaOptions::new(secured.kafka.bootstrap());
        plain.prefix.clone_from(&options.prefix);
        let topics = Topics::new(&options).unwrap();
        assert_eq!(soon("a plan", topics.plan(&wanted())).await.unwrap().steps.len(), 10);
        apply(&plain, &wanted()).await;
        let journal = soon("the cluster", KafkaJournal::open(options.clone())).await.unwrap();
        let mut member = journal.join("detect", &[Stream::Summaries]).unwrap();
        assert_eq!(assigned(&mut member).await.len(), 2);
        by_all_ways(&journal, "by the first", 1).await;
        let renewed = written(&folder, "renewed", &token(now() + Duration::from_secs(600)));
        fs::rename(renewed, options.token_file.as_ref().unwrap()).unwrap();
        // Past its end, and every connection that was made with it has been looked at anew, those that had nothing
        // to do as well.
        let mut appended = 0;
        while now() < first_ends + TOKENS_EVERY {
            soon("the broker", journal.append(one("meanwhile"))).await.unwrap();
            appended += 1;
        }
        by_all_ways(&journal, "by the second", 2).await;
        assert_eq!(texts(&*journal, LOGS).await.len(), 2 + appended);
        assert_eq!(journal.health(), Health::Writable);

        let told = soon("an answer", topics.plan(&wanted())).await.unwrap_err().to_string();
        assert!(told.contains("let another user do it"), "{told}");
    });
}

#[test]
fn a_file_that_holds_no_token_of_the_cluster_is_named() {
    let (secured, folder) = (Secured::shared(), tempfile::tempdir().unwrap());
    let named = |told: &str, file: &Path| {
        told.contains(&format!("the token is that of {} (journal.kafka.sasl_token_file)", file.display()))
    };
    runtime().block_on(async {
        let expired = token(now() - Duration::from_secs(60));
        for rubbish in ["rubbish", "not\na token", "", &expired] {
            let options = secured.token(&folder, rubbish);
            let told = refusal(&options).await;
            assert!(named(&told, options.token_file.as_ref().unwrap()), "{told}");
        }
        let mut nowhere = secured.token(&folder, "");
        nowhere.token_file = Some(folder.path().join("nowhere"));
        let told = refusal(&nowhere).await;
        assert!(
            named(&told, nowhere.token_file.as_ref().unwrap()) && told.contains("No such file"),
            "{told}"
        );
        nowhere.token_file = None;
        let told = refusal(&nowhere).await;
        assert!(told.contains("set journal.kafka.sasl_token_file"), "{told}");
    });
}
