//! Small value types of the settings: durations, rates, networks.

use std::time::Duration;

/// Reads an integer with one of the units `ms s m h d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write an integer and one of ms, s, m, h, d, for example 30d");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// At most so many in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}

impl Rate {
    /// Reads `60/min`; the spans are `s`, `min` and `h`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate: write a number, a slash and s, min or h, for example 60/min");
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = match per.trim() {
            "s" => 1,
            "min" | "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        if count == 0 {
            return Err("a rate of 0 would lock everybody out; write at least 1".to_owned());
        }
        Ok(Self { count, per: Duration::from_secs(per) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(2_592_000)));
        for wrong in ["", "10", "s", "1.5h", "-1s", "10 s", "10w", "99999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_rates() {
        assert_eq!(Rate::parse("60/min"), Ok(Rate { count: 60, per: Duration::from_secs(60) }));
        for wrong in ["60", "60/day", "0/min", "/min", "-1/min"] {
            assert!(Rate::parse(wrong).is_err(), "{wrong}");
        }
    }
}
