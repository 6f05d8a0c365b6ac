//! What requests ask for, read strictly: a wrong or unknown parameter is an error that says what is right.

use axum::{
    Json,
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use foreshock_model::{Kind, ServiceName, Severity, Tenant};
use serde::Deserialize;
use serde_json::json;

use crate::view::{StatusFilter, Wanted};

/// Rows in an answer where the request does not say.
const USUAL: usize = 100;
/// Most rows in an answer.
const MOST: usize = 1000;
/// Longest query string, in bytes.
const LONGEST: usize = 2048;

/// The parameters of all lists; each list refuses those that mean nothing to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    tenant: Option<Tenant>,
    service: Option<ServiceName>,
    severity: Option<Severity>,
    status: Option<StatusFilter>,
    kind: Option<Kind>,
    limit: Option<usize>,
}

/// Which parameters a list knows.
pub(crate) trait List: Send {
    const PARAMETERS: &'static [&'static str];
}

/// What is asked for, by the parameters that the list `L` knows.
pub(crate) struct Asked<L>(pub(crate) Wanted, std::marker::PhantomData<L>);

/// A request that can't be answered.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) StatusCode, pub(crate) String);

impl Refused {
    /// What is asked for is not well put; `why` says how it is.
    pub(crate) fn wrong(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl<L: List, S: Sync> FromRequestParts<S> for Asked<L> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > LONGEST {
            return Err(Refused::wrong(format!("the query is longer than {LONGEST} bytes; ask for less")));
        }
        for name in query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next()) {
            let name = name.unwrap_or_default();
            if !L::PARAMETERS.contains(&name) {
                return Err(Refused::wrong(format!(
                    "no parameter {name:?} here; there are {}",
                    L::PARAMETERS.join(", ")
                )));
            }
        }
        let Query(parameters) = Query::<Parameters>::try_from_uri(&parts.uri)
            .map_err(|error| Refused::wrong(error.body_text()))?;
        let Parameters { tenant, service, severity, status, kind, limit } = parameters;
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Refused::wrong(format!("limit is {limit}; it must be 1 to {MOST}")));
        }
        Ok(Self(Wanted { tenant, service, severity, status, kind, limit }, std::marker::PhantomData))
    }
}
