//! Kills, holds and cuts off the processes of Foreshock on a real Kafka and the brokers, and says what was lost: it
//! should be nothing.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use foreshock_benches::chaos::{
    Clocks,
    kafka::{self, Disturbance, KafkaChaosOptions},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Disturbs Foreshock on three brokers again and again under load; exit code 1 if anything is off afterwards.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The program.
    #[arg(long, default_value = "target/release/foreshock")]
    foreshock: PathBuf,
    /// Another build of it, to roll the workers to; without it a copy of the same.
    #[arg(long)]
    other: Option<PathBuf>,
    /// How often to disturb.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// Decides what, when and for how long.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Gigabytes that the topics may take, all copies together.
    #[arg(long, default_value_t = 20)]
    topic_gb: u64,
    /// Records a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Where the stages take their time from.
    #[arg(long, value_enum, default_value = "event")]
    clock: Clocks,
    /// Where to leave configuration and logs; without it they are removed.
    #[arg(long)]
    keep: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    anyhow::ensure!(arguments.kills > 0, "--kills must be above 0");
    anyhow::ensure!(arguments.topic_gb > 0, "--topic-gb must be above 0");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    arguments.clock.run(arguments.keep.as_deref(), |part, clock, directory| {
        let seed = arguments.seed + part as u64;
        let options = KafkaChaosOptions {
            program: arguments.foreshock.clone(),
            other: arguments.other.clone(),
            directory,
            disturbances: Disturbance::mixed(arguments.kills, seed),
            seed,
            topic_bytes: arguments.topic_gb * 1_000_000_000,
            rate: arguments.rate,
            clock,
        };
        runtime.block_on(kafka::run(&options))
    })
}
