//! Workers: who takes up a partition, who loses it and how, and who does not notice.

use std::collections::BTreeMap;

use super::{
    chance::Chance,
    journal::Place,
    runner::{Fate, Runner},
    world::World,
};

/// All work that is left is done in far fewer rounds over all partitions.
const ROUNDS: usize = 2_000;

impl World<'_> {
    /// A worker takes up a partition that nobody serves.
    pub(super) fn adopt_one(&mut self) {
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
    pub(super) fn disturb(&mut self) -> Result<(), String> {
        let Some((worker, runner)) = pick(&mut self.owned, &mut self.chance) else { return Ok(()) };
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
                0 => runner.hand_over(&mut self.journal)?,
                // It dies; what it had not committed dies with it.
                1 => self.happened.crashes += 1,
                // It stands still and does not notice that another takes over.
                _ => self.zombies.push(runner),
            }
            self.orphans.push(place);
        }
        Ok(())
    }

    /// A former owner goes on: it may apply what it likes, and commits nothing once another has taken over.
    pub(super) fn haunt(&mut self) -> Result<(), String> {
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
        let tried = zombie.send(&mut self.journal);
        let ended = zombie.settle(&mut self.journal, Fate::Committed);
        match (tried, ended) {
            (Ok(true), _) => return Err(format!("a former owner of {:?} was let through", zombie.input)),
            (Ok(false), Ok(())) => {}
            _ => self.happened.zombies_refused += 1,
        }
        self.zombies.swap_remove(at);
        Ok(())
    }

    /// Serves everything but what is abandoned until there is nothing left to do.
    pub(super) fn drain(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            (0..self.orphans.len()).for_each(|_| self.adopt_one());
            let mut idle = true;
            let places: Vec<Place> = self.owned.keys().copied().collect();
            for place in places {
                let fate = self.fate();
                let Some((_, runner)) = self.owned.get_mut(&place) else { continue };
                let fetched = runner.fetch(&self.journal, 500);
                let sent = runner.send(&mut self.journal);
                sent.and_then(|_| runner.settle(&mut self.journal, fate)).expect("the owner is let through");
                idle &= fetched == 0 && runner.is_settled();
            }
            let unowned = self.orphans.iter().any(|orphan| self.abandoned != Some(*orphan));
            if idle && !unowned {
                return Ok(());
            }
        }
        Err(format!("there is still something to do after {ROUNDS} rounds"))
    }
}

/// One of those who serve.
pub(super) fn pick<'m>(
    owned: &'m mut BTreeMap<Place, (u64, Runner)>,
    chance: &mut Chance,
) -> Option<&'m mut (u64, Runner)> {
    let at = chance.index(owned.len());
    owned.values_mut().nth(at)
}
