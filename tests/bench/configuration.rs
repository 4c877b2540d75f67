//! The bridge file of the bench, and the metadata files beside it.

use std::path::Path;

use crate::chain::{APP, REDIRECT_URI, SECRET, SERVICE, TENANT};
use crate::server::Setup;
use crate::sso::Asks;
use crate::upstream::Variety;

/// Applies it.
pub fn configure(setup: &Setup, folder: &Path) -> anyhow::Result<()> {
    for variety in Variety::ALL {
        std::fs::write(folder.join(format!("{}.xml", variety.slug())), variety.idp().metadata())?;
    }
    for asks in Asks::ALL {
        std::fs::write(folder.join(format!("{}.xml", asks.slug())), asks.sp().metadata())?;
    }
    let file = folder.join("bridge.yaml");
    std::fs::write(&file, bridge_file())?;
    setup.apply(&file)
}

fn bridge_file() -> String {
    let connections: String = Variety::ALL.into_iter().map(connection).collect();
    let providers: String = Asks::ALL.into_iter().map(service_provider).collect();
    format!(
        "version: 1
tenants:
  - slug: {TENANT}
    display_name: Bench
    domains: [bench.example]
    connections:
{connections}    clients:
      - client_id: {APP}
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT_URI}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, groups, offline_access]
      - client_id: {SERVICE}
        client_secret: {{ value: {SECRET} }}
        grant_types: [client_credentials]
        scopes: [api]
    service_providers:
{providers}"
    )
}

fn connection(variety: Variety) -> String {
    format!(
        "      - slug: {slug}
        protocol: saml
        idp_metadata: {{ file: {slug}.xml }}
        sign_requests: {signed}
        mapping:
          claims:
            groups: {{ from: [memberOf] }}
",
        slug = variety.slug(),
        signed = variety == Variety::Signed,
    )
}

/// Response and assertion are both signed, which is the default.
fn service_provider(asks: Asks) -> String {
    format!(
        "      - slug: {slug}
        sp_metadata: {{ file: {slug}.xml }}
        connections: [{connection}]
        name_id: {{ format: persistent }}
        attributes: {{ mail: email, memberOf: groups }}
        sign: both
",
        slug = asks.slug(),
        connection = Variety::Unsigned.slug(),
    )
}
