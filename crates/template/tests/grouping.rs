//! Lines of ten kinds of program, each with the event a person would say it is: they must be grouped exactly so.
//!
//! Each file is a source with a miner of its own; a line is the event's name, a tab, the line as it was written.

use std::collections::BTreeMap;

use foreshock_template::{KnownShapes, Miner, Reader, SourceFormat, TemplateId, Zone};

const FILES: [(&str, &str); 10] = [
    ("web", include_str!("grouping/web.log")),
    ("jvm", include_str!("grouping/jvm.log")),
    ("database", include_str!("grouping/database.log")),
    ("kernel", include_str!("grouping/kernel.log")),
    ("windows", include_str!("grouping/windows.log")),
    ("rows", include_str!("grouping/rows.csv")),
    ("json", include_str!("grouping/json.log")),
    ("logfmt", include_str!("grouping/logfmt.log")),
    ("router", include_str!("grouping/router.log")),
    ("python", include_str!("grouping/python.log")),
];

/// Shapes remembered in front of the miner.
const SHAPES: usize = 1024;

/// Reads events and lines with one miner, and shows what is not grouped as it should be.
fn differences<'a>(lines: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> String {
    let mut sources: BTreeMap<&str, SourceFormat> = BTreeMap::new();
    let (mut reader, mut known) = (Reader::new(), KnownShapes::new(Miner::default(), SHAPES));
    let mut read: Vec<(String, TemplateId, &str)> = Vec::new();
    for (file, event, line) in lines {
        let parsed = reader.parse(sources.entry(file).or_default(), line, 0, &Zone::UTC);
        let shape = reader.shape(&parsed);
        let learned = known.template_of(shape.hash, |text| reader.write_tokens(text));
        read.push((format!("{file}/{event}"), learned.template, line));
    }
    let mut templates_of: BTreeMap<&str, BTreeMap<TemplateId, &str>> = BTreeMap::new();
    let mut events_of: BTreeMap<TemplateId, BTreeMap<&str, &str>> = BTreeMap::new();
    for (event, id, line) in &read {
        let id = known.miner().resolve(*id);
        templates_of.entry(event).or_default().insert(id, line);
        events_of.entry(id).or_default().insert(event, line);
    }
    let mut differences = String::new();
    for (event, templates) in templates_of.iter().filter(|(_, templates)| templates.len() > 1) {
        differences += &format!("{event} is torn:\n");
        for (id, line) in templates {
            differences += &format!("  {}\n    {line}\n", known.miner().render(*id));
        }
    }
    for (id, events) in events_of.iter().filter(|(_, events)| events.len() > 1) {
        differences += &format!("{} takes several:\n", known.miner().render(*id));
        for (event, line) in events {
            differences += &format!("  {event}\n    {line}\n");
        }
    }
    differences
}

fn events(
    file: &'static str,
    text: &'static str,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    text.lines().filter_map(move |row| row.split_once('\t').map(|(event, line)| (file, event, line)))
}

#[test]
fn each_program_by_itself_is_grouped_as_a_person_would() {
    let wrong: String = FILES.iter().map(|(file, text)| differences(events(file, text))).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn all_programs_together_are_grouped_the_same() {
    let wrong = differences(FILES.iter().flat_map(|(file, text)| events(file, text)));
    assert!(wrong.is_empty(), "{wrong}");
}
