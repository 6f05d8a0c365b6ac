//! What standard output can show.

use std::io::{IsTerminal, stdout};

use foreshock_scan::Look;

/// Colours are for terminals, and for those who want them (no-color.org).
pub(super) fn look() -> Look {
    if !stdout().is_terminal() {
        return Look::default();
    }
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let width = terminal_size::terminal_size().map(|(terminal_size::Width(width), _)| usize::from(width));
    Look { width, colour: !is_set("NO_COLOR") && !is_dumb }
}
