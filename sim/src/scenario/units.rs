//! Durations, rates and shares, as people write them; whole numbers throughout.

/// Longest duration: ten years.
pub(crate) const LONGEST_MS: u64 = 10 * 365 * 86_400_000;

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; 0 for never.
    pub count: u64,
    /// In how many milliseconds; at least 1.
    pub per_ms: u64,
}

impl Rate {
    /// Milliseconds between two, on average; `None` for never.
    pub fn gap_ms(self) -> Option<u64> {
        (self.count > 0).then(|| (self.per_ms / self.count).max(1))
    }
}

/// `90s`, `1h30m`, `250ms`, `21d`, `00:10:00`: in milliseconds, or what is wrong with it.
pub(crate) fn duration_ms(text: &str) -> Result<u64, String> {
    let ms = if text.contains(':') { clock(text) } else { amounts(text) }?;
    if ms > LONGEST_MS {
        return Err(format!("`{text}` is longer than ten years"));
    }
    Ok(ms)
}

/// `1/20s`, `10/s`, `never`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    if text == "never" {
        return Ok(Rate { count: 0, per_ms: 1 });
    }
    let shape = || format!("`{text}` is not a rate");
    let (count, per) = text.split_once('/').ok_or_else(shape)?;
    let count = count.trim().parse::<u32>().map_err(|_| shape())?;
    let per = per.trim();
    let per_ms = if per.starts_with(|c: char| c.is_ascii_digit()) { duration_ms(per)? } else { unit(per)? };
    if per_ms == 0 {
        return Err(format!("`{text}` says how many there are in no time at all"));
    }
    Ok(Rate { count: count.into(), per_ms })
}

/// A duration that [`duration_ms`] reads as the same number.
pub(crate) fn shown(mut ms: u64) -> String {
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if ms >= size {
            text += &format!("{}{unit}", ms / size);
            ms %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn unit(text: &str) -> Result<u64, String> {
    UNITS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, size)| *size)
        .ok_or_else(|| format!("`{text}` is no unit of time: they are ms, s, m, h, d, w"))
}

fn amounts(text: &str) -> Result<u64, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration is missing".to_owned());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let amount: u64 = rest[..digits].parse().map_err(|_| format!("`{text}` is not a duration"))?;
        rest = &rest[digits..];
        if rest.is_empty() {
            return Err(format!("`{text}` has no unit of time"));
        }
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let size = unit(rest[..letters].trim())?;
        total = amount
            .checked_mul(size)
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(|| format!("`{text}` is longer than ten years"))?;
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

/// `H:MM:SS`, with or without `.mmm`.
fn clock(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a time as H:MM:SS");
    let parts: Vec<&str> = text.trim().split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return Err(wrong()) };
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    if fraction.is_empty() || fraction.len() > 3 {
        return Err(wrong());
    }
    let number = |part: &str| {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        part.parse::<u32>().map(u64::from).map_err(|_| wrong())
    };
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    if minutes > 59 || seconds > 59 {
        return Err(wrong());
    }
    let ms = number(&format!("{fraction:0<3}"))?;
    Ok(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_the_shape_of_a_clock() {
        for (text, ms) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("8h", 28_800_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("21d", 1_814_400_000),
            ("3w", 1_814_400_000),
            ("00:10:00", 600_000),
            ("1:00:00.5", 3_600_500),
            ("0s", 0),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "30", "m", "30 minutes", "-5s", "1:30", "0:61:00", "1.5h", "99999999999999999999s", "11000d"] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_shown_duration_reads_as_itself() {
        for ms in [0, 1, 999, 1000, 61_001, 86_400_000, 90_061_001, LONGEST_MS] {
            assert_eq!(duration_ms(&shown(ms)), Ok(ms), "{}", shown(ms));
        }
    }

    #[test]
    fn rates_are_so_many_in_so_long() {
        assert_eq!(rate("1/20s").map(Rate::gap_ms), Ok(Some(20_000)));
        assert_eq!(rate("10/s").map(Rate::gap_ms), Ok(Some(100)));
        assert_eq!(rate("3 / h").map(Rate::gap_ms), Ok(Some(1_200_000)));
        assert_eq!(rate("never").map(Rate::gap_ms), Ok(None));
        for text in ["", "1", "1/", "/s", "x/s", "1/0s", "0.5/s", "1/minute"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
