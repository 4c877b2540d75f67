//! What is kept between two runs.

use std::time::Duration;

use fedbridge_contract::directory::{SyncCookie, SyncError};
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::dirsync::DirSyncMark;
use super::modify_timestamp::TimeMark;
use super::syncrepl::SyncReplMark;
use super::usn::UsnMark;
use crate::flavors::SyncMethod;

/// How often all keys are compared where a server may not say who was deleted.
const KEYS_EVERY: Duration = Duration::from_secs(60 * 60);

/// How often everybody is read because some group has changed: who was taken out of it nobody says.
const GROUPS_EVERY: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cookie {
    pub mark: Mark,
    full_at: i64,
    keys_at: i64,
    /// Of the groups, as [`super::group_changes`] saw them.
    #[serde(default)]
    pub groups: Option<String>,
    /// A group has changed since everybody was read.
    #[serde(default)]
    pub regrouped: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mark {
    Usn(UsnMark),
    DirSync(DirSyncMark),
    SyncRepl(SyncReplMark),
    ModifyTimestamp(TimeMark),
    Keys,
}

impl Cookie {
    pub fn fresh(mark: Mark, groups: Option<String>, now: Timestamp) -> Self {
        Self { mark, full_at: now.millis(), keys_at: now.millis(), groups, regrouped: false }
    }

    /// # Errors
    /// It was made in another way than the connection reads now.
    pub fn read(cookie: &SyncCookie, method: Option<SyncMethod>) -> Result<Self, SyncError> {
        let read: Self = serde_json::from_value(cookie.0.clone())
            .map_err(|_| SyncError::FullNeeded("what was kept is of another version".to_owned()))?;
        let fits = matches!(
            (&read.mark, method),
            (Mark::Usn(_), Some(SyncMethod::Usn))
                | (Mark::DirSync(_), Some(SyncMethod::DirSync))
                | (Mark::SyncRepl(_), Some(SyncMethod::SyncRepl))
                // Where a server offers no syncrepl, times are all there is.
                | (Mark::ModifyTimestamp(_), Some(SyncMethod::ModifyTimestamp | SyncMethod::SyncRepl))
                | (Mark::Keys, Some(SyncMethod::Keys))
        );
        if fits { Ok(read) } else { Err(SyncError::FullNeeded("sync.method is another one since".to_owned())) }
    }

    pub fn write(&self) -> Result<SyncCookie, SyncError> {
        let value = serde_json::to_value(self);
        value.map(SyncCookie).map_err(|error| SyncError::Refused(format!("what is kept can't be written: {error}")))
    }

    /// A server that says who was deleted needs no comparison.
    pub fn keys_are_due(&self, now: Timestamp) -> bool {
        !matches!(self.mark, Mark::SyncRepl(_)) && since(self.keys_at, now) >= KEYS_EVERY
    }

    pub fn compared(&mut self, now: Timestamp) {
        self.keys_at = now.millis();
    }

    pub fn regrouping_is_due(&self, now: Timestamp) -> bool {
        self.regrouped && since(self.full_at, now) >= GROUPS_EVERY
    }
}

fn since(at: i64, now: Timestamp) -> Duration {
    now.since(Timestamp::from_millis(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
    }

    #[test]
    fn it_is_read_by_the_method_that_made_it() {
        let cookie = Cookie::fresh(Mark::Keys, Some("x".to_owned()), at(0));
        let written = cookie.write().unwrap();
        assert_eq!(Cookie::read(&written, Some(SyncMethod::Keys)).unwrap(), cookie);
        for method in [Some(SyncMethod::Usn), None] {
            assert!(matches!(Cookie::read(&written, method), Err(SyncError::FullNeeded(_))));
        }
        let other = SyncCookie(serde_json::json!({"usn": 1}));
        assert!(matches!(Cookie::read(&other, Some(SyncMethod::Keys)), Err(SyncError::FullNeeded(_))));
    }

    #[test]
    fn what_costs_much_is_done_from_time_to_time() {
        let mut cookie = Cookie::fresh(Mark::Keys, None, at(0));
        assert!(!cookie.keys_are_due(at(59)) && cookie.keys_are_due(at(60)));
        cookie.compared(at(60));
        assert!(!cookie.keys_are_due(at(119)));
        assert!(!cookie.regrouping_is_due(at(100)), "no group has changed");
        cookie.regrouped = true;
        assert!(!cookie.regrouping_is_due(at(14)) && cookie.regrouping_is_due(at(15)));
    }
}
