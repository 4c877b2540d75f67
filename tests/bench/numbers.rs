//! Latencies and rates.

use std::time::Duration;

/// Latencies of one load, in order of size.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// From nanoseconds.
    pub fn new(mut nanos: Vec<u32>) -> Self {
        nanos.sort_unstable();
        Self(nanos)
    }

    pub fn merged(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::new(parts.into_iter().flat_map(|part| part.0).collect())
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest latency that this share of all does not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let at = (share * self.0.len() as f64).ceil() as usize;
        let nanos = self.0.get(at.clamp(1, self.0.len().max(1)) - 1).copied().unwrap_or_default();
        Duration::from_nanos(nanos.into())
    }

    pub fn p50(&self) -> Duration {
        self.percentile(0.50)
    }

    pub fn p99(&self) -> Duration {
        self.percentile(0.99)
    }
}

pub fn nanos(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos()).unwrap_or(u32::MAX)
}

pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// One part of a time that `count` things took together.
pub fn each(total: Duration, count: usize) -> Duration {
    total.div_f64(count.max(1) as f64)
}

pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-12)
}

/// The one in the middle; 0 of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
