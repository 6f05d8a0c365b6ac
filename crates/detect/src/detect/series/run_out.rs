//! What a bounded series is on the way to.

use foreshock_model::{Finding, Kind, Severity, Timestamp, Window};
use foreshock_stats::RunOut;

use super::text::{SeriesText, limit_of};
use crate::detect::{
    ServiceKey,
    draft::{Draft, LEAST_SURPRISE, span},
    report::Report,
};

/// What is used up within this many seconds pages: eight hours.
const PAGE_HORIZON: f64 = 28_800.0;
/// What is used up within this many seconds is told: two days.
const TELL_HORIZON: f64 = 172_800.0;

/// When it will be used up, if that is sure enough to be told.
pub(super) fn forecast(
    run_out: &mut RunOut,
    key: &ServiceKey,
    text: SeriesText<'_>,
    ten: Window,
    report: &mut Report,
) -> Option<Finding> {
    let limit = limit_of(text.name, text.unit)?;
    report.tested(&key.0, Kind::WillRunOut, 600, 1);
    let forecast = run_out.forecast(limit)?;
    let now = ten.end().as_secs_f64();
    let left = forecast.at - now;
    if forecast.p_not_trend.surprise() < LEAST_SURPRISE || left > TELL_HORIZON {
        return None;
    }
    run_out.keep(limit, &forecast);
    let fared = run_out.fared();
    let draft = Draft {
        key,
        kind: Kind::WillRunOut,
        series: &text.series(),
        window: ten,
        tail: forecast.p_not_trend,
        effect: left.max(0.0),
        observed: forecast.at,
        expected: (forecast.low, forecast.high),
        severity: if left <= PAGE_HORIZON { Severity::Critical } else { Severity::Warning },
        title: format!(
            "{}: {} will be full in about {} (80 %: {} to {})",
            key.1,
            text.shown(),
            span(left.max(0.0)),
            span((forecast.low - now).max(0.0)),
            span((forecast.high - now).max(0.0))
        ),
    };
    let mut finding = draft.finish();
    finding.labels.insert("full_at".into(), Timestamp::from_secs_f64(forecast.at).to_rfc3339());
    if fared.judged > 0 {
        let of = |count: u32| format!("{count} of {}", fared.judged);
        finding.labels.insert("forecasts_right".into(), of(fared.right));
        finding.labels.insert("forecasts_within".into(), of(fared.held));
    }
    Some(finding)
}
