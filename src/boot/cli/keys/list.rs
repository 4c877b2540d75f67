//! `keys list`: every key with its state.

use fedbridge_contract::keys::KeyPurpose;
use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_hub::spec::{StoredKey, TenantConfiguration};

use crate::cli::CliError;
use crate::cli::output::{print, table};
use crate::foundation::Foundation;
use crate::rollover::purpose_word;
use crate::settings::Settings;

use super::{Which, state, tenants};

pub async fn run(settings: &Settings, which: &Which) -> Result<(), CliError> {
    let foundation = Foundation::open(settings).await?;
    let configuration = foundation.system.load().await?;
    let text = list(&tenants(&configuration, which)?);
    foundation.store.close().await?;
    print(&text)
}

fn list(tenants: &[&TenantConfiguration]) -> String {
    let mut rows = Vec::new();
    for tenant in tenants {
        let mut keys: Vec<&StoredKey> = tenant.keys.iter().collect();
        keys.sort_by_key(|key| (key.purpose, key.connection, key.algorithm, key.state, key.created));
        rows.extend(keys.into_iter().map(|key| {
            let algorithm = match key.purpose {
                KeyPurpose::SamlDecryption => "RSA-OAEP",
                KeyPurpose::OidcDecryption => "RSA-OAEP-256",
                _ => key.algorithm.name(),
            };
            let slug = &tenant.tenant.spec.slug;
            let of = key.connection.and_then(|id| tenant.connections.iter().find(|connection| connection.id == id));
            vec![
                of.map_or_else(|| slug.clone(), |connection| format!("{slug}/{}", connection.spec.slug)),
                purpose_word(key.purpose).to_owned(),
                algorithm.to_owned(),
                state(key.state).to_owned(),
                key.changed.rfc3339_seconds(),
                key.kid.clone(),
            ]
        }));
    }
    table(&["OWNER", "PURPOSE", "ALGORITHM", "STATE", "SINCE", "KEY"], &rows)
}
