//! Times of directories, as milliseconds since 1970-01-01T00:00:00Z.

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// GeneralizedTime (RFC 4517 section 3.3.13): minutes, seconds and a fraction of the last one may be there, the zone must.
pub fn parse(text: &str) -> Option<i64> {
    let at = moment(text)?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// Whole seconds in UTC: `20261122101112Z`. `None`: a year that four digits can't say.
pub fn print(millis: i64) -> Option<String> {
    let at = utc(i128::from(millis) * 1_000_000)?;
    Some(format!("{}Z", digits(at)))
}

/// One text for all ways to write a time, in the order of time: what a matching rule compares.
pub(crate) fn sortable(text: &str) -> Option<String> {
    let at = utc(moment(text)?.unix_timestamp_nanos())?;
    Some(format!("{}.{:09}", digits(at), at.nanosecond()))
}

/// Active Directory's count of 100 nanoseconds since 1601 (MS-DTYP 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTime {
    /// Zero or 2^63 - 1: `accountExpires` of an account that doesn't.
    Never,
    At(i64),
}

/// From 1601 to 1970, in milliseconds.
const EPOCH: i64 = 11_644_473_600_000;

impl FileTime {
    /// `None`: it is no such number.
    pub fn parse(text: &str) -> Option<Self> {
        let count: i64 = text.parse().ok()?;
        match count {
            0 | i64::MAX => Some(Self::Never),
            ..0 => None,
            _ => Some(Self::At(count / 10_000 - EPOCH)),
        }
    }
}

/// What Active Directory keeps as a negative count, such as `lockoutDuration` of a domain, as milliseconds. `None`: it is
/// no such number, or without an end.
pub fn interval(text: &str) -> Option<u64> {
    let count: i64 = text.parse().ok()?;
    (count <= 0 && count != i64::MIN).then_some(count.unsigned_abs() / 10_000)
}

/// Days since 1970 (RFC 2307: `shadowExpire`). `None`: it is no such number; those below zero mean nothing.
pub fn shadow_day(text: &str) -> Option<i64> {
    let days: i64 = text.parse().ok()?;
    (days >= 0).then_some(days)?.checked_mul(86_400_000)
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    let mut text = text;
    let year = take(&mut text, 4)?;
    let month = Month::try_from(u8::try_from(take(&mut text, 2)?).ok()?).ok()?;
    let day = u8::try_from(take(&mut text, 2)?).ok()?;
    let hour = take(&mut text, 2)?;
    let minute = take(&mut text, 2);
    let second = minute.and_then(|_| take(&mut text, 2));
    // A leap second is the last one of its minute.
    let seconds = second.unwrap_or(0).min(59);
    if second.is_some_and(|second| second > 60) {
        return None;
    }
    let unit = match (minute, second) {
        (_, Some(_)) => 1_000_000_000_i64,
        (Some(_), None) => 60_000_000_000,
        (None, None) => 3_600_000_000_000,
    };
    let fraction = fraction(&mut text, unit)?;
    let offset = zone(text)?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, day).ok()?;
    let small = |number: u32| u8::try_from(number).ok();
    let time = Time::from_hms(small(hour)?, small(minute.unwrap_or(0))?, small(seconds)?).ok()?;
    PrimitiveDateTime::new(date, time).checked_add(fraction).map(|at| at.assume_offset(offset))
}

/// A number of exactly so many digits; otherwise nothing is taken.
fn take(text: &mut &str, count: usize) -> Option<u32> {
    let (digits, rest) = text.split_at_checked(count)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    *text = rest;
    digits.parse().ok()
}

/// `.5` or `,5` of a unit of so many nanoseconds; nothing is none.
fn fraction(text: &mut &str, unit: i64) -> Option<Duration> {
    let Some(digits) = text.strip_prefix(['.', ',']) else { return Some(Duration::ZERO) };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = digits.split_at_checked(length)?;
    // More digits say nothing that can be kept.
    let kept = digits.get(..digits.len().min(15)).filter(|kept| !kept.is_empty())?;
    *text = rest;
    let scale = 10_i128.checked_pow(u32::try_from(kept.len()).ok()?)?;
    let nanos = kept.parse::<i128>().ok()? * i128::from(unit) / scale;
    Some(Duration::nanoseconds(i64::try_from(nanos).ok()?))
}

