//! Randomness that is an argument: keyed BLAKE3 streams, one per purpose.

use uuid::Uuid;

/// A source of unpredictable values when seeded by the system, of reproducible ones in a simulation.
#[derive(Clone, Debug)]
pub struct Seed {
    key: [u8; 32],
    drawn: u64,
    last_id: (i64, u64),
}

impl Seed {
    /// A source that depends on these bytes alone.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, drawn: 0, last_id: (0, 0) }
    }

    /// 16 fresh bytes.
    pub fn id16(&mut self, purpose: &str) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.draw(purpose)[..16]);
        bytes
    }

    /// 32 fresh hexadecimal digits.
    pub fn hex(&mut self, purpose: &str) -> String {
        self.id16(purpose).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, purpose: &str, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.draw(purpose)[..8]);
        u64::from_le_bytes(bytes) % bound
    }

    /// A UUID v7: time-ordered, and strictly rising within one millisecond.
    pub fn uuid(&mut self, now_ms: i64) -> Uuid {
        let random = self.draw("uuid");
        let ms = now_ms.max(self.last_id.0);
        // The 12 bits after the time count the ids of one millisecond; more than that borrow from the next.
        let (ms, count) = match self.last_id {
            (last, count) if last == ms && count < 0xfff => (ms, count + 1),
            (last, _) if last == ms => (ms + 1, 0),
            (_, _) => (ms, u64::from(random[15]) & 0x7f),
        };
        self.last_id = (ms, count);
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&(ms as u64).to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&((count as u16) | 0x7000).to_be_bytes());
        bytes[8..].copy_from_slice(&random[..8]);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid::from_bytes(bytes)
    }

    fn draw(&mut self, purpose: &str) -> [u8; 32] {
        self.drawn += 1;
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(purpose.as_bytes());
        hasher.update(&self.drawn.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_rise_and_are_version_seven() {
        let mut seed = Seed::new([7; 32]);
        let ids: Vec<Uuid> = (0..10_000).map(|_| seed.uuid(1_800_000_000_000)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn equal_seeds_give_equal_values_and_purposes_differ() {
        let (mut a, mut b) = (Seed::new([1; 32]), Seed::new([1; 32]));
        assert_eq!(a.id16("x"), b.id16("x"));
        assert_ne!(a.id16("x"), b.id16("y"));
    }
}
