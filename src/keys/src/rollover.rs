//! Rollover: a change of SAML keys that waits for the partners.
//!
//! Apps fetch a key set for every token that they can't check, so the keys that sign tokens just rotate. A
//! SAML partner has our certificates from metadata that it fetched some day, or that somebody gave it by hand.
//! So the next key is announced first, the switch waits until those who need it know it, and the old key
//! stays for a while, so that the switch can be undone:
//!
//! ```text
//! start -> announced -> switch -> switched -> retire -> over
//!              |   ^                  |
//!            cancel +---- rollback ---+
//! ```
//!
//! Everything here is pure.

mod knowledge;

use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::keys::{KeyPurpose, KeyState};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Rollover, RolloverPhase};
use fedbridge_hub::spec::StoredKey;

use crate::rotation::KeyChange;

pub use knowledge::{Knowledge, Partner, Standing, Watched, standings};

/// The old key stays this long after the switch, unless somebody names a date.
pub const RETIRE_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// What a step changes. The two belong into one change of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub keys: Vec<KeyChange>,
    /// The rollover afterwards; `None`: it is over.
    pub rollover: Option<Rollover>,
}

/// When the steps are taken without anybody's command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dates {
    pub switch_at: Option<Timestamp>,
    pub retire_at: Option<Timestamp>,
    /// The dates count even where partners lag.
    pub forced: bool,
}

/// Steps of a rollover that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Use the next key.
    Switch,
    /// Use the old key again.
    RollBack,
    /// Let the old key go.
    Retire,
    /// End it without having switched.
    Cancel,
}

/// Why a step can't be taken. Each is a sentence for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "keys that sign tokens need no rollover: apps fetch the key set by themselves; run `fedbridge keys rotate`"
    )]
    SignsTokens,
    #[error("the tenant has no active key of this purpose; run `fedbridge keys rotate`")]
    NoActiveKey,
    #[error("the next key is gone; run `fedbridge keys list`")]
    NoNextKey,
    #[error("the old key is gone, so there is nothing to go back to")]
    NoOldKey,
    #[error("the rollover has switched already; go back with `rollback`, or end it with `retire`")]
    Switched,
    #[error("the rollover has not switched yet; run `switch` first, or end it with `cancel`")]
    NotSwitched,
}

/// Starts a rollover: announces the next key.
///
/// A signing key is made ahead, so it is published already. A decryption key is not, because metadata names
/// one key to encrypt to: it is made here, and metadata names it from now on. The old one still decrypts.
///
/// # Errors
/// [`Refused`].
pub fn start(
    tenant: TenantId,
    keys: &[StoredKey],
    purpose: KeyPurpose,
    dates: Dates,
    now: Timestamp,
) -> Result<Planned, Refused> {
    if !purpose.is_saml() {
        return Err(Refused::SignsTokens);
    }
    let active = in_state(keys, purpose, KeyState::Active).next().ok_or(Refused::NoActiveKey)?;
    let made = match in_state(keys, purpose, KeyState::Next).next() {
        Some(_) => Vec::new(),
        None => vec![KeyChange::Make { purpose, algorithm: active.algorithm, state: KeyState::Next }],
    };
    let rollover = Rollover {
        tenant,
        purpose,
        phase: RolloverPhase::Announced,
        started: now,
        switch_at: dates.switch_at,
        switched: None,
        retire_at: dates.retire_at,
        forced: dates.forced,
    };
    Ok(Planned { keys: made, rollover: Some(rollover) })
}

/// Takes a step. Whether partners lag is the caller's question, before this one.
///
/// # Errors
/// [`Refused`].
pub fn step(rollover: &Rollover, keys: &[StoredKey], step: Step, now: Timestamp) -> Result<Planned, Refused> {
    match (rollover.phase, step) {
        (RolloverPhase::Announced, Step::Switch) => switch(rollover, keys, now),
        (RolloverPhase::Announced, Step::Cancel) => Ok(cancel(rollover, keys)),
        (RolloverPhase::Announced, Step::RollBack | Step::Retire) => Err(Refused::NotSwitched),
        (RolloverPhase::Switched, Step::RollBack) => roll_back(rollover, keys),
        (RolloverPhase::Switched, Step::Retire) => Ok(retire(rollover, keys)),
        (RolloverPhase::Switched, Step::Switch | Step::Cancel) => Err(Refused::Switched),
    }
}

