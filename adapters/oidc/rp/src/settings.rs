//! The settings of an OpenID Connect connection: read strictly, every complaint at once.

mod choices;
mod fields;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::settings_reader::Reader;
use serde_json::{Map, Value};

use crate::profiles::Profile;

pub(crate) use choices::{is_guid, is_of_many};
pub use fields::FIELDS;

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
        let mut reader = Reader::new("", value);
        let profile = choices::profile(&mut reader);
        let issuer = choices::issuer(&mut reader);
        let client_id = choices::required(&mut reader, "client_id");
        let shortest = choices::secrets(&mut reader, secrets);
        let client_secret_expires = reader.date("client_secret_expires");
        let auth_method = choices::auth_method(&mut reader, shortest.is_some());
        let client_assertion_alg = choices::assertion_algorithm(&mut reader);
        let scopes = choices::scopes(&mut reader);
        let response_mode =
            reader.choice("response_mode", &[("query", ResponseMode::Query), ("form_post", ResponseMode::FormPost)]);
        let pushed =
            [("auto", PushedRequests::Auto), ("required", PushedRequests::Required), ("off", PushedRequests::Off)];
        let pushed_requests = reader.choice("pushed_requests", &pushed).unwrap_or(PushedRequests::Auto);
        let signed_requests = reader.choice("request_object", &[("off", false), ("signed", true)]).unwrap_or(false);
        let offline_prompt = reader.choice("offline_prompt", &[("consent", true), ("none", false)]);
        let extra_parameters = choices::extra_parameters(&mut reader);
        let pass_on = choices::pass_on(&mut reader);
        let algorithms = choices::algorithms(&mut reader, shortest);
        let audiences = choices::texts(&mut reader, "audiences");
        let skew = choices::skew(&mut reader);
        let uses = [("auto", UserinfoUse::Auto), ("always", UserinfoUse::Always), ("off", UserinfoUse::Off)];
        let userinfo = reader.choice("userinfo", &uses).unwrap_or(UserinfoUse::Auto);
        let userinfo_signed = reader.boolean("userinfo_signed").unwrap_or(false);
        let discovery = choices::discovery(&mut reader, &issuer);
        let metadata = choices::metadata(&mut reader, &discovery);
        let endpoint_hosts = choices::endpoint_hosts(&mut reader, profile);
        let subject = choices::subject(&mut reader, profile);
        let tenants = choices::tenants(&mut reader, profile, &issuer);
        let hosted_domains = choices::hosted_domains(&mut reader, profile);
        let groups = choices::groups(&mut reader, profile);
        let (least, most) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
        let revalidate = reader.duration("revalidate", least, most);
        let silent = [("allow", WhenSilent::Allow), ("deny", WhenSilent::Deny)];
        let when_silent = reader.choice("revalidate_when_silent", &silent).unwrap_or(WhenSilent::Allow);
        let revoke_at_logout = reader.boolean("revoke_at_logout");
        let logout = reader.boolean("logout").unwrap_or(true);
        let sid = [("sid", FrontChannelSid::Sid), ("subject", FrontChannelSid::Subject)];
        let front_channel_sid = reader.choice("front_channel_sid", &sid).unwrap_or(FrontChannelSid::Sid);
        let global_token_revocation = choices::global_token_revocation(&mut reader);
        let initiate_login = choices::initiate_login(&mut reader);
        let distrusted_keys = choices::texts(&mut reader, "distrusted_keys");
        let complaints = reader.finish(&["client_secret", "client_secrets"]);
        if !complaints.is_empty() {
            return Err(complaints);
        }
        Ok(Self {
            profile,
            issuer,
            client_id,
            client_secret_expires,
            auth_method,
            client_assertion_alg,
            scopes,
            response_mode: response_mode.unwrap_or(ResponseMode::Query),
            pushed_requests,
            signed_requests,
            offline_prompt: offline_prompt.unwrap_or(profile.offline_prompt),
            extra_parameters,
            pass_on,
            algorithms,
            audiences,
            skew,
            userinfo,
            userinfo_signed,
            discovery,
            metadata,
            endpoint_hosts,
            subject,
            tenants,
            hosted_domains,
            groups,
            revalidate,
            when_silent,
            revoke_at_logout,
            logout,
            front_channel_sid,
            global_token_revocation,
            initiate_login,
            distrusted_keys,
        })
    }

    /// Whether tokens of the provider are kept beside a session, because something here uses them later.
    pub fn keeps_tokens(&self) -> bool {
        self.revalidate.is_some() || self.revoke_at_logout == Some(true)
    }

    /// Whether the client signs anything with keys of its own.
    pub fn signs(&self) -> bool {
        self.auth_method == AuthMethod::PrivateKeyJwt || self.signed_requests
    }

    pub fn distrusts(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.distrusted_keys.iter().any(|distrusted| distrusted == kid))
    }
}
