//! How long an answer may be kept (RFC 9111 section 5.2.2).

use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};

/// RFC 9111 section 1.2.2: more counts as this.
const MOST: u64 = 1 << 31;

/// `max-age` less `Age`; zero for `no-store` and `no-cache`, and for what is no number. `None`: nothing is said.
pub fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let texts = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut fresh = None;
    for directive in texts(CACHE_CONTROL).flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').map_or((directive, None), |(name, value)| (name, Some(value)));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => return Some(Duration::ZERO),
            // With a list of fields only those are meant.
            "no-cache" if value.is_none() => return Some(Duration::ZERO),
            "max-age" => {
                let seconds = value.map_or(0, |value| seconds(value.trim().trim_matches('"')));
                // Two that differ say nothing good: the shorter counts.
                fresh = Some(fresh.map_or(seconds, |before: u64| before.min(seconds)));
            }
            _ => {}
        }
    }
    let age = texts(AGE).next().map_or(0, |text| seconds(text.trim()));
    fresh.map(|fresh| Duration::from_secs(fresh.saturating_sub(age)))
}

fn seconds(text: &str) -> u64 {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().unwrap_or(MOST).min(MOST) } else { 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        max_age(&map).map(|age| age.as_secs())
    }

    #[test]
    fn the_answer_says_how_long() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("cache-control", "public, must-revalidate")]), None);
        assert_eq!(of(&[("cache-control", "public, Max-Age=600")]), Some(600));
        assert_eq!(of(&[("cache-control", "max-age=\"600\"")]), Some(600));
        assert_eq!(of(&[("cache-control", "max-age=600"), ("age", "100")]), Some(500));
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "100")]), Some(0));
        assert_eq!(of(&[("cache-control", "private"), ("cache-control", "max-age=9")]), Some(9));
        assert_eq!(of(&[("cache-control", "max-age=9, max-age=5")]), Some(5));
        assert_eq!(of(&[("cache-control", "max-age=99999999999999999999999")]), Some(MOST));
        for never in ["no-store", "max-age=600, no-cache", "max-age=soon", "max-age", "max-age=-1", "max-age="] {
            assert_eq!(of(&[("cache-control", never)]), Some(0), "{never}");
        }
        assert_eq!(of(&[("cache-control", "no-cache=\"set-cookie\", max-age=5")]), Some(5));
    }
}
