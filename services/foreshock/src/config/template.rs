//! The default configuration as people read it.

/// Every key with its default and what it means.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::DEFAULT;
    use crate::config::{Config, load};

    #[test]
    fn the_printed_default_is_the_default() {
        assert_eq!(load(DEFAULT, []).expect("valid"), Config::default());
    }

    #[test]
    fn every_key_is_printed() {
        let mut missing = Vec::new();
        let defaults = Table::try_from(Config::default()).expect("a table");
        let printed: Table = DEFAULT.parse().expect("valid");
        compare("", &defaults, &printed, &mut missing);
        assert!(missing.is_empty(), "add to default.toml: {missing:?}");
    }

    fn compare(prefix: &str, defaults: &Table, printed: &Table, missing: &mut Vec<String>) {
        for (key, value) in defaults {
            let path = format!("{prefix}{key}");
            match (value, printed.get(key)) {
                (Value::Table(inner), None) if inner.is_empty() => {}
                (Value::Array(inner), None) if inner.is_empty() => {}
                (Value::Table(inner), Some(Value::Table(printed))) => {
                    compare(&format!("{path}."), inner, printed, missing);
                }
                (_, Some(_)) => {}
                (_, None) => missing.push(path),
            }
        }
    }
}
