//! `foreshock topics plan` and `foreshock topics apply`.

use std::io::{Write, stdout};

use anyhow::bail;
use foreshock_journal::kafka::topics::{Plan, Topics};

use super::run::runtime;
use crate::cli;

pub(super) fn run(command: &cli::Topics) -> anyhow::Result<()> {
    let (alone, apply) = match command {
        cli::Topics::Plan(alone) => (alone, false),
        cli::Topics::Apply(alone) => (alone, true),
    };
    let config = super::config::load(alone.config.as_deref())?.journal;
    let options = config.kafka.options(config.queue_bytes).map_err(anyhow::Error::msg)?;
    let wanted = config.kafka.topics(&config);
    runtime()?.block_on(async {
        let topics = Topics::new(&options)?;
        let plan = topics.plan(&wanted).await?;
        print(&plan)?;
        if !plan.refused.is_empty() {
            bail!("nothing was changed: {}", plan.refused.join("; "));
        }
        if apply {
            for step in &plan.steps {
                topics.apply(step).await?;
            }
            writeln!(stdout(), "{} done", plan.steps.len())?;
        }
        Ok(())
    })
}

fn print(plan: &Plan) -> std::io::Result<()> {
    let mut out = stdout().lock();
    if plan.steps.is_empty() && plan.refused.is_empty() {
        writeln!(out, "the topics are as configured")?;
    }
    plan.steps.iter().try_for_each(|step| writeln!(out, "{step}"))
}
