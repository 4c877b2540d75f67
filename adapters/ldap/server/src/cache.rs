//! Passwords that were right a moment ago, as keyed hashes.
//!
//! A yes is forgotten after its time, and it is none any more when the person's entry has changed, when anything
//! was ended by a kill since, or when the connection that said it is switched off. Whoever uses one asks the desk
//! whether it still stands.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::{BoundBy, PersonBind};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::password::PasswordWarning;
use fedbridge_contract::time::Timestamp;

use crate::mac::MacKey;

/// How many are kept. More is an attack, or more people than log in within a minute.
const MOST: usize = 65_536;

#[derive(Default)]
pub(crate) struct BindCache {
    kept: Mutex<HashMap<[u8; 32], Kept>>,
}

#[derive(Clone, Copy)]
struct Kept {
    person: PersonId,
    yes: Remembered,
    /// The newest kill that was known when the bind began that was answered yes.
    given_out: Epoch,
    until: Timestamp,
}

/// A yes that was given before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) by: BoundBy,
    pub(crate) warning: Option<PasswordWarning>,
}

/// What a yes hangs on, in one hash.
pub(crate) fn key(mac: &MacKey, ask: &PersonBind<'_>) -> Option<[u8; 32]> {
    let person = ask.person?;
    let app = ask.app.map(|app| *app.id.uuid().as_bytes()).unwrap_or_default();
    Some(mac.over(&[
        b"bind",
        ask.tenant.id.uuid().as_bytes(),
        &app,
        person.id.uuid().as_bytes(),
        &person.epoch.0.to_be_bytes(),
        &person.changed.millis().to_be_bytes(),
        ask.password.octets(),
    ]))
}

impl BindCache {
    /// `newest`: the newest kill that this node knows of. Any kill makes all of them be asked again.
    pub(crate) fn find(&self, key: &[u8; 32], tenant: &Tenant, newest: Epoch, now: Timestamp) -> Option<Remembered> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(key).copied()?;
        let on = match kept.yes.by {
            BoundBy::Upstream(connection) => tenant.connection_by_id(connection).is_some_and(|it| it.enabled),
            BoundBy::AppSecret | BoundBy::AppPassword | BoundBy::LocalPassword => true,
        };
        (now < kept.until && kept.given_out == newest && on).then_some(kept.yes)
    }

    pub(crate) fn keep(
        &self,
        key: [u8; 32],
        person: PersonId,
        yes: Remembered,
        given_out: Epoch,
        (now, until): (Timestamp, Timestamp),
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, it| now < it.until);
        }
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(key, Kept { person, yes, given_out, until });
    }

    /// Forgets what is known of a person: the password is another one now, or wrong.
    pub(crate) fn forget(&self, person: PersonId) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, it| it.person != person);
    }

    /// Forgets what has run out.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, it| now < it.until);
        kept.shrink_to(1024);
    }
}
