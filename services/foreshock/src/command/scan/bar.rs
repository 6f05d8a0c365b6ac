//! How far a scan has come, on a terminal.

use foreshock_scan::Progress;

use crate::command::bar::Bar;

/// Where the size is known, and where it is not: of a pipe.
const SIZED: &str = "{bar:30} {binary_bytes} of {binary_total_bytes}, {msg}, {eta} left";
const UNSIZED: &str = "{spinner} {binary_bytes}, {msg}";

pub(super) fn draw(bar: &mut Bar, progress: Progress) {
    bar.draw(if progress.total_bytes > 0 { SIZED } else { UNSIZED }, |bar, seconds| {
        if progress.total_bytes > 0 {
            // A file may grow while it is read.
            bar.set_length(progress.total_bytes.max(progress.read_bytes));
        }
        bar.set_message(rate(progress.records, seconds));
        bar.set_position(progress.read_bytes);
    });
}

/// Records so far, and how many a second.
fn rate(records: u64, seconds: f64) -> String {
    format!("{} records, {} a second", short(records as f64), short(records as f64 / seconds))
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    #[test]
    fn rates_are_short() {
        assert_eq!(rate(1_234, 2.0), "1234 records, 617 a second");
        assert_eq!(rate(12_000_000, 10.0), "12.00 M records, 1.20 M a second");
    }

    #[test]
    fn the_templates_of_the_bar_can_be_read() {
        assert!(ProgressStyle::with_template(SIZED).is_ok() && ProgressStyle::with_template(UNSIZED).is_ok());
    }
}
