//! Who is not there any more, and the guard against a directory that only seems to be empty.

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;

use super::batch::{Place, Tally};
use crate::ports::{KeptOut, Sweep, SweepCount};
use crate::run::Hub;

/// People that one question gives.
const AT_ONCE: u32 = 500;

/// So few may always go: in a small company one who leaves is many percent.
const ALWAYS: u64 = 5;

/// Why somebody is kept out who was not named.
const NOT_THERE: &str = "not in the directory any more";

/// What a run has found out about who is to be ended.
pub(super) struct Ending<'a> {
    /// Named as gone, by their keys.
    pub gone: &'a [String],
    /// Where everybody was named, all others are gone too.
    pub everybody: Option<Sweep>,
    /// Percent of all.
    pub most_missing: u8,
    /// An administrator has looked.
    pub allow_missing: bool,
}

/// Those who were ended, each with the number of the kill.
pub(super) enum Swept {
    Ended(Vec<(PersonId, Epoch)>),
    /// Nobody was, because there are too many.
    Stopped(String),
}

impl Hub {
    pub(super) async fn sweep(
        &self,
        place: &Place<'_>,
        ending: &Ending<'_>,
        tally: &mut Tally,
    ) -> Result<Swept, StoreError> {
        let (tenant, connection) = (place.tenant.view.id, place.connection.view.id);
        let never = Sweep { number: i64::MIN, began: self.services.clock.now() };
        let count = self.profiles.count(tenant, connection, ending.everybody.unwrap_or(never)).await?;
        let gone = self.known_of(place, ending.gone).await?;
        let ends = tally.out.len() as u64 + gone.len() as u64 + count.unseen;
        let nobody_seen = ending.everybody.is_some() && tally.seen == 0;
        if !ending.allow_missing
            && let Some(why) = too_many(count, ends, nobody_seen, ending.most_missing)
        {
            tally.note("everybody who is to be kept out", why.clone(), false);
            return Ok(Swept::Stopped(why));
        }
        let mut ended = Vec::new();
        for (key, reason) in std::mem::take(&mut tally.out) {
            ended.extend(self.keep_out(place, &key, &reason).await?);
        }
        for key in gone {
            ended.extend(self.keep_out(place, key, NOT_THERE).await?);
        }
        if let Some(sweep) = ending.everybody {
            let mut after = None;
            loop {
                let unseen = self.profiles.not_seen(tenant, connection, sweep, after, AT_ONCE).await?;
                let Some(last) = unseen.last() else { break };
                after = Some(last.hash);
                for one in &unseen {
                    ended.extend(self.keep_out(place, &one.subject_key, NOT_THERE).await?);
                }
            }
        }
        Ok(Swept::Ended(ended))
    }

    /// Those who are here and come in. A directory names also whom it never let in.
    async fn known_of<'k>(&self, place: &Place<'_>, keys: &'k [String]) -> Result<Vec<&'k String>, StoreError> {
        let (tenant, connection) = (place.tenant.view.id, place.connection.view.id);
        let mut known = Vec::new();
        for key in keys {
            let found = self.profiles.known(tenant, connection, key).await?;
            if found.is_some_and(|found| found.last.is_none_or(|last| last.disabled.is_none())) {
                known.push(key);
            }
        }
        Ok(known)
    }

    async fn keep_out(
        &self,
        place: &Place<'_>,
        subject_key: &str,
        reason: &str,
    ) -> Result<Option<(PersonId, Epoch)>, StoreError> {
        let (tenant, connection) = (place.tenant.view.id, place.connection.view.id);
        let out = KeptOut { tenant, connection, subject_key, reason };
        self.profile_news.keep_out(&out, self.services.clock.now()).await
    }
}

/// Why nobody is ended. It says what an administrator may do.
fn too_many(count: SweepCount, ends: u64, nobody_seen: bool, most_missing: u8) -> Option<String> {
    let all = count.all;
    if all == 0 || ends == 0 {
        return None;
    }
    if nobody_seen {
        return Some(format!("the directory shows nobody, and {all} are known here: is the base right?"));
    }
    let percent = u64::from(most_missing);
    (ends > ALWAYS && ends * 100 > all * percent).then(|| {
        format!("{ends} of {all} people are gone or disabled, which is more than {percent} percent: is that right?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_at_once_are_not_ended() {
        let stopped =
            |all, ends, nobody_seen| too_many(SweepCount { all, unseen: ends }, ends, nobody_seen, 10).is_some();
        assert!(stopped(3, 3, true), "a base that was mistyped");
        assert!(stopped(100, 11, false) && !stopped(100, 10, false));
        assert!(!stopped(6, 5, false), "few may go from a small directory");
        assert!(stopped(6, 6, false));
        assert!(!stopped(0, 0, true), "a directory that begins empty");
        assert!(!stopped(100, 0, true));
    }
}
