//! Which incidents are told to whom.

use std::{path::PathBuf, time::Duration};

use foreshock_model::{Incident, Severity};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{duration_text, secret::SecretRef};

/// The section `[notify]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who is told of what. Default: nobody.
    pub routes: Vec<Route>,
    /// Where the console is reached from outside, for links. Default `http://127.0.0.1:7700`.
    pub console_url: String,
    /// Requests under way to one route at a time. Default 8.
    pub in_flight: usize,
    /// Incidents held in memory. Above it settled ones are let go, and where none is, reading waits. Default 2000.
    pub incidents: usize,
    /// How failures are tried again.
    pub retry: Retry,
}

/// How a failed request is tried again: after `first`, then twice as long each time, up to `longest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Wait before the second attempt. Default `1s`.
    #[serde(with = "duration_text")]
    pub first: Duration,
    /// Longest wait between attempts, unless the receiver's Retry-After asks for more (up to 1 h). Default `5m`.
    #[serde(with = "duration_text")]
    pub longest: Duration,
    /// An incident that could not be delivered for so long is given up, and recorded so. Default `24h`.
    #[serde(with = "duration_text")]
    pub give_up_after: Duration,
}

/// What is told, and to whom: exactly one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Names the route in records and metrics; each name once.
    pub name: String,
    /// Incidents of this severity and above. Default `warning`.
    #[serde(default = "warning")]
    pub min_severity: Severity,
    /// Only these tenants; `*` at the end stands for anything. Default: all.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Only incidents that touch one of these services; `*` at the end stands for anything. Default: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// An HTTP server that takes incidents as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// An Alertmanager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<Alertmanager>,
}

/// An HTTP server that takes one incident a POST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where to, `https://` or `http://`.
    pub url: String,
    /// Key of the signature in `X-Foreshock-Signature`. Default: not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// Sent as `Authorization: Bearer`. Default: not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// PEM file of further certificate authorities to trust. Default: the system's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// For the whole request. Default `10s`.
    #[serde(default = "ten_seconds", with = "duration_text")]
    pub timeout: Duration,
}

/// A Prometheus Alertmanager, API version 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alertmanager {
    /// Its address, without `/api/v2/alerts`.
    pub url: String,
    /// Sent as `Authorization: Bearer`. Default: not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretRef>,
    /// PEM file of further certificate authorities to trust. Default: the system's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// For the whole request. Default `10s`.
    #[serde(default = "ten_seconds", with = "duration_text")]
    pub timeout: Duration,
    /// How often an open incident is sent again; it expires there after three times this. Default `1m`.
    #[serde(default = "one_minute", with = "duration_text")]
    pub resend: Duration,
}

fn warning() -> Severity {
    Severity::Warning
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn one_minute() -> Duration {
    Duration::from_secs(60)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            console_url: "http://127.0.0.1:7700".to_owned(),
            in_flight: 8,
            incidents: 2000,
            retry: Retry::default(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            give_up_after: Duration::from_secs(86_400),
        }
    }
}

impl Config {
    /// Everything that is wrong, one sentence each, with the key it is about. Empty: it can be run.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.in_flight == 0 || self.in_flight > 256 {
            problems.push("notify.in_flight must be 1 to 256".to_owned());
        }
        if self.incidents == 0 || self.incidents > 100_000 {
            problems.push("notify.incidents must be 1 to 100000".to_owned());
        }
        if self.retry.first.is_zero() || self.retry.first > self.retry.longest {
            problems.push("notify.retry.first must be above 0 and not above notify.retry.longest".to_owned());
        }
        problems
            .extend(address(&self.console_url).err().map(|problem| format!("notify.console_url {problem}")));
        for (index, route) in self.routes.iter().enumerate() {
            let key = format!("notify.routes[{index}] ({:?})", route.name);
            if self.routes[..index].iter().any(|earlier| earlier.name == route.name) {
                problems.push(format!("{key}: another route has this name; give each its own"));
            }
            problems.extend(route.problems().into_iter().map(|problem| format!("{key}: {problem}")));
        }
        problems
    }
}

