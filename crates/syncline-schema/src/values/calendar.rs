//! Dates, times of day and moments, as AppSync writes them.

/// `YYYY-MM-DD` with an optional offset.
pub(super) fn date(text: &str) -> Result<(), String> {
    let rest = day(text)?;
    offset(rest).map(|_| ())
}

/// `hh:mm[:ss[.sss]]` with an optional offset.
pub(super) fn time(text: &str) -> Result<(), String> {
    let rest = time_of_day(text)?;
    offset(rest).map(|_| ())
}

/// A date, `T`, a time, and an offset that must be there.
pub(super) fn date_time(text: &str) -> Result<(), String> {
    let rest = day(text)?;
    let Some(rest) = rest.strip_prefix('T') else {
        return Err("after the date come `T` and a time".to_owned());
    };
    let rest = time_of_day(rest)?;
    if offset(rest)? {
        return Ok(());
    }
    Err("the offset is missing: `Z`, or one like `+02:00`".to_owned())
}

/// Reads `YYYY-MM-DD`, gives back what follows.
fn day(text: &str) -> Result<&str, String> {
    let shape = || "the shape is YYYY-MM-DD".to_owned();
    let (year, rest) = digits(text, 4).ok_or_else(shape)?;
    let (month, rest) = after(rest, '-').ok_or_else(shape)?;
    let (day, rest) = after(rest, '-').ok_or_else(shape)?;
    if !(1..=12).contains(&month) {
        return Err(format!("there is no month {month}"));
    }
    let days = days_in(year, month);
    if day < 1 {
        return Err("there is no day 0".to_owned());
    }
    if day > days {
        return Err(format!("month {month} of {year} has {days} days"));
    }
    Ok(rest)
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads `hh:mm[:ss[.s…]]`, gives back what follows.
fn time_of_day(text: &str) -> Result<&str, String> {
    let shape = || "the shape is hh:mm:ss".to_owned();
    let (hour, rest) = digits(text, 2).ok_or_else(shape)?;
    let (minute, mut rest) = after(rest, ':').ok_or_else(shape)?;
    if hour > 23 || minute > 59 {
        return Err(format!("there is no time {hour:02}:{minute:02}"));
    }
    if rest.starts_with(':') {
        let (second, behind) = after(rest, ':').ok_or_else(shape)?;
        if second > 59 {
            return Err(format!("there is no second {second}"));
        }
        rest = behind;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if !(1..=9).contains(&(fraction.len() - rest.len())) {
                return Err("fractions of a second have one to nine digits".to_owned());
            }
        }
    }
    Ok(rest)
}

/// Reads nothing, `Z`, or `±hh:mm[:ss]`, up to the end; whether there was an offset.
fn offset(text: &str) -> Result<bool, String> {
    if text.is_empty() {
        return Ok(false);
    }
    if text == "Z" {
        return Ok(true);
    }
    let wrong = || format!("`{text}` is no offset: write `Z`, or one like `+02:00`");
    let signed = text.strip_prefix(['+', '-']).ok_or_else(wrong)?;
    let (hours, rest) = digits(signed, 2).ok_or_else(wrong)?;
    let (minutes, rest) = after(rest, ':').ok_or_else(wrong)?;
    let (seconds, rest) = if rest.is_empty() { (0, rest) } else { after(rest, ':').ok_or_else(wrong)? };
    if !rest.is_empty() || hours > 18 || minutes > 59 || seconds > 59 {
        return Err(wrong());
    }
    Ok(true)
}

/// Two digits behind a separator.
fn after(text: &str, separator: char) -> Option<(u32, &str)> {
    digits(text.strip_prefix(separator)?, 2)
}

/// Exactly `count` ASCII digits, and what follows.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let number = text.get(..count)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, &text[count..]))
}
