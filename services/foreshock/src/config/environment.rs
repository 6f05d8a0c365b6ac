//! Variables `FORESHOCK_<SECTION>__<KEY>` as paths of keys.

use std::env;

/// The variables of this process that are text.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// One setting from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The variable.
    pub(super) variable: String,
    /// The keys, outermost first.
    pub(super) path: Vec<String>,
    /// Its value.
    pub(super) value: String,
}

/// Those among the variables that are settings, by name.
pub(super) fn settings(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Setting> {
    let mut settings: Vec<Setting> = variables
        .into_iter()
        .filter_map(|(variable, value)| {
            let keys = variable.strip_prefix("FORESHOCK_")?;
            let path: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
            let is_setting = path.len() > 1 && path.iter().all(|key| !key.is_empty());
            is_setting.then_some(Setting { variable, path, value })
        })
        .collect();
    settings.sort_by(|a, b| a.variable.cmp(&b.variable));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_underscores_part_keys_and_other_variables_are_left_alone() {
        let variables = [
            ("FORESHOCK_INGEST__LIMITS__MAX_DEPTH", "4"),
            ("FORESHOCK_LOG", "debug"),
            ("PATH", "/bin"),
            ("FORESHOCK_ADMIN__ADDRESS", "0.0.0.0:1"),
        ];
        let found = settings(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let paths: Vec<String> = found.iter().map(|setting| setting.path.join(".")).collect();
        assert_eq!(paths, ["admin.address", "ingest.limits.max_depth"]);
    }
}
