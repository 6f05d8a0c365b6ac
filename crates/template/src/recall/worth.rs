//! When looking for what is remembered pays.

/// Whether remembering is worth its while: of a stream whose lines have little in common hardly any is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worth {
    /// Lines until the next look at how many were found.
    left: u16,
    found: u16,
    /// Only some lines are looked for.
    rests: bool,
    /// Lines found, less what taking lines down costs.
    credit: u16,
}

/// Lines from one look to the next.
const LOOK_LINES: u16 = 32 * RESTING_ONE_IN;
/// Fewer found than one in so many is not worth it.
const WORTH_ONE_IN: u16 = 2;
/// While resting, one line in so many is looked for. A prime: of lines that come again in turn not always the same.
const RESTING_ONE_IN: u16 = 31;
/// What taking a line down costs, in lines found.
const KEEP_COST: u16 = 8;
/// Credit at the start, and at most.
const MAX_CREDIT: u16 = 16_384;

impl Default for Worth {
    fn default() -> Self {
        Self { left: LOOK_LINES, found: 0, rests: false, credit: MAX_CREDIT }
    }
}

impl Worth {
    /// Whether the next line is to be looked for.
    #[inline]
    pub(crate) fn is_due(&mut self) -> bool {
        self.left -= 1;
        if self.left == 0 {
            let looked = if self.rests { LOOK_LINES / RESTING_ONE_IN } else { LOOK_LINES };
            *self = Self { left: LOOK_LINES, found: 0, rests: self.found < looked / WORTH_ONE_IN, ..*self };
        }
        !self.rests || self.left.is_multiple_of(RESTING_ONE_IN)
    }

    #[inline]
    pub(crate) fn found(&mut self) {
        self.found += 1;
        self.credit = (self.credit + 1).min(MAX_CREDIT);
    }

    /// Whether a line may be taken down.
    pub(crate) fn may_keep(&mut self) -> bool {
        let left = self.credit.checked_sub(KEEP_COST);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }
}
