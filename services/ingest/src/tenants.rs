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
    /// Reads the tokens from where the configuration says they are.
    pub(crate) fn load(config: &TenantsConfig) -> Result<Self, IngestError> {
        let now = Instant::now();
        let mut tokens: Vec<(Secret, Arc<Account>)> = Vec::new();
        for (tenant, settings) in &config.0 {
            let account = Arc::new(Account::new(tenant.clone(), settings, now));
            for (secret, source_key) in read_tokens(tenant, settings)? {
                if let Some(reason) = unusable(&secret, &tokens) {
                    return Err(IngestError::Token { tenant: tenant.clone(), source_key, reason });
                }
                tokens.push((secret, Arc::clone(&account)));
            }
        }
        if !tokens.is_empty() {
            return Ok(Self::ByToken(tokens));
        }
        let tenant = Tenant::default();
        let settings = config.0.get(&tenant).cloned().unwrap_or_default();
        Ok(Self::Open(Arc::new(Account::new(tenant, &settings, now))))
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
        let quota = Quota::new(settings.max_bytes_per_second, settings.max_records_per_second, now);
        Self { tenant, quota }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The tokens of one tenant, each with the key it came from.
fn read_tokens(tenant: &Tenant, settings: &TenantConfig) -> Result<Vec<(Secret, String)>, IngestError> {
    let key = |name: &str| format!("tenants.{tenant}.{name}");
    let mut tokens = Vec::new();
    if let Some(token) = &settings.token {
        tokens.push((token.clone(), key("token")));
    }
    if let Some(variable) = &settings.token_env {
        // An unset variable is as good as an empty one: refused below.
        let token = std::env::var(variable).unwrap_or_default();
        tokens.push((Secret::new(token.trim()), format!("{} ({variable})", key("token_env"))));
    }
    if let Some(path) = &settings.token_file {
        let text = fs::read_to_string(path).map_err(|source| IngestError::File {
            path: path.clone(),
            key: key("token_file"),
            source,
        })?;
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        if lines.is_empty() {
            tokens.push((Secret::new(""), key("token_file")));
        }
        tokens.extend(lines.into_iter().map(|line| (Secret::new(line), key("token_file"))));
    }
    Ok(tokens)
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

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn without_tokens_everything_is_the_default_tenants() {
        let tenants = Tenants::load(&config(r#"{"default": {"max_records_per_second": 5}}"#)).unwrap();
        assert_eq!(tenants.of(&HeaderMap::new()).unwrap().tenant, Tenant::default());
    }

    #[test]
    fn a_token_file_holds_several_tokens_and_a_wrong_token_is_nobodys() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# old\nalpha-1\n\nalpha-2  ").unwrap();
        let path = file.path().to_str().unwrap();
        let tenants = Tenants::load(&config(&format!(
            r#"{{"acme": {{"token_file": "{path}"}}, "other": {{"token": "beta"}}}}"#
        )))
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
            assert!(matches!(Tenants::load(&config(json)), Err(IngestError::Token { .. })), "{json}");
        }
        let missing = Tenants::load(&config(r#"{"acme": {"token_file": "/nowhere/token"}}"#)).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/token"), "{missing}");
    }
}
