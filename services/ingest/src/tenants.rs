//! From a bearer token to the tenant it stands for.

use std::{fs, sync::Arc, time::Instant};

use foreshock_model::Tenant;
use http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

use crate::{
    IngestError,
    config::{Secret, TenantConfig, TenantsConfig},
    quota::Quota,
    refusal::{Reason, Refusal},
};

/// A tenant and what it has left.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) tenant: Tenant,
    pub(crate) quota: Quota,
    /// What the quota follows from: bytes and records a second.
    rates: [Option<u64>; 2],
}

/// Everyone who may send.
#[derive(Debug)]
pub(crate) enum Tenants {
    /// No token is configured: everything belongs to the tenant `default`.
    Open(Arc<Account>),
    /// A token is required.
    ByToken(Vec<(Secret, Arc<Account>)>),
}

impl Tenants {
    /// Reads the tokens from where the configuration says they are; tells everything that is wrong with them. Accounts
    /// whose quotas are as they were `before` go on as they are.
    pub(crate) fn load(config: &TenantsConfig, before: Option<&Self>) -> Result<Self, Vec<IngestError>> {
        let now = Instant::now();
        let account = |tenant: &Tenant, settings: &TenantConfig| {
            let kept = before.and_then(|before| before.account(tenant)).filter(|kept| kept.allows(settings));
            kept.cloned().unwrap_or_else(|| Arc::new(Account::new(tenant.clone(), settings, now)))
        };
        let mut tokens: Vec<(Secret, Arc<Account>)> = Vec::new();
        let mut problems = Vec::new();
        for (tenant, settings) in &config.0 {
            let account = account(tenant, settings);
            for token in read_tokens(tenant, settings) {
                let checked = token.and_then(|(secret, source_key)| match unusable(&secret, &tokens) {
                    Some(reason) => Err(IngestError::Token { tenant: tenant.clone(), source_key, reason }),
                    None => Ok(secret),
                });
                match checked {
                    Ok(secret) => tokens.push((secret, Arc::clone(&account))),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if !tokens.is_empty() {
            return Ok(Self::ByToken(tokens));
        }
        let tenant = Tenant::default();
        let settings = config.0.get(&tenant).cloned().unwrap_or_default();
        Ok(Self::Open(account(&tenant, &settings)))
    }

    fn account(&self, tenant: &Tenant) -> Option<&Arc<Account>> {
        match self {
            Self::Open(account) => Some(account).filter(|account| account.tenant == *tenant),
            Self::ByToken(known) => {
                known.iter().map(|(_, account)| account).find(|account| account.tenant == *tenant)
            }
        }
    }

    /// Whose request it is. Takes the same time for any token of one length, known or not.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Result<&Arc<Account>, Refusal> {
        let known = match self {
            Self::Open(account) => return Ok(account),
            Self::ByToken(known) => known,
        };
        let Some(shown) = bearer(headers) else {
            return Err(Refusal::for_good(
                Reason::Unauthenticated,
                "no token was sent; send the header 'authorization: Bearer TOKEN'",
            ));
        };
        let mut found = None;
        for (secret, account) in known {
            if bool::from(secret.expose().as_bytes().ct_eq(shown)) {
                found = Some(account);
            }
        }
        found.ok_or_else(|| {
            Refusal::for_good(
                Reason::Unauthenticated,
                "the token is not known; send one that is configured in [tenants]",
            )
        })
    }
}

impl Account {
    fn new(tenant: Tenant, settings: &TenantConfig, now: Instant) -> Self {
        let rates @ [bytes, records] = rates(settings);
        Self { tenant, quota: Quota::new(bytes, records, now), rates }
    }

    fn allows(&self, settings: &TenantConfig) -> bool {
        self.rates == rates(settings)
    }
}

fn rates(settings: &TenantConfig) -> [Option<u64>; 2] {
    [settings.max_bytes_per_second, settings.max_records_per_second]
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The tokens of one tenant, each with the key it came from, and what can't be read.
fn read_tokens(tenant: &Tenant, settings: &TenantConfig) -> Vec<Result<(Secret, String), IngestError>> {
    let key = |name: &str| format!("tenants.{tenant}.{name}");
    let mut tokens = Vec::new();
    if let Some(token) = &settings.token {
        tokens.push(Ok((token.clone(), key("token"))));
    }
    if let Some(variable) = &settings.token_env {
        // An unset variable is as good as an empty one: refused below.
        let token = std::env::var(variable).unwrap_or_default();
        tokens.push(Ok((Secret::new(token.trim()), format!("{} ({variable})", key("token_env")))));
    }
    if let Some(path) = &settings.token_file {
        match fs::read_to_string(path) {
            Ok(text) => tokens.extend(in_file(&text).map(|secret| Ok((secret, key("token_file"))))),
            Err(source) => {
                let key = key("token_file");
                tokens.push(Err(IngestError::File { path: path.clone(), key, source }));
            }
        }
    }
    tokens
}

/// The tokens of a file. One without any is as good as one with an empty one: refused.
fn in_file(text: &str) -> impl Iterator<Item = Secret> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let none = lines().next().is_none().then(|| Secret::new(""));
    lines().map(Secret::new).chain(none)
}

fn unusable(secret: &Secret, known: &[(Secret, Arc<Account>)]) -> Option<&'static str> {
    if secret.expose().is_empty() {
        Some("it is empty or not set")
    } else if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("a token is one word of printable ASCII")
    } else if known.iter().any(|(other, _)| other == secret) {
        Some("another tenant has the same one, or it is there twice")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn config(json: &str) -> TenantsConfig {
        serde_json::from_str(json).unwrap()
    }

    fn load(json: &str) -> Result<Tenants, Vec<IngestError>> {
        Tenants::load(&config(json), None)
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn without_tokens_everything_is_the_default_tenants() {
        let tenants = load(r#"{"default": {"max_records_per_second": 5}}"#).unwrap();
        assert_eq!(tenants.of(&HeaderMap::new()).unwrap().tenant, Tenant::default());
    }

    #[test]
    fn a_token_file_holds_several_tokens_and_a_wrong_token_is_nobodys() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# old\nalpha-1\n\nalpha-2  ").unwrap();
        let path = file.path().to_str().unwrap();
        let tenants =
            load(&format!(r#"{{"acme": {{"token_file": "{path}"}}, "other": {{"token": "beta"}}}}"#))
                .unwrap();
        for (token, tenant) in [("alpha-1", "acme"), ("alpha-2", "acme"), ("beta", "other")] {
            for scheme in ["Bearer", "bearer"] {
                let account = tenants.of(&headers(&format!("{scheme} {token}"))).unwrap();
                assert_eq!(account.tenant.as_str(), tenant);
            }
        }
        for wrong in ["Bearer alpha-3", "Bearer ", "Bearer", "Basic alpha-1", "alpha-1", "Bearer # old"] {
            assert_eq!(tenants.of(&headers(wrong)).unwrap_err().reason, Reason::Unauthenticated, "{wrong}");
        }
        assert_eq!(tenants.of(&HeaderMap::new()).unwrap_err().reason, Reason::Unauthenticated);
    }

    #[test]
    fn a_token_that_can_not_hold_is_refused_at_the_start() {
        for json in [
            r#"{"acme": {"token": ""}}"#,
            r#"{"acme": {"token": "two words"}}"#,
            r#"{"acme": {"token_env": "FORESHOCK_TEST_NEVER_SET"}}"#,
            r#"{"acme": {"token": "same"}, "other": {"token": "same"}}"#,
        ] {
            let problems = load(json).unwrap_err();
            assert!(matches!(problems[..], [IngestError::Token { .. }]), "{json}: {problems:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_the_tokens_is_told_and_begins_with_its_key() {
        let json =
            r#"{"acme": {"token_file": "/nowhere/token"}, "b": {"token": ""}, "c": {"token": "good"}}"#;
        let told: Vec<String> = load(json).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("tenants.acme.token_file: can't read /nowhere/token"), "{told:?}");
        assert!(told[1].starts_with("tenants.b.token: "), "{told:?}");
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn an_account_whose_quota_stays_keeps_what_it_has_used_of_it() {
        let before =
            load(r#"{"a": {"token": "1", "max_records_per_second": 5}, "b": {"token": "2"}}"#).unwrap();
        let json = r#"{"a": {"token": "3", "max_records_per_second": 5}, "b": {"token": "2", "max_bytes_per_second": 1}}"#;
        let after = Tenants::load(&config(json), Some(&before)).unwrap();
        let same = |name: &str| {
            let tenant = Tenant::new(name).unwrap();
            Arc::ptr_eq(before.account(&tenant).unwrap(), after.account(&tenant).unwrap())
        };
        assert!(same("a") && !same("b"));
        assert!(after.of(&headers("Bearer 1")).is_err());
        assert!(after.of(&headers("Bearer 3")).is_ok());
    }
}
