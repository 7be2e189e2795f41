//! When to dial again: exponential backoff with full jitter, as a pure function of its inputs.

use std::time::Duration;

/// The bounds of the backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedialPolicy {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait at all.
    pub cap: Duration,
    /// A connection that lasted so long proves the peer healthy and starts the backoff anew.
    pub stable_after: Duration,
    /// The longest wait that a peer may ask for.
    pub hint_max: Duration,
}

impl Default for RedialPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(250),
            cap: Duration::from_secs(60),
            stable_after: Duration::from_secs(10),
            hint_max: Duration::from_secs(600),
        }
    }
}

/// Computes the waits between dials to one peer.
///
/// After each failed dial and each lost connection ask [`next_delay`](Self::next_delay) and wait
/// so long. The wait is drawn evenly from zero to a bound that doubles with every failure (full
/// jitter), so that the clients of a restarted relay do not return as one. `now` is any monotonic
/// clock, as the time since an origin that stays the same; the same seed and inputs give the same
/// waits.
#[derive(Clone, Debug)]
pub struct Redial {
    policy: RedialPolicy,
    jitter: Jitter,
    failures: u32,
    connected_at: Option<Duration>,
    hint: Option<Duration>,
}

impl Redial {
    /// A fresh backoff. Give every client another `seed`.
    pub fn new(policy: RedialPolicy, seed: u64) -> Self {
        Self { policy, jitter: Jitter::new(seed), failures: 0, connected_at: None, hint: None }
    }

    /// The dial succeeded.
    pub fn on_connected(&mut self, now: Duration) {
        self.connected_at = Some(now);
        self.hint = None;
    }

    /// The peer asked to be left alone for `wait`, as it closed or refused the connection. The
    /// next wait is at least that long (within the policy) and spread over half as much again.
    pub fn retry_after(&mut self, wait: Duration) {
        self.hint = Some(wait.min(self.policy.hint_max));
    }

    /// The connection was lost, or a dial failed: how long to wait before the next dial.
    pub fn next_delay(&mut self, now: Duration) -> Duration {
        if let Some(since) = self.connected_at.take()
            && now.saturating_sub(since) >= self.policy.stable_after
        {
            self.failures = 0;
        }
        let bound = self.bound();
        self.failures = self.failures.saturating_add(1);
        match self.hint.take() {
            Some(hint) => hint + self.jitter.up_to(bound.max(hint / 2)),
            None => self.jitter.up_to(bound),
        }
    }

    /// The network changed or the user asked: forget past failures, so that the next wait is
    /// short again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many dials in a row did not lead to a lasting connection.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn bound(&self) -> Duration {
        let factor = 2u32.saturating_pow(self.failures.min(31));
        self.policy.base.saturating_mul(factor).min(self.policy.cap)
    }
}

/// A small seeded generator (SplitMix64): spreads clients in time, and is for nothing secret.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from zero to `bound`, both included.
    pub(crate) fn up_to(&mut self, bound: Duration) -> Duration {
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(self.next()) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_stay_below_a_bound_that_doubles_up_to_the_cap() {
        let policy = RedialPolicy::default();
        for seed in 0..200 {
            let mut redial = Redial::new(policy, seed);
            let mut bound = policy.base;
            for _ in 0..40 {
                assert!(redial.next_delay(Duration::ZERO) <= bound);
                bound = (bound * 2).min(policy.cap);
            }
        }
    }

    #[test]
    fn many_clients_of_a_restarted_relay_come_back_spread_over_the_whole_bound() {
        let waits: Vec<Duration> = (0..1_000)
            .map(|seed| {
                let mut redial = Redial::new(RedialPolicy::default(), seed);
                redial.next_delay(Duration::ZERO)
            })
            .collect();
        for quarter in 0..4u32 {
            let from = Duration::from_micros(62_500) * quarter;
            let to = from + Duration::from_micros(62_500);
            let inside = waits.iter().filter(|wait| (from..to).contains(*wait)).count();
            assert!((150..350).contains(&inside), "{inside} of 1000 in quarter {quarter}");
        }
    }

    #[test]
    fn a_connection_that_lasted_starts_the_backoff_anew_and_a_brief_one_does_not() {
        let mut redial = Redial::new(RedialPolicy::default(), 1);
        for _ in 0..6 {
            redial.next_delay(Duration::ZERO);
        }
        redial.on_connected(100 * SECOND);
        redial.next_delay(101 * SECOND);
        assert_eq!(redial.failures(), 7);
        redial.on_connected(200 * SECOND);
        redial.next_delay(210 * SECOND);
        assert_eq!(redial.failures(), 1);
    }

    #[test]
    fn a_peers_hint_is_kept_once_within_reason_and_forgotten_after_a_success() {
        let policy = RedialPolicy::default();
        let mut redial = Redial::new(policy, 9);
        redial.retry_after(20 * SECOND);
        let hinted = redial.next_delay(Duration::ZERO);
        assert!((20 * SECOND..=30 * SECOND).contains(&hinted), "{hinted:?}");
        assert!(redial.next_delay(Duration::ZERO) <= policy.base * 2);

        redial.retry_after(Duration::MAX);
        let capped = redial.next_delay(Duration::ZERO);
        assert!((policy.hint_max..=policy.hint_max * 3 / 2).contains(&capped), "{capped:?}");

        redial.retry_after(20 * SECOND);
        redial.on_connected(Duration::ZERO);
        assert!(redial.next_delay(SECOND) < 20 * SECOND);
    }

    #[test]
    fn a_reset_makes_the_next_wait_short_again() {
        let mut redial = Redial::new(RedialPolicy::default(), 3);
        for _ in 0..10 {
            redial.next_delay(Duration::ZERO);
        }
        redial.reset();
        assert!(redial.next_delay(Duration::ZERO) <= RedialPolicy::default().base);
    }

    proptest! {
        #[test]
        fn the_same_seed_and_inputs_give_the_same_waits(seed in any::<u64>(), steps in prop::collection::vec((0u8..3, 0u64..100_000), 0..40)) {
            let run = || {
                let mut redial = Redial::new(RedialPolicy::default(), seed);
                let mut now = Duration::ZERO;
                steps.iter().map(|(step, ms)| {
                    now += Duration::from_millis(*ms);
                    match step {
                        0 => redial.on_connected(now),
                        1 => redial.retry_after(Duration::from_millis(*ms)),
                        _ => return redial.next_delay(now),
                    }
                    Duration::ZERO
                }).collect::<Vec<_>>()
            };
            prop_assert_eq!(run(), run());
        }

        #[test]
        fn jitter_never_leaves_its_bound(seed in any::<u64>(), nanos in any::<u64>()) {
            let bound = Duration::from_nanos(nanos);
            prop_assert!(Jitter::new(seed).up_to(bound) <= bound);
        }
    }
}
