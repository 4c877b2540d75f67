//! When a no is answered: at a fixed time behind the request, or the next multiple of it, so that how long it took
//! says little about why.

use std::time::Duration;

use fedbridge_contract::ldap_directory::FAILURE_DEADLINE;

use crate::run::Hub;
use crate::run::start::Login;

impl Hub {
    /// Waits until the answer to a request that came at `begun`, on the steady clock, may leave.
    pub(super) async fn until_failure_deadline(&self, login: &Login, begun: Duration) {
        let directory = login.tenant.view.settings.ldap.as_ref();
        let deadline = directory.map_or(FAILURE_DEADLINE, |directory| directory.failure_deadline);
        let taken = self.services.clock.steady().saturating_sub(begun);
        tokio::time::sleep(left(taken, deadline)).await;
    }
}

/// How long until the next multiple.
fn left(taken: Duration, deadline: Duration) -> Duration {
    if deadline.is_zero() {
        return Duration::ZERO;
    }
    let over = taken.as_nanos() % deadline.as_nanos();
    deadline.saturating_sub(Duration::from_nanos(u64::try_from(over).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_at_a_multiple() {
        let millis = Duration::from_millis;
        for (taken, rest) in [(0, 400), (1, 399), (399, 1), (400, 400), (950, 250)] {
            assert_eq!(left(millis(taken), millis(400)), millis(rest), "{taken}");
        }
        assert_eq!(left(millis(5), Duration::ZERO), Duration::ZERO);
    }
}