impl Config {
    /// Whether it names files, whose content may change while it stays the same.
    pub fn names_files(&self) -> bool {
        let file = |secret: &Option<SecretRef>| matches!(secret, Some(SecretRef::File(_)));
        let webhook = |to: &Webhook| to.ca_file.is_some() || file(&to.secret) || file(&to.bearer);
        let alertmanager = |to: &Alertmanager| to.ca_file.is_some() || file(&to.bearer);
        self.routes.iter().any(|route| {
            route.webhook.as_ref().is_some_and(webhook)
                || route.alertmanager.as_ref().is_some_and(alertmanager)
        })
    }
}

impl Route {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let named = (1..=64).contains(&self.name.len())
            && self.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !named {
            problems.push("name must be 1 to 64 of a-z, A-Z, 0-9, '-', '_', '.'".to_owned());
        }
        match (&self.webhook, &self.alertmanager) {
            (Some(webhook), None) => {
                receiver_problems("webhook", &webhook.url, webhook.timeout, &mut problems);
                secret_problem("webhook.secret", webhook.secret.as_ref(), &mut problems);
                secret_problem("webhook.bearer", webhook.bearer.as_ref(), &mut problems);
            }
            (None, Some(alertmanager)) => {
                receiver_problems("alertmanager", &alertmanager.url, alertmanager.timeout, &mut problems);
                secret_problem("alertmanager.bearer", alertmanager.bearer.as_ref(), &mut problems);
                if alertmanager.resend.is_zero() {
                    problems.push("alertmanager.resend must be above 0".to_owned());
                }
            }
            _ => problems.push("give it exactly one receiver: webhook or alertmanager".to_owned()),
        }
        problems
    }

    /// Whether this state of an incident is for this route.
    pub(crate) fn wants(&self, incident: &Incident) -> bool {
        incident.severity >= self.min_severity
            && (self.tenants.is_empty() || self.tenants.iter().any(|p| fits(p, incident.tenant.as_str())))
            && (self.services.is_empty()
                || incident.services.iter().any(|s| self.services.iter().any(|p| fits(p, s.as_str()))))
    }

    /// The kind of its receiver, as records and metrics name it.
    pub(crate) fn receiver(&self) -> &'static str {
        if self.alertmanager.is_some() { "alertmanager" } else { "webhook" }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

fn receiver_problems(kind: &str, url: &str, timeout: Duration, problems: &mut Vec<String>) {
    problems.extend(address(url).err().map(|problem| format!("{kind}.url {problem}")));
    if timeout.is_zero() || timeout > Duration::from_secs(300) {
        problems.push(format!("{kind}.timeout must be above 0 and at most 5m"));
    }
}

fn secret_problem(key: &str, secret: Option<&SecretRef>, problems: &mut Vec<String>) {
    if let Some(Err(problem)) = secret.map(SecretRef::read) {
        problems.push(format!("{key}: {problem}"));
    }
}

/// An address that may be sent to. Never repeats it: a wrong one may hold a password.
pub(crate) fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL; write it as https://host/path")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// or http:// and name a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; take it out, secrets come by environment or file");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(url: &str) -> Route {
        serde_json::from_value(serde_json::json!({"name": "a", "webhook": {"url": url}})).unwrap()
    }

    #[test]
    fn every_problem_is_told_at_once_and_no_password_is_repeated() {
        let config = Config {
            routes: vec![
                route("https://user:hunter2@example.com/"),
                route("ftp://example.com"),
                Route { webhook: None, ..route("http://x") },
            ],
            in_flight: 0,
            ..Config::default()
        };
        let problems = config.problems();
        let all = problems.join("\n");
        assert!(!all.contains("hunter2"), "{all}");
        // in_flight, userinfo, scheme, no receiver, and twice a name given before.
        assert_eq!(problems.len(), 6, "{all}");
    }

    #[test]
    fn defaults_are_filled_in_and_unknown_keys_refused() {
        let route = route("http://localhost:9/hook");
        assert_eq!(route.min_severity, Severity::Warning);
        assert_eq!(route.webhook.as_ref().unwrap().timeout, Duration::from_secs(10));
        let config = Config { routes: vec![route], ..Config::default() };
        assert!(config.problems().is_empty());
        assert!(serde_json::from_str::<Config>(r#"{"routs": []}"#).is_err());
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config);
    }
}
