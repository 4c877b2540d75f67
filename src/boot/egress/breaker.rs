//! Whether a partner's host is worth a call: after some failures in a row none is made for a while, then one tries.
//! Pure; times are those of [`fedbridge_contract::services::Clock::steady`].

use std::time::Duration;

/// So many failures in a row end the calls.
const FAILURES: u32 = 5;

/// The first pause. Each trial that fails doubles it, up to the longest.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Breaker(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
        pause: Duration,
    },
    /// One call tries, and the others wait for what it finds.
    Trial {
        pause: Duration,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// No call is made; the next one is tried after this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting(pub Duration);

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, whatever it said.
    Answered,
    /// No connection, or no answer in time.
    Silent,
    /// Whoever asked gave up, which says nothing about the partner.
    GivenUp,
}

impl Breaker {
    /// Whether a call would be made now.
    ///
    /// # Errors
    /// [`Resting`].
    pub fn look(&self, now: Duration) -> Result<(), Resting> {
        match self.0 {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if until <= now => Ok(()),
            State::Open { until, .. } => Err(Resting(until - now)),
            State::Trial { .. } => Err(Resting(Duration::from_secs(1))),
        }
    }

    /// Begins a call, which ends with [`Breaker::ended`].
    ///
    /// # Errors
    /// As [`Breaker::look`].
    pub fn begin(&mut self, now: Duration) -> Result<(), Resting> {
        self.look(now)?;
        if let State::Open { pause, .. } = self.0 {
            self.0 = State::Trial { pause };
        }
        Ok(())
    }

    /// Notes what came of a call. True: from now on none is made.
    pub fn ended(&mut self, outcome: Outcome, now: Duration) -> bool {
        let open = |pause| State::Open { until: now + pause, pause };
        let (next, opened) = match (&self.0, outcome) {
            (_, Outcome::Answered) => (State::default(), false),
            (State::Closed { failures }, Outcome::Silent) if failures + 1 >= FAILURES => (open(FIRST), true),
            (State::Closed { failures }, Outcome::Silent) => (State::Closed { failures: failures + 1 }, false),
            (State::Trial { pause }, Outcome::Silent) => (open((*pause * 2).min(LONGEST)), true),
            // The next one tries instead.
            (State::Trial { pause }, Outcome::GivenUp) => (State::Open { until: now, pause: *pause }, false),
            // A call that began before the others failed.
            (State::Open { .. }, Outcome::Silent) | (_, Outcome::GivenUp) => return false,
        };
        self.0 = next;
        opened
    }

    /// Whether calls have ended, and none has been answered since.
    pub fn rests(&self) -> bool {
        !matches!(self.0, State::Closed { .. })
    }

    /// Whether there is nothing to remember.
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(breaker: &mut Breaker, now: Duration) -> bool {
        breaker.begin(now).unwrap();
        breaker.ended(Outcome::Silent, now)
    }

    #[test]
    fn five_failures_in_a_row_end_the_calls_and_one_answer_brings_them_back() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!fail(&mut breaker, at(0)));
        }
        breaker.ended(Outcome::Answered, at(0));
        for _ in 0..4 {
            assert!(!fail(&mut breaker, at(0)), "an answer in between counts");
        }
        assert!(fail(&mut breaker, at(0)));
        assert_eq!(breaker.begin(at(4)), Err(Resting(at(1))));
        breaker.begin(at(5)).unwrap();
        assert!(breaker.begin(at(5)).is_err(), "one tries");
        assert!(breaker.rests(), "it has not answered yet");
        assert!(!breaker.ended(Outcome::Answered, at(6)));
        assert!(breaker.is_idle() && !breaker.rests());
    }

    #[test]
    fn each_trial_that_fails_waits_longer_up_to_a_bound() {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        for _ in 0..5 {
            fail(&mut breaker, now);
        }
        for pause in [5, 10, 20, 30, 30] {
            assert_eq!(breaker.look(now), Err(Resting(at(pause))));
            now += at(pause);
            assert!(fail(&mut breaker, now));
        }
    }

    #[test]
    fn who_gives_up_says_nothing() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.begin(at(0)).unwrap();
            assert!(!breaker.ended(Outcome::GivenUp, at(0)));
        }
        for _ in 0..5 {
            fail(&mut breaker, at(0));
        }
        breaker.begin(at(5)).unwrap();
        breaker.ended(Outcome::GivenUp, at(5));
        assert_eq!(breaker.begin(at(5)), Ok(()), "the next one tries");
        // A call that was under way when the others failed changes nothing.
        breaker.ended(Outcome::Silent, at(5));
        let before = breaker.clone();
        assert!(!breaker.ended(Outcome::Silent, at(6)));
        assert_eq!(breaker, before);
    }
}
