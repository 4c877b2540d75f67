//! The settings of an OIDC client, read strictly: the keys of a client in the
//! bridge file, without those that are consumed before they get here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::App;
use fedbridge_contract::downstream::ConsentWish;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::grant::MAX_ACCESS_TOKEN;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::text::expected_one_of;
use fedbridge_oidc_core::jwk::PublicJwk;
use fedbridge_oidc_core::settings_reader::Reader;
use serde_json::Value;

use super::redirect_uri::{RedirectUri, check_web_address};
use super::settings_authentication::read_authentication;

pub use super::settings_fields::FIELDS;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Keys of a client that the bridge file's reader consumes; good for a suggestion only.
const ELSEWHERE: &[&str] =
    &["client_id", "was", "name", "client_secret", "client_secrets", "connections", "release", "claims", "enabled"];

/// Scopes that speak of a person. A client acting for itself never gets them.
pub(crate) const PERSON_SCOPES: &[&str] =
    &["openid", "profile", "email", "address", "phone", "groups", "offline_access"];

const CONSENT: &[(&str, ConsentWish)] =
    &[("none", ConsentWish::NotNeeded), ("remember", ConsentWish::Remembered), ("always", ConsentWish::Always)];

/// The settings of one client, checked.
#[derive(Debug)]
pub struct ClientSettings {
    pub authentication: ClientAuthentication,
    pub redirect_uris: Vec<RedirectUri>,
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logout tokens go (Back-Channel Logout 1.0). `backchannel_logout_session_required` beside
    /// it is kept in any case: every logout token has a `sid`.
    pub backchannel_logout_uri: Option<String>,
    /// What a frame opens when a session ends (Front-Channel Logout 1.0), where there is no back channel.
    /// `frontchannel_logout_session_required` beside it is kept in any case: every frame has `iss` and `sid`.
    pub frontchannel_logout_uri: Option<String>,
    /// Whether people are asked before the client gets anything.
    pub consent: ConsentWish,
    /// Where a login can be started from our side (OpenID Connect Core 4).
    pub initiate_login_uri: Option<String>,
    pub grant_types: BTreeSet<GrantType>,
    /// Every scope that the client may ever be given.
    pub scopes: Vec<String>,
    pub pkce: Pkce,
    pub id_token_algorithm: SignatureAlgorithm,
    pub access_token: AccessTokenSettings,
    pub refresh_token: RefreshTokenSettings,
    /// Audiences whose tokens this client may introspect, besides its own.
    pub resources: Vec<String>,
    pub pairwise: bool,
    pub sector_identifier_uri: Option<String>,
    pub default_max_age: Option<Duration>,
}

/// How the client proves who it is.
#[derive(Debug)]
pub enum ClientAuthentication {
    /// A public client.
    None,
    Secret {
        basic: bool,
        post: bool,
    },
    PrivateKeyJwt {
        keys: ClientKeys,
        /// Accept assertions whose audience is the token endpoint, as before RFC 7523bis.
        token_endpoint_audience: bool,
    },
}

