//! The bridge file: tenants and everything in them, as an operator writes them down.
//!
//! Reading goes `files` -> `node` (YAML with lines) -> `tenants`, `connections`, `clients`,
//! `service_providers` (typed readers) -> [`desired::Desired`]. From there [`plan`] compares it with the
//! store, and [`export`] goes the other way. Every mistake is collected before anything is said.

mod apps;
mod ask;
mod clients;
mod connections;
pub mod desired;
mod discovery;
pub mod export;
mod extras;
mod fields;
mod files;
mod ldap_apps;
mod ldap_directory;
mod metadata;
mod names;
mod node;
mod people;
pub mod plan;
mod provisions;
pub mod reference;
mod scim_apps;
mod secrets;
mod service_providers;
mod signal_receivers;
mod tenants;
mod yaml;

#[cfg(test)]
pub mod offline;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::Registry;
use fedbridge_contract::services::Services;
use fedbridge_hub::spec::{AppSpec, Configuration, MappingSpec};

use crate::settings::complaints::Complaints;

use desired::Desired;
pub use secrets::Environment;

/// What a bridge file is read with and checked against.
pub struct Context<'a> {
    pub env: Environment<'a>,
    pub base_url: &'a str,
    /// What the store has: for `{ stored: PATH }` and for parents.
    pub configuration: &'a Configuration,
    pub registry: &'a Registry,
    pub services: &'a Services,
    pub downstreams: &'a [Arc<dyn Downstream>],
    /// Complaints about a connection's mapping, given its protocol.
    pub check_mapping: &'a (dyn Fn(&MappingSpec, &str) -> Vec<Complaint> + Send + Sync),
    /// Complaints about an app's own claims and release policy.
    pub check_app_rules: &'a (dyn Fn(&AppSpec) -> Vec<Complaint> + Send + Sync),
}

/// Reads a bridge file, or a folder of them.
pub async fn load(path: &Path, context: &Context<'_>) -> Result<Desired, Complaints> {
    let mut complaints = Complaints::new();
    let nodes = files::read(path, &mut complaints);
    let tenants = tenants::read(&nodes, context, &mut complaints).await;
    complaints.or(Some(Desired { tenants }))
}
