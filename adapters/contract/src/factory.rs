//! How an adapter is opened from its configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::documents::PartnerDocuments;
use crate::error::Complaint;
use crate::ids::{ConnectionId, TenantId};
use crate::services::Services;
use crate::upstream::Adapter;

/// Makes adapters of one protocol. There is no network in any of this.
pub trait AdapterFactory: Send + Sync {
    /// The word that `protocol:` takes in the bridge file.
    fn kind(&self) -> &'static str;

    /// Whether connections of this kind can log a person in by browser or password.
    fn can_log_in(&self) -> bool;

    /// Fields of the configuration with their help, for the console and for near-miss errors.
    fn fields(&self) -> &'static [Field];

    /// The documents of its connections, where the other side publishes any.
    fn documents(&self) -> Option<&dyn PartnerDocuments> {
        None
    }

    /// Opens a connection, or says everything that is wrong with it. Unknown fields are
    /// complaints too.
    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>>;
}

/// One configuration field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub help: &'static str,
    pub required: bool,
    /// Sealed at rest and never printed.
    pub secret: bool,
    /// A document of the other side: `{ file }`, `{ url }` or `{ xml }`, given to the adapter with its text.
    pub document: bool,
    /// A PEM file beside the bridge file, by its path, or the PEM text itself. The adapter gets the text.
    pub file: bool,
}

impl Field {
    /// A field that may be left out.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, required: false, secret: false, document: false, file: false }
    }

    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub const fn document(self) -> Self {
        Self { document: true, ..self }
    }

    pub const fn file(self) -> Self {
        Self { file: true, ..self }
    }
}

/// What an adapter is opened from.
pub struct Open<'a> {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub slug: &'a str,
    /// `{issuer}/connections/{slug}`: where this connection's routes are mounted.
    pub address: String,
    /// The protocol's own settings; references to files are already replaced by their text, and
    /// secrets are in `secrets` under their path.
    pub settings: &'a Value,
    pub secrets: &'a BTreeMap<String, Vec<u8>>,
    pub services: &'a Services,
    /// For warnings about dates.
    pub now: crate::time::Timestamp,
}

/// The adapters of this build, by kind. Made in one place, in boot.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Arc<dyn AdapterFactory>>,
}

impl Registry {
    pub fn with(mut self, factory: Arc<dyn AdapterFactory>) -> Self {
        self.factories.insert(factory.kind(), factory);
        self
    }

    pub fn find(&self, kind: &str) -> Option<&Arc<dyn AdapterFactory>> {
        self.factories.get(kind)
    }

    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.factories.keys().copied()
    }
}
