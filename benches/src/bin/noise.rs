//! Pages on pure noise, and strong faults that page.
//!
//! `cargo run --release -p foreshock-benches --bin noise -- [--series N --seeds N --faults N]`

use clap::Parser;
use foreshock_benches::noise::{NoiseOptions, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pages on simulated weeks of pure noise, and whether strong faults page
#[derive(Parser)]
struct Arguments {
    /// Metric series, a value a minute each
    #[arg(long, default_value_t = 10_000)]
    series: usize,
    /// Simulated days
    #[arg(long, default_value_t = 7)]
    days: u64,
    /// Minutes in place of whole days, to see what a value costs
    #[arg(long)]
    minutes: Option<u64>,
    /// Weeks, each of another seed
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Faults planted in each week: a leap of ten standard deviations or a silence, an hour each
    #[arg(long, default_value_t = 0)]
    faults: usize,
    /// Expected false pages a week
    #[arg(long, default_value_t = 2.0)]
    budget: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let minutes = arguments.minutes.unwrap_or(arguments.days * 1_440);
    anyhow::ensure!(minutes > 0 && arguments.series > 0, "at least a minute and a series are needed");
    anyhow::ensure!(
        arguments.faults == 0 || minutes > 2 * 1_440 + 120,
        "faults come from the third day on: simulate three or more, or leave --faults out"
    );
    let (mut false_pages, mut found, mut planted) = (0, 0, 0);
    for seed in arguments.first..arguments.first + arguments.seeds {
        let report = run(&NoiseOptions {
            series: arguments.series,
            minutes,
            faults: arguments.faults,
            seed,
            pages_a_week: arguments.budget,
        })?;
        let pages: u64 = report.false_pages.values().sum();
        println!(
            "seed {seed}: {pages} false pages {:?}, {} of {} faults, {} ns and {} bytes a series, findings {:?}",
            report.false_pages,
            report.found,
            arguments.faults,
            report.a_value.as_nanos(),
            report.bytes_a_series,
            report.false_findings
        );
        report.told.iter().for_each(|told| println!("   false page: {told}"));
        report.missed.iter().for_each(|missed| println!("   missed: {missed}"));
        false_pages += pages;
        found += report.found;
        planted += arguments.faults;
    }
    println!(
        "{} series, {} weeks: {false_pages} false pages (budget {} a week)",
        arguments.series, arguments.seeds, arguments.budget
    );
    if planted > 0 {
        println!("faults that paged: {found} of {planted}");
    }
    Ok(())
}
