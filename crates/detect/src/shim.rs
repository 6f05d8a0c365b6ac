//! Until the crates have them.
use std::borrow::Cow;
use foreshock_stats::Tail;
use serde::{Deserialize, Serialize};
pub(crate) fn mask_secrets(line: &str) -> Cow<'_, str> { Cow::Borrowed(line) }
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct RunOut;
pub(crate) struct Forecast { pub(crate) at: f64, pub(crate) low: f64, pub(crate) high: f64, pub(crate) p_not_trend: Tail }
impl RunOut {
    pub(crate) fn observe(&mut self, _t: f64, _v: f64) {}
    pub(crate) fn forecast(&self, _l: f64) -> Option<Forecast> { None }
}
