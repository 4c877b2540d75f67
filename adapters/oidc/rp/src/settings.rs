//! The settings of an OpenID Connect connection: read strictly, every complaint at once.

mod choices;
mod fields;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::jwk::PublicJwk;
use fedbridge_oidc_core::settings_reader::Reader;
use serde_json::{Map, Value};

use crate::profiles::Profile;

pub(crate) use choices::{is_guid, is_of_many};
pub use fields::FIELDS;

/// The secret that Okta's Users API is asked with.
pub const GROUPS_API_TOKEN: &str = "groups_api_token";

/// The `Authorization` header that a transmitter of signals shows.
pub const SIGNALS_AUTHORIZATION: &str = "signals_authorization";

/// What a connection was told to do.
#[derive(Debug)]
pub struct Settings {
    pub profile: &'static Profile,
    /// As the administrator wrote it. The metadata and every `iss` are compared with it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret_expires: Option<Timestamp>,
    pub auth_method: AuthMethod,
    pub client_assertion_alg: SignatureAlgorithm,
    pub scopes: Vec<String>,
    pub response_mode: ResponseMode,
    pub pushed_requests: PushedRequests,
    pub signed_requests: bool,
    pub offline_prompt: bool,
    pub extra_parameters: Vec<(String, String)>,
    pub pass_on: PassOn,
    pub algorithms: Vec<TokenAlgorithm>,
    pub audiences: Vec<String>,
    pub skew: Duration,
    pub userinfo: UserinfoUse,
    pub userinfo_signed: bool,
    pub discovery: Discovery,
    /// Members that stand in the place of the published ones.
    pub metadata: Map<String, Value>,
    pub endpoint_hosts: Vec<String>,
    pub subject: Vec<String>,
    /// Directories whose people may log in; empty: not looked at.
    pub tenants: Vec<String>,
    pub hosted_domains: Vec<String>,
    pub groups: Groups,
    pub revalidate: Option<Duration>,
    pub when_silent: WhenSilent,
    /// `None`: where tokens are kept anyway and the provider has an endpoint for it.
    pub revoke_at_logout: Option<bool>,
    pub logout: bool,
    pub front_channel_sid: FrontChannelSid,
    pub global_token_revocation: Option<GlobalTokenRevocation>,
    pub signals: Option<Signals>,
    pub initiate_login: Option<InitiateLogin>,
    pub distrusted_keys: Vec<String>,
}

/// How we authenticate at the provider (OpenID Connect Core 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    Basic,
    Post,
    PrivateKeyJwt,
}

impl AuthMethod {
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    FormPost,
}

/// RFC 9126.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushedRequests {
    Auto,
    Required,
    Off,
}

/// What of an app's wish goes on to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassOn {
    pub prompt: bool,
    pub max_age: bool,
    pub acr_values: bool,
    pub login_hint: bool,
    pub ui_locales: bool,
    pub domain_hint: bool,
}

/// What an ID token may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    Signature(SignatureAlgorithm),
    /// With the client's secret, by explicit setting alone.
    Hs256,
}

impl TokenAlgorithm {
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature(algorithm) => algorithm.name(),
            Self::Hs256 => "HS256",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserinfoUse {
    Auto,
    Always,
    Off,
}

/// Where the metadata comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// From this address. `text` is what is in force; without it the connection waits for a first look.
    At { url: String, text: Option<String> },
    /// The administrator gave all of it.
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    pub claim: String,
    /// So many values may mean that there are more.
    pub cap: Option<usize>,
    pub on_overage: OnOverage,
}

/// What happens where a token does not have all groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOverage {
    Refuse,
    /// Microsoft Graph is asked with the client's own credentials.
    Graph,
    /// Okta's Users API is asked with a token of its own.
    Okta,
    /// The groups that came count.
    Keep,
}

/// What happens at a re-validation where the provider does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSilent {
    Allow,
    Deny,
}

/// What the provider sends as `sid` in front-channel logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontChannelSid {
    Sid,
    Subject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalTokenRevocation {
    pub issuer: String,
    pub jwks_uri: String,
}

