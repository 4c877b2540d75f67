//! What the commands about keys look at: one tenant, its partners, and what they have seen.

use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Rollover, RolloverPhase, RolloverStore as _, StoredSighting};
use fedbridge_hub::spec::TenantConfiguration;
use fedbridge_keys::rollover::{Planned, Standing, Watched};

use crate::cli::CliError;
use crate::foundation::Foundation;
use crate::registry;
use crate::rollover::{NamedPartner, NotCarried, carry, named_standings, partners};

/// One tenant's keys of one purpose, as they were at one version of the configuration.
pub struct Desk<'a> {
    pub foundation: &'a Foundation,
    pub version: i64,
    pub tenant: &'a TenantConfiguration,
    pub purpose: KeyPurpose,
    pub rollover: Option<Rollover>,
    pub partners: Vec<NamedPartner>,
    pub sightings: Vec<StoredSighting>,
    pub now: Timestamp,
}

/// How an attempt to change something ended without having done so.
pub enum Fault {
    /// Somebody else changed the configuration meanwhile: look again.
    Conflict,
    Error(CliError),
}

impl<'a> Desk<'a> {
    /// Looks at a tenant of a configuration that was loaded before.
    pub async fn open(
        foundation: &'a Foundation,
        version: i64,
        tenant: &'a TenantConfiguration,
        purpose: KeyPurpose,
    ) -> Result<Self, CliError> {
        registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
        let services = foundation.quiet_services();
        let open = foundation.builder(registry::upstreams(), services.clone()).tenant(tenant).map_err(|cause| {
            CliError::failed(format!("the tenant `{}` can't be opened", tenant.tenant.spec.slug), cause)
        })?;
        let id = tenant.tenant.id;
        let rollovers = foundation.system.rollovers(Some(id)).await?;
        Ok(Self {
            foundation,
            version,
            tenant,
            purpose,
            rollover: rollovers.into_iter().find(|rollover| rollover.purpose == purpose),
            partners: partners(&open, &registry::downstreams(&services), purpose),
            sightings: foundation.system.sightings(id).await?,
            now: foundation.clock.now(),
        })
    }

    pub fn slug(&self) -> &'a str {
        &self.tenant.tenant.spec.slug
    }

    /// The new key of the rollover, or of one that might be started: `None` where there is none yet.
    pub fn watched(&self) -> Option<Watched> {
        let phase = self.rollover.as_ref().map_or(RolloverPhase::Announced, |rollover| rollover.phase);
        Watched::of(&self.tenant.keys, self.purpose, phase)
    }

    /// Where each partner stands with the new key; nobody where there is none.
    pub fn standings(&self) -> Vec<(String, Standing)> {
        let watched = self.watched();
        watched.map_or_else(Vec::new, |watched| named_standings(&watched, &self.sightings, &self.partners))
    }

    /// Writes a step.
    pub async fn carry(&self, planned: &Planned) -> Result<(), Fault> {
        let Foundation { system, sealer, .. } = self.foundation;
        let done = carry(system.as_ref(), sealer.as_ref(), self.version, self.tenant, self.purpose, planned, self.now);
        done.await.map_err(|error| match error {
            NotCarried::Conflict => Fault::Conflict,
            NotCarried::Store(cause) => Fault::Error(cause.into()),
            NotCarried::Keys(cause) => {
                Fault::Error(CliError::failed("a new key could not be made; nothing was changed", cause))
            }
        })
    }
}

impl<E: Into<CliError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}
