//! What a Kafka is to be like.

use crate::Error;

/// What a Kafka is to be like; `Options::default()` is one broker with the settings of deploy/kafka/settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many brokers; each is a controller as well. From three on, topics have three copies unless told otherwise.
    pub brokers: usize,
    /// Any properties of a broker; they win over those of deploy/kafka/settings.
    pub properties: Vec<(String, String)>,
    /// Listeners besides the plain one.
    pub listeners: Vec<Listener>,
    /// Users of SASL/SCRAM-SHA-512, by name and password; made with the cluster.
    pub scram_users: Vec<(String, String)>,
    /// The JVM's flags in place of the default ones, which are for short lives: `-Xmx1g` where speed is measured.
    pub jvm: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { brokers: 1, properties: Vec::new(), listeners: Vec::new(), scram_users: Vec::new(), jvm: None }
    }
}

/// One more way into every broker, on a port of its own. Clients that come by it are told its addresses alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub(crate) name: String,
    pub(crate) protocol: &'static str,
    pub(crate) proxied: bool,
}

impl Listener {
    /// A plain listener behind a [`Proxy`](crate::Proxy): what connects by it can be cut off. Its name in capitals.
    #[must_use]
    pub fn proxied(name: &str) -> Self {
        Self { name: name.to_owned(), protocol: "PLAINTEXT", proxied: true }
    }

    /// A listener of another protocol: `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`. What it needs besides (keys, users) are
    /// properties that begin with `listener.name.` and its name in small letters.
    #[must_use]
    pub fn secured(name: &str, protocol: &'static str) -> Self {
        Self { name: name.to_owned(), protocol, proxied: false }
    }
}

impl Options {
    /// What would otherwise fail in a broker's log.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.brokers == 0 {
            return Err(Error::Options("a Kafka of no brokers; ask for one or three".into()));
        }
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
        for (nth, listener) in self.listeners.iter().enumerate() {
            let name = &listener.name;
            if !is_name(name) || name == "PLAINTEXT" || name == "CONTROLLER" {
                return Err(Error::Options(format!(
                    "a listener named {name:?}; choose another, in capitals"
                )));
            }
            if self.listeners[..nth].iter().any(|other| other.name == *name) {
                return Err(Error::Options(format!("two listeners named {name}")));
            }
        }
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some((name, _)) =
            self.scram_users.iter().find(|(name, password)| !is_plain(name) || !is_plain(password))
        {
            return Err(Error::Options(format!(
                "the user {name:?}; take letters and digits for name and password"
            )));
        }
        Ok(())
    }

    /// The users as deploy/kafka/node takes them.
    pub(crate) fn users(&self) -> String {
        let users = self.scram_users.iter().map(|(name, password)| format!("{name}:{password}"));
        users.collect::<Vec<_>>().join(" ")
    }

    /// The properties as the lines of a Java properties file.
    pub(crate) fn lines(&self) -> String {
        self.properties.iter().map(|(key, value)| format!("{key}={}\n", escaped(value))).collect()
    }
}

/// A value that a Java properties file gives back as it was: keys and certificates have many lines.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_many_lines_is_one_line_of_properties() {
        let options = Options {
            properties: vec![("key".into(), "-----BEGIN\nA\\B=\n".into()), ("other".into(), "x y".into())],
            ..Options::default()
        };
        assert_eq!(options.lines(), "key=-----BEGIN\\nA\\\\B=\\n\nother=x y\n");
    }

    #[test]
    fn names_that_no_listener_can_have_are_refused() {
        let with = |names: &[&str]| {
            let listeners = names.iter().map(|name| Listener::proxied(name)).collect();
            Options { listeners, ..Options::default() }.check().map_err(|error| error.to_string())
        };
        assert_eq!(with(&["WORKERS", "INGEST"]), Ok(()));
        assert_eq!(with(&["WORKERS", "WORKERS"]), Err("two listeners named WORKERS".into()));
        for name in ["", "workers", "A B", "PLAINTEXT", "CONTROLLER"] {
            let refusal = format!("a listener named {name:?}; choose another, in capitals");
            assert_eq!(with(&[name]), Err(refusal));
        }
    }

    #[test]
    fn users_that_a_line_of_settings_would_cut_are_refused() {
        let with = |name: &str, password: &str| {
            let scram_users = vec![("one".into(), "two".into()), (name.into(), password.into())];
            let options = Options { scram_users, ..Options::default() };
            options.check().map(|()| options.users()).map_err(|error| error.to_string())
        };
        assert_eq!(with("shock", "fore2"), Ok("one:two shock:fore2".into()));
        for (name, password) in [("", "a"), ("a", ""), ("a b", "c"), ("a", "b,c"), ("a:b", "c"), ("a", "b]")]
        {
            let refusal = format!("the user {name:?}; take letters and digits for name and password");
            assert_eq!(with(name, password), Err(refusal));
        }
    }
}
