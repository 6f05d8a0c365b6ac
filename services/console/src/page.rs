//! The page at `/`: one HTML file with its script and style in it. A browser runs these two and nothing else: the
//! policy names them by their hash, so that a line of a log can't become a script even if it got into the page.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style"),
    );
    HeaderValue::from_str(&policy).expect("hashes are ASCII")
});

pub(crate) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
    ];
    (headers, PAGE).into_response()
}

/// As the policy names the page's one element of this name.
fn hash(element: &str) -> String {
    let open = format!("<{element}>");
    let close = format!("</{element}>");
    let inside =
        PAGE.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map(|(inside, _)| inside);
    let digest = Sha256::digest(inside.unwrap_or_default().as_bytes());
    format!("sha256-{}", STANDARD.encode(digest))
}
