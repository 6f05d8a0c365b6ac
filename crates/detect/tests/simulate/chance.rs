//! All that is random in a run, from its seed: the same seed, the same run.

/// splitmix64 (Steele, Lea and Flood 2014): seeds that are near each other give numbers that are not.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// `purpose` keeps what is random about one thing from changing with how much is drawn for another.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut chance = Self(seed ^ purpose.rotate_left(32));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..n`; 0 where there is none.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 1) % n.max(1)
    }

    /// One of `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// One of `low..=high`, as a number of partitions.
    pub(crate) fn partitions(&mut self, low: u16, high: u16) -> u16 {
        low + self.below(u64::from(high - low) + 1) as u16
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `of`, copied.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// The place of one of `weights`, each as likely as it weighs.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut drawn = self.below(weights.iter().sum());
        for (place, weight) in weights.iter().enumerate() {
            if drawn < *weight {
                return place;
            }
            drawn -= weight;
        }
        0
    }
}
