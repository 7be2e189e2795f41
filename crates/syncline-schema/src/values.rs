//! Whether a JSON value fits a scalar or an enum: the same check for defaults, saves and imports.
//!
//! A refusal says what is wrong with this value and shows one that would do.

mod calendar;
mod network;

use serde_json::Value;

use crate::{EnumType, Scalar, did_you_mean};

/// Greatest magnitude of an `AWSTimestamp`, in seconds: 2^48, about nine million years.
const TIMESTAMP_MAX: u64 = 1 << 48;

/// Whether `value` is a good value of `scalar`; if not, a sentence that says why and gives an example.
///
/// `null` is no good value of any scalar but `AWSJSON`: whether a field may be empty is for the caller.
pub fn check_scalar(scalar: Scalar, value: &Value) -> Result<(), String> {
    fault(scalar, value).map_or(Ok(()), |fault| {
        Err(format!("{} is not {}: {fault}; a good value is {}", shown(value), noun(scalar), example(scalar)))
    })
}

/// Whether `value` is one of the enum's values; if not, a sentence that says so and lists them.
pub fn check_enum(enum_type: &EnumType, value: &Value) -> Result<(), String> {
    let names = || enum_type.values.iter().map(String::as_str);
    let Value::String(text) = value else {
        return Err(format!(
            "{} is not a value of {}: expected a string, one of {}",
            shown(value),
            enum_type.name,
            enum_type.values.join(", ")
        ));
    };
    if names().any(|name| name == text) {
        return Ok(());
    }
    let cure = did_you_mean(text, names()).unwrap_or_else(|| format!("it has {}", enum_type.values.join(", ")));
    Err(format!("{} is not a value of {}; {cure}", shown(value), enum_type.name))
}

/// What is wrong with `value`, if anything is.
fn fault(scalar: Scalar, value: &Value) -> Option<String> {
    match scalar {
        Scalar::Id | Scalar::String => text(value).err(),
        Scalar::Int => integer(value).err(),
        Scalar::Float => (!value.is_number()).then(|| expected("a number", value)),
        Scalar::Boolean => (!value.is_boolean()).then(|| expected("true or false", value)),
        Scalar::Date => text(value).and_then(calendar::date).err(),
        Scalar::Time => text(value).and_then(calendar::time).err(),
        Scalar::DateTime => text(value).and_then(calendar::date_time).err(),
        Scalar::Timestamp => integer(value).and_then(timestamp).err(),
        Scalar::Email => text(value).and_then(network::email).err(),
        Scalar::Json => json(value).err(),
        Scalar::Url => text(value).and_then(network::url).err(),
        Scalar::Phone => text(value).and_then(network::phone).err(),
        Scalar::IpAddress => text(value).and_then(network::ip_address).err(),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| expected("a string", value))
}

fn integer(value: &Value) -> Result<i64, String> {
    let Value::Number(number) = value else {
        return Err(expected("an integer", value));
    };
    number.as_i64().ok_or_else(|| {
        if number.is_u64() {
            format!("it does not fit into 64 bits, whose greatest is {}", i64::MAX)
        } else {
            "it is written as a fraction".to_owned()
        }
    })
}

fn timestamp(seconds: i64) -> Result<(), String> {
    if seconds.unsigned_abs() <= TIMESTAMP_MAX {
        return Ok(());
    }
    Err("it is more than 2^48 seconds away from 1970 (milliseconds?)".to_owned())
}

fn json(value: &Value) -> Result<(), String> {
    let Value::String(text) = value else {
        return Ok(());
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the string does not parse as JSON, {error}")),
    }
}

fn expected(what: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("expected {what}, found {found}")
}

/// The value as JSON, cut where it gets long.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let json = value.to_string();
    if json.chars().count() <= LONGEST {
        return json;
    }
    let start: String = json.chars().take(LONGEST).collect();
    format!("{start}…")
}

fn noun(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Id => "an ID",
        Scalar::String => "a String",
        Scalar::Int => "an Int",
        Scalar::Float => "a Float",
        Scalar::Boolean => "a Boolean",
        Scalar::Date => "an AWSDate",
        Scalar::Time => "an AWSTime",
        Scalar::DateTime => "an AWSDateTime",
        Scalar::Timestamp => "an AWSTimestamp",
        Scalar::Email => "an AWSEmail",
        Scalar::Json => "AWSJSON",
        Scalar::Url => "an AWSURL",
        Scalar::Phone => "an AWSPhone",
        Scalar::IpAddress => "an AWSIPAddress",
    }
}

