//! Reads a configuration, and finds everything that is wrong with it in one go.

use std::{fmt, ops::Range};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::{
    Config,
    environment::{Setting, settings},
    faults::{line_and_column, place_of, set, take_out},
};

/// After so many the rest is not looked for.
const MOST_FAULTS: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// Line and column, where it stands in the file.
    pub(crate) place: Option<(usize, usize)>,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Fault {
    /// With the name of the file, as compilers write it.
    pub(crate) fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| match self.place {
            Some((line, column)) => write!(f, "{file}:{line}:{column}: {}", self.message),
            None => write!(f, "{file}: {}", self.message),
        })
    }
}

/// The configuration of a file's text and the environment's variables, or everything that is wrong.
pub(crate) fn load(
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Fault>> {
    load_with(text, variables, Config::problems)
}

/// The same where the stages alone are to run with it and a stranger may have written it: its form must be right as a
/// whole, but what it names elsewhere, such as files, is not looked at.
pub(crate) fn load_stages(
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Fault>> {
    load_with(text, variables, Config::stages_problems)
}

fn load_with(
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
    problems: fn(&Config) -> Vec<String>,
) -> Result<Config, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut fault = |span: Option<Range<usize>>, message: String| {
        let place = span.map(|span| line_and_column(text, span.start));
        faults.push(Fault { place, message });
    };

    let settings = settings(variables);
    let (document, unreadable) = DeTable::parse_recoverable(text);
    for error in &unreadable {
        fault(error.span(), one_line(error.message()));
    }
    let whole = document.span();
    let mut table = document.into_inner();

    // An error names the first thing that is wrong; without that thing the next one shows.
    let mut config = Config::default();
    for _ in 0..MOST_FAULTS {
        match read(&table, &whole) {
            Ok(read) => {
                config = read;
                break;
            }
            Err(error) => {
                fault(error.span(), one_line(error.message()));
                if !error.span().is_some_and(|span| take_out(&mut table, &span)) {
                    break;
                }
            }
        }
    }
    for (place, tenant) in written_tokens(&table) {
        fault(
            Some(place),
            format!(
                "tenants.{tenant}.token is a secret; keep it out of this file, say token_file or token_env"
            ),
        );
    }
    for setting in &settings {
        match with_setting(&table, &whole, setting) {
            Ok((with, read)) => (table, config) = (with, read),
            Err(message) => fault(None, format!("environment {}: {message}", setting.variable)),
        }
    }
    for problem in problems(&config) {
        let key = problem.split([' ', ':']).find(|word| word.contains('.')).unwrap_or_default();
        fault(place_of(&table, key).filter(|place| !place.is_empty()), problem.clone());
    }
    if faults.is_empty() {
        return Ok(config);
    }
    faults.sort();
    faults.dedup();
    Err(faults)
}

fn read(table: &DeTable<'_>, whole: &Range<usize>) -> Result<Config, toml::de::Error> {
    Config::deserialize(Deserializer::from(Spanned::new(whole.clone(), table.clone())))
}

/// The table with a setting of the environment: as a TOML value where it reads as one and fits, else as text.
fn with_setting<'i>(
    table: &DeTable<'i>,
    whole: &Range<usize>,
    setting: &'i Setting,
) -> Result<(DeTable<'i>, Config), String> {
    let text = DeValue::String(setting.value.as_str().into());
    let typed = DeValue::parse(&setting.value).ok().map(Spanned::into_inner);
    let mut first_refusal = None;
    for value in typed.into_iter().chain([text]) {
        let mut with = table.clone();
        if !set(&mut with, &setting.path, Spanned::new(0..0, value)) {
            return Err("it lies below a key that is not a table".to_owned());
        }
        match read(&with, whole) {
            Ok(config) => return Ok((with, config)),
            Err(error) => {
                first_refusal.get_or_insert_with(|| one_line(error.message()));
            }
        }
    }
    Err(first_refusal.unwrap_or_default())
}

