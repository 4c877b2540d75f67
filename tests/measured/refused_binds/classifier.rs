//! Who would tell two kinds of times apart.

use std::time::Duration;

/// What the best threshold-free classifier reaches, in either order: 0.5 is a coin, and 1.0 is always right.
pub fn separation(one: &[Duration], other: &[Duration]) -> f64 {
    let area = area_under_curve(one, other);
    area.max(1.0 - area)
}

/// How often a time of `one` is shorter than one of `other`.
fn area_under_curve(one: &[Duration], other: &[Duration]) -> f64 {
    let mut sorted = other.to_vec();
    sorted.sort_unstable();
    let pairs = (one.len() * other.len()) as f64;
    let won: f64 = one
        .iter()
        .map(|time| {
            let below = sorted.partition_point(|known| known <= time);
            let equal = below - sorted.partition_point(|known| known < time);
            (sorted.len() - below) as f64 + equal as f64 / 2.0
        })
        .sum();
    won / pairs
}

#[test]
fn sees_what_can_be_seen() {
    let times = |from: u64| (from..from + 100).map(Duration::from_micros).collect::<Vec<_>>();
    assert!((separation(&times(0), &times(0)) - 0.5).abs() < 0.001);
    assert!((separation(&times(0), &times(500)) - 1.0).abs() < 0.001);
    assert!((separation(&times(500), &times(0)) - 1.0).abs() < 0.001);
    assert!(area_under_curve(&times(20), &times(0)) < 0.4);
}
