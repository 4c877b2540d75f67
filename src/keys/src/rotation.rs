//! Rotation: `next -> active -> retiring -> retired`. Only a rollover goes back, and only while both sides of
//! the step are still published: see [`crate::rollover`].
//!
//! A key is published before it signs and after it has signed, so that no app
//! with a cached key set ever meets a signature that it can't check. Planning is
//! pure; [`carry_out`] makes the keys that a plan asks for.

use std::collections::BTreeSet;
use std::time::Duration;

use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::Sealer;
use fedbridge_hub::spec::StoredKey;

use crate::generate::{GenerateError, TenantName, generate_key};

/// One change that a plan asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    Move {
        kid: String,
        to: KeyState,
    },
    /// A step back, which only a rollover plans.
    Back {
        kid: String,
        to: KeyState,
    },
    Make {
        purpose: KeyPurpose,
        algorithm: SignatureAlgorithm,
        state: KeyState,
    },
}

/// The life of a key goes one way, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key that is {from:?} can't become {to:?}")]
pub struct BadTransition {
    pub from: KeyState,
    pub to: KeyState,
}

/// Plans a rotation of every kind of key that the tenant has.
///
/// The next key becomes active, the active one retiring, and a new next one is made. Where there is no
/// next key, the new one is active at once: that is right for decryption, where the old key keeps
/// opening what was encrypted for it, and the only way where a next key is missing.
pub fn plan_rotation(keys: &[StoredKey]) -> Vec<KeyChange> {
    let kinds: BTreeSet<_> = keys.iter().map(|key| (key.purpose, key.algorithm)).collect();
    kinds.into_iter().flat_map(|(purpose, algorithm)| plan_kind(keys, purpose, algorithm)).collect()
}

/// Plans the end of retiring keys: `horizon` is the longest life of a token and of a cached key set together.
pub fn retire_due(keys: &[StoredKey], now: Timestamp, horizon: Duration) -> Vec<KeyChange> {
    keys.iter()
        .filter(|key| key.state == KeyState::Retiring && key.changed + horizon <= now)
        .map(|key| KeyChange::Move { kid: key.kid.clone(), to: KeyState::Retired })
        .collect()
}

/// Gives back the keys that a plan changes or makes, ready to be put into the store in one unit.
///
/// # Errors
/// openssl failed. A move of an unknown key, or one that is not allowed, is left out: the plan was for other keys.
pub fn carry_out(
    changes: &[KeyChange],
    keys: &[StoredKey],
    tenant: TenantName<'_>,
    now: Timestamp,
    sealer: &dyn Sealer,
) -> Result<Vec<StoredKey>, GenerateError> {
    let mut out = Vec::with_capacity(changes.len());
    for change in changes {
        match change {
            KeyChange::Move { kid, to } => {
                let key = keys.iter().find(|key| key.kid == *kid);
                out.extend(key.and_then(|key| advance(key, *to, now).ok()));
            }
            KeyChange::Back { kid, to } => {
                let key = keys.iter().find(|key| key.kid == *kid);
                out.extend(key.and_then(|key| go_back(key, *to, now).ok()));
            }
            KeyChange::Make { purpose, algorithm, state } => {
                out.push(generate_key(tenant, *purpose, *algorithm, *state, now, sealer)?);
            }
        }
    }
    Ok(out)
}

/// The key in its next state.
///
/// # Errors
/// [`BadTransition`], where the step is not one of the life of a key.
pub fn advance(key: &StoredKey, to: KeyState, now: Timestamp) -> Result<StoredKey, BadTransition> {
    match (key.state, to) {
        (KeyState::Next, KeyState::Active)
        | (KeyState::Active, KeyState::Retiring)
        | (KeyState::Retiring, KeyState::Retired) => Ok(StoredKey { state: to, changed: now, ..key.clone() }),
        (from, to) => Err(BadTransition { from, to }),
    }
}

/// The key in the state that a rollover takes it back to. A decryption key that was announced in vain goes to
/// retiring: partners may have encrypted to it.
///
/// # Errors
/// [`BadTransition`], where the step is not one of a rollover.
pub(crate) fn go_back(key: &StoredKey, to: KeyState, now: Timestamp) -> Result<StoredKey, BadTransition> {
    match (key.state, to) {
        (KeyState::Active, KeyState::Next)
        | (KeyState::Retiring, KeyState::Active)
        | (KeyState::Next, KeyState::Retiring) => Ok(StoredKey { state: to, changed: now, ..key.clone() }),
        (from, to) => Err(BadTransition { from, to }),
    }
}

fn plan_kind(keys: &[StoredKey], purpose: KeyPurpose, algorithm: SignatureAlgorithm) -> Vec<KeyChange> {
    let of_state = |state| {
        let mut found: Vec<_> = keys
            .iter()
            .filter(|key| key.purpose == purpose && key.algorithm == algorithm && key.state == state)
            .collect();
        found.sort_by_key(|key| key.created);
        found
    };
    let step = |key: &&StoredKey, to| KeyChange::Move { kid: key.kid.clone(), to };
    let mut plan: Vec<_> = of_state(KeyState::Active).iter().map(|key| step(key, KeyState::Retiring)).collect();
    match of_state(KeyState::Next).first() {
        Some(next) => {
            plan.push(step(next, KeyState::Active));
            plan.push(KeyChange::Make { purpose, algorithm, state: KeyState::Next });
        }
        None => {
            plan.push(KeyChange::Make { purpose, algorithm, state: KeyState::Active });
            if !matches!(purpose, KeyPurpose::SamlDecryption | KeyPurpose::OidcDecryption) {
                plan.push(KeyChange::Make { purpose, algorithm, state: KeyState::Next });
            }
        }
    }
    plan
}
