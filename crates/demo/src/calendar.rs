//! Points in time as the log formats of the shop write them. UTC everywhere.

use std::fmt;

pub(crate) const SECOND: u64 = 1_000_000_000;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How a format writes a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `2026-11-23T22:05:37.123Z`
    Iso,
    /// `2026-11-23 22:05:37,123`
    Comma,
    /// `2026-11-23 22:05:37.123 UTC`
    Postgres,
    /// `2026-11-23 22:05:37`
    Plain,
    /// `2026-11-23T22:05:37.123+0000`
    Offset,
    /// `23/Nov/2026:22:05:37 +0000`
    Common,
    /// `2026/11/23 22:05:37`
    Slashes,
    /// `Nov 23 22:05:37`
    Syslog,
    /// `1123 22:05:37.123456`
    Klog,
    /// `22:05`
    Minute,
}

/// Unix nanoseconds, shown in a style.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(pub(crate) u64, pub(crate) Style);

/// Year, month and day of a day since the epoch (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A line under construction on the stack: formatting through `write!` costs several times as much.
struct Short {
    bytes: [u8; 32],
    len: usize,
}

impl Short {
    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
        self
    }

    fn digits<const N: usize>(&mut self, mut value: u64) -> &mut Self {
        for place in (0..N).rev() {
            self.bytes[self.len + place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.len += N;
        self
    }

    fn day(&mut self, (year, month, day): (u64, u64, u64), separator: &str) -> &mut Self {
        self.digits::<4>(year).text(separator).digits::<2>(month).text(separator).digits::<2>(day)
    }

    fn clock(&mut self, of_day: u64) -> &mut Self {
        self.digits::<2>(of_day / 3600)
            .text(":")
            .digits::<2>(of_day / 60 % 60)
            .text(":")
            .digits::<2>(of_day % 60)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at, style) = *self;
        let seconds = at / SECOND;
        let of_day = seconds % 86_400;
        let millis = at / 1_000_000 % 1000;
        let date = civil(seconds / 86_400);
        let (year, month, day) = date;
        let month_name = MONTHS[(month as usize - 1) % 12];
        let mut out = Short { bytes: [b' '; 32], len: 0 };
        match style {
            Style::Iso => out.day(date, "-").text("T").clock(of_day).text(".").digits::<3>(millis).text("Z"),
            Style::Comma => out.day(date, "-").text(" ").clock(of_day).text(",").digits::<3>(millis),
            Style::Postgres => {
                out.day(date, "-").text(" ").clock(of_day).text(".").digits::<3>(millis).text(" UTC")
            }
            Style::Plain => out.day(date, "-").text(" ").clock(of_day),
            Style::Offset => {
                out.day(date, "-").text("T").clock(of_day).text(".").digits::<3>(millis).text("+0000")
            }
            Style::Common => out
                .digits::<2>(day)
                .text("/")
                .text(month_name)
                .text("/")
                .digits::<4>(year)
                .text(":")
                .clock(of_day)
                .text(" +0000"),
            Style::Slashes => out.day(date, "/").text(" ").clock(of_day),
            Style::Syslog => {
                out.text(month_name).text(" ");
                if day < 10 {
                    out.text(" ").digits::<1>(day)
                } else {
                    out.digits::<2>(day)
                };
                out.text(" ").clock(of_day)
            }
            Style::Klog => out
                .digits::<2>(month)
                .digits::<2>(day)
                .text(" ")
                .clock(of_day)
                .text(".")
                .digits::<6>(at / 1000 % 1_000_000),
            Style::Minute => out.digits::<2>(of_day / 3600).text(":").digits::<2>(of_day / 60 % 60),
        };
        f.write_str(std::str::from_utf8(&out.bytes[..out.len]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foreshock_model::Timestamp;

    #[test]
    fn each_style_writes_what_its_format_writes() {
        let at = Timestamp::parse_rfc3339("2026-02-03T04:05:06.789012345Z").unwrap().nanos();
        let shown = |style| At(at, style).to_string();
        assert_eq!(shown(Style::Iso), "2026-02-03T04:05:06.789Z");
        assert_eq!(shown(Style::Comma), "2026-02-03 04:05:06,789");
        assert_eq!(shown(Style::Postgres), "2026-02-03 04:05:06.789 UTC");
        assert_eq!(shown(Style::Plain), "2026-02-03 04:05:06");
        assert_eq!(shown(Style::Offset), "2026-02-03T04:05:06.789+0000");
        assert_eq!(shown(Style::Common), "03/Feb/2026:04:05:06 +0000");
        assert_eq!(shown(Style::Slashes), "2026/02/03 04:05:06");
        assert_eq!(shown(Style::Syslog), "Feb  3 04:05:06");
        assert_eq!(shown(Style::Klog), "0203 04:05:06.789012");
        assert_eq!(shown(Style::Minute), "04:05");
    }

    #[test]
    fn dates_agree_with_the_calendar_over_a_century() {
        for day in (0..36_525u64).step_by(13) {
            let at = day * 86_400 * SECOND + 3_661 * SECOND;
            let expected = Timestamp(at).to_rfc3339();
            assert_eq!(At(at, Style::Plain).to_string().replace(' ', "T"), expected[..19]);
        }
    }
}
