//! One HTTP request to a receiver, and what its answer means.
//!
//! Never follows a redirect: the signature and the token are meant for the configured host alone.

use std::{fs, path::Path, time::Duration};

use reqwest::{Certificate, Client, RequestBuilder, Response, Url, header, redirect};

use crate::backoff::retry_after;

/// Most bytes read of an answer's body; they go into the error's text.
const ANSWER_BYTES: usize = 1024;

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It may take it later; `after` is its own wish.
    Retry {
        /// Its Retry-After.
        after: Option<Duration>,
        /// What went wrong.
        error: String,
    },
    /// It will never take this one.
    GivenUp {
        /// What it said.
        error: String,
    },
}

/// A client for one receiver.
pub(crate) fn build(url: &Url, timeout: Duration, ca_file: Option<&Path>) -> Result<Client, String> {
    // Whoever installed a provider before, here or in another part of the process, stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(5)))
        .redirect(redirect::Policy::none())
        .referer(false)
        .pool_max_idle_per_host(8)
        .user_agent(concat!("foreshock/", env!("CARGO_PKG_VERSION")));
    let mut authorities = Vec::new();
    if let Some(path) = ca_file {
        let pem =
            fs::read(path).map_err(|error| format!("ca_file {} can't be read: {error}", path.display()))?;
        authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("ca_file {} holds no PEM certificates: {error}", path.display()))?;
    }
    builder = if url.scheme() == "http" {
        // No TLS will be spoken: a machine without certificate authorities is no obstacle.
        builder.tls_certs_only(authorities)
    } else {
        builder.tls_certs_merge(authorities)
    };
    builder.build().map_err(|error| {
        format!("no TLS client could be made ({}); install ca-certificates or give ca_file", chain(&error))
    })
}

/// Sends a request and judges the answer.
pub(crate) async fn send(request: RequestBuilder) -> Outcome {
    match request.send().await {
        Ok(response) => judge(response).await,
        Err(error) => Outcome::Retry { after: None, error: chain(&error.without_url()) },
    }
}

async fn judge(response: Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Delivered;
    }
    let after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, jiff::Timestamp::now()));
    if status.is_redirection() {
        let error = format!("answered {status}, which is not followed; set the url to where it points");
        return Outcome::Retry { after, error };
    }
    let error = format!("answered {status}: {}", beginning(response).await);
    let passing = !status.is_client_error() || matches!(status.as_u16(), 408 | 425 | 429);
    if passing { Outcome::Retry { after, error } } else { Outcome::GivenUp { error } }
}

/// The beginning of the body, printable.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES - bytes.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