/// Who may tell us of what happens to its people (RFC 8935).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signals {
    pub issuer: String,
    pub jwks_uri: String,
    /// What we are called in its tokens.
    pub audience: String,
}

/// Third-party initiated login (OpenID Connect Core 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitiateLogin {
    pub targets: Vec<String>,
    /// The app that is started: its name in the bridge file, with its kind.
    pub app: (AppKind, String),
}

impl Settings {
    /// Reads the settings of one connection. Of `secrets` only how many there are, and how long, counts here.
    ///
    /// # Errors
    /// Everything that is wrong, in the order in which the settings stand.
    pub fn parse(value: &Value, secrets: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<Complaint>> {
        let mut whole = Reader::new("", value);
        let reader = &mut whole;
        let profile = choices::profile(reader);
        let issuer = choices::issuer(reader);
        let client_id = choices::required(reader, "client_id");
        let shortest = choices::secrets(reader, secrets);
        let discovery = choices::discovery(reader, &issuer);
        let subject = choices::subject(reader, profile);
        let tenants = choices::tenants(reader, profile, &issuer);
        choices::subject_of_many(reader, &subject, &tenants, &issuer);
        let (least, most) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
        let settings = Self {
            client_secret_expires: reader.date("client_secret_expires"),
            auth_method: words::auth_method(reader, shortest.is_some()),
            client_assertion_alg: words::assertion_algorithm(reader),
            scopes: choices::scopes(reader),
            response_mode: words::response_mode(reader),
            pushed_requests: words::pushed_requests(reader),
            signed_requests: reader.choice("request_object", &[("off", false), ("signed", true)]).unwrap_or(false),
            offline_prompt: words::offline_prompt(reader, profile),
            extra_parameters: choices::extra_parameters(reader),
            pass_on: choices::pass_on(reader),
            algorithms: choices::algorithms(reader, shortest),
            audiences: choices::texts(reader, "audiences"),
            skew: choices::skew(reader),
            userinfo: words::userinfo(reader),
            userinfo_signed: reader.boolean("userinfo_signed").unwrap_or(false),
            metadata: choices::metadata(reader, &discovery),
            endpoint_hosts: choices::endpoint_hosts(reader, profile),
            hosted_domains: choices::hosted_domains(reader, profile),
            groups: choices::groups(reader, profile, secrets.contains_key(GROUPS_API_TOKEN)),
            revalidate: reader.duration("revalidate", least, most),
            when_silent: words::when_silent(reader),
            revoke_at_logout: reader.boolean("revoke_at_logout"),
            logout: reader.boolean("logout").unwrap_or(true),
            front_channel_sid: words::front_channel_sid(reader),
            global_token_revocation: choices::global_token_revocation(reader),
            signals: choices::signals(reader),
            initiate_login: choices::initiate_login(reader),
            distrusted_keys: choices::texts(reader, "distrusted_keys"),
            profile,
            issuer,
            client_id,
            discovery,
            subject,
            tenants,
        };
        let complaints = whole.finish(&["client_secret", "client_secrets", GROUPS_API_TOKEN, SIGNALS_AUTHORIZATION]);
        if complaints.is_empty() { Ok(settings) } else { Err(complaints) }
    }

    /// Whether tokens of the provider are kept beside a session, because something here uses them later.
    pub fn keeps_tokens(&self) -> bool {
        self.revalidate.is_some() || self.revoke_at_logout == Some(true)
    }

    /// Whether the client signs anything with keys of its own.
    pub fn signs(&self) -> bool {
        self.auth_method == AuthMethod::PrivateKeyJwt || self.signed_requests
    }

    /// Those of published keys that the connection does not distrust.
    pub fn trusted(&self, published: &[PublicJwk]) -> Vec<PublicJwk> {
        published.iter().filter(|key| !self.distrusts(key.kid.as_deref())).cloned().collect()
    }

    pub fn distrusts(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.distrusted_keys.iter().any(|distrusted| distrusted == kid))
    }
}
