//! One incident as JSON in one signed POST.

use foreshock_model::{Id, Incident};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder, Url, header};
use sha2::Sha256;

use crate::{client, config, config::address, secret::Secret};

/// A webhook that can be sent to.
#[derive(Debug)]
pub(crate) struct Webhook {
    client: Client,
    url: Url,
    secret: Option<Secret>,
    bearer: Option<Secret>,
}

impl Webhook {
    pub(crate) fn new(config: &config::Webhook) -> Result<Self, String> {
        let url = address(&config.url)?;
        Ok(Self {
            client: client::build(&url, config.timeout, config.ca_file.as_deref())?,
            url,
            secret: config.secret.as_ref().map(|secret| secret.read()).transpose()?,
            bearer: config.bearer.as_ref().map(|secret| secret.read()).transpose()?,
        })
    }

    /// The request that tells of this revision. A repeat differs in its timestamp and signature alone.
    pub(crate) fn request(&self, incident: &Incident, unix_seconds: u64) -> RequestBuilder {
        let body = serde_json::to_vec(incident).expect("an incident has text keys alone");
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", idempotency_key(incident.id, incident.revision))
            .header("X-Foreshock-Timestamp", unix_seconds);
        if let Some(secret) = &self.secret {
            request = request.header("X-Foreshock-Signature", signature(secret, unix_seconds, &body));
        }
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer.expose());
        }
        request.body(body)
    }
}

/// Names one revision of one incident for ever.
pub(crate) fn idempotency_key(id: Id, revision: u64) -> String {
    format!("{id}-{revision}")
}

/// `sha256=` and the HMAC-SHA256, in hexadecimal digits, of timestamp, full stop and body.
fn signature(secret: &Secret, unix_seconds: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any length is a key");
    mac.update(unix_seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::secret::SecretRef;

    #[test]
    fn the_signature_is_what_another_implementation_computes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "key").unwrap();
        let secret = SecretRef::File(path).read().unwrap();
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature(&secret, 1_700_000_000, br#"{"a":1}"#),
            "sha256=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
        );
    }
}
