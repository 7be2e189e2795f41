//! Randomness by name: a stream of whole numbers for each purpose, independent of all others.

/// A stream of numbers that depends on a seed and a purpose alone.
#[derive(Clone)]
pub(super) struct Stream(blake3::OutputReader);

impl Stream {
    /// The stream of a purpose, and of one of those that have it.
    pub(super) fn new(seed: u64, purpose: &str, entity: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("syncline simulator schedule 1");
        hasher.update(&seed.to_le_bytes());
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(entity.as_bytes());
        Self(hasher.finalize_xof())
    }

    /// Any number.
    pub(super) fn next(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound`; 0 if there is none.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number from `least` to `most`.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// A number from `least` to `most`, each doubling as likely as any other.
    pub(super) fn doubling(&mut self, least: u64, most: u64) -> u64 {
        let least = least.max(1);
        let doublings = (most / least).max(1).ilog2();
        let from = least << self.below(u64::from(doublings) + 1);
        self.between(from, (from.saturating_mul(2)).min(most.max(from)))
    }

    /// True in so many of a hundred.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let place = self.below(of.len() as u64);
        of.get(place as usize)
    }

    /// In any order.
    pub(super) fn shuffle<T>(&mut self, of: &mut [T]) {
        for place in (1..of.len()).rev() {
            of.swap(place, self.below(place as u64 + 1) as usize);
        }
    }

    /// Times from `from` to `to` with gaps of `gap` on average, a few at most.
    pub(super) fn times(&mut self, from: u64, to: u64, gap: u64, most: usize) -> Vec<u64> {
        let mut times = Vec::new();
        let mut at = from.saturating_add(self.below(gap.saturating_mul(2)));
        while at < to && times.len() < most {
            times.push(at);
            at = at.saturating_add(self.between(1, gap.saturating_mul(2).saturating_sub(1).max(1)));
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_other_purposes_differ_and_of_the_same_do_not() {
        let draw = |seed, purpose, entity| Stream::new(seed, purpose, entity).next();
        assert_eq!(draw(1, "faults", "kill"), draw(1, "faults", "kill"));
        assert_ne!(draw(1, "faults", "kill"), draw(2, "faults", "kill"));
        assert_ne!(draw(1, "faults", "kill"), draw(1, "fault", "skill"));
        assert_ne!(draw(1, "faults", "kill"), draw(1, "faults", "pause"));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut stream = Stream::new(7, "test", "");
        for _ in 0..10_000 {
            assert!((10..=1000).contains(&stream.doubling(10, 1000)));
            assert!((3..=5).contains(&stream.between(3, 5)));
        }
        assert_eq!(stream.doubling(7, 7), 7);
        assert_eq!(stream.doubling(0, 0), 1);
        assert_eq!(stream.pick::<u8>(&[]), None);
    }

    #[test]
    fn times_ascend_and_come_about_as_often_as_asked() {
        let times = Stream::new(7, "test", "").times(0, 1_000_000, 1000, usize::MAX);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((800..1200).contains(&times.len()), "{}", times.len());
    }
}
