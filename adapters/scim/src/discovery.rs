//! What the endpoint says of itself (RFC 7644 section 4).

use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::HttpInput;
use fedbridge_scim_core::discovery::{self, Facts};
use fedbridge_scim_core::list::{Standing, response};
use fedbridge_scim_core::{Fault, ResourceKind};
use serde_json::Value;

use crate::answer::{Answer, Answered, not_found};
use crate::endpoint::{BASE, Endpoint};
use crate::{bulk, cursor, list, oauth};

/// The largest body that the web layer takes, in octets.
const MOST_OCTETS: u64 = 1024 * 1024;

impl Endpoint {
    pub fn service_provider_config(&self, tenant: &Tenant) -> Answered {
        Ok(Answer::ok(discovery::service_provider_config(&Facts {
            base: self.base.clone(),
            change_password: self.settings.passwords,
            most_results: list::MOST,
            page: list::PAGE,
            cursor_timeout: cursor::LIFETIME.as_secs(),
            bulk_operations: bulk::OPERATIONS as u64,
            bulk_octets: MOST_OCTETS,
            oauth: self.settings.oauth.as_ref().map(|_| self.base.replace(BASE, oauth::TOKEN)),
            events: tenant.has_scim_events(),
        })))
    }

    pub fn resource_types(&self, input: &HttpInput, name: Option<&str>) -> Answered {
        unfiltered(input)?;
        let of = |kind| discovery::resource_type(kind, &self.settings.schemas, &self.base);
        match name {
            None => Ok(whole(ResourceKind::ALL.map(of).into())),
            Some(name) => {
                let kind = ResourceKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(not_found)?;
                Ok(Answer::ok(of(kind)))
            }
        }
    }

    pub fn schemas(&self, input: &HttpInput, urn: Option<&str>) -> Answered {
        unfiltered(input)?;
        let mut all = self.settings.schemas.all();
        match urn {
            None => Ok(whole(all.map(|schema| discovery::schema(schema, &self.base)).collect())),
            Some(urn) => {
                let found = all.find(|schema| schema.urn.eq_ignore_ascii_case(urn)).ok_or_else(not_found)?;
                Ok(Answer::ok(discovery::schema(found, &self.base)))
            }
        }
    }
}

fn whole(all: Vec<Value>) -> Answer {
    Answer::ok(response(Some(all.len() as u64), all, &Standing::Index(1)))
}

/// RFC 7644 section 4.
fn unfiltered(input: &HttpInput) -> Result<(), Fault> {
    match input.query_params().iter().any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        true => Err(Fault::plain(403, "these are not filtered")),
        false => Ok(()),
    }
}
