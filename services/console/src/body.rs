//! The body of a request that changes something: JSON, small, and sent in time.

use std::time::Duration;

use axum::{
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::query::Refused;

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body of at most `MOST` bytes, read as JSON. Another content type is refused: a page of somebody else's can send plain
/// text or a form without being asked, JSON it can't.
pub(crate) struct JsonBody<T, const MOST: usize>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync, const MOST: usize> FromRequest<S> for JsonBody<T, MOST> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/json") {
            let why = format!("the content type is {media:?}; send JSON, as application/json");
            return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let too_large = || {
            let why = format!("the body is larger than {MOST} bytes; say it in fewer");
            Refused(StatusCode::PAYLOAD_TOO_LARGE, why)
        };
        let told = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if told.and_then(|told| told.parse::<u64>().ok()).is_some_and(|told| told > MOST as u64) {
            return Err(too_large());
        }
        let read = timeout(PATIENCE, axum::body::to_bytes(request.into_body(), MOST)).await;
        let late =
            |_| Refused(StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {PATIENCE:?}"));
        let bytes = read.map_err(late)?.map_err(|_| too_large())?;
        let wrong = |error| Refused::wrong(format!("the body can't be read: {error}"));
        serde_json::from_slice(&bytes).map(Self).map_err(wrong)
    }
}
