//! `keys`: the signing keys of the tenants, and their rotation.

use std::process::ExitCode;
use std::time::Duration;

use fedbridge_contract::keys::{KeyPurpose, KeyState};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ApplyError, ConfigStore as _};
use fedbridge_hub::spec::{ConfigChange, Configuration, StoredKey, TenantConfiguration};
use fedbridge_keys::{TenantName, carry_out, plan_rotation, retire_due};

use crate::foundation::Foundation;
use crate::settings::Settings;
use crate::settings::nearest::nearest;

use super::CliError;
use super::output::{note, print, table};

/// A retiring key stays published this long: an access token lives a day at most, and key sets are
/// cached for hours.
const HORIZON: Duration = Duration::from_secs(7 * 86_400);

/// A key that was published for less may be missing in the key sets that apps have cached.
const SETTLED: Duration = Duration::from_secs(3600);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge keys list\n  fedbridge keys rotate --tenant acme")]
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
    #[command(after_help = "Example:\n  fedbridge keys rotate --tenant acme")]
    Rotate(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Only this tenant [default: all]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    let configuration = foundation.system.load().await?;
    match args.command {
        Command::List(which) => print(&list(&tenants(&configuration, &which)?))?,
        Command::Rotate(which) => rotate(&foundation, &configuration, &tenants(&configuration, &which)?).await?,
    }
    foundation.store.close().await?;
    Ok(ExitCode::SUCCESS)
}

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

fn list(tenants: &[&TenantConfiguration]) -> String {
    let mut rows = Vec::new();
    for tenant in tenants {
        let mut keys: Vec<&StoredKey> = tenant.keys.iter().collect();
        keys.sort_by_key(|key| (key.purpose, key.algorithm, key.state, key.created));
        rows.extend(keys.into_iter().map(|key| {
            let algorithm = match key.purpose {
                KeyPurpose::SamlDecryption => "RSA-OAEP",
                _ => key.algorithm.name(),
            };
            vec![
                tenant.tenant.spec.slug.clone(),
                purpose(key.purpose).to_owned(),
                algorithm.to_owned(),
                state(key.state).to_owned(),
                key.changed.rfc3339_seconds(),
                key.kid.clone(),
            ]
        }));
    }
    table(&["TENANT", "PURPOSE", "ALGORITHM", "STATE", "SINCE", "KEY"], &rows)
}

async fn rotate(
    foundation: &Foundation,
    configuration: &Configuration,
    tenants: &[&TenantConfiguration],
) -> Result<(), CliError> {
    let now = foundation.clock.now();
    let mut changes = Vec::new();
    let mut text = String::new();
    for tenant in tenants {
        let slug = tenant.tenant.spec.slug.as_str();
        warn_about_young_keys(tenant, now);
        // A key that was retired in the same step would have been published for too short a time.
        let mut plan = retire_due(&tenant.keys, now, HORIZON);
        plan.extend(plan_rotation(&tenant.keys));
        let name = TenantName { id: tenant.tenant.id, slug };
        let keys = carry_out(&plan, &tenant.keys, name, now, foundation.sealer.as_ref())
            .map_err(|error| CliError::failed("new keys could not be made; nothing was changed", error))?;
        for key in keys {
            let line = format!(
                "{slug}: {} {} is {}: {}\n",
                purpose(key.purpose),
                key.algorithm.name(),
                state(key.state),
                key.kid
            );
            text.push_str(&line);
            changes.push(ConfigChange::PutKey(key));
        }
    }
    match foundation.system.apply(configuration.version, &changes).await {
        Ok(_) => print(&text),
        Err(ApplyError::Store(error)) => Err(error.into()),
        Err(error) => Err(CliError::failed("the keys were not rotated; nothing was changed", error)),
    }
}

/// The key that becomes active should have been published long enough for every app to have seen it.
fn warn_about_young_keys(tenant: &TenantConfiguration, now: Timestamp) {
    let young = |key: &&StoredKey| {
        key.state == KeyState::Next && key.purpose == KeyPurpose::Oidc && now.since(key.changed) < SETTLED
    };
    if tenant.keys.iter().any(|key| young(&key)) {
        let slug = &tenant.tenant.spec.slug;
        note(&format!(
            "warning: the next keys of {slug} were published less than an hour ago; apps that don't fetch a key set again for an unknown key may refuse tokens for a while"
        ));
    }
}

fn purpose(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Oidc => "oidc",
        KeyPurpose::SamlSigning => "saml-signing",
        KeyPurpose::SamlDecryption => "saml-decryption",
    }
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Next => "next",
        KeyState::Active => "active",
        KeyState::Retiring => "retiring",
        KeyState::Retired => "retired",
    }
}
