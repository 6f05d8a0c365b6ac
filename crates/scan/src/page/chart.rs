//! Charts as SVG in the page. Everything in them is a number.

use std::fmt::Write;

use foreshock_model::{Incident, Timestamp};

use super::text::Text;
use crate::{Timeline, story};

/// Units a column is wide, its gap among them.
const STEP: usize = 4;
/// Units a chart is high.
const HEIGHT: u64 = 40;

/// Bars as one path, scaled to `most`; what is there is seen.
fn bars(counts: &[u32], most: u32, class: &str) -> String {
    let mut path = String::new();
    for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (u64::from(*count) * HEIGHT).div_ceil(u64::from(most.max(1))).clamp(1, HEIGHT);
        // Writing to a string does not fail.
        let _ = write!(path, "M{} {HEIGHT}v-{height}h{}v{height}z", column * STEP, STEP - 1);
    }
    format!("<path class=\"{class}\" d=\"{path}\"/>")
}

fn open(class: &str, columns: usize, label: &str) -> String {
    let width = (columns * STEP).max(STEP + 1) - 1;
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\" {label}>\
         <line class=\"base\" x1=\"0\" x2=\"{width}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>"
    )
}

/// Lines and errors over time, with the incidents marked, each a link to where it is told.
pub(super) fn timeline(timeline: &Timeline, incidents: &[&Incident]) -> String {
    let most = timeline.lines.iter().copied().max().unwrap_or(0);
    let mut svg = open("timeline", timeline.lines.len(), "role=\"group\" aria-label=\"Lines over time\"");
    for incident in incidents {
        let (from, to) = story::lasted(incident);
        let (x, width) = stretch(timeline, from, to);
        let _ = write!(
            svg,
            "<a href=\"#{}\" class=\"{}\"><title>{}</title>\
             <rect class=\"mark\" x=\"{x}\" y=\"0\" width=\"{width}\" height=\"{HEIGHT}\"/>\
             <rect class=\"pin\" x=\"{x}\" y=\"-3\" width=\"{width}\" height=\"2\"/></a>",
            incident.id,
            incident.severity,
            Text(&incident.title),
        );
    }
    svg.push_str(&bars(&timeline.lines, most, "bars"));
    svg.push_str(&bars(&timeline.errors, most, "errors"));
    svg.push_str("</svg>");
    svg
}

/// When a pattern's lines came; `window` is set apart.
pub(super) fn spark(
    timeline: &Timeline,
    counts: &[u32],
    class: &str,
    window: Option<(Timestamp, Timestamp)>,
) -> String {
    let most = counts.iter().copied().max().unwrap_or(0);
    let mut svg = open(class, counts.len(), "aria-hidden=\"true\"");
    if let Some((from, to)) = window {
        let (x, width) = stretch(timeline, from, to);
        let _ = write!(
            svg,
            "<rect class=\"window\" x=\"{x}\" y=\"0\" width=\"{width}\" height=\"{HEIGHT}\"/>\
             <rect class=\"pin\" x=\"{x}\" y=\"-4\" width=\"{width}\" height=\"3\"/>"
        );
    }
    svg.push_str(&bars(counts, most, "bars"));
    svg.push_str("</svg>");
    svg
}

/// The columns that a stretch of time touches: where they begin and how wide they are.
fn stretch(timeline: &Timeline, from: Timestamp, to: Timestamp) -> (usize, usize) {
    let columns = timeline.lines.len().max(1);
    let width = timeline.column.as_nanos().max(1);
    let at = |nanos: u128| usize::try_from(nanos / width).unwrap_or(usize::MAX).min(columns - 1);
    let first = at(from.since(timeline.start).as_nanos());
    let last = at(to.since(timeline.start).as_nanos().saturating_sub(1)).max(first);
    (first * STEP, (last - first + 1) * STEP - 1)
}

/// The expected range as a band, what was observed as a mark.
pub(super) fn scale(low: f64, high: f64, observed: f64) -> Option<String> {
    if ![low, high, observed].iter().all(|value| value.is_finite()) {
        return None;
    }
    let (from, to) = (low.min(observed), high.max(observed));
    let width = if to > from { to - from } else { 1.0 };
    let at = |value: f64| 3.0 + 94.0 * ((value - from) / width).clamp(0.0, 1.0);
    Some(format!(
        "<svg class=\"scale\" viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <line class=\"axis\" x1=\"0\" x2=\"100\" y1=\"7\" y2=\"7\"/>\
         <rect class=\"band\" x=\"{:.2}\" y=\"2\" width=\"{:.2}\" height=\"10\"/>\
         <rect class=\"dot\" x=\"{:.2}\" y=\"0\" width=\"1.6\" height=\"14\"/></svg>",
        at(low),
        (at(high) - at(low)).max(1.0),
        at(observed) - 0.8,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stretch_of_time_covers_the_bars_of_the_columns_it_touches() {
        let at = |seconds: u64| Timestamp::from_secs(1_000 + seconds);
        let column = Duration::from_secs(60);
        let timeline = Timeline { start: at(0), column, lines: vec![1; 10], errors: vec![0; 10] };
        assert_eq!(stretch(&timeline, at(125), at(130)), (2 * STEP, STEP - 1));
        assert_eq!(stretch(&timeline, at(120), at(180)), (2 * STEP, STEP - 1));
        assert_eq!(stretch(&timeline, at(120), at(181)), (2 * STEP, 2 * STEP - 1));
        assert_eq!(stretch(&timeline, at(540), at(9_000)), (9 * STEP, STEP - 1));
        assert_eq!(stretch(&timeline, Timestamp(0), at(1)), (0, STEP - 1));
    }
}
