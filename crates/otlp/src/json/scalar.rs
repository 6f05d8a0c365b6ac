//! A single value of JSON and what it can stand for.

/// A value as JSON has it.
pub(super) enum Scalar<'a> {
    Bool(bool),
    Int(i128),
    Double(f64),
    Text(&'a str),
}

impl<'a> Scalar<'a> {
    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number, also where JSON has it as text or as `1e3`.
    pub(super) fn whole(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            // Every whole double below 2^64 fits.
            Self::Double(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(64) => {
                Some(*number as i128)
            }
            _ => None,
        }
    }

    pub(super) fn double(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::Text("NaN") => Some(f64::NAN),
            Self::Text("Infinity") => Some(f64::INFINITY),
            Self::Text("-Infinity") => Some(f64::NEG_INFINITY),
            Self::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Bool(_) => None,
        }
    }
}
