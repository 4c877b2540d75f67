//! Opens SCIM connections from their settings.

use std::sync::Arc;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::upstream::Adapter;

use crate::check::Check;
use crate::credentials::Uses;
use crate::endpoint::{Endpoint, ScimServer};
use crate::settings::{FIELDS, Settings};

/// `protocol: scim`.
pub struct ScimFactory;

impl AdapterFactory for ScimFactory {
    fn kind(&self) -> &'static str {
        "scim"
    }

    fn can_log_in(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let settings = Settings::parse(input.settings, input.secrets)?;
        let endpoint = Arc::new(Endpoint {
            tenant: input.tenant,
            connection: input.connection,
            base: format!("{}/{}", input.address, crate::endpoint::BASE),
            uses: Uses::new(settings.credentials(), input.services, (input.tenant, input.connection)),
            settings,
            services: input.services.clone(),
        });
        let check = Check(Arc::clone(&endpoint));
        Ok(Adapter { check: Some(Box::new(check)), push: Some(Box::new(ScimServer(endpoint))), ..Adapter::default() })
    }
}
