//! Dates as people write them, read only where one meaning is possible.

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The date as `YYYY-MM-DD`, if `text` spells one without doubt: the month in letters ("Jun 12 1998",
/// "June 12, 1998", "12-Jun-1998", "12 June 1998"), or the year first ("1998/06/12", "1998.6.2").
///
/// `None` for two-digit years, for months in digits behind or before a day (06/12/1998), for what is no
/// date, and for what has the right form already.
pub(super) fn to_iso(text: &str) -> Option<String> {
    let parts: Vec<&str> =
        text.split([' ', '-', '/', '.', ',']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let (year, month, day) = match (month_named(first), month_named(second)) {
        (Some(month), _) => (year(third)?, month, day(second)?),
        (None, Some(month)) if first.len() == 4 => (year(first)?, month, day(third)?),
        (None, Some(month)) => (year(third)?, month, day(first)?),
        (None, None) => (year(first)?, month_in_digits(second)?, day(third)?),
    };
    let iso = format!("{year:04}-{month:02}-{day:02}");
    (iso != text).then_some(iso)
}

fn month_named(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let is_named = |month: &&str| match lower.len() {
        3 => month.starts_with(&lower),
        _ => **month == lower,
    };
    let at = MONTHS.iter().position(is_named);
    // The one short form of four letters.
    let at = if lower == "sept" { Some(8) } else { at };
    u32::try_from(at? + 1).ok()
}

fn month_in_digits(text: &str) -> Option<u32> {
    number(text, 1..=2).filter(|month| (1..=12).contains(month))
}

fn day(text: &str) -> Option<u32> {
    number(text, 1..=2)
}

fn year(text: &str) -> Option<u32> {
    number(text, 4..=4)
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    if !digits.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_in_letters_leaves_no_doubt() {
        for text in ["Jun 12 1998", "June 12, 1998", "12-Jun-1998", "12 June 1998", "JUN-12-1998", "1998-Jun-12"] {
            assert_eq!(to_iso(text).as_deref(), Some("1998-06-12"), "{text}");
        }
        assert_eq!(to_iso("Sept 1 2004").as_deref(), Some("2004-09-01"));
        assert_eq!(to_iso("Aug 07 1998").as_deref(), Some("1998-08-07"));
    }

    #[test]
    fn a_year_in_front_leaves_no_doubt() {
        assert_eq!(to_iso("1998/06/12").as_deref(), Some("1998-06-12"));
        assert_eq!(to_iso("1998.6.2").as_deref(), Some("1998-06-02"));
    }

    #[test]
    fn what_could_mean_two_days_is_left_alone() {
        for text in ["06/12/1998", "12-Jun-98", "12.6.1998", "1998", "Jun 1998", "Juno 12 1998", "", "1998-06-12"] {
            assert_eq!(to_iso(text), None, "{text}");
        }
    }
}