/// The step that a date asks for, now.
pub fn due(rollover: &Rollover, now: Timestamp) -> Option<Step> {
    let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    match rollover.phase {
        RolloverPhase::Announced => passed(rollover.switch_at).then_some(Step::Switch),
        RolloverPhase::Switched => passed(rollover.retire_at).then_some(Step::Retire),
    }
}

/// One key is active afterwards. No new next one is made yet: with the old one there would be three
/// certificates, and some partners hold two.
fn switch(rollover: &Rollover, keys: &[StoredKey], now: Timestamp) -> Result<Planned, Refused> {
    let purpose = rollover.purpose;
    let next = in_state(keys, purpose, KeyState::Next).next().ok_or(Refused::NoNextKey)?;
    let mut changes = Vec::new();
    if purpose == KeyPurpose::SamlSigning {
        // It has signed nothing since the change before this one, and would be published beside the old key.
        changes.extend(in_state(keys, purpose, KeyState::Retiring).map(|key| forward(key, KeyState::Retired)));
    }
    changes.extend(in_state(keys, purpose, KeyState::Active).map(|key| forward(key, KeyState::Retiring)));
    changes.push(forward(next, KeyState::Active));
    let retire_at = rollover.retire_at.filter(|at| *at > now).unwrap_or(now + RETIRE_AFTER);
    let rollover = Rollover {
        phase: RolloverPhase::Switched,
        switch_at: None,
        switched: Some(now),
        retire_at: Some(retire_at),
        ..rollover.clone()
    };
    Ok(Planned { keys: changes, rollover: Some(rollover) })
}

/// The rollover is announced again afterwards, without dates: who went back does not want to switch by
/// itself a moment later.
fn roll_back(rollover: &Rollover, keys: &[StoredKey]) -> Result<Planned, Refused> {
    let purpose = rollover.purpose;
    // The one that was active last; older ones may still be there.
    let old = in_state(keys, purpose, KeyState::Retiring).max_by_key(|key| key.changed).ok_or(Refused::NoOldKey)?;
    let mut changes: Vec<_> = in_state(keys, purpose, KeyState::Active).map(|key| back(key, KeyState::Next)).collect();
    changes.push(back(old, KeyState::Active));
    let rollover = Rollover {
        phase: RolloverPhase::Announced,
        switch_at: None,
        switched: None,
        retire_at: None,
        forced: false,
        ..rollover.clone()
    };
    Ok(Planned { keys: changes, rollover: Some(rollover) })
}

/// The next signing key is made now, so that it is published long before anybody wants to use it.
fn retire(rollover: &Rollover, keys: &[StoredKey]) -> Planned {
    let purpose = rollover.purpose;
    let mut changes: Vec<_> =
        in_state(keys, purpose, KeyState::Retiring).map(|key| forward(key, KeyState::Retired)).collect();
    let active = in_state(keys, purpose, KeyState::Active).next();
    let missing = in_state(keys, purpose, KeyState::Next).next().is_none();
    if let Some(active) = active.filter(|_| missing && purpose == KeyPurpose::SamlSigning) {
        changes.push(KeyChange::Make { purpose, algorithm: active.algorithm, state: KeyState::Next });
    }
    Planned { keys: changes, rollover: None }
}

/// The next signing key stays what it was before: published ahead. The next decryption key is published no
/// more, and still decrypts.
fn cancel(rollover: &Rollover, keys: &[StoredKey]) -> Planned {
    let withdrawn = match rollover.purpose {
        KeyPurpose::SamlDecryption => {
            in_state(keys, rollover.purpose, KeyState::Next).map(|key| back(key, KeyState::Retiring)).collect()
        }
        _ => Vec::new(),
    };
    Planned { keys: withdrawn, rollover: None }
}

/// Keys of a purpose in a state, the oldest first.
fn in_state(keys: &[StoredKey], purpose: KeyPurpose, state: KeyState) -> impl Iterator<Item = &StoredKey> {
    let mut found: Vec<_> = keys.iter().filter(|key| key.purpose == purpose && key.state == state).collect();
    found.sort_by_key(|key| key.created);
    found.into_iter()
}

fn forward(key: &StoredKey, to: KeyState) -> KeyChange {
    KeyChange::Move { kid: key.kid.clone(), to }
}

fn back(key: &StoredKey, to: KeyState) -> KeyChange {
    KeyChange::Back { kid: key.kid.clone(), to }
}

#[cfg(test)]
mod tests;
