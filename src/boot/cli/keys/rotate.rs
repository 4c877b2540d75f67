//! `keys rotate`: every key one step on, where nobody has to be waited for.

use std::time::Duration;

use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ApplyError, ConfigStore as _, RolloverStore as _};
use fedbridge_hub::spec::{ConfigChange, Configuration, StoredKey, TenantConfiguration};
use fedbridge_keys::{KeyChange, TenantName, carry_out, plan_rotation, retire_due};

use crate::cli::CliError;
use crate::cli::output::{note, print};
use crate::foundation::Foundation;
use crate::rollover::{laggards, purpose_word};
use crate::settings::Settings;

use super::desk::Desk;
use super::{Which, connection_named, state, tenants};

/// A retiring key stays published this long: an access token lives a day at most, and key sets are
/// cached for hours.
const HORIZON: Duration = Duration::from_secs(7 * 86_400);

/// A key that was published for less may be missing in the key sets that apps have cached.
const SETTLED: Duration = Duration::from_secs(3600);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Rotate the keys with which this connection authenticates at its OpenID provider; no other command does
    #[arg(long, value_name = "TENANT/SLUG", conflicts_with = "tenant")]
    connection: Option<String>,
    /// With --connection: the key that opens encrypted ID tokens instead. The first time it is made
    #[arg(long, requires = "connection")]
    decryption: bool,
    /// Change the SAML signing key even where partners don't know the next one; their logins fail then
    #[arg(long)]
    force: bool,
}

pub async fn run(settings: &Settings, args: &Args) -> Result<(), CliError> {
    let foundation = Foundation::open(settings).await?;
    let configuration = foundation.system.load().await?;
    match &args.connection {
        None => rotate(&foundation, &configuration, &tenants(&configuration, &args.which)?, args.force).await?,
        Some(name) => {
            let purpose = if args.decryption { KeyPurpose::OidcDecryption } else { KeyPurpose::OidcClient };
            rotate_connection(&foundation, &configuration, name, purpose).await?;
        }
    }
    foundation.store.close().await?;
    Ok(())
}

/// The keys of one connection. Its provider reads them at the connection's own address, where the next one stands
/// since the last rotation.
async fn rotate_connection(
    foundation: &Foundation,
    configuration: &Configuration,
    name: &str,
    purpose: KeyPurpose,
) -> Result<(), CliError> {
    let (tenant, connection) = connection_named(configuration, name)?;
    let now = foundation.clock.now();
    let mine = |key: &&StoredKey| key.connection == Some(connection.id) && key.purpose == purpose;
    let mine: Vec<_> = tenant.keys.iter().filter(mine).cloned().collect();
    let opens = purpose == KeyPurpose::OidcDecryption && connection.spec.protocol == "oidc";
    if mine.is_empty() && !opens {
        let sentence = match purpose {
            KeyPurpose::OidcDecryption => format!("{name} gets no ID tokens: it is no OpenID Connect connection"),
            _ => format!("{name} has no keys of its own: it does not authenticate with private_key_jwt"),
        };
        return Err(CliError::refused(sentence, Vec::new()));
    }
    let mut plan = retire_due(&mine, now, HORIZON);
    // Those of an algorithm that the connection has left only wait for their end.
    let used =
        |key: &&StoredKey| mine.iter().any(|other| other.state == KeyState::Active && other.algorithm == key.algorithm);
    let used: Vec<_> = mine.iter().filter(used).cloned().collect();
    plan.extend(plan_rotation(&used));
    if used.is_empty() && opens {
        // RSA: the algorithm says no more.
        plan.push(KeyChange::Make { purpose, algorithm: SignatureAlgorithm::RS256, state: KeyState::Active });
    }
    let owner = TenantName { id: tenant.tenant.id, slug: &tenant.tenant.spec.slug };
    let early = mine.iter().any(|key| is_young(key, now));
    let keys = made(&plan, &mine, owner, foundation, now)?;
    let keys: Vec<_> = keys.into_iter().map(|key| StoredKey { connection: Some(connection.id), ..key }).collect();
    let text: String = keys.iter().map(|key| line(name, key)).collect();
    write(foundation, configuration, keys).await?;
    if purpose == KeyPurpose::OidcClient {
        note(&after_rotation(name, early));
    }
    print(&text)
}

/// The active key signs at once. Its provider knows it where it has read the key set since the rotation before; nobody
/// tells us when it does.
fn after_rotation(name: &str, early: bool) -> String {
    let next = format!(
        "{name}: its new active key signs from now on; wait until the provider has read our key set again before you \
         rotate once more, because it does not know the new next key yet"
    );
    match early {
        true => format!(
            "{next}\nwarning: the new active key of {name} was published less than an hour ago; a provider that has \
             kept an older key set refuses our requests until it reads the set again"
        ),
        false => next,
    }
}

