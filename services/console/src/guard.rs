//! What every request and answer goes through: who may ask, and what a browser may do with the answer.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Where a browser says a request comes from, in one word.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that every answer carries.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Refuses requests for a host that is not ours, so that no foreign page can reach the console by a name that it
/// points at this machine (DNS rebinding). An address needs no name and can't be pointed anywhere.
pub(crate) async fn guard(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(|authority| authority.as_str()).or(header).unwrap_or_default();
    let mut response = if !allowed(host, &hosts) {
        let text =
            "this name is not the console's; use localhost, its address, or add the name to console.hosts\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    } else if !request.method().is_safe() && !is_own(request.headers(), host, &hosts) {
        let error = "a page of another site may not change anything here; send it from the console or without an Origin";
        (StatusCode::FORBIDDEN, Json(json!({"error": error}))).into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
        .headers_mut()
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Whether a request that changes something comes from a page of ours, or from no page: browsers say where one comes
/// from, and no page can make them say otherwise.
fn is_own(headers: &HeaderMap, host: &str, hosts: &[String]) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("null"));
    let from_here = text(SEC_FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    let of_us = text(header::ORIGIN).is_none_or(|origin| {
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        // A proxy that ends TLS may ask us by another name than the one it is known by.
        let known = || hosts.iter().any(|known| known.eq_ignore_ascii_case(name_of(authority)));
        !authority.is_empty() && (authority.eq_ignore_ascii_case(host) || known())
    });
    from_here && of_us
}

fn allowed(host: &str, hosts: &[String]) -> bool {
    let name = name_of(host);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    if host.starts_with('[') {
        host.split_once(']').map_or("", |(start, _)| &start[1..])
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_configured_names_are_ours_and_no_others() {
        let hosts = ["foreshock.example".to_owned()];
        for host in
            ["localhost", "LOCALHOST:7700", "127.0.0.1:7700", "[::1]:7700", "10.1.2.3", "Foreshock.example"]
        {
            assert!(allowed(host, &hosts), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:7700",
            "127.0.0.1.evil.example",
            "[::1",
            "user@localhost:1",
        ] {
            assert!(!allowed(host, &hosts), "{host}");
        }
    }

    #[test]
    fn what_changes_something_comes_from_our_own_page_or_from_none() {
        let hosts = ["console.example".to_owned()];
        let host = "127.0.0.1:7700";
        let asked = |headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_own(&headers.collect(), host, &hosts)
        };
        for ours in [
            &[][..],
            &[("origin", "http://127.0.0.1:7700")],
            &[("origin", "https://Console.example"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(asked(ours), "{ours:?}");
        }
        for foreign in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://127.0.0.1:8000")],
            &[("origin", "http://localhost:7700")],
            &[("origin", "https://console.example.evil.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:7700")],
        ] {
            assert!(!asked(foreign), "{foreign:?}");
        }
    }
}
