//! The zone of times that lines tell without one, as the configuration names it.

use std::time::Duration;

use foreshock_template::Zone;
use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

/// Rules are written out from this moment on, for so long: 1990, seventy years.
const FROM_SECONDS: i64 = 631_152_000;
const FOR: Duration = Duration::from_secs(70 * 366 * 86_400);

/// A zone that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no zone: give an offset (+02:00) or a name of the time zone database that this machine has (Europe/Berlin)"
)]
pub struct ZoneError(String);

/// Reads a zone: `UTC`, an offset such as `+02:00`, or a name of the time zone database.
///
/// A name is resolved with the machine's database: who wants findings that stay the same when a country changes its
/// rules gives an offset.
pub fn zone(name: &str) -> Result<Zone, ZoneError> {
    if matches!(name, "" | "UTC" | "Z") {
        return Ok(Zone::UTC);
    }
    let wrong = || ZoneError(name.to_owned());
    if let Some(minutes) = offset_minutes(name) {
        return Ok(Zone::fixed(minutes));
    }
    let rules = TimeZone::get(name).map_err(|_| wrong())?;
    let start = Timestamp::from_second(FROM_SECONDS).map_err(|_| wrong())?;
    let end = start + FOR;
    let seconds = |offset: Offset| offset.seconds();
    let changes = rules
        .following(start)
        .take_while(|change| change.timestamp() < end)
        .map(|change| (change.timestamp().as_second(), seconds(change.offset())));
    Ok(Zone::with_changes(seconds(rules.to_offset(start)), changes))
}

/// `+02:00`, `-0330`, `+5`: minutes east of UTC.
fn offset_minutes(text: &str) -> Option<i16> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=18).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_names_are_zones_and_anything_else_says_what_to_give() {
        assert_eq!(zone("UTC"), Ok(Zone::UTC));
        assert_eq!(zone("+02:00"), Ok(Zone::fixed(120)));
        assert_eq!(zone("-0330"), Ok(Zone::fixed(-210)));
        for wrong in ["+25:00", "noon", "+1:99", "+", "+1é2"] {
            assert!(zone(wrong).is_err_and(|error| error.to_string().contains("+02:00")), "{wrong}");
        }
    }
}