fn example(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Id => "\"01890a5d-ac96-774b-bcce-b302099a8057\"",
        Scalar::String => "\"some text\"",
        Scalar::Int => "42",
        Scalar::Float => "0.5",
        Scalar::Boolean => "true",
        Scalar::Date => "\"2024-05-31\"",
        Scalar::Time => "\"17:30:00\"",
        Scalar::DateTime => "\"2024-05-31T17:30:00Z\"",
        Scalar::Timestamp => "1717176600",
        Scalar::Email => "\"ada@example.org\"",
        Scalar::Json => "\"{\\\"a\\\": 1}\"",
        Scalar::Url => "\"https://example.org/a\"",
        Scalar::Phone => "\"+49 30 901820\"",
        Scalar::IpAddress => "\"192.0.2.1\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn good(scalar: Scalar, values: &[Value]) {
        for value in values {
            assert_eq!(check_scalar(scalar, value), Ok(()), "{value}");
        }
    }

    #[track_caller]
    fn bad(scalar: Scalar, values: &[Value]) {
        for value in values {
            assert!(check_scalar(scalar, value).is_err(), "{value} was accepted");
        }
    }

    #[test]
    fn numbers_keep_their_kind() {
        good(Scalar::Int, &[json!(0), json!(i64::MIN), json!(i64::MAX)]);
        bad(Scalar::Int, &[json!(1.0), json!(u64::MAX), json!("1"), json!(null), json!(true)]);
        good(Scalar::Float, &[json!(1), json!(-0.5), json!(1e300)]);
        bad(Scalar::Float, &[json!("1.5"), json!(null)]);
        good(Scalar::Boolean, &[json!(true)]);
        bad(Scalar::Boolean, &[json!(0), json!("true")]);
        bad(Scalar::Id, &[json!(7)]);
        good(Scalar::Id, &[json!("7"), json!("")]);
    }

    #[test]
    fn dates_are_real_days() {
        good(
            Scalar::Date,
            &[json!("2024-02-29"), json!("1970-01-01Z"), json!("2024-05-31-07:00"), json!("2024-05-31+05:30:10")],
        );
        bad(
            Scalar::Date,
            &[
                json!("2023-02-29"),
                json!("1900-02-29"),
                json!("2024-13-01"),
                json!("2024-00-01"),
                json!("2024-1-1"),
                json!("Jun 12 1998"),
                json!("2024-05-31+5"),
                json!("2024-05-31z"),
                json!("2024-05-31+19:00"),
                json!("२०२४-05-31"),
            ],
        );
        good(Scalar::Date, &[json!("2000-02-29")]);
    }

    #[test]
    fn a_moment_needs_an_offset_and_a_time_does_not() {
        good(Scalar::Time, &[json!("17:30"), json!("17:30:59.123"), json!("00:00Z"), json!("23:59:59+01:00")]);
        bad(
            Scalar::Time,
            &[json!("24:00"), json!("17:60"), json!("17:30:61"), json!("17:30:00."), json!("5:30pm"), json!("17")],
        );
        good(Scalar::DateTime, &[json!("2024-05-31T17:30Z"), json!("2024-05-31T17:30:00.000-07:00")]);
        bad(
            Scalar::DateTime,
            &[
                json!("2024-05-31T17:30:00"),
                json!("2024-05-31 17:30:00Z"),
                json!("2024-02-30T00:00Z"),
                json!("2024-05-31"),
                json!("2024-05-31T17:30:00.0000000000Z"),
            ],
        );
        good(Scalar::Timestamp, &[json!(0), json!(-(1i64 << 48)), json!(1i64 << 48)]);
        bad(Scalar::Timestamp, &[json!((1i64 << 48) + 1), json!(i64::MIN), json!(1.5), json!("0")]);
    }

    #[test]
    fn addresses_of_every_sort_are_checked() {
        good(Scalar::Email, &[json!("a@b"), json!("ada.l+x@mail.example.org")]);
        bad(
            Scalar::Email,
            &[
                json!("a"),
                json!("@b.c"),
                json!("a@"),
                json!("a b@c.d"),
                json!("a@b..c"),
                json!("a@-b.c"),
                json!("a@@b.c"),
            ],
        );
        good(
            Scalar::Url,
            &[
                json!("https://example.org"),
                json!("http://u:p@h:80/a?b#c"),
                json!("http://[::1]:8080/"),
                json!("mailto:a@b.c"),
                json!("file:///tmp/a"),
                json!("custom.app://open/1"),
            ],
        );
        bad(
            Scalar::Url,
            &[
                json!("example.org/a"),
                json!("//example.org"),
                json!("https://"),
                json!("https:///a"),
                json!("http://h:99999"),
                json!("http://a b"),
                json!("localhost:3000"),
                json!("example.org:80"),
                json!("1a://x"),
                json!("http://[::1"),
            ],
        );
        good(Scalar::Phone, &[json!("+1-555 0100"), json!("030 901820")]);
        bad(
            Scalar::Phone,
            &[json!("+"), json!("(030) 1"), json!("call me"), json!(""), json!("1234567890123456"), json!("+ 49 30")],
        );
        good(Scalar::IpAddress, &[json!("192.0.2.1"), json!("10.0.0.0/8"), json!("2001:db8::1/64")]);
        bad(
            Scalar::IpAddress,
            &[
                json!("192.0.2.256"),
                json!("10.0.0.0/33"),
                json!("::/129"),
                json!("10.0.0.0/"),
                json!("10.0.0.0/+8"),
                json!("host"),
            ],
        );
    }

    #[test]
    fn json_is_any_value_or_a_string_that_parses() {
        good(Scalar::Json, &[json!({"a": [1]}), json!(null), json!("{\"a\":1}"), json!("3")]);
        bad(Scalar::Json, &[json!("{a:1}"), json!("")]);
    }

    #[test]
    fn a_refusal_names_the_value_the_fault_and_a_good_value() {
        assert_eq!(
            check_scalar(Scalar::Date, &json!("2023-02-29")),
            Err("\"2023-02-29\" is not an AWSDate: month 2 of 2023 has 28 days; a good value is \"2024-05-31\""
                .to_owned())
        );
        let status = EnumType { name: "Status".to_owned(), values: vec!["DRAFT".to_owned(), "PUBLISHED".to_owned()] };
        assert_eq!(check_enum(&status, &json!("DRAFT")), Ok(()));
        assert_eq!(
            check_enum(&status, &json!("draft")),
            Err("\"draft\" is not a value of Status; did you mean `DRAFT`?".to_owned())
        );
        assert!(check_enum(&status, &json!(1)).is_err());
    }

    #[test]
    fn every_example_passes_its_own_check() {
        for scalar in Scalar::ALL {
            let value: Value = serde_json::from_str(example(scalar)).unwrap();
            good(scalar, &[value]);
        }
    }
}
