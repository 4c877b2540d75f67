//! Client authentication (RFC 6749 section 2.3, OpenID Connect Core 9): one method for one
//! request, and the one that the client registered.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::{App, AppKind};
use fedbridge_contract::proof::Permit;
use fedbridge_oidc_core::hash::sha256;
use openssl::memcmp;

use super::client_assertion;
use super::error::OAuthError;
use super::exchange::Exchange;
use super::params::Params;
use super::remote::Remote;
use super::settings::{ClientAuthentication, ClientSettings};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that proved who it is (a public one: that said who it is), is enabled, and
/// whose tenant is. Only [`authenticate`] makes one.
pub(crate) struct AuthenticatedClient {
    pub(crate) app: Arc<App>,
    pub(crate) settings: Arc<ClientSettings>,
    /// The gate's leave for the app acting for itself.
    pub(crate) permit: Permit,
}

/// Finds out which client sent the request.
///
/// # Errors
/// `invalid_client` whatever is wrong with the credentials; `invalid_request` for two methods at once.
pub(crate) async fn authenticate(
    exchange: &mut Exchange<'_>,
    remote: &Remote,
    params: &Params,
) -> Result<AuthenticatedClient, OAuthError> {
    let presented = Presented::gather(exchange.input.authorization.as_deref(), params)?;
    let name = presented.client_id()?;
    let Some(app) = exchange.tenant.app(AppKind::OidcClient, &name).cloned() else {
        return Err(OAuthError::invalid_client("no client has this client_id"));
    };
    exchange.app = Some(app.id);
    let settings = ClientSettings::of(&app)
        .map_err(|_| OAuthError::server_error("the stored settings of the client do not read any more"))?;
    match (&settings.authentication, &presented) {
        (ClientAuthentication::None, Presented::Public { .. }) => {}
        (ClientAuthentication::Secret { basic: true, .. }, Presented::Basic(basic)) => basic.check(&app)?,
        (ClientAuthentication::Secret { post: true, .. }, Presented::Post { secret, .. }) => {
            check_secret(&app, secret)?
        }
        (
            ClientAuthentication::PrivateKeyJwt { keys, token_endpoint_audience },
            Presented::Assertion { assertion, .. },
        ) => {
            let expected =
                client_assertion::Expected { app: &app, keys, token_endpoint_audience: *token_endpoint_audience };
            client_assertion::check(exchange, remote, &expected, assertion).await?;
        }
        (registered, _) => {
            let (registered, came) = (method_of(registered), presented.method());
            exchange.trace.check("client authentication method", "RFC 6749 2.3", registered, came, false);
            return Err(OAuthError::invalid_client(format!(
                "the client is registered for {registered} and used {came}"
            )));
        }
    }
    let permit = exchange
        .services
        .gate
        .app(exchange.tenant, &app)
        .await
        .map_err(|refusal| OAuthError::gate(refusal, OAuthError::invalid_client))?;
    Ok(AuthenticatedClient { app, settings, permit })
}

fn method_of(authentication: &ClientAuthentication) -> &'static str {
    match authentication {
        ClientAuthentication::None => "none",
        ClientAuthentication::Secret { basic: true, post: true } => "client_secret_basic or client_secret_post",
        ClientAuthentication::Secret { basic: true, .. } => "client_secret_basic",
        ClientAuthentication::Secret { .. } => "client_secret_post",
        ClientAuthentication::PrivateKeyJwt { .. } => "private_key_jwt",
    }
}

/// Compares with each active secret, in constant time. Secrets are high-entropy, so one
/// SHA-256 is enough.
fn check_secret(app: &App, secret: &str) -> Result<(), OAuthError> {
    let presented = sha256(secret.as_bytes());
    let mut matches = false;
    for active in &app.secret_hashes {
        matches |= memcmp::eq(active, &presented);
    }
    if matches { Ok(()) } else { Err(OAuthError::invalid_client("the client secret is wrong")) }
}

/// Credentials as they came; nothing about them is checked.
enum Presented<'a> {
    Basic(UnverifiedBasic),
    Post { client_id: Option<&'a str>, secret: &'a str },
    Assertion { client_id: Option<&'a str>, assertion: &'a str },
    Public { client_id: &'a str },
}

