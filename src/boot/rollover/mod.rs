//! Rollovers under way: whom they wait for, how a step is written, and what is told about them.

mod worker;

use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_hub::ports::{ApplyError, ConfigStore, Rollover, RolloverPhase, Sealer, StoredSighting};
use fedbridge_hub::run::TenantSnapshot;
use fedbridge_hub::spec::{ConfigChange, TenantConfiguration};
use fedbridge_keys::rollover::{Knowledge, Partner, Planned, Standing, Watched, standings};
use fedbridge_keys::{GenerateError, TenantName, carry_out};

use crate::survey::app_word;

pub use worker::Worker;

#[cfg(test)]
mod tests;

/// A partner by the name that the command line takes: `connection/okta`, `service_provider/wiki`.
#[derive(Debug, Clone)]
pub struct NamedPartner {
    pub name: String,
    pub partner: Partner,
}

/// The enabled SAML partners of a tenant, connections first.
pub fn partners(open: &TenantSnapshot, downstreams: &[Arc<dyn Downstream>], purpose: KeyPurpose) -> Vec<NamedPartner> {
    let mut found = Vec::new();
    for connection in open.connections.values().filter(|connection| connection.view.enabled) {
        let uses_key = match &connection.state {
            Ok(ready) => ready.adapter.metadata.as_ref().map(|published| published.uses_key(purpose)),
            // What can't be opened can't say; it may be mended before the switch.
            Err(_) => (connection.view.protocol == "saml").then_some(true),
        };
        let Some(uses_key) = uses_key else { continue };
        let party = Party::Connection(connection.view.id);
        let name = format!("connection/{}", connection.view.slug);
        found.push(NamedPartner { name, partner: Partner { party, uses_key } });
    }
    for app in open.apps.values().map(|app| &app.view).filter(|app| app.enabled && app.kind == AppKind::SamlSp) {
        let downstream = downstreams.iter().find(|downstream| downstream.kind() == app.kind);
        let uses_key = downstream.is_some_and(|downstream| downstream.uses_key(app, purpose));
        let name = format!("{}/{}", app_word(app.kind), app.name);
        found.push(NamedPartner { name, partner: Partner { party: Party::App(app.id), uses_key } });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Where each partner stands, with its name.
pub fn named_standings(
    watched: &Watched,
    sightings: &[StoredSighting],
    partners: &[NamedPartner],
) -> Vec<(String, Standing)> {
    let bare: Vec<_> = partners.iter().map(|named| named.partner).collect();
    let names = partners.iter().map(|named| named.name.clone());
    names.zip(standings(watched, sightings, &bare)).collect()
}

/// Those who lag, each with why.
pub fn laggards(standings: &[(String, Standing)]) -> Vec<(&str, &str)> {
    let lagging = standings.iter().filter_map(|(name, standing)| match &standing.knowledge {
        Knowledge::Lags { why } => Some((name.as_str(), why.as_str())),
        Knowledge::NoNeed | Knowledge::Knows { .. } => None,
    });
    lagging.collect()
}

/// Why a step was not written.
#[derive(Debug)]
pub enum NotCarried {
    /// Somebody else changed the configuration meanwhile.
    Conflict,
    /// A new key could not be made.
    Keys(GenerateError),
    Store(StoreError),
}

/// Writes a step: its keys and where the rollover stands then, if the configuration still has this version.
///
/// # Errors
/// [`NotCarried`]; nothing is changed then.
pub async fn carry(
    store: &dyn ConfigStore,
    sealer: &dyn Sealer,
    version: i64,
    tenant: &TenantConfiguration,
    purpose: KeyPurpose,
    planned: &Planned,
    now: Timestamp,
) -> Result<(), NotCarried> {
    let id = tenant.tenant.id;
    let name = TenantName { id, slug: &tenant.tenant.spec.slug };
    let keys = carry_out(&planned.keys, &tenant.keys, name, now, sealer).map_err(NotCarried::Keys)?;
    let mut changes: Vec<_> = keys.into_iter().map(ConfigChange::PutKey).collect();
    changes.push(match &planned.rollover {
        Some(rollover) => ConfigChange::PutRollover(rollover.clone()),
        None => ConfigChange::EndRollover { tenant: id, purpose },
    });
    match store.apply(version, &changes).await {
        Ok(_) => Ok(()),
        Err(ApplyError::Conflict) => Err(NotCarried::Conflict),
        Err(ApplyError::Store(cause)) => Err(NotCarried::Store(cause)),
        Err(other @ ApplyError::HasPeople { .. }) => Err(NotCarried::Store(StoreError(other.to_string()))),
    }
}

/// One line of `check` about a rollover, with its date for the radar.
pub fn finding(rollover: &Rollover, slug: &str, laggards: &[(&str, &str)]) -> Finding {
    let date = |at: Option<Timestamp>, command: &str| match at {
        Some(at) => format!("on {}", at.rfc3339_seconds()),
        None => format!("by `fedbridge keys rollover {command}`"),
    };
    let stands = match rollover.phase {
        RolloverPhase::Announced => {
            let since = rollover.started.rfc3339_seconds();
            format!("announced since {since}, the switch comes {}", date(rollover.switch_at, "switch"))
        }
        RolloverPhase::Switched => {
            let since = rollover.switched.unwrap_or(rollover.started).rfc3339_seconds();
            format!("switched on {since}, the old key goes {}", date(rollover.retire_at, "retire"))
        }
    };
    let purpose = purpose_word(rollover.purpose);
    let mut text = format!("rollover of {purpose}: {stands}");
    let level = if laggards.is_empty() { Level::Fine } else { Level::Warning };
    if !laggards.is_empty() {
        let names: Vec<_> = laggards.iter().map(|(name, _)| *name).collect();
        text.push_str(&format!(
            "; {} to know the new key: {}; see `fedbridge keys rollover status --tenant {slug}`",
            if names.len() == 1 {
                "1 partner has yet".to_owned()
            } else {
                format!("{} partners have yet", names.len())
            },
            names.join(", ")
        ));
    }
    let finding = Finding::new(level, text);
    match next_date(rollover) {
        Some((what, at)) => finding.ending(what, at),
        None => finding,
    }
}

/// What comes next by itself, and when.
pub fn next_date(rollover: &Rollover) -> Option<(&'static str, Timestamp)> {
    match rollover.phase {
        RolloverPhase::Announced => rollover.switch_at.map(|at| ("switch", at)),
        RolloverPhase::Switched => rollover.retire_at.map(|at| ("retire", at)),
    }
}

/// How the expiry radar calls a rollover.
pub fn object(rollover: &Rollover) -> String {
    format!("rollover {}", purpose_word(rollover.purpose))
}

/// How the command line calls a purpose.
pub fn purpose_word(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Oidc => "oidc",
        KeyPurpose::SamlSigning => "saml-signing",
        KeyPurpose::SamlDecryption => "saml-decryption",
        KeyPurpose::OidcClient => "oidc-client",
        KeyPurpose::OidcDecryption => "oidc-decryption",
    }
}

/// How a partner is known to have the key, in words.
pub fn how_word(how: Sighting) -> &'static str {
    match how {
        Sighting::Published => "fetched our metadata",
        Sighting::EncryptedTo => "encrypted to it",
        Sighting::Verified => "answered what it signed",
        Sighting::Confirmed => "somebody said so",
        Sighting::Presented => "showed it",
    }
}
