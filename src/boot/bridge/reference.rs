//! The keys of a bridge file that are the same for every protocol, with their help. The readers go by these
//! lists, and `fedbridge reference` prints them.

use fedbridge_contract::factory::Field;

pub const TENANT: &[Field] = &[
    Field::new("slug", "The tenant's name in addresses: a-z, 0-9 and hyphens.").required(),
    WAS,
    Field::new("display_name", "The name that people see. Default: the slug."),
    Field::new("enabled", "Whether anybody can log in. Default: true."),
    Field::new("parent", "The slug of the tenant that this one stands under. Default: none."),
    Field::new("domains", "Mail domains of the tenant's people. A domain has one tenant."),
    Field::new(
        "branding",
        "How its pages look: { logo: { file: logo.png }, accent: \"#3a4fc4\", accent_dark: \"#a9b7ff\" }. The logo is \
         PNG, JPEG or WebP, of 64 KiB at most; the colours are those of buttons, on light ground and on dark.",
    ),
    Field::new("locales", "Languages of its pages, the default one first: en, de. Default: both, en first."),
    Field::new(
        "egress",
        "Where its partners may be: { hosts: [login.example, \"*.okta.example\"] }. Default: all public hosts.",
    ),
    Field::new("connections", "Where people log in: identity providers."),
    Field::new("clients", "Apps that speak OpenID Connect."),
    Field::new(
        "second_factor",
        "Whether a password is enough where people type it on our page: off (it is), offered (who has a second factor is \
         asked for it) or required. Default: off.",
    ),
    Field::new("service_providers", "Apps that speak SAML."),
    Field::new("ldap_directory", "What apps that speak LDAP see. Default: nothing."),
    Field::new("scim_apps", "Apps with a SCIM server of their own, which get the tenant's people from the bridge."),
    Field::new("signal_receivers", "Who hears of what happens to people: Shared Signals, CAEP and RISC."),
];

pub const CONNECTION: &[Field] = &[
    Field::new("slug", "The connection's name in addresses: a-z, 0-9 and hyphens.").required(),
    WAS,
    Field::new("protocol", "What the other side speaks: oidc, saml, ldap or scim.").required(),
    Field::new("display_name", "The name that people see. Default: what its metadata says, or the slug."),
    Field::new("enabled", "Whether it can be used. Default: true."),
    Field::new("domains", "Mail domains that this connection may speak for. They are domains of the tenant."),
    Field::new(
        "mapping",
        "How attributes become claims: { preset: okta, claims: { NAME: { from: […] }, { value: … } or { cel: … } }, \
         deny_when: […] }.",
    ),
    Field::new(
        "people",
        "Who may become a person here: { create: everybody, same_email: separate, linking: true } are the defaults. \
         create: listed takes people of these domains and groups alone, nobody takes none. same_email says what is \
         done where a verified address is known already: separate, ask or refuse (default with the profile google). \
         linking: false refuses to connect this login to an account that is there.",
    ),
];

pub const CLIENT: &[Field] = &[
    Field::new("client_id", "The client's name in the protocol.").required(),
    WAS,
    Field::new("name", "The name that people see. Default: the client_id."),
    Field::new("enabled", "Whether anybody can log in to it. Default: true."),
    Field::new(
        "client_secret",
        "The secret, of 32 characters or more: { env: NAME }, { file: PATH }, { value: TEXT } or { stored: PATH }.",
    )
    .secret(),
    Field::new("client_secrets", "Two of them, the older first, while the app changes from one to the other.").secret(),
    CONNECTIONS,
    Field::new("release", "Claims that it gets besides those of its scopes. Default: none."),
    CLAIMS,
];

pub const SERVICE_PROVIDER: &[Field] = &[
    Field::new("slug", "The app's name in addresses and traces: a-z, 0-9 and hyphens.").required(),
    WAS,
    Field::new("name", "The name that people see. Default: the slug."),
    Field::new("enabled", "Whether anybody can log in to it. Default: true."),
    CONNECTIONS,
    CLAIMS,
    Field::new("groups", "The groups that it may hear of. Default: all."),
];

pub const LDAP_APPS: &[Field] = &[Field::new("apps", "Apps that speak LDAP. Each binds with a password of its own.")];

pub const LDAP_APP: &[Field] = &[
    Field::new("slug", "The app's name in its DN, cn=SLUG,ou=apps,BASE, and in traces: a-z, 0-9 and hyphens.")
        .required(),
    WAS,
    Field::new("name", "The name that people see. Default: the slug."),
    Field::new("enabled", "Whether it can bind, and anybody by way of it. Default: true."),
    Field::new(
        "bind_password",
        "What it binds with: { env: NAME }, { file: PATH }, { value: TEXT } or { stored: PATH }.",
    )
    .secret(),
    Field::new("bind_passwords", "Two of them, the older first, while the app changes from one to the other.").secret(),
    Field::new("groups", "Only members of these groups may bind by way of it. Default: everybody."),
];

