//! Where the parameters of a shape stand in its canonical text.

use crate::ParameterKind;

/// A parameter in a shape's canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it is.
    pub kind: ParameterKind,
    /// The token it stands in, as a template counts them: a run of parameters is one token there.
    pub token: u16,
    /// Its number within that token.
    pub within: u16,
}

/// The marks of a shape, in order. A line has as many parameters as its shape has marks, unless one of them stands for a
/// list.
pub fn marks(shape_text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let (mut token, mut within, mut after_parameter) = (0u16, 0u16, false);
    for (at, text) in shape_text.split(' ').filter(|token| !token.is_empty()).enumerate() {
        let is_parameter = is_lone_mark(text);
        if at > 0 && !(is_parameter && after_parameter) {
            token += 1;
            within = 0;
        }
        after_parameter = is_parameter;
        let mut rest = text;
        while let Some(open) = rest.find('<') {
            rest = &rest[open..];
            let Some((kind, mark)) = mark_at(rest) else {
                rest = &rest[1..];
                continue;
            };
            rest = &rest[mark.len()..];
            if let Some(kind) = kind {
                marks.push(Mark { kind, token, within });
                within += 1;
            }
        }
    }
    marks
}

/// The words of a shape that stand where its template, as it is rendered, holds anything: token and word.
pub fn words_where_open<'a>(template: &str, shape_text: &'a str) -> Vec<(u16, &'a str)> {
    let mut open = template.split(' ').filter(|token| !token.is_empty()).map(|token| token == "<*>");
    let mut words = Vec::new();
    let (mut token, mut after_parameter) = (0u16, false);
    let mut is_open = open.next().unwrap_or(false);
    for (at, text) in shape_text.split(' ').filter(|token| !token.is_empty()).enumerate() {
        let is_parameter = is_lone_mark(text);
        if at > 0 && !(is_parameter && after_parameter) {
            token += 1;
            is_open = open.next().unwrap_or(false);
        }
        after_parameter = is_parameter;
        if is_open && !text.contains('<') {
            words.push((token, text));
        }
    }
    words
}

fn mark_at(text: &str) -> Option<(Option<ParameterKind>, &'static str)> {
    let mark = ParameterKind::MARKS.iter().find(|mark| text.starts_with(**mark))?;
    Some((ParameterKind::ALL.into_iter().find(|kind| kind.mark() == *mark), mark))
}

/// A token that is a parameter and nothing else but a comma.
fn is_lone_mark(token: &str) -> bool {
    mark_at(token).is_some_and(|(_, mark)| token[mark.len()..].trim_end_matches(',').is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_by_token_and_runs_of_parameters_are_one_token() {
        let found = |text| marks(text).iter().map(|m| (m.kind.mark(), m.token, m.within)).collect::<Vec<_>>();
        assert_eq!(
            found("user u<num> from <ip> <num>, took=<dur> <rest>"),
            [("<num>", 1, 0), ("<ip>", 3, 0), ("<num>", 3, 1), ("<dur>", 4, 0)]
        );
        assert_eq!(found("<a> a<b <num>/<num>"), [("<num>", 2, 0), ("<num>", 2, 1)]);
        assert_eq!(found(""), []);
    }

    #[test]
    fn words_are_found_where_the_template_holds_anything() {
        let words = words_where_open("user <*> from <*> is <*>", "user root from <ip> <num>, is away");
        assert_eq!(words, [(1, "root"), (5, "away")]);
        assert_eq!(words_where_open("user <*>", "user <num>"), []);
    }
}