#[derive(Debug)]
pub enum ClientKeys {
    Registered(Vec<PublicJwk>),
    At(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    Required,
    /// For confidential clients: a challenge that comes is still enforced.
    Optional,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenSettings {
    pub format: TokenFormat,
    pub lifetime: Duration,
    /// `None` means the issuer.
    pub audience: Option<String>,
    /// `None` means ES256 where the tenant has such a key.
    pub algorithm: Option<SignatureAlgorithm>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFormat {
    /// RFC 9068.
    Jwt,
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshTokenSettings {
    pub grace: Duration,
    pub idle: Duration,
    pub absolute: Duration,
}

impl ClientSettings {
    /// The settings of an app, read once for each snapshot.
    ///
    /// # Errors
    /// Every complaint. Settings are checked when they are saved, so there should be none.
    pub fn of(app: &App) -> Result<Arc<Self>, Vec<Complaint>> {
        app.parsed(|settings| Self::parse(&app.name, settings, app.secret_hashes.len()))
    }

    /// The host that pairwise subjects are made for: that of the sector document, else that of
    /// the redirect URIs, which then have only one (OpenID Connect Core 8.1).
    pub(crate) fn sector(&self, client_id: &str) -> String {
        let host = match &self.sector_identifier_uri {
            Some(address) => url::Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)),
            None => self.redirect_uris.first().and_then(RedirectUri::host),
        };
        host.unwrap_or_else(|| client_id.to_owned())
    }

    /// Reads settings. `secrets` is how many client secrets there are.
    ///
    /// # Errors
    /// Every complaint at once.
    pub fn parse(name: &str, settings: &Value, secrets: usize) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new("", settings);
        if let Some(message) = trouble_with_name(name) {
            reader.complain("client_id", message);
        }
        let authentication = read_authentication(&mut reader, secrets);
        let public = matches!(authentication, ClientAuthentication::None);
        let grant_types = read_grant_types(&mut reader, public);
        let redirect_uris = read_redirect_uris(&mut reader, public, &grant_types);
        let post_logout_redirect_uris = read_addresses(&mut reader, "post_logout_redirect_uris", public);
        let scopes = read_scopes(&mut reader, &grant_types);
        let pkce = reader.choice("pkce", &[("required", Pkce::Required), ("optional", Pkce::Optional)]);
        if public && pkce == Some(Pkce::Optional) {
            reader.complain("pkce", "A public client always needs PKCE; take this out.");
        }
        let backchannel_logout_uri = read_web_address(&mut reader, "backchannel_logout_uri");
        check_session_required(&mut reader, "backchannel_logout_session_required", "backchannel_logout_uri");
        let frontchannel_logout_uri = read_front_channel(&mut reader, &redirect_uris);
        check_session_required(&mut reader, "frontchannel_logout_session_required", "frontchannel_logout_uri");
        let consent = reader.choice("consent", CONSENT).unwrap_or_default();
        let initiate_login_uri = read_web_address(&mut reader, "initiate_login_uri");
        let id_token_algorithm = read_algorithm(&mut reader, "id_token_signed_response_alg");
        let access_token = read_access_token(&mut reader);
        let refresh_token = read_refresh_token(&mut reader);
        let resources = reader.texts("resources").unwrap_or_default();
        let (pairwise, sector_identifier_uri) = read_subject_type(&mut reader, &redirect_uris);
        let default_max_age = reader.duration("default_max_age", Duration::ZERO, DAY * 365);
        let complaints = reader.finish(ELSEWHERE);
        if !complaints.is_empty() {
            return Err(complaints);
        }
        Ok(Self {
            authentication,
            redirect_uris,
            post_logout_redirect_uris,
            backchannel_logout_uri,
            frontchannel_logout_uri,
            consent,
            initiate_login_uri,
            grant_types,
            scopes,
            pkce: pkce.unwrap_or(Pkce::Required),
            id_token_algorithm: id_token_algorithm.unwrap_or(SignatureAlgorithm::ES256),
            access_token,
            refresh_token,
            resources: resources.into_iter().map(|(_, text)| text.to_owned()).collect(),
            pairwise,
            sector_identifier_uri,
            default_max_age,
        })
    }

    pub fn is_public(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::None)
    }

    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    pub(crate) fn has_redirect_uri(&self, requested: &str) -> bool {
        self.redirect_uris.iter().any(|there| there.matches(requested))
    }

    /// What is left of scopes that were given earlier: those that the client may still have.
    pub(crate) fn remaining<'a>(&self, given: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let still = |scope: &&str| self.scopes.iter().any(|there| there == scope);
        given.into_iter().filter(still).map(str::to_owned).collect()
    }
}

/// A client's name must fit a header and must not be able to pass for a person (RFC 9700 section 4.15).
fn trouble_with_name(name: &str) -> Option<&'static str> {
    let visible = !name.is_empty() && name.len() <= 255 && name.bytes().all(|b| b.is_ascii_graphic());
    let like_a_person = name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit());
    match (visible, like_a_person) {
        (false, _) => Some("expected 1 to 255 visible ASCII characters"),
        (true, true) => Some("A name of 32 hexadecimal digits looks like a person's sub; choose another."),
        (true, false) => None,
    }
}

