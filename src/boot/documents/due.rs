//! When a document is looked at again. Pure.

use std::time::Duration;

use fedbridge_contract::services::Rng;
use fedbridge_contract::text::duration;
use fedbridge_contract::time::Timestamp;
use serde_json::Value;

const MINUTE: Duration = Duration::from_secs(60);

/// Where neither the setting nor the document says how often.
const USUAL: Duration = Duration::from_secs(6 * 3600);

/// Pauses after one failure in a row, two, three, and any more.
const AFTER_FAILURE: &[Duration] =
    &[MINUTE, MINUTE.saturating_mul(5), MINUTE.saturating_mul(15), MINUTE.saturating_mul(60)];

/// The same while there is no document at all, so that nobody can log in.
const WHILE_UNREAD: &[Duration] = &[Duration::from_secs(10), MINUTE, MINUTE.saturating_mul(5)];

/// The pause after a good look: the setting's, else the document's own wish, else that of the answer it came in.
/// Partners may ask for anything; they get something between the ends of `life`. `unbounded` lets a setting
/// go below: for installations that may talk to their own machine, which are tests.
pub fn pause(setting: &Value, cache: Option<Duration>, life: (Duration, Duration), unbounded: bool) -> Duration {
    let wished = setting.get("refresh").and_then(Value::as_str).and_then(|text| duration(text).ok());
    match wished {
        Some(wished) if unbounded => wished,
        wished => wished.or(cache).unwrap_or(USUAL).clamp(life.0, life.1),
    }
}

/// The pause after so many failures in a row, at least one.
pub fn pause_after_failure(failures: u32, unread: bool) -> Duration {
    let pauses = if unread { WHILE_UNREAD } else { AFTER_FAILURE };
    let at = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    pauses[at.min(pauses.len() - 1)]
}

/// A moment after about this pause: a tenth more or less, so that nodes and documents spread.
pub fn after(now: Timestamp, pause: Duration, rng: &dyn Rng) -> Timestamp {
    let mut octets = [0; 2];
    rng.fill(&mut octets);
    let share = u32::from(u16::from_be_bytes(octets)) * 200 / u32::from(u16::MAX);
    now + pause * (900 + share) / 1000
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_setting_goes_before_the_document_and_both_within_bounds() {
        let life = (HOUR, HOUR * 24);
        let of = |setting: Value, cache: Option<Duration>| pause(&setting, cache, life, false);
        assert_eq!(of(json!({}), None), HOUR * 6);
        assert_eq!(of(json!({}), Some(HOUR * 3)), HOUR * 3);
        assert_eq!(of(json!({ "refresh": "2h" }), Some(HOUR * 3)), HOUR * 2);
        assert_eq!(of(json!({ "refresh": "10s" }), None), HOUR);
        assert_eq!(of(json!({}), Some(HOUR * 1000)), HOUR * 24);
        assert_eq!(pause(&json!({ "refresh": "10s" }), None, life, true), Duration::from_secs(10));
        assert_eq!(pause(&json!({}), Some(MINUTE), life, true), HOUR, "only the setting may go below");
        let discovery = |cache| pause(&json!({}), cache, (MINUTE * 5, HOUR * 24), false);
        assert_eq!(discovery(Some(Duration::ZERO)), MINUTE * 5);
        assert_eq!(discovery(Some(MINUTE * 30)), MINUTE * 30);
        assert_eq!(discovery(Some(HOUR * 1000)), HOUR * 24);
    }

    #[test]
    fn failures_back_off() {
        assert_eq!([1, 2, 3, 4, 9].map(|count| pause_after_failure(count, false).as_secs() / 60), [1, 5, 15, 60, 60]);
        assert_eq!([1, 2, 3, 9].map(|count| pause_after_failure(count, true).as_secs()), [10, 60, 300, 300]);
    }

    #[test]
    fn looks_spread_by_a_tenth() {
        struct Fixed(u8);
        impl Rng for Fixed {
            fn fill(&self, buffer: &mut [u8]) {
                buffer.fill(self.0);
            }
        }
        let at = |octet| after(Timestamp::from_seconds(0), HOUR, &Fixed(octet)).seconds();
        assert_eq!((at(0), at(255)), (3240, 3960));
        assert!((3590..3620).contains(&at(0x80)));
    }
}
