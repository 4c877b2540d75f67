//! One engine for `plan` and `apply`: what has to change so that the store is as the file says.
//!
//! Objects keep their ids: they are found by name, or by `was` after a rename. What a
//! file made and no longer holds is deleted; what was made elsewhere is shown and kept.

mod apps;
mod client_keys;
mod diff;
mod documents;
mod objects;
mod pairing;
mod preview;
#[cfg(test)]
mod tests;

use std::fmt;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::services::Rng;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::ConfigStore;
use fedbridge_hub::spec::{ConfigChange, Configuration, StoredKey};

use crate::settings::complaints::Complaints;
use crate::survey::app_word;

use super::desired::Desired;

/// What the caller allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Delete objects that were made elsewhere too.
    pub prune: bool,
    /// Delete tenants and connections with their people.
    pub allow_delete: bool,
}

/// Keys that a tenant needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWish {
    /// The first keys of a new tenant: ES256 and RS256 for tokens, and those of SAML.
    Initial,
    /// A client asked for tokens signed with another algorithm.
    Tokens(SignatureAlgorithm),
    /// A connection authenticates at its provider with keys of its own.
    Client(ConnectionId, SignatureAlgorithm),
}

/// Makes the keys of a tenant, given its slug.
pub type NewKeys<'a> = &'a (dyn Fn(TenantId, &str, KeyWish) -> Result<Vec<StoredKey>, String> + Send + Sync);

/// What has to change, in the order in which it can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The version of the configuration that this was compared with.
    pub version: i64,
    pub effects: Vec<Effect>,
    pub changes: Vec<ConfigChange>,
}

impl Plan {
    /// The configuration as it would be afterwards.
    pub fn preview(&self, current: &Configuration) -> Configuration {
        let mut configuration = current.clone();
        for change in &self.changes {
            preview::carry_out(&mut configuration, change.clone());
        }
        configuration
    }

    /// Whether the store is as the file says already.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.effects.iter().all(|effect| matches!(effect, Effect::Unmanaged(_)))
    }
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Add(Object),
    Change {
        object: Object,
        fields: Vec<String>,
    },
    Delete {
        object: Object,
        people: u64,
    },
    /// Made elsewhere, and kept.
    Unmanaged(Object),
}

/// An object as a plan names it: `connection acme/okta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub kind: &'static str,
    pub name: String,
}

impl Object {
    pub fn tenant(slug: &str) -> Self {
        Self { kind: "tenant", name: slug.to_owned() }
    }

    pub fn connection(tenant: &str, slug: &str) -> Self {
        Self { kind: "connection", name: format!("{tenant}/{slug}") }
    }

    pub fn app(kind: AppKind, tenant: &str, name: &str) -> Self {
        Self { kind: app_word(kind), name: format!("{tenant}/{name}") }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(object) => write!(f, "+ {object}"),
            Self::Change { object, fields } => write!(f, "~ {object}: {}", fields.join(", ")),
            Self::Delete { object, people: 0 } => write!(f, "- {object}"),
            Self::Delete { object, people: 1 } => write!(f, "- {object} (with 1 person)"),
            Self::Delete { object, people } => write!(f, "- {object} (with {people} people)"),
            Self::Unmanaged(object) => write!(f, "? unmanaged {object}"),
        }
    }
}

/// Why there is no plan, or why it may not be carried out.
#[derive(Debug)]
pub enum PlanError {
    /// The file and the store don't fit together.
    Complaints(Complaints),
    Store(StoreError),
    /// Keys for a new tenant could not be made.
    Keys(String),
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A plan, and what stands in the way of carrying it out: one sentence each.
#[derive(Debug)]
pub struct Outcome {
    pub plan: Plan,
    pub refusals: Vec<String>,
}

/// Compares a file with the store.
pub async fn plan(
    desired: &Desired,
    current: &Configuration,
    store: &dyn ConfigStore,
    options: Options,
    rng: &dyn Rng,
    now: Timestamp,
    new_keys: NewKeys<'_>,
) -> Result<Outcome, PlanError> {
    let mut planner = objects::Planner::new(desired, current, options, rng, now);
    planner.run(new_keys).map_err(PlanError::Keys)?;
    let complaints = std::mem::take(&mut planner.complaints);
    if !complaints.is_empty() {
        return Err(PlanError::Complaints(complaints));
    }
    planner.count_people(store).await?;
    Ok(planner.outcome())
}
