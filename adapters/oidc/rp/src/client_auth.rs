//! How we authenticate at the provider's endpoints (OpenID Connect Core 9).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::jws::{self, JwtType};
use serde_json::json;

use crate::party::RelyingParty;
use crate::settings::AuthMethod;

/// How long an assertion lives. It is used at once.
const LIFE: Duration = Duration::from_secs(60);

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A form that goes to an endpoint of the provider, with what proves who we are.
#[derive(Clone, Default)]
pub struct Authenticated {
    pub form: Vec<(String, String)>,
    /// The value of the header `authorization`.
    pub header: Option<String>,
}

impl Authenticated {
    pub fn headers(&self) -> Vec<(String, String)> {
        let accept = ("accept".to_owned(), "application/json".to_owned());
        let authorization = self.header.iter().map(|value| ("authorization".to_owned(), value.clone()));
        std::iter::once(accept).chain(authorization).collect()
    }

    pub fn body(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.form).finish()
    }
}

/// Adds the proof. `slot` chooses among the client's secrets.
///
/// # Errors
/// One clause: there is no secret or key to prove it with.
pub fn authenticate(
    party: &RelyingParty,
    tenant: &Tenant,
    slot: usize,
    now: Timestamp,
    form: &[(&str, String)],
) -> Result<Authenticated, String> {
    let settings = &party.settings;
    let mut sent = Authenticated {
        form: form.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        header: None,
    };
    let mut add = |name: &str, value: String| {
        // A pushed request names the client already.
        if !sent.form.iter().any(|(there, _)| there == name) {
            sent.form.push((name.to_owned(), value));
        }
    };
    let secret = || {
        let secret = party.secrets.get(slot).ok_or("the connection has no client_secret")?;
        std::str::from_utf8(secret).map_err(|_| "the client_secret is not UTF-8 text")
    };
    match settings.auth_method {
        AuthMethod::Basic => {
            // Both sides are form-encoded first (RFC 6749 section 2.3.1).
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let both = format!("{}:{}", encode(&settings.client_id), encode(secret()?));
            sent.header = Some(format!("Basic {}", STANDARD.encode(both)));
        }
        AuthMethod::Post => {
            add("client_id", settings.client_id.clone());
            add("client_secret", secret()?.to_owned());
        }
        AuthMethod::PrivateKeyJwt => {
            add("client_id", settings.client_id.clone());
            add("client_assertion_type", ASSERTION_TYPE.to_owned());
            add("client_assertion", assertion(party, tenant, now)?);
        }
    }
    Ok(sent)
}

/// A client assertion (RFC 7523 section 3). Its audience is the issuer that the administrator set, never an address
/// out of the metadata: one that a hostile provider gets is of no use anywhere else.
fn assertion(party: &RelyingParty, tenant: &Tenant, now: Timestamp) -> Result<String, String> {
    let settings = &party.settings;
    let signer = tenant.keys.client_signer(party.connection);
    let signer = signer.ok_or("the connection has no key for private_key_jwt; `fedbridge apply` makes one")?;
    let claims = json!({
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": settings.issuer,
        "jti": random_text::<16>(party.services.rng.as_ref()),
        "iat": now.seconds(),
        "exp": (now + LIFE).seconds(),
    });
    let kind = if settings.profile.plain_assertion { JwtType::Id } else { JwtType::ClientAuthentication };
    jws::sign(signer.as_ref(), kind, &claims).map_err(|error| error.to_string())
}
