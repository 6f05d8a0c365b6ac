//! The ten systems of Loghub and the made-up mix: agreement with the true events, and speed.

use std::{fs, path::Path};

use anyhow::Context as _;
use foreshock_template::MinerLimits;

use super::{
    TemplatesOptions,
    drain3::{Drain3, Peer},
    grouping::{self, Grouping},
    lines::Lines,
    reader::{Source, Speed, speed},
    synthetic, vary,
};

/// The systems of the set, by the names of their folders.
const SYSTEMS: [&str; 10] =
    ["Apache", "BGL", "HDFS", "HPC", "Hadoop", "Linux", "Mac", "OpenSSH", "Proxifier", "Windows"];

/// Lines that Drain3 is timed on: it takes 15 to 40 microseconds for one.
const PEER_LINES: usize = 20_000;

/// Of the varied values.
const SEED: u64 = 6;

/// Asked of every row, in lines a second.
const ASKED: f64 = 2e6;

struct Row {
    name: &'static str,
    bytes: usize,
    grouping: Option<Grouping>,
    speed: Speed,
    peer: Option<Peer>,
}

pub(super) fn run(options: &TemplatesOptions) -> anyhow::Result<()> {
    let drain3 = Drain3::new(options);
    println!(
        "Raw lines, one setting for all, strictly streaming, grouping by the id at the end of the input; one core, \
         cold start included, {} lines a row with values varied from round to round, numbers in length too.\n",
        options.lines
    );
    println!(
        "| lines | bytes | GA | FGA | templates found/true | M lines/s | recalled | M lines/s, each in full | Drain3 GA | FGA | found/true | M lines/s | Foreshock / Drain3 |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut rows = Vec::new();
    for name in SYSTEMS {
        let folder = options.loghub.join(name);
        if !folder.is_dir() {
            println!("SKIPPED {name}: no lines in {}; --loghub names the folder", folder.display());
            continue;
        }
        rows.push(system(name, &folder, options, drain3.as_ref())?);
        rows.last().into_iter().for_each(print);
    }
    rows.push(mix(options, drain3.as_ref())?);
    rows.last().into_iter().for_each(print);
    summarise(&rows);
    Ok(())
}

fn system(
    name: &'static str,
    folder: &Path,
    options: &TemplatesOptions,
    drain3: Option<&Drain3>,
) -> anyhow::Result<Row> {
    let path = folder.join(format!("{name}_2k.log"));
    let bytes = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let events = grouping::events(&folder.join(format!("{name}_2k.log_structured.csv")))?;
    anyhow::ensure!(events.len() == lines.len(), "{name} has {} lines, {} events", lines.len(), events.len());
    let found = Source::new(MinerLimits::default()).read_all(lines.iter().copied());
    let varied = vary::varied(&lines, options.lines, SEED);
    let peer =
        drain3.map(|drain3| drain3.run(&lines, Some(&events), varied.iter().take(PEER_LINES))).transpose()?;
    Ok(Row {
        name,
        bytes: varied.mean_bytes(),
        grouping: Some(Grouping::of(&found, &events)),
        speed: speed(&varied, MinerLimits::default()),
        peer,
    })
}

fn mix(options: &TemplatesOptions, drain3: Option<&Drain3>) -> anyhow::Result<Row> {
    let lines: Lines = (0..options.lines as u64).map(synthetic::mixed).collect();
    let peer = drain3.map(|drain3| drain3.run(&[], None, lines.iter().take(PEER_LINES))).transpose()?;
    Ok(Row {
        name: "mix of six formats",
        bytes: lines.mean_bytes(),
        grouping: None,
        speed: speed(&lines, MinerLimits::default()),
        peer,
    })
}

fn print(row: &Row) {
    let or_none = |grouping: Option<Grouping>| grouping.map_or("- | - | -".to_owned(), |g| g.to_string());
    let Speed { lines_a_second, in_full, recalled } = row.speed;
    let own = format!(
        "{} | {} | {} | {:.2} | {:.1} % | {:.2}",
        row.name,
        row.bytes,
        or_none(row.grouping),
        lines_a_second / 1e6,
        recalled * 100.0,
        in_full / 1e6
    );
    match &row.peer {
        Some(peer) => println!(
            "| {own} | {} | {:.3} | {:.0} |",
            or_none(peer.grouping),
            peer.lines_a_second / 1e6,
            lines_a_second / peer.lines_a_second
        ),
        None => println!("| {own} | - | - | - | - | - |"),
    }
}

fn summarise(rows: &[Row]) {
    let mean = |of: fn(&Row) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let least = |of: fn(&Row) -> Option<f64>| rows.iter().filter_map(of).min_by(f64::total_cmp);
    println!();
    if let (Some(ga), Some(fga), Some(worst)) = (
        mean(|row| Some(row.grouping?.ga)),
        mean(|row| Some(row.grouping?.fga)),
        least(|row| Some(row.grouping?.ga)),
    ) {
        println!(
            "mean GA {ga:.3} (asked 0.90), mean FGA {fga:.3} (asked 0.85), least GA {worst:.3} (asked 0.60)"
        );
        println!(
            "known: on the content, its header cut off: Drain3 GA 0.748, FGA 0.763; a setting for each system: Drain 0.858, Brain 0.981"
        );
    }
    if let (Some(ga), Some(fga)) = (
        mean(|row| Some(row.peer.as_ref()?.grouping?.ga)),
        mean(|row| Some(row.peer.as_ref()?.grouping?.fga)),
    ) {
        println!("Drain3 in this run, the same raw lines: mean GA {ga:.3}, mean FGA {fga:.3}");
    }
    if let Some(slowest) =
        rows.iter().min_by(|a, b| a.speed.lines_a_second.total_cmp(&b.speed.lines_a_second))
    {
        println!(
            "slowest: {} with {:.2} M lines/s (asked {:.0} M, goal 4 M)\n",
            slowest.name,
            slowest.speed.lines_a_second / 1e6,
            ASKED / 1e6
        );
    }
}