fn read_grant_types(reader: &mut Reader<'_>, public: bool) -> BTreeSet<GrantType> {
    let Some(texts) = reader.texts("grant_types") else {
        return BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    };
    let mut out = BTreeSet::new();
    for (path, text) in &texts {
        match *text {
            "authorization_code" => out.insert(GrantType::AuthorizationCode),
            "refresh_token" => out.insert(GrantType::RefreshToken),
            "client_credentials" => out.insert(GrantType::ClientCredentials),
            _ => {
                let known = ["authorization_code", "refresh_token", "client_credentials"];
                reader.complain(path, expected_one_of(&known, &Value::from(*text)));
                false
            }
        };
    }
    if texts.is_empty() {
        reader.complain("grant_types", "List at least one grant type.");
    }
    if public && out.contains(&GrantType::ClientCredentials) {
        reader.complain("grant_types", "client_credentials is for confidential clients only.");
    }
    if out.contains(&GrantType::RefreshToken) && !out.contains(&GrantType::AuthorizationCode) {
        reader.complain("grant_types", "refresh_token works together with authorization_code only.");
    }
    out
}

fn read_redirect_uris(reader: &mut Reader<'_>, public: bool, grants: &BTreeSet<GrantType>) -> Vec<RedirectUri> {
    let texts = reader.texts("redirect_uris").unwrap_or_default();
    if texts.is_empty() && grants.contains(&GrantType::AuthorizationCode) {
        reader.complain("redirect_uris", "List at least one address that the app is answered at.");
    }
    let mut out = Vec::with_capacity(texts.len());
    for (path, text) in texts {
        match RedirectUri::register(text, public) {
            Ok(uri) => out.push(uri),
            Err(message) => reader.complain(&path, message),
        }
    }
    out
}

fn read_addresses(reader: &mut Reader<'_>, key: &'static str, public: bool) -> Vec<String> {
    let mut out = Vec::new();
    for (path, text) in reader.texts(key).unwrap_or_default() {
        match RedirectUri::register(text, public) {
            Ok(_) => out.push(text.to_owned()),
            Err(message) => reader.complain(&path, message),
        }
    }
    out
}

pub(super) fn read_web_address(reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
    let text = reader.text(key)?;
    match check_web_address(text) {
        Ok(()) => Some(text.to_owned()),
        Err(message) => {
            reader.complain(key, message);
            None
        }
    }
}

/// OpenID Connect Front-Channel Logout 1.0, section 2: the address is where the client's answers go as well,
/// so no client can make our page open a stranger's.
fn read_front_channel(reader: &mut Reader<'_>, redirect_uris: &[RedirectUri]) -> Option<String> {
    const KEY: &str = "frontchannel_logout_uri";
    let address = read_web_address(reader, KEY)?;
    let url = url::Url::parse(&address).ok()?;
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| name == "iss" || name == "sid") {
        reader.complain(KEY, format!("Take the query parameter {name} out; the logout adds it."));
    }
    let same_origin = |uri: &RedirectUri| url::Url::parse(uri.text()).is_ok_and(|uri| uri.origin() == url.origin());
    if !redirect_uris.iter().any(same_origin) {
        reader.complain(KEY, "Use scheme, host and port of one of the redirect_uris.");
    }
    Some(address)
}

/// Both kinds of logout always name the session, so the setting changes nothing.
fn check_session_required(reader: &mut Reader<'_>, key: &'static str, beside: &'static str) {
    if reader.boolean(key) == Some(true) && reader.take(beside).is_none() {
        reader.complain(key, format!("This is of use beside {beside} only."));
    }
}

