//! A pattern that comes again after an absence.

use foreshock_model::{Kind, Severity, Window};
use foreshock_stats::Tail;
use foreshock_template::TemplateId;

use super::{
    super::{ServiceKey, draft::span, merged::MergedShape},
    ERROR_LEVEL, Pattern, PatternDraft,
};

/// What was gone for less did not return, in seconds, in times of the longest gap, and in windows in which the service
/// said something else.
const GONE_SECONDS: f64 = 3_600.0;
const GONE_TIMES: f64 = 10.0;
const GONE_WINDOWS: u64 = 60;
/// How surprising an absence must be that is over.
const RETURN_SURPRISE: f64 = 5.0;

/// An absence that is over.
pub(in crate::detect) struct Gone {
    secs: f64,
    longest: f64,
    tail: Tail,
}

impl Pattern {
    /// How long it was gone until this window, where that is much longer than ever and the service, which said something in
    /// `heard` windows so far, said other things meanwhile.
    pub(super) fn gone(&self, shape: &MergedShape, heard: u64) -> Option<Gone> {
        let secs = shape.example.time.since(self.last).as_secs_f64();
        let longest = self.regularity.longest_secs();
        if shape.count == 0
            || secs < GONE_SECONDS
            || secs < GONE_TIMES * longest
            || heard - self.heard < GONE_WINDOWS
        {
            return None;
        }
        let tail = self.regularity.absence(secs);
        (tail.surprise() >= RETURN_SURPRISE).then_some(Gone { secs, longest, tail })
    }

    /// Tells that it is back.
    pub(in crate::detect) fn returned(
        &self,
        key: &ServiceKey,
        id: TemplateId,
        window: Window,
        gone: &Gone,
    ) -> PatternDraft {
        let title = format!(
            "{} writes a line again that was gone for {}; until then it was never missing for more than {}",
            key.1,
            span(gone.secs),
            span(gone.longest)
        );
        let severity = if self.level >= ERROR_LEVEL { Severity::Warning } else { Severity::Info };
        let (kind, effect, usual) = (Kind::ReturningPattern, gone.secs / gone.longest, (0.0, gone.longest));
        self.draft(key, id, kind, window, gone.tail, effect, gone.secs, usual, severity, title)
    }
}