/// Tokens that stand in the file itself, and whose they are.
fn written_tokens(table: &DeTable<'_>) -> Vec<(Range<usize>, String)> {
    let Some((_, tenants)) = table.iter().find(|(key, _)| key.get_ref() == "tenants") else {
        return Vec::new();
    };
    let Some(tenants) = tenants.get_ref().as_table() else { return Vec::new() };
    let names = tenants.keys().map(|key| key.get_ref().to_string());
    names.filter_map(|name| place_of(tenants, &format!("{name}.token")).map(|place| (place, name))).collect()
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> [(String, String); 0] {
        []
    }

    #[test]
    fn everything_wrong_is_named_at_once_with_line_and_column() {
        let text = "\
[ingest]
grpc_adress = \"127.0.0.1:1\"
http_address = 7

[worker]
fetch_bytes = 3
threads = \"many\"

[nonsense]
a = 1

[detect.limits]
series = -1
";
        let faults = load(text, none()).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.place).collect();
        assert_eq!(
            places,
            [Some((2, 1)), Some((3, 16)), Some((6, 1)), Some((7, 11)), Some((9, 2)), Some((13, 10))],
            "{faults:#?}"
        );
        assert!(faults[0].message.contains("grpc_adress"), "{}", faults[0].message);
        assert!(faults[2].message.contains("worker.fetch_bytes is 3"), "{}", faults[2].message);
        assert_eq!(
            faults[0].in_file("f.toml").to_string().split(": ").next(),
            Some("f.toml:2:1"),
            "as compilers write it"
        );
    }

    #[test]
    fn for_the_stages_no_file_is_looked_at_and_what_they_are_set_by_is() {
        let text = "[tenants.acme]\ntoken_file = \"/nowhere\"\nmax_series = 7\n";
        assert_eq!(load(text, none()).unwrap_err().len(), 1);
        let config = load_stages(text, none()).expect("its form is right");
        let quotas: Vec<_> = config.stages().quotas.values().map(|quota| quota.series).collect();
        assert_eq!(quotas, [Some(7)]);

        let faults = load_stages("[detect]\nzone = \"Nowhere\"\n[workr]\n", none()).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.place).collect();
        assert_eq!(places, [Some((2, 1)), Some((3, 2))], "{faults:?}");
    }

    #[test]
    fn a_fault_of_a_route_is_named_with_the_place_of_the_route() {
        let route = |url: &str| format!("[[notify.routes]]\nname = \"x\"\nwebhook.url = \"{url}\"\n");
        let text = format!("{}\n{}", route("http://127.0.0.1:1"), route("nonsense").replace("\"x", "\"y"));
        let faults = load(&text, none()).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.place).collect::<Vec<_>>(), [Some((5, 1))], "{faults:#?}");
    }

    #[test]
    fn text_that_is_no_toml_is_named_with_its_place() {
        let faults = load("[worker]\nthreads == 1\n[admin\n", none()).unwrap_err();
        assert_eq!(faults[0].place.map(|(line, _)| line), Some(2), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.place.is_some_and(|(line, _)| line == 3)), "{faults:?}");
    }

    #[test]
    fn the_environment_overrides_the_file_and_its_faults_name_the_variable() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let config = load(
            "[worker]\nthreads = 1\n",
            [
                variable("FORESHOCK_WORKER__THREADS", "3"),
                variable("FORESHOCK_ADMIN__ADDRESS", "127.0.0.1:0"),
                variable("FORESHOCK_TENANTS__ACME__TOKEN", "12345678901234567890123456789012"),
                variable("FORESHOCK_DETECT__CLOCK", "event"),
            ],
        )
        .expect("valid");
        assert_eq!((config.worker.threads, config.admin.address.port()), (3, 0));
        assert_eq!(config.tenants.0.len(), 1);
        assert_eq!(config.detect.clock, foreshock_detect::Clock::Event);

        let faults = load("", [variable("FORESHOCK_WORKER__THREADS", "many")]).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.starts_with("environment FORESHOCK_WORKER__THREADS: "), "{faults:?}");
    }
}
