//! `keys`: the keys of the tenants, their rotation, and the rollovers that wait for SAML partners.

mod desk;
mod list;
mod rollover;
mod rotate;
mod status;

use std::process::ExitCode;

use fedbridge_contract::keys::KeyState;
use fedbridge_contract::text::nearest;
use fedbridge_hub::spec::{Configuration, StoredConnection, TenantConfiguration};

use crate::settings::Settings;

use super::CliError;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge keys list\n  fedbridge keys rotate --tenant acme\n  fedbridge keys rollover start --tenant acme"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the keys: next, active, retiring, retired
    #[command(after_help = "Example:\n  fedbridge keys list --tenant acme")]
    List(Which),
    /// Make the next key active, and a new next one; the old one stays published for a while
    #[command(
        after_help = "Example:\n  fedbridge keys rotate --tenant acme\n  fedbridge keys rotate --connection acme/entra"
    )]
    Rotate(rotate::Args),
    /// Change a SAML key without an outage: announce it, wait for the partners, switch, retire the old one
    #[command(
        after_help = "Example:\n  fedbridge keys rollover start --tenant acme\n  fedbridge keys rollover status\n  fedbridge keys rollover switch --tenant acme"
    )]
    Rollover(rollover::Args),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Only this tenant [default: all]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::List(which) => list::run(&settings, &which).await?,
        Command::Rotate(args) => rotate::run(&settings, &args).await?,
        Command::Rollover(args) => rollover::run(&settings, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The tenants that a command is about, by slug.
fn tenants<'a>(configuration: &'a Configuration, which: &Which) -> Result<Vec<&'a TenantConfiguration>, CliError> {
    let mut tenants: Vec<_> = configuration.tenants.values().collect();
    tenants.sort_by(|a, b| a.tenant.spec.slug.cmp(&b.tenant.spec.slug));
    if let Some(slug) = &which.tenant {
        let known = tenants.iter().map(|tenant| tenant.tenant.spec.slug.as_str());
        let hint = nearest(slug, known).map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
        tenants.retain(|tenant| tenant.tenant.spec.slug == *slug);
        if tenants.is_empty() {
            return Err(CliError::refused(format!("there is no tenant `{slug}`{hint}"), Vec::new()));
        }
    }
    Ok(tenants)
}

/// The connection that `TENANT/SLUG` names.
fn connection_named<'a>(
    configuration: &'a Configuration,
    name: &str,
) -> Result<(&'a TenantConfiguration, &'a StoredConnection), CliError> {
    let all = || {
        configuration.tenants.values().flat_map(|tenant| {
            let slug = &tenant.tenant.spec.slug;
            tenant.connections.iter().map(move |it| (format!("{slug}/{}", it.spec.slug), tenant, it))
        })
    };
    if let Some((_, tenant, connection)) = all().find(|(full, ..)| full == name) {
        return Ok((tenant, connection));
    }
    let names: Vec<String> = all().map(|(full, ..)| full).collect();
    let hint = nearest(name, names.iter().map(String::as_str));
    let hint = hint.map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
    Err(CliError::refused(format!("there is no connection `{name}`{hint}"), Vec::new()))
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Next => "next",
        KeyState::Active => "active",
        KeyState::Retiring => "retiring",
        KeyState::Retired => "retired",
    }
}
