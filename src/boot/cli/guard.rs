//! `connections allow-removals`: an administrator's word for a directory that switches off very many people at once.

use fedbridge_contract::push::PushPlace;
use fedbridge_contract::text::duration;
use fedbridge_hub::ports::{ConfigStore as _, PushedStore as _};

use crate::foundation::Foundation;

use super::CliError;
use super::revoke::unknown;

#[derive(Debug, clap::Args)]
pub struct AllowRemovals {
    /// TENANT/CONNECTION
    name: String,
    /// For so long from now on; `0s` takes it back
    #[arg(long = "for", value_name = "DURATION", default_value = "1h")]
    lasting: String,
}

/// Gives back what is printed.
pub async fn allow_removals(foundation: &Foundation, args: &AllowRemovals) -> Result<String, CliError> {
    let lasting = duration(&args.lasting).map_err(|why| CliError::refused("nothing was changed", vec![why]))?;
    let configuration = foundation.system.load().await?;
    let (slug, connection) = args.name.split_once('/').unwrap_or((&args.name, ""));
    let tenants = || configuration.tenants.values().map(|it| it.tenant.spec.slug.as_str());
    let tenant = configuration.tenants.values().find(|it| it.tenant.spec.slug == slug);
    let tenant = tenant.ok_or_else(|| unknown("tenant", slug, tenants()))?;
    let pushing = || tenant.connections.iter().filter(|it| it.spec.protocol == "scim");
    let found = pushing().find(|it| it.spec.slug == connection);
    let found = found.ok_or_else(|| {
        unknown("connection that pushes people", connection, pushing().map(|it| it.spec.slug.as_str()))
    })?;
    let place = PushPlace { tenant: tenant.tenant.id, connection: found.id };
    let until = foundation.clock.now() + lasting;
    foundation.store.open_guard(place, until).await?;
    Ok(match lasting.is_zero() {
        true => format!("{}: its guard holds up people again\n", args.name),
        false => format!("{}: its guard lets everything through until {}\n", args.name, until.rfc3339_seconds()),
    })
}
