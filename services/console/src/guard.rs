//! What every request and answer goes through: who may ask, and what a browser may do with the answer.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

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
    let mut response = if allowed(host, &hosts) {
        next.run(request).await
    } else {
        let text =
            "this name is not the console's; use localhost, its address, or add the name to console.hosts\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
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

fn allowed(host: &str, hosts: &[String]) -> bool {
    let name = if host.starts_with('[') {
        host.split_once(']').map_or("", |(start, _)| &start[1..])
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
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
}
