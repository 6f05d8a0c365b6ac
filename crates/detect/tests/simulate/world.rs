//! One run: telemetry is shipped, workers serve the partitions, and all kinds of things happen to them, one step after
//! another in an order that the seed decides.

use std::{collections::BTreeMap, time::Duration};

use foreshock_detect::{Clock, InputKind};
use foreshock_model::{Tenant, Timestamp};

use super::{
    chance::Chance,
    growth::Growth,
    journal::{Entry, Journal, Place, Stream},
    machine::Setting,
    runner::{Fate, Runner},
    shipper::{Habit, Shipper},
    telemetry::{Signal, Telemetry},
    workers::pick,
};

/// What a run has beside crashes, moves and zombies, which every run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Nothing.
    Plain,
    /// Owners skip sources and tell of lag at any time, a partition is left unserved, entries can't be read. What is
    /// late then follows from the interleaving, so only a replay of the same log comes to the same.
    Words,
    /// The telemetry streams get more partitions, which are written to when they are served.
    Growth,
    /// The telemetry streams get more partitions, which are written to at once and served later, in bounded time.
    HastyGrowth,
}

impl Variant {
    pub(crate) fn grows(self) -> bool {
        matches!(self, Self::Growth | Self::HastyGrowth)
    }
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Happened {
    pub(crate) rebalances: u64,
    pub(crate) crashes: u64,
    pub(crate) zombies_refused: u64,
    /// Partitions were added, and written to.
    pub(crate) grew: bool,
}

/// Time goes on for so long after the last telemetry, so that every window is closed everywhere.
pub(crate) const AT_THE_END: Duration = Duration::from_secs(120);
/// Steps after the last telemetry in which disturbances go on.
const AFTERMATH: u64 = 400;

#[derive(Clone, Copy)]
enum Step {
    Ship,
    Fetch,
    Send,
    Settle,
    Save,
    Tick,
    Speak,
    Adopt,
    Disturb,
    Haunt,
}

const STEPS: [Step; 10] = [
    Step::Ship,
    Step::Fetch,
    Step::Send,
    Step::Settle,
    Step::Save,
    Step::Tick,
    Step::Speak,
    Step::Adopt,
    Step::Disturb,
    Step::Haunt,
];

pub(crate) struct World<'t> {
    pub(super) chance: Chance,
    pub(crate) variant: Variant,
    pub(crate) journal: Journal,
    pub(crate) setting: Setting,
    pub(super) shipper: Shipper<'t>,
    /// When the last telemetry was sent.
    pub(super) now: Timestamp,
    /// Who serves what: the worker and its runner.
    pub(crate) owned: BTreeMap<Place, (u64, Runner)>,
    /// Nobody serves these at present.
    pub(super) orphans: Vec<Place>,
    /// They were owners and have not noticed.
    pub(super) zombies: Vec<Runner>,
    /// Nobody gets to serve this, for as long as it stands here.
    pub(super) abandoned: Option<Place>,
    pub(super) workers: u64,
    weights: [u64; STEPS.len()],
    pub(super) fetch: usize,
    pub(super) growth: Option<Growth>,
    pub(crate) happened: Happened,
}

impl<'t> World<'t> {
    pub(crate) fn new(seed: u64, telemetry: &'t Telemetry, clock: Clock, variant: Variant) -> Self {
        let mut chance = Chance::new(seed, 2);
        let setting =
            Setting::new(clock, chance.partitions(1, 8), chance.partitions(1, 8), chance.partitions(1, 4));
        let habit = Habit { most: chance.pick(&[1, 5, 20, 60]), merges: chance.pick(&[0, 30, 100]) };
        let shipper = Shipper::new(telemetry, habit, Chance::new(seed, 3));
        let first = telemetry.records.first().map(|record| record.time).unwrap_or_default();
        let growth = variant.grows().then(|| Growth {
            at: first.plus(Duration::from_secs(chance.between(120, 500))),
            to: setting.telemetry + chance.partitions(1, 6),
            shipped_to: setting.telemetry,
        });
        // Some runs ship faster than they serve, some commit rarely, some hardly ever tick; what is rare is so beside
        // what is shipped.
        let ship = chance.pick(&[1_000, 3_000, 10_000]);
        let a_thousand_shipped = |times: u64| (ship * times / 1_000).max(1);
        let weights = [
            ship,
            chance.pick(&[6_000, 12_000]),
            chance.pick(&[2_000, 6_000]),
            chance.pick(&[2_000, 6_000]),
            a_thousand_shipped(chance.pick(&[20, 100])),
            a_thousand_shipped(chance.pick(&[1, 50, 300])),
            a_thousand_shipped(5),
            chance.pick(&[100, 1_000]),
            a_thousand_shipped(chance.pick(&[2, 8])),
            chance.pick(&[20, 200]),
        ];
        let mut world = Self {
            variant,
            journal: Journal::default(),
            shipper,
            now: first,
            owned: BTreeMap::new(),
            orphans: setting.inputs(),
            setting,
            zombies: Vec::new(),
            abandoned: None,
            workers: chance.between(1, 4),
            weights,
            fetch: chance.pick(&[1, 8, 64, 500]),
            growth,
            happened: Happened::default(),
            chance,
        };
        if world.variant == Variant::Words {
            let (stream, partition) = (
                world.chance.pick(&Stream::TELEMETRY),
                world.chance.partitions(0, world.setting.telemetry - 1),
            );
            world.abandoned = Some(Place::new(stream, partition));
        }
        world
    }

