//! Dates as people write them.

use fedbridge_contract::config::Locale;

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// Date, hour and minute of `2026-11-22T11:28:43Z`. The hour stays that of UTC: without a script, nobody
/// tells us where the person is. `None` where it is no such text.
pub(super) fn written(locale: Locale, timestamp: &str) -> Option<String> {
    let (date, time) = timestamp.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let time = time.get(..8)?;
    let [hour, minute, _] = numbers(time, ':', [2, 2, 2])?;
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    Some(match locale {
        Locale::En => format!("{day} {} {year}, {hour:02}:{minute:02} UTC", ENGLISH.get(month)?),
        Locale::De => format!("{day}. {} {year}, {hour:02}:{minute:02} Uhr (UTC)", GERMAN.get(month)?),
    })
}

fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_as_people_do() {
        for (timestamp, english, german) in [
            ("2026-11-22T11:28:43Z", "22 November 2026, 11:28 UTC", "22. November 2026, 11:28 Uhr (UTC)"),
            ("2027-03-01T00:05:00.123Z", "1 March 2027, 00:05 UTC", "1. März 2027, 00:05 Uhr (UTC)"),
        ] {
            assert_eq!(written(Locale::En, timestamp).as_deref(), Some(english));
            assert_eq!(written(Locale::De, timestamp).as_deref(), Some(german));
        }
        for other in [
            "",
            "yesterday",
            "2026-11-22",
            "2026-13-22T11:28:43Z",
            "2026-00-22T11:28:43Z",
            "2026-11-32T11:28:43Z",
            "2026-11-22T24:28:43Z",
            "2026-11-22T11:28:43+01:00",
            "2026-11-22T11:28Z",
            "20-26-11-22T11:28:43Z",
            "2026-11-22T11:28:4éZ",
        ] {
            assert_eq!(written(Locale::En, other), None, "{other}");
        }
    }
}
