//! Milliseconds since 1970 as text, without a calendar library: it runs twice per projected record.

/// RFC 3339 in UTC with milliseconds: `2026-01-31T08:00:00.000Z`.
pub fn rfc3339(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let mut text = String::with_capacity(24);
    if (0..10_000).contains(&year) {
        push(&mut text, year, 4);
    } else {
        text.push_str(&year.to_string());
    }
    for (mark, number) in [('-', month), ('-', day), ('T', in_day / 3_600_000)] {
        text.push(mark);
        push(&mut text, number, 2);
    }
    text.push(':');
    push(&mut text, in_day / 60_000 % 60, 2);
    text.push(':');
    push(&mut text, in_day / 1000 % 60, 2);
    text.push('.');
    push(&mut text, in_day % 1000, 3);
    text.push('Z');
    text
}

/// Reads what AWSDateTime allows, cut to milliseconds.
pub(super) fn parse_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar:
/// years are counted from March, so that the leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn push(text: &mut String, number: i64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        text.push(char::from_digit(u32::try_from(digit).unwrap_or(0), 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_read_as_everywhere_else() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(951_827_696_789), "2000-02-29T12:34:56.789Z");
    }

    proptest! {
        #[test]
        fn a_moment_written_and_read_is_the_same(ms in 0..253_402_207_200_000_i64) {
            prop_assert_eq!(parse_ms(&rfc3339(ms)), Some(ms));
        }
    }
}
