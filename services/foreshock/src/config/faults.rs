//! Places in a configuration file, and the taking out of what is wrong there so that the rest can be looked at.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Line and column, from 1, of a byte of the text. Columns count characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Takes out the key that an error at `at` is about; the innermost one. `false`: there is none.
pub(super) fn take_out(table: &mut DeTable<'_>, at: &Range<usize>) -> bool {
    let mut wrong = None;
    for (key, value) in table.iter_mut() {
        let inside = match value.get_mut() {
            DeValue::Table(inner) => take_out(inner, at),
            DeValue::Array(elements) => elements.iter_mut().any(|element| match element.get_mut() {
                DeValue::Table(inner) => take_out(inner, at),
                _ => false,
            }),
            _ => false,
        };
        if inside {
            return true;
        }
        let is_leaf = !matches!(value.get_ref(), DeValue::Table(_));
        if key.span().contains(&at.start)
            || (is_leaf && value.span().contains(&at.start))
            || value.span() == *at
        {
            wrong = Some(key.clone());
            break;
        }
    }
    wrong.is_some_and(|key| table.remove(&key).is_some())
}

/// Where the key with this dotted path stands; `routes[1]` is the second element of `routes`.
pub(super) fn place_of(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (name, index) = match first.strip_suffix(']').and_then(|element| element.split_once('[')) {
        Some((name, index)) => (name, Some(index.parse::<usize>().ok()?)),
        None => (first, None),
    };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    let (place, value) = match (index, value.get_ref()) {
        (None, value) => (key.span(), value),
        (Some(index), DeValue::Array(elements)) => {
            let element = elements.get(index)?;
            (element.span(), element.get_ref())
        }
        _ => return None,
    };
    match (rest, value) {
        (None, _) => Some(place),
        (Some(rest), DeValue::Table(inner)) => place_of(inner, rest),
        _ => None,
    }
}

/// Sets the value at a path of keys; makes the tables on the way. `false`: something else stands on the way.
pub(super) fn set<'i>(table: &mut DeTable<'i>, path: &[String], value: Spanned<DeValue<'i>>) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let key = || Spanned::new(0..0, first.clone().into());
    let existing = table.iter().find(|(key, _)| key.get_ref() == first).map(|(key, _)| key.clone());
    if rest.is_empty() {
        table.insert(existing.unwrap_or_else(key), value);
        return true;
    }
    let key = existing.unwrap_or_else(|| {
        let key = key();
        table.insert(key.clone(), Spanned::new(0..0, DeValue::Table(DeTable::new())));
        key
    });
    match table.get_mut(&key).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => set(inner, rest, value),
        _ => false,
    }
}
