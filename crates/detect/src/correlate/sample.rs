//! Findings for tests.

use std::{collections::BTreeMap, time::Duration};

use foreshock_model::{BASE_WINDOW, Expected, Finding, Id, Kind, Severity, Tenant, Timestamp};

/// Of the base window that ends then.
pub(super) fn finding(
    service: &str,
    series: &str,
    kind: Kind,
    at_most: Severity,
    surprise: f64,
    end: Timestamp,
) -> Finding {
    let (tenant, service) = (Tenant::default(), service.into());
    let window = end.minus(BASE_WINDOW).window(BASE_WINDOW);
    Finding {
        id: Id::finding(&tenant, &service, series, window, kind, false),
        tenant,
        kind,
        service,
        series: series.into(),
        window_start: window.start,
        window_end: end,
        surprise,
        effect: 2.0,
        observed: 2.0,
        expected: Expected { low: 0.0, high: 1.0 },
        severity: at_most,
        title: format!("{series} is odd"),
        template: String::new(),
        evidence: Vec::new(),
        provisional: false,
        replaces: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// That the disk of a service will be full `left` after `end`.
pub(super) fn disk(service: &str, at_most: Severity, left: u64, end: Timestamp) -> Finding {
    let full = end.plus(Duration::from_secs(left)).as_secs_f64();
    Finding {
        observed: full,
        expected: Expected { low: full - 60.0, high: full + 60.0 },
        title: format!("{service}: full in {left} s"),
        ..finding(service, "disk", Kind::WillRunOut, at_most, 100.0, end)
    }
}
