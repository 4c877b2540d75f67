//! The settings by which a client proves who it is.

use fedbridge_oidc_core::jwk::registered_set;
use fedbridge_oidc_core::settings_reader::Reader;
use serde_json::Value;

use super::settings::{ClientAuthentication, ClientKeys, read_web_address};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Basic,
    Post,
    PrivateKeyJwt,
}

/// Every combination of `public`, method, secrets and keys, and what is wrong with most of them.
pub(super) fn read_authentication(reader: &mut Reader<'_>, secrets: usize) -> ClientAuthentication {
    let public = reader.boolean("public").unwrap_or(false);
    let method = reader.choice(
        "token_endpoint_auth_method",
        &[
            ("none", Method::None),
            ("client_secret_basic", Method::Basic),
            ("client_secret_post", Method::Post),
            ("private_key_jwt", Method::PrivateKeyJwt),
        ],
    );
    let keys = read_keys(reader);
    let audience = reader.choice("client_assertion_audience", &[("issuer", false), ("token_endpoint", true)]);
    if secrets > 2 {
        reader.complain("client_secrets", "Two secrets at most: the current one and the next.");
    }
    if audience.is_some() && keys.is_none() {
        reader.complain("client_assertion_audience", "This is for clients with jwks or jwks_uri only.");
    }
    if public {
        if secrets > 0 || keys.is_some() {
            reader.complain("public", "A public client has neither a secret nor keys; take one or the other out.");
        }
        if method.is_some_and(|method| method != Method::None) {
            reader.complain("token_endpoint_auth_method", "A public client uses none.");
        }
        return ClientAuthentication::None;
    }
    let with_secret = |basic, post| ClientAuthentication::Secret { basic, post };
    match (method, keys) {
        (Some(Method::None), _) => {
            reader.complain("token_endpoint_auth_method", "Only a public client uses none; set public: true.");
            ClientAuthentication::None
        }
        (Some(Method::PrivateKeyJwt) | None, Some(keys)) if secrets == 0 => {
            ClientAuthentication::PrivateKeyJwt { keys, token_endpoint_audience: audience.unwrap_or(false) }
        }
        (_, Some(_)) => {
            reader.complain(
                "token_endpoint_auth_method",
                "Give the client either a secret or keys, and the method for it.",
            );
            with_secret(true, true)
        }
        (Some(Method::PrivateKeyJwt), None) => {
            reader.complain("token_endpoint_auth_method", "private_key_jwt needs jwks or jwks_uri.");
            with_secret(true, true)
        }
        (method, None) => {
            if secrets == 0 {
                reader.complain(
                    "client_secret",
                    "Give the client a client_secret, jwks or jwks_uri, or set public: true.",
                );
            }
            with_secret(method != Some(Method::Post), method != Some(Method::Basic))
        }
    }
}

fn read_keys(reader: &mut Reader<'_>) -> Option<ClientKeys> {
    let set = reader.take("jwks");
    let address = read_web_address(reader, "jwks_uri");
    if set.is_some() && address.is_some() {
        reader.complain("jwks", "Give jwks or jwks_uri, not both.");
    }
    let Some(set) = set else { return address.map(ClientKeys::At) };
    // A file reference arrives as the file's text.
    let parsed = set.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    match registered_set(parsed.as_ref().unwrap_or(set)) {
        Ok(keys) => Some(ClientKeys::Registered(keys)),
        Err(bad) => {
            for (path, message) in bad {
                let path = if path.is_empty() { "jwks".to_owned() } else { format!("jwks.{path}") };
                reader.complain(&path, message);
            }
            Some(ClientKeys::Registered(Vec::new()))
        }
    }
}
