//! Lists: of any length, they are one parameter.

use super::{
    Walk,
    class::{BREAK, DELIMITER},
    kind::ParameterKind,
};

/// Entries of a list that are looked at.
const ENTRIES: usize = 64;

impl Walk<'_> {
    /// Lifts what stands in the brackets that open at `start`, if it is a list of single words: `[red, old]`,
    /// `(1, 2, 3)`. `at` is the end of the first token, and moves behind the last.
    #[inline(always)]
    pub(super) fn list(&mut self, start: usize, at: &mut usize) -> bool {
        matches!(self.s[start], b'(' | b'[' | b'{')
            && self.s[*at - 1] == b','
            && self.list_of_words(start, at)
    }

    fn list_of_words(&mut self, start: usize, at: &mut usize) -> bool {
        let closing = match self.s[start] {
            b'(' => b')',
            b'[' => b']',
            _ => b'}',
        };
        let mut entry = start + 1;
        let mut end = *at;
        for _ in 0..ENTRIES {
            // The first mark within an entry ends it: a comma behind which the next stands, or the bracket.
            let mark = self.classes.find(entry, end, DELIMITER);
            if mark == entry || mark == end {
                return false;
            }
            if self.s[mark] == closing {
                self.text.push(self.s[start]);
                self.lift(ParameterKind::Value, start + 1, mark);
                self.copy(mark, end - mark);
                *at = end;
                return true;
            }
            if self.s[mark] != b',' || mark + 1 != end {
                return false;
            }
            entry = self.skip_breaks(end);
            end = self.classes.find(entry, self.s.len(), BREAK);
        }
        false
    }
}
