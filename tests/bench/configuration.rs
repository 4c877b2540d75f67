//! The bridge files of the bench, and the metadata files beside them.

use std::path::Path;

use crate::chain::{APP, REDIRECT_URI, SECRET, SERVICE, TENANT};
use crate::op::{CLIENT, Op, Source};
use crate::server::Setup;
use crate::sso::Asks;
use crate::stalled;
use crate::upstream::Variety;

/// Applies all that the loads of one database need. `stalling` is the provider of a tenant of its own.
pub fn configure(setup: &Setup, folder: &Path, op: &Op, stalling: &Op) -> anyhow::Result<()> {
    for variety in Variety::ALL {
        write_idp(folder, variety)?;
    }
    for asks in Asks::ALL {
        std::fs::write(folder.join(format!("{}.xml", asks.slug())), asks.sp().metadata())?;
    }
    let saml = Variety::ALL.into_iter().map(connection);
    let connections: String = saml.chain(Source::ALL.into_iter().map(|source| op_connection(source, op))).collect();
    let providers: String = Asks::ALL.into_iter().map(service_provider).collect();
    let other = op_connection(Source::IdToken, stalling);
    let file = format!(
        "version: 1\ntenants:\n{}    service_providers:\n{providers}{}",
        tenant(TENANT, &connections),
        tenant(stalled::TENANT, &other)
    );
    apply(setup, folder, &file)
}

/// Applies one tenant with one connection.
pub fn configure_one(setup: &Setup, folder: &Path) -> anyhow::Result<()> {
    write_idp(folder, Variety::Unsigned)?;
    apply(setup, folder, &format!("version: 1\ntenants:\n{}", tenant(TENANT, &connection(Variety::Unsigned))))
}

fn write_idp(folder: &Path, variety: Variety) -> anyhow::Result<()> {
    Ok(std::fs::write(folder.join(format!("{}.xml", variety.slug())), variety.idp().metadata())?)
}

fn apply(setup: &Setup, folder: &Path, text: &str) -> anyhow::Result<()> {
    let file = folder.join("bridge.yaml");
    std::fs::write(&file, text)?;
    setup.apply(&file)
}

fn tenant(slug: &str, connections: &str) -> String {
    format!(
        "  - slug: {slug}
    display_name: Bench
    domains: [{slug}.example]
    connections:
{connections}    clients:
      - client_id: {APP}
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT_URI}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, groups, offline_access]
        # A slow machine may need its time for all loads.
        access_token: {{ lifetime: 1h }}
      - client_id: {SERVICE}
        client_secret: {{ value: {SECRET} }}
        grant_types: [client_credentials]
        scopes: [api]
"
    )
}

fn op_connection(source: Source, op: &Op) -> String {
    format!(
        "      - slug: {slug}
        protocol: oidc
        issuer: {issuer}
        client_id: {CLIENT}
        client_secret: {{ value: {SECRET} }}
        userinfo: {userinfo}
",
        slug = source.slug(),
        issuer = op.issuer,
        userinfo = if source == Source::Userinfo { "always" } else { "auto" },
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