async fn rotate(
    foundation: &Foundation,
    configuration: &Configuration,
    tenants: &[&TenantConfiguration],
    force: bool,
) -> Result<(), CliError> {
    let now = foundation.clock.now();
    let mut changed = Vec::new();
    let mut text = String::new();
    for tenant in tenants {
        let slug = tenant.tenant.spec.slug.as_str();
        warn_about_young_keys(tenant, now);
        let keys = free(foundation, configuration.version, tenant, force).await?;
        // A key that was retired in the same step would have been published for too short a time.
        let mut plan = retire_due(&keys, now, HORIZON);
        let used = encrypted_to_lately(foundation, tenant, now).await?;
        plan.retain(|change| !matches!(change, KeyChange::Move { kid, .. } if used.contains(kid)));
        plan.extend(plan_rotation(&keys));
        let name = TenantName { id: tenant.tenant.id, slug };
        for key in made(&plan, &keys, name, foundation, now)? {
            text.push_str(&line(slug, &key));
            changed.push(key);
        }
    }
    write(foundation, configuration, changed).await?;
    print(&text)
}

fn made(
    plan: &[KeyChange],
    keys: &[StoredKey],
    tenant: TenantName<'_>,
    foundation: &Foundation,
    now: Timestamp,
) -> Result<Vec<StoredKey>, CliError> {
    let made = carry_out(plan, keys, tenant, now, foundation.sealer.as_ref());
    made.map_err(|error| CliError::failed("new keys could not be made; nothing was changed", error))
}

fn line(owner: &str, key: &StoredKey) -> String {
    let (purpose, algorithm) = (purpose_word(key.purpose), key.algorithm.name());
    format!("{owner}: {purpose} {algorithm} is {}: {}\n", state(key.state), key.kid)
}

async fn write(foundation: &Foundation, configuration: &Configuration, keys: Vec<StoredKey>) -> Result<(), CliError> {
    let changes: Vec<_> = keys.into_iter().map(ConfigChange::PutKey).collect();
    match foundation.system.apply(configuration.version, &changes).await {
        Ok(_) => Ok(()),
        Err(ApplyError::Store(error)) => Err(error.into()),
        Err(error) => Err(CliError::failed("the keys were not rotated; nothing was changed", error)),
    }
}

/// The tenant's keys without those that a rotation has to leave alone.
async fn free(
    foundation: &Foundation,
    version: i64,
    tenant: &TenantConfiguration,
    force: bool,
) -> Result<Vec<StoredKey>, CliError> {
    let slug = &tenant.tenant.spec.slug;
    let mut kept = Vec::new();
    for rollover in foundation.system.rollovers(Some(tenant.tenant.id)).await? {
        let purpose = purpose_word(rollover.purpose);
        note(&format!(
            "{slug}: {purpose} is left alone: a rollover is under way; see `fedbridge keys rollover status --tenant {slug}`"
        ));
        kept.push(rollover.purpose);
    }
    let signing = KeyPurpose::SamlSigning;
    if !force && !kept.contains(&signing) {
        let desk = Desk::open(foundation, version, tenant, signing).await?;
        let standings = desk.standings();
        let names: Vec<_> = laggards(&standings).into_iter().map(|(name, _)| name).collect();
        if !names.is_empty() {
            note(&format!(
                "{slug}: {} is left alone: not known to have the next key: {}; run `fedbridge keys rollover start --tenant {slug}`, which waits for them, or `fedbridge keys rotate --force`",
                purpose_word(signing),
                names.join(", ")
            ));
            kept.push(signing);
        }
    }
    let shared = |key: &&StoredKey| key.connection.is_none() && !kept.contains(&key.purpose);
    Ok(tenant.keys.iter().filter(shared).cloned().collect())
}

/// Keys that somebody has encrypted to within the time that an old one is kept: it decrypts until nobody does.
async fn encrypted_to_lately(
    foundation: &Foundation,
    tenant: &TenantConfiguration,
    now: Timestamp,
) -> Result<Vec<String>, CliError> {
    let sightings = foundation.system.sightings(tenant.tenant.id).await?;
    let used = sightings.into_iter().filter(|seen| seen.how == Sighting::EncryptedTo && now.since(seen.last) < HORIZON);
    Ok(used.map(|seen| seen.kid).collect())
}

/// Whoever has cached a key set may not know this next key.
fn is_young(key: &StoredKey, now: Timestamp) -> bool {
    key.state == KeyState::Next && now.since(key.changed) < SETTLED
}

/// The key that becomes active should have been published long enough for every app to have seen it.
fn warn_about_young_keys(tenant: &TenantConfiguration, now: Timestamp) {
    if tenant.keys.iter().any(|key| key.purpose == KeyPurpose::Oidc && is_young(key, now)) {
        let slug = &tenant.tenant.spec.slug;
        note(&format!(
            "warning: the next keys of {slug} were published less than an hour ago; apps that don't fetch a key set again for an unknown key may refuse tokens for a while"
        ));
    }
}
