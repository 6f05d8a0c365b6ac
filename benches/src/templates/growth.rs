//! Whether cost and memory stay as they are, however much was seen.

use std::hint::black_box;

use foreshock_template::{MinerLimits, Outcome};

use super::{
    lines::Lines,
    reader::{SHAPES, Source, seconds_of},
    synthetic::{self, Templates},
};
use crate::{process::Usage, random::Random};

const LINES: usize = 200_000;

/// Cost of a line and of learning with more and more templates seen.
pub(super) fn cost() {
    println!(
        "| templates seen | line -> id, ns | each line in full, ns | shape -> template by the miner alone, ns | templates held |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: |");
    for count in [100, 1_000, 10_000] {
        let templates = Templates::new(count);
        let mut random = Random(1);
        let lines: Lines = (0..LINES)
            .map(|_| {
                let mut line = String::new();
                templates.write_line(&mut random, &mut line);
                line
            })
            .collect();
        let limits = MinerLimits { templates: 2 * count, ..MinerLimits::default() };
        let mut reader = Source::new(limits);
        let mut pass = || {
            for line in lines.iter() {
                black_box(reader.read(line));
            }
        };
        pass();
        let read = seconds_of(pass);
        let in_full = seconds_of(|| {
            for line in lines.iter() {
                black_box(reader.read_in_full(line));
            }
        });
        let (mut learn, texts) = (reader.known.miner().clone(), reader.texts(lines.iter()));
        let learned = seconds_of(|| {
            for text in texts.iter() {
                black_box(learn.learn(text));
            }
        });
        println!(
            "| {count} | {:.0} | {:.0} | {:.0} | {} |",
            read / LINES as f64 * 1e9,
            in_full / LINES as f64 * 1e9,
            learned / LINES as f64 * 1e9,
            learn.len()
        );
    }
    println!();
}

/// A stream of words at random: nothing in it comes twice.
pub(super) fn random_words() {
    const WORDY: u64 = 1_000_000;
    let limits = MinerLimits::default();
    let mut reader = Source::new(limits);
    let mut random = Random(3);
    let (mut line, mut known, mut learned) = (String::new(), 0u64, 0u64);
    for _ in 0..WORDY {
        line.clear();
        for _ in 0..2 + random.below(14) {
            line.push_str(&synthetic::word(random.below(u64::MAX)));
            line.push(' ');
        }
        match reader.read(&line).outcome {
            Outcome::Known => known += 1,
            Outcome::New | Outcome::Generalised => learned += 1,
            Outcome::Other => {}
        }
    }
    println!(
        "words at random, {WORDY} lines: {} templates (limit {}), {} shapes remembered (limit {SHAPES}); {learned} lines taught, {known} were known, {} counted as other; {}\n",
        reader.known.miner().len(),
        limits.templates,
        reader.known.len(),
        reader.known.others(),
        resident()
    );
}

/// Resident memory while more and more lines of the same templates come.
pub(super) fn memory(most: u64) -> anyhow::Result<()> {
    const TEMPLATES: usize = 500;
    if most == 0 {
        return Ok(());
    }
    let templates = Templates::new(TEMPLATES);
    let (mut reader, mut random, mut line) = (Source::new(MinerLimits::default()), Random(2), String::new());
    let mut looks: Vec<u64> =
        [1_000_000, 10_000_000, 100_000_000].into_iter().filter(|n| *n < most).collect();
    looks.push(most);
    println!("| lines of {TEMPLATES} templates | resident memory | templates held |");
    println!("| ---: | ---: | ---: |");
    let mut read = 0u64;
    for look in looks {
        while read < look {
            line.clear();
            templates.write_line(&mut random, &mut line);
            black_box(reader.read(&line));
            read += 1;
        }
        println!("| {read} | {} | {} |", resident(), reader.known.miner().len());
    }
    Ok(())
}

fn resident() -> String {
    match Usage::own() {
        Ok(usage) => format!("{:.1} MiB", usage.resident_bytes as f64 / f64::from(1 << 20)),
        Err(error) => format!("unknown: {error}"),
    }
}
