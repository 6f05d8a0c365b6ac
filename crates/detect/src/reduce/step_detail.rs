//! Where the shapes of lines do not tell a session's steps apart, because there is hardly more than one: their values do.
//!
//! `session=17 state=4` is one shape, and `state` is the step. Whether that holds for a source is decided once, by its
//! first steps: that it meets another shape later, an error perhaps, does not give its steps other names.

use foreshock_model::fingerprint64;
use foreshock_template::{Parameter, ParameterKind};
use serde::{Deserialize, Serialize};

use super::shapes::ShapeId;

/// Steps after which it is decided.
const DECIDING: u32 = 200;
/// More shapes than this tell steps apart by themselves.
const SHAPES: usize = 3;
/// More values than this are no steps.
const VALUES: usize = 128;
/// A longer value is none that tells steps apart, in bytes.
const VALUE_BYTES: usize = 48;

/// What one source's steps taught.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StepDetail {
    shapes: Vec<ShapeId>,
    values: Vec<u64>,
    steps: u32,
    is_known_by_shape: bool,
}

impl StepDetail {
    /// The value that tells the step, where the shape does not: the first parameter that is not the key.
    pub(super) fn of<'a>(
        &mut self,
        shape: ShapeId,
        key: &str,
        content: &'a str,
        parameters: &[Parameter],
    ) -> Option<&'a str> {
        if self.is_known_by_shape {
            return None;
        }
        let decided = self.steps >= DECIDING;
        if !decided {
            self.steps += 1;
            if !self.shapes.contains(&shape) {
                self.shapes.push(shape);
            }
        }
        let value = parameters.iter().find_map(|parameter| {
            use ParameterKind::{Id, Number, Text, Value};
            let value = content.get(parameter.start as usize..parameter.end as usize)?;
            let could = matches!(parameter.kind, Number | Id | Text | Value) && value.len() <= VALUE_BYTES;
            (could && !value.is_empty() && !overlap(key, value)).then_some(value)
        });
        if let Some(value) = value {
            let hash = fingerprint64(value.as_bytes());
            if !self.values.contains(&hash) {
                self.values.push(hash);
            }
        }
        if self.shapes.len() > SHAPES || self.values.len() > VALUES {
            *self = Self { is_known_by_shape: true, ..Self::default() };
            return None;
        }
        value.filter(|_| decided)
    }
}

/// Whether two pieces of a line share bytes of it.
fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes().as_ptr_range(), other.as_bytes().as_ptr_range());
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use foreshock_template::Shaper;

    use super::*;

    fn details(lines: impl Iterator<Item = (ShapeId, String)>) -> Vec<Option<String>> {
        let (mut detail, mut shaper) = (StepDetail::default(), Shaper::new());
        let mut of = |(shape, line): (ShapeId, String)| {
            shaper.shape(&line);
            let key = &line[line.find("s17").expect("a key")..][..3];
            detail.of(shape, key, &line, shaper.parameters()).map(str::to_owned)
        };
        lines.map(&mut of).collect()
    }

    #[test]
    fn the_value_beside_the_key_tells_the_step_while_values_are_few() {
        let few = details((0..500).map(|n| (0, format!("session s17 state {}", n % 20))));
        let decided = few.iter().enumerate().skip(DECIDING as usize);
        assert!(decided.into_iter().all(|(n, value)| *value == Some((n % 20).to_string())));
        let many = details((0..500).map(|n| (0, format!("session s17 took {n}"))));
        assert_eq!(many.iter().flatten().count(), 0);
    }

    #[test]
    fn where_shapes_tell_steps_apart_values_do_not() {
        let lines =
            (0..100).map(|n| (n % 5, format!("step{} of s17 on 4", "abcde".split_at(n as usize % 5).0)));
        assert_eq!(details(lines).iter().flatten().count(), 0);
    }
}