pub const SIGNAL_RECEIVER: &[Field] = &[
    Field::new("slug", "The receiver's name in its `aud` and in the log: a-z, 0-9 and hyphens.").required(),
    WAS,
    Field::new("name", "The name that people see. Default: the slug."),
    Field::new("enabled", "Whether it hears of anything. Default: true."),
    Field::new(
        "bearer_token",
        "What it shows to ask for its stream and to poll, of 32 characters or more: { env: NAME }, { file: PATH }, \
         { value: TEXT } or { stored: PATH }.",
    )
    .secret(),
    Field::new("bearer_tokens", "Two of them, the older first, while it changes from one to the other.").secret(),
    Field::new("push_authorization", "The Authorization header of what is pushed to it. Default: none.").secret(),
];

pub const SCIM_APP: &[Field] = &[
    Field::new("slug", "The app's name in commands and traces: a-z, 0-9 and hyphens.").required(),
    WAS,
    Field::new("name", "The name that administrators see. Default: the slug."),
    Field::new("enabled", "Whether it is told anything. What it has stays there. Default: true."),
    Field::new(
        "bearer_token",
        "What the bridge calls it with: { env: NAME }, { file: PATH }, { value: TEXT } or { stored: PATH }.",
    )
    .secret(),
    Field::new("client_secret", "Or the secret with which the bridge gets tokens from the token_endpoint.").secret(),
    Field::new("groups", "Only members of these groups are there. Default: everybody."),
    CLAIMS,
];

const WAS: Field = Field::new("was", "The name before a rename, so that it stays the same object.");
const CONNECTIONS: Field =
    Field::new("connections", "Slugs of the connections that people may log in by. Default: all of the tenant.");
const CLAIMS: Field =
    Field::new("claims", "Claims of its own, on top of the connection's mapping: { NAME: { cel: … } }.");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use fedbridge_contract::config::AppKind;
    use fedbridge_hub::spec::Configuration;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::bridge::offline;
    use crate::bridge::tests::{TestClock, TestEgress, TestRng, load_text};
    use crate::registry;

    /// Every key of the lists is read: a number is wrong for each of them.
    #[tokio::test]
    async fn every_key_is_read() {
        let metadata = json!({ "xml": "<EntityDescriptor/>" });
        let whole = [
            ("", TENANT, json!({ "slug": "acme" })),
            ("connections", CONNECTION, json!({ "slug": "a", "protocol": "saml", "idp_metadata": metadata })),
            ("clients", CLIENT, json!({ "client_id": "a", "public": true })),
            ("service_providers", SERVICE_PROVIDER, json!({ "slug": "a", "sp_metadata": metadata })),
            ("scim_apps", SCIM_APP, json!({ "slug": "a", "base_url": "https://a.example" })),
            ("signal_receivers", SIGNAL_RECEIVER, json!({ "slug": "a" })),
        ];
        for (list, fields, object) in whole {
            for field in fields {
                let mut object = object.clone();
                object[field.name] = json!(7);
                let tenant = if list.is_empty() { object } else { json!({ "slug": "acme", list: [object] }) };
                let text = json!({ "version": 1, "tenants": [tenant] }).to_string();
                let found = load_text("reference", &text, &Configuration::default()).await.unwrap_err();
                let path = format!(".{}", field.name);
                let right = |message: &str| message.starts_with("expected") && !message.contains("unknown key");
                assert!(
                    found.iter().any(|located| located.path.ends_with(&path) && right(&located.message)),
                    "{list}{path}: {found:?}"
                );
            }
        }
    }

    /// The adapters know them as keys of somebody else.
    #[test]
    fn the_keys_of_apps_are_suggested_by_their_adapters() {
        let services = offline::services(Arc::new(TestClock), Arc::new(TestRng::default()), Arc::new(TestEgress));
        for downstream in registry::downstreams(&services) {
            let common = match downstream.kind() {
                AppKind::OidcClient => CLIENT,
                AppKind::SamlSp => SERVICE_PROVIDER,
                AppKind::LdapApp => LDAP_APP,
                AppKind::ScimApp => SCIM_APP,
                AppKind::SignalReceiver => SIGNAL_RECEIVER,
            };
            for field in common {
                let settings = Value::Object(Map::from_iter([(field.name.to_owned(), json!(1))]));
                let want = format!("unknown key; the nearest known one is `{}`", field.name);
                let found = downstream.check_app("a", &settings, 1);
                assert!(
                    found.iter().any(|complaint| complaint.path == field.name && complaint.message == want),
                    "{}: {found:?}",
                    field.name
                );
            }
        }
    }
}