/// `Z`, `+hh` or `-hhmm`.
fn zone(text: &str) -> Option<UtcOffset> {
    if text == "Z" {
        return Some(UtcOffset::UTC);
    }
    let (sign, mut rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let hours = take(&mut rest, 2).filter(|hours| *hours < 24)?;
    let minutes = if rest.is_empty() { 0 } else { take(&mut rest, 2).filter(|minutes| *minutes < 60)? };
    if !rest.is_empty() {
        return None;
    }
    UtcOffset::from_whole_seconds(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?).ok()
}

fn utc(nanos: i128) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().filter(|at| (0..=9999).contains(&at.year()))
}

fn digits(at: OffsetDateTime) -> String {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}{:02}{day:02}{hour:02}{minute:02}{second:02}", u8::from(month))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_342_272_000;

    #[test]
    fn generalized_time_in_its_forms() {
        assert_eq!(print(AT).unwrap(), "20261122101112Z");
        for text in [
            "20261122101112Z",
            "20261122101112.0Z",
            "20261122111112+0100",
            "20261122051112-05",
            "202611221011.2Z",
            "20261122101112,000Z",
            "20261122154112+0530",
        ] {
            assert_eq!(parse(text), Some(AT), "{text}");
        }
        assert_eq!(parse("20261122101112.5Z"), Some(AT + 500));
        assert_eq!(parse("2026112210.25Z"), Some(AT - 672_000 + 900_000));
        assert_eq!(parse("2026112210Z"), Some(AT - 672_000));
        assert_eq!(parse("19691231235959Z"), Some(-1000));
        assert_eq!(parse("20261231235960Z"), parse("20261231235959Z"), "a leap second");
        for text in [
            "",
            "Z",
            "20261122",
            "20261122101112",
            "20261322101112Z",
            "20261132101112Z",
            "20261122241112Z",
            "20261122106012Z",
            "20261122101161Z",
            "20261122101112.Z",
            "20261122101112+1",
            "20261122101112+2500",
            "20261122101112z",
            "2026-11-22T10:11:12Z",
            "20261122101112+01000",
            "+0261122101112Z",
            "2026112210111\u{662}Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn years_at_the_ends() {
        assert_eq!(print(parse("99991231235959Z").unwrap()).unwrap(), "99991231235959Z");
        assert_eq!(print(parse("00000101000000Z").unwrap()).unwrap(), "00000101000000Z");
        assert_eq!(print(i64::MAX), None);
        assert_eq!(print(i64::MIN), None);
        assert_eq!(sortable("99991231235959-2300"), None, "a day later there are five digits");
    }

    #[test]
    fn the_order_of_texts_is_that_of_time() {
        let sorted = ["20261122101112Z", "20261122101112.5Z", "20261122111113+0100", "20271122101112Z"]
            .map(|text| sortable(text).unwrap());
        assert!(sorted.is_sorted(), "{sorted:?}");
        assert_eq!(sortable("20261122101112Z"), sortable("20261122111112+0100"));
    }

    #[test]
    fn times_of_active_directory() {
        assert_eq!(FileTime::parse("0"), Some(FileTime::Never));
        assert_eq!(FileTime::parse("9223372036854775807"), Some(FileTime::Never));
        assert_eq!(FileTime::parse("116444736010000000"), Some(FileTime::At(1000)));
        assert_eq!(FileTime::parse("1"), Some(FileTime::At(-EPOCH)));
        for text in ["", "-1", "x", "9223372036854775808"] {
            assert_eq!(FileTime::parse(text), None, "{text}");
        }
        assert_eq!(interval("-18000000000"), Some(1_800_000));
        assert_eq!(interval("0"), Some(0));
        assert_eq!(interval("-9223372036854775808"), None, "without an end");
        assert_eq!(interval("1"), None);
    }

    #[test]
    fn days_of_shadow() {
        assert_eq!(shadow_day("1"), Some(86_400_000));
        assert_eq!(shadow_day("-1"), None);
        assert_eq!(shadow_day("9223372036854775807"), None);
    }
}
