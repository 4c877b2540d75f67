//! SAML time values: `xs:dateTime` in UTC (SAML core 1.3.3).

use fedbridge_contract::time::Timestamp;
use time::{Date, Month, PrimitiveDateTime, Time};

/// Reads `YYYY-MM-DDThh:mm:ss[.f]Z` with up to nine digits of fraction, which
/// are cut to milliseconds. Offsets, a missing `Z` and leap seconds are refused.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let bytes = whole.as_bytes();
    let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() != 19 || shape.iter().any(|&(at, separator)| bytes.get(at) != Some(&separator)) {
        return None;
    }
    let date = Date::from_calendar_date(
        i32::try_from(digits(whole.get(0..4)?)?).ok()?,
        Month::try_from(u8::try_from(digits(whole.get(5..7)?)?).ok()?).ok()?,
        u8::try_from(digits(whole.get(8..10)?)?).ok()?,
    )
    .ok()?;
    let part = |range| whole.get(range).and_then(digits).and_then(|value| u8::try_from(value).ok());
    let time = Time::from_hms(part(11..13)?, part(14..16)?, part(17..19)?).ok()?;
    let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    let millis = match fraction {
        Some(fraction) => millis_of(fraction)?,
        None => 0,
    };
    Some(Timestamp::from_millis(seconds.checked_mul(1000)?.checked_add(millis)?))
}

fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn millis_of(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<3}").get(..3)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_vendors_send() {
        let at = 1_763_776_800_000;
        for (text, millis) in [
            ("2025-11-22T02:00:00Z", at),
            ("2025-11-22T02:00:00.1234567Z", at + 123), // Entra and ADFS
            ("2025-11-22T02:00:00.5Z", at + 500),
            ("2025-11-22T02:00:00.000000001Z", at),
        ] {
            assert_eq!(parse_instant(text).unwrap().millis(), millis, "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "Z",
            "2025-11-22T02:00:00",
            "2025-11-22T02:00:00+00:00",
            "2025-11-22T02:00:00.Z",
            "2025-11-22T02:00:00.0123456789Z",
            "2025-11-22T02:00:60Z",
            "2025-02-30T02:00:00Z",
            "2025-11-22 02:00:00Z",
            "+025-11-22T02:00:00Z",
            "2025-11-22T02:00:0\u{0660}Z",
            " 2025-11-22T02:00:00Z",
            "99999-11-22T02:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text:?}");
        }
    }
}
