//! What is done to a running Foreshock on Kafka, and in which order.

use crate::random::Random;

/// One disturbance. What it takes away comes back by itself after a short while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disturbance {
    /// SIGKILL to a worker.
    WorkerKilled,
    /// SIGTERM to a worker.
    WorkerStopped,
    /// SIGSTOP to a worker, for longer than its session and its max.poll.interval last, then SIGCONT.
    WorkerHeld,
    /// Each worker in turn is stopped, and started by another build of the program.
    WorkersRolled,
    /// SIGKILL to an ingest, in the middle of requests.
    IngestKilled,
    /// SIGKILL to a notify.
    NotifyKilled,
    /// SIGKILL to a broker.
    BrokerKilled,
    /// SIGTERM to a broker.
    BrokerRestarted,
    /// SIGSTOP to a broker for ten seconds, then SIGCONT.
    BrokerHeld,
    /// No connection between the services and the brokers.
    NetworkCut,
    /// Connections through which nothing passes.
    NetworkStalled,
}

use Disturbance::{
    BrokerHeld, BrokerKilled, BrokerRestarted, IngestKilled, NetworkCut, NetworkStalled, NotifyKilled,
    WorkerHeld, WorkerKilled, WorkerStopped, WorkersRolled,
};

/// How often each comes in a round of a long run.
const ROUND: [(Disturbance, usize); 11] = [
    (WorkerKilled, 4),
    (WorkerStopped, 2),
    (WorkerHeld, 2),
    (WorkersRolled, 1),
    (IngestKilled, 3),
    (NotifyKilled, 2),
    (BrokerKilled, 2),
    (BrokerRestarted, 1),
    (BrokerHeld, 1),
    (NetworkCut, 1),
    (NetworkStalled, 1),
];
/// A short run: each kind of kill, and what is quickly over.
const SHORT: [(Disturbance, usize); 7] = [
    (WorkerKilled, 2),
    (WorkerStopped, 1),
    (WorkerHeld, 1),
    (IngestKilled, 2),
    (NotifyKilled, 1),
    (BrokerRestarted, 1),
    (NetworkCut, 1),
];

impl Disturbance {
    /// So many in mixed order: whole rounds, and a part of one.
    pub fn mixed(count: usize, seed: u64) -> Vec<Self> {
        let mut random = Random(seed);
        let rounds = std::iter::repeat_with(|| shuffled(&ROUND, &mut random));
        rounds.flatten().take(count).collect()
    }

    /// A few, each kind of kill among them.
    pub fn short(seed: u64) -> Vec<Self> {
        shuffled(&SHORT, &mut Random(seed))
    }

    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            WorkerKilled => "workers killed",
            WorkerStopped => "workers stopped in order",
            WorkerHeld => "workers held as zombies",
            WorkersRolled => "rolling restarts",
            IngestKilled => "ingests killed",
            NotifyKilled => "notifies killed",
            BrokerKilled => "brokers killed",
            BrokerRestarted => "brokers restarted",
            BrokerHeld => "brokers held for 10 s",
            NetworkCut => "networks cut",
            NetworkStalled => "networks stalled",
        }
    }
}

fn shuffled(round: &[(Disturbance, usize)], random: &mut Random) -> Vec<Disturbance> {
    let mut all: Vec<Disturbance> =
        round.iter().flat_map(|(kind, times)| std::iter::repeat_n(*kind, *times)).collect();
    for last in (1..all.len()).rev() {
        all.swap(last, random.below(last as u64 + 1) as usize);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_hold_every_kind_and_a_seed_gives_the_same_order() {
        let all = Disturbance::mixed(100, 3);
        assert_eq!(all, Disturbance::mixed(100, 3));
        assert_ne!(all, Disturbance::mixed(100, 4));
        assert_eq!(all.len(), 100);
        for (kind, times) in ROUND {
            let count = all.iter().filter(|other| **other == kind).count();
            assert!(count >= 5 * times, "{kind:?}: {count}");
        }
    }
}