impl<'a> Presented<'a> {
    fn gather(authorization: Option<&str>, params: &'a Params) -> Result<Self, OAuthError> {
        let client_id = params.get("client_id");
        let assertion = params.has("client_assertion") || params.has("client_assertion_type");
        let methods =
            usize::from(authorization.is_some()) + usize::from(params.has("client_secret")) + usize::from(assertion);
        if methods > 1 {
            return Err(OAuthError::invalid_request("Use one way of client authentication, not several at once."));
        }
        if let Some(header) = authorization {
            let basic = UnverifiedBasic::read(header)?;
            if client_id.is_some_and(|id| !basic.names(id)) {
                return Err(OAuthError::invalid_request(
                    "The client_id parameter names another client than the header.",
                ));
            }
            return Ok(Self::Basic(basic));
        }
        if assertion {
            if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                return Err(OAuthError::invalid_client(format!("client_assertion_type is not {ASSERTION_TYPE}")));
            }
            let assertion = params.get("client_assertion");
            let assertion = assertion.ok_or_else(|| OAuthError::invalid_client("client_assertion is missing"))?;
            return Ok(Self::Assertion { client_id, assertion });
        }
        if params.has("client_secret") {
            return Ok(Self::Post { client_id, secret: params.get("client_secret").unwrap_or_default() });
        }
        let client_id = client_id.ok_or_else(|| OAuthError::invalid_client("no client authentication came"))?;
        Ok(Self::Public { client_id })
    }

    fn client_id(&self) -> Result<String, OAuthError> {
        match self {
            Self::Basic(basic) => Ok(basic.client_id.clone()),
            Self::Post { client_id, .. } => {
                let id =
                    client_id.ok_or_else(|| OAuthError::invalid_client("client_id is missing beside client_secret"))?;
                Ok(id.to_owned())
            }
            Self::Public { client_id } => Ok((*client_id).to_owned()),
            Self::Assertion { client_id, assertion } => {
                let subject = client_assertion::unverified_subject(assertion)
                    .ok_or_else(|| OAuthError::invalid_client("the client assertion is not a JWT with a sub"))?;
                if client_id.is_some_and(|id| id != subject) {
                    return Err(OAuthError::invalid_client("client_id names another client than the assertion"));
                }
                Ok(subject)
            }
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Basic(_) => "client_secret_basic",
            Self::Post { .. } => "client_secret_post",
            Self::Assertion { .. } => "private_key_jwt",
            Self::Public { .. } => "none",
        }
    }
}

/// The Basic header. Name and secret are form-encoded before they are put together (RFC 6749
/// section 2.3.1); many clients leave that out, so the plain reading of the secret counts as well.
struct UnverifiedBasic {
    client_id: String,
    secret: String,
    plain_id: String,
    plain_secret: String,
}

impl UnverifiedBasic {
    fn read(header: &str) -> Result<Self, OAuthError> {
        let bad = || OAuthError::invalid_client("the Authorization header is not Basic with a name and a secret");
        let (scheme, encoded) = header.split_once(' ').ok_or_else(bad)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(bad());
        }
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let (plain_id, plain_secret) = text.split_once(':').ok_or_else(bad)?;
        Ok(Self {
            client_id: form_decode(plain_id),
            secret: form_decode(plain_secret),
            plain_id: plain_id.to_owned(),
            plain_secret: plain_secret.to_owned(),
        })
    }

    fn names(&self, client_id: &str) -> bool {
        self.client_id == client_id || self.plain_id == client_id
    }

    fn check(&self, app: &App) -> Result<(), OAuthError> {
        let decoded = check_secret(app, &self.secret);
        if self.plain_secret == self.secret {
            decoded
        } else {
            decoded.or_else(|_| check_secret(app, &self.plain_secret))
        }
    }
}

/// One value out of `application/x-www-form-urlencoded`.
fn form_decode(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    // `&` and `=` would split; inside a value they are ordinary characters.
    let one = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(one.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_form_encoding() {
        assert_eq!(form_decode("a%3A%25%2B%C3%A9"), "a:%+é");
        assert_eq!(form_decode("a+b"), "a b");
        assert_eq!(form_decode("a=b&c%20"), "a=b&c ");
        assert_eq!(form_decode("plain"), "plain");
    }

    #[test]
    fn a_header_of_another_scheme_is_no_client_authentication() {
        for bad in ["", "Basic", "Bearer abc", "Basic !!!", "Basic YWJj", "Digest x"] {
            assert!(UnverifiedBasic::read(bad).is_err(), "{bad}");
        }
    }
}
