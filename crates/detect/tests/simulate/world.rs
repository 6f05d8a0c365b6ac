//! One run: telemetry is shipped, workers serve the partitions, and all kinds of things happen to them, one step after
//! another in an order that the seed decides.

use std::{collections::BTreeMap, time::Duration};

use foreshock_detect::{Clock, InputKind};
use foreshock_model::{Tenant, Timestamp};

use super::{
    chance::Chance,
    journal::{Entry, Journal, Place, Stream},
    machine::Setting,
    runner::{Fate, Runner},
    shipper::{Habit, Shipper},
    telemetry::{Signal, Telemetry},
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

/// New partitions are served within this time of being written to.
const SERVED_WITHIN: Duration = Duration::from_secs(30);
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
    pub(super) variant: Variant,
    pub(crate) journal: Journal,
    pub(crate) setting: Setting,
    shipper: Shipper<'t>,
    /// When the last telemetry was sent.
    pub(super) now: Timestamp,
    /// Who serves what: the worker and its runner.
    pub(crate) owned: BTreeMap<Place, (u64, Runner)>,
    /// Nobody serves these at present.
    orphans: Vec<Place>,
    /// They were owners and have not noticed.
    zombies: Vec<Runner>,
    /// Nobody gets to serve this, for as long as it stands here.
    pub(super) abandoned: Option<Place>,
    workers: u64,
    weights: [u64; STEPS.len()],
    fetch: usize,
    growth: Option<Growth>,
    pub(crate) happened: Happened,
}

struct Growth {
    at: Timestamp,
    to: u16,
    /// How many partitions telemetry is shipped to.
    shipped_to: u16,
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
            a_thousand_shipped(chance.pick(&[10, 50])),
            a_thousand_shipped(chance.pick(&[1, 50, 300])),
            a_thousand_shipped(5),
            chance.pick(&[100, 1_000]),
            a_thousand_shipped(chance.pick(&[3, 15])),
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
        self.drain();
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
            Step::Disturb => self.disturb(),
            Step::Haunt => self.haunt()?,
        }
        Ok(true)
    }

    fn fate(&mut self) -> Fate {
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
        self.journal.append(Place::new(stream, request.partition), entry);
        true
    }

    /// Adds partitions when it is time. Returns whether telemetry may be shipped now.
    fn grow(&mut self) -> bool {
        let Some(growth) = &mut self.growth else { return true };
        if self.now < growth.at || growth.shipped_to == growth.to {
            let waits = self.variant == Variant::HastyGrowth && self.now >= growth.at.plus(SERVED_WITHIN);
            return !waits || self.new_ones_are_heard();
        }
        if self.setting.telemetry != growth.to {
            let before = self.setting.telemetry;
            self.setting.telemetry = growth.to;
            let new = self.setting.inputs().into_iter();
            let new = new.filter(|place| is_telemetry(*place) && place.partition >= before);
            self.orphans.extend(new);
        }
        if self.variant == Variant::HastyGrowth || self.new_ones_are_heard() {
            let growth = self.growth.as_mut().expect("there is one");
            growth.shipped_to = growth.to;
            self.happened.grew = true;
        }
        true
    }

    /// Whether every partition has said something to detect: with its first entry it does.
    fn new_ones_are_heard(&mut self) -> bool {
        let silent: Vec<Place> =
            self.telemetry().into_iter().filter(|place| self.journal.committed(*place) == 0).collect();
        for place in &silent {
            if self.journal.read(*place, 0, 1).is_empty() {
                self.tick(*place, self.now);
            }
        }
        silent.is_empty()
    }

    pub(super) fn telemetry(&self) -> Vec<Place> {
        self.setting.inputs().into_iter().filter(|place| is_telemetry(*place)).collect()
    }

    pub(super) fn tick(&mut self, place: Place, time: Timestamp) {
        let (tenant, payload) = (Tenant::default(), Default::default());
        self.journal.append(place, Entry { tenant, received: time, kind: InputKind::Tick, payload });
    }

    fn adopt_one(&mut self) {
        if self.orphans.is_empty() {
            return;
        }
        let orphan = self.orphans.swap_remove(self.chance.index(self.orphans.len()));
        if self.abandoned == Some(orphan) {
            return self.orphans.push(orphan);
        }
        let runner = Runner::take_up(&mut self.journal, &self.setting, orphan, &mut self.chance);
        let worker = self.chance.below(self.workers);
        self.owned.insert(orphan, (worker, runner));
    }

    /// Something happens to one partition's owner, or to all partitions of a worker.
    fn disturb(&mut self) {
        let Some((worker, runner)) = pick(&mut self.owned, &mut self.chance) else { return };
        let (worker, place) = (*worker, runner.input);
        let alone = self.chance.percent(70);
        let hit: Vec<Place> = self
            .owned
            .iter()
            .filter(|(other, (of, _))| if alone { **other == place } else { *of == worker })
            .map(|(place, _)| *place)
            .collect();
        let how = self.chance.below(3);
        for place in hit {
            let Some((_, runner)) = self.owned.remove(&place) else { continue };
            self.happened.rebalances += 1;
            match how {
                // Handed over in order.
                0 => drop(runner.hand_over(&mut self.journal)),
                // It dies; what it had not committed dies with it.
                1 => self.happened.crashes += 1,
                // It stands still and does not notice that another takes over.
                _ => self.zombies.push(runner),
            }
            self.orphans.push(place);
        }
    }

    /// A former owner goes on: it may apply what it likes, and commits nothing once another has taken over.
    fn haunt(&mut self) -> Result<(), String> {
        if self.zombies.is_empty() {
            return Ok(());
        }
        let at = self.chance.index(self.zombies.len());
        let zombie = &mut self.zombies[at];
        zombie.fetch(&self.journal, self.fetch);
        if self.orphans.contains(&zombie.input) || self.chance.percent(30) {
            return Ok(());
        }
        zombie.save(&mut self.journal);
        if !zombie.is_settled() {
            let tried = zombie.send(&mut self.journal);
            if tried.and_then(|()| zombie.settle(&mut self.journal, Fate::Committed)).is_ok() {
                return Err(format!("a former owner of {:?} was let through", zombie.input));
            }
            self.happened.zombies_refused += 1;
        }
        self.zombies.swap_remove(at);
        Ok(())
    }

    /// Serves everything but what is abandoned until there is nothing left to do.
    pub(super) fn drain(&mut self) {
        loop {
            (0..self.orphans.len()).for_each(|_| self.adopt_one());
            let mut idle = true;
            let places: Vec<Place> = self.owned.keys().copied().collect();
            for place in places {
                let fate = self.fate();
                let Some((_, runner)) = self.owned.get_mut(&place) else { continue };
                let fetched = runner.fetch(&self.journal, 500);
                let sent = runner.send(&mut self.journal);
                sent.and_then(|()| runner.settle(&mut self.journal, fate)).expect("the owner is let through");
                idle &= fetched == 0 && runner.is_settled();
            }
            let unowned = self.orphans.iter().any(|orphan| self.abandoned != Some(*orphan));
            if idle && !unowned {
                return;
            }
        }
    }
}

pub(super) fn is_telemetry(place: Place) -> bool {
    Stream::TELEMETRY.contains(&place.stream)
}

fn pick<'m>(
    owned: &'m mut BTreeMap<Place, (u64, Runner)>,
    chance: &mut Chance,
) -> Option<&'m mut (u64, Runner)> {
    let at = chance.index(owned.len());
    owned.values_mut().nth(at)
}