    /// What kind of run it is.
    pub(crate) fn describe(&self) -> String {
        let Setting { config, telemetry, summaries, findings } = &self.setting;
        format!(
            "{:?}, {:?} clock, {telemetry} partitions of each telemetry stream, {summaries} of summaries, {findings} of findings",
            self.variant, config.clock
        )
    }

    /// Runs to the end of the telemetry and until everything that follows from it is committed.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let mut aftermath = AFTERMATH;
        while aftermath > 0 {
            let step = STEPS[self.chance.weighted(&self.weights)];
            if !self.step(step)? {
                self.weights[0] = 0;
            }
            aftermath -= u64::from(self.weights[0] == 0);
        }
        if self.abandoned.is_some() {
            self.go_on_without_the_abandoned()?;
        }
        let end = self.now.plus(AT_THE_END);
        for place in self.telemetry() {
            self.tick(place, end);
        }
        self.drain()?;
        while !self.zombies.is_empty() {
            self.haunt()?;
        }
        Ok(())
    }

    /// Returns whether there is more to ship.
    fn step(&mut self, step: Step) -> Result<bool, String> {
        match step {
            Step::Ship => return Ok(self.ship()),
            Step::Fetch => {
                let (journal, most) = (&self.journal, self.fetch);
                if let Some((_, runner)) = pick(&mut self.owned, &mut self.chance) {
                    runner.fetch(journal, most);
                }
            }
            Step::Send => {
                if let Some((_, runner)) = pick(&mut self.owned, &mut self.chance) {
                    let sent = runner.send(&mut self.journal);
                    sent.map_err(|_| "the owner was refused".to_owned())?;
                }
            }
            Step::Settle => {
                let fate = self.fate();
                if let Some((_, runner)) = pick(&mut self.owned, &mut self.chance) {
                    let settled = runner.settle(&mut self.journal, fate);
                    settled.map_err(|_| "the owner was refused".to_owned())?;
                }
            }
            Step::Save => {
                if let Some((_, runner)) = pick(&mut self.owned, &mut self.chance) {
                    runner.save(&mut self.journal);
                }
            }
            Step::Tick => self.tick_one(),
            Step::Speak => self.speak(),
            Step::Adopt => self.adopt_one(),
            Step::Disturb => self.disturb()?,
            Step::Haunt => self.haunt()?,
        }
        Ok(true)
    }

    pub(super) fn fate(&mut self) -> Fate {
        match self.chance.below(20) {
            0 => Fate::Aborted,
            1 => Fate::CommittedUnheard,
            2 => Fate::AbortedUnheard,
            _ => Fate::Committed,
        }
    }

    fn ship(&mut self) -> bool {
        if !self.grow() {
            return true;
        }
        let partitions = self.growth.as_ref().map_or(self.setting.telemetry, |growth| growth.shipped_to);
        let Some(request) = self.shipper.next(partitions) else { return false };
        self.now = self.now.max(request.sent);
        let stream = match request.signal {
            Signal::Logs => Stream::Logs,
            Signal::Metrics => Stream::Metrics,
            Signal::Spans => Stream::Spans,
        };
        let (tenant, received) = (request.tenant, self.now);
        let entry = Entry { tenant, received, kind: InputKind::Data, payload: request.payload };
        let place = Place::new(stream, request.partition);
        self.journal.append(place, entry);
        if self.chance.percent(5) {
            self.journal.leave_gap(place);
        }
        true
    }

    pub(super) fn telemetry(&self) -> Vec<Place> {
        self.setting.inputs().into_iter().filter(|place| is_telemetry(*place)).collect()
    }

    pub(super) fn tick(&mut self, place: Place, time: Timestamp) {
        let (tenant, payload) = (Tenant::default(), Default::default());
        self.journal.append(place, Entry { tenant, received: time, kind: InputKind::Tick, payload });
    }
}

pub(super) fn is_telemetry(place: Place) -> bool {
    Stream::TELEMETRY.contains(&place.stream)
}