fn read_scopes(reader: &mut Reader<'_>, grants: &BTreeSet<GrantType>) -> Vec<String> {
    let Some(texts) = reader.texts("scopes") else {
        return ["openid", "profile", "email"].map(str::to_owned).to_vec();
    };
    let mut out: Vec<String> = Vec::with_capacity(texts.len());
    for (path, text) in texts {
        if text.is_empty() || text.len() > 200 || !text.bytes().all(is_scope_octet) {
            reader.complain(&path, "A scope is 1 to 200 visible ASCII characters without \" and \\.");
        } else if out.iter().any(|there| there == text) {
            reader.complain(&path, format!("The scope {text} is listed twice."));
        } else {
            out.push(text.to_owned());
        }
    }
    if out.iter().any(|scope| scope == "offline_access") && !grants.contains(&GrantType::RefreshToken) {
        reader.complain("scopes", "offline_access needs refresh_token among the grant_types.");
    }
    out
}

/// RFC 6749 section 3.3.
fn is_scope_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b'"' && octet != b'\\'
}

fn read_algorithm(reader: &mut Reader<'_>, key: &'static str) -> Option<SignatureAlgorithm> {
    use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
    reader.choice(key, &[("ES256", ES256), ("RS256", RS256), ("PS256", PS256), ("EdDSA", EdDSA)])
}

fn read_access_token(reader: &mut Reader<'_>) -> AccessTokenSettings {
    let mut settings =
        AccessTokenSettings { format: TokenFormat::Jwt, lifetime: MINUTE * 10, audience: None, algorithm: None };
    if let Some(mut inner) = reader.object("access_token") {
        let format = inner.choice("format", &[("jwt", TokenFormat::Jwt), ("opaque", TokenFormat::Opaque)]);
        settings.format = format.unwrap_or(settings.format);
        settings.lifetime = inner.duration("lifetime", SECOND, MAX_ACCESS_TOKEN).unwrap_or(settings.lifetime);
        settings.audience = inner.text("audience").map(str::to_owned);
        settings.algorithm = read_algorithm(&mut inner, "alg");
        if settings.audience.as_deref() == Some("") {
            inner.complain("audience", "Name the API that the token is for, or leave this out.");
        }
        if settings.format == TokenFormat::Opaque && settings.algorithm.is_some() {
            inner.complain("alg", "An opaque token has no signature algorithm; take this out.");
        }
        reader.absorb(inner.finish(&[]));
    }
    settings
}

fn read_refresh_token(reader: &mut Reader<'_>) -> RefreshTokenSettings {
    let mut settings = RefreshTokenSettings { grace: SECOND * 10, idle: DAY * 30, absolute: DAY * 90 };
    if let Some(mut inner) = reader.object("refresh_token") {
        if inner.boolean("rotation") == Some(false) {
            inner.complain(
                "rotation",
                "Only clients with sender-constrained tokens may go without rotation, and this version has none yet; \
                 leave it true.",
            );
        }
        settings.grace = inner.duration("grace", Duration::ZERO, MINUTE * 5).unwrap_or(settings.grace);
        settings.idle = inner.duration("idle", SECOND, DAY * 365).unwrap_or(settings.idle);
        settings.absolute = inner.duration("absolute", SECOND, DAY * 3650).unwrap_or(settings.absolute);
        reader.absorb(inner.finish(&[]));
    }
    settings
}

fn read_subject_type(reader: &mut Reader<'_>, redirect_uris: &[RedirectUri]) -> (bool, Option<String>) {
    let pairwise = reader.choice("subject_type", &[("public", false), ("pairwise", true)]).unwrap_or(false);
    let sector = read_web_address(reader, "sector_identifier_uri");
    if sector.is_some() && !pairwise {
        reader.complain("sector_identifier_uri", "This is for subject_type: pairwise only.");
    }
    let hosts: BTreeSet<_> = redirect_uris.iter().filter_map(RedirectUri::host).collect();
    if pairwise && sector.is_none() && hosts.len() > 1 {
        reader.complain(
            "sector_identifier_uri",
            "The redirect_uris have several hosts; name the sector_identifier_uri that lists them all.",
        );
    }
    (pairwise, sector)
}
