//! What is known of a provider: its published metadata (OpenID Connect Discovery 3, RFC 8414), with the members
//! that the administrator put in their place.

use fedbridge_contract::error::Complaint;
use fedbridge_contract::loopback::is_https_or_loopback;
use fedbridge_oidc_core::jwk::{PublicJwk, registered_set};
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};
use url::Url;

use crate::profiles::IssuerStyle;
use crate::settings::{Settings, is_of_many};

/// The largest document that is read, in octets.
const MAX_DOCUMENT: usize = 256 * 1024;

/// What a provider offers, as far as this connection uses it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// As the metadata says it: of an issuer of many directories with `{tenantid}` in it.
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub keys: Keys,
    pub userinfo_endpoint: Option<Url>,
    pub end_session_endpoint: Option<Url>,
    pub revocation_endpoint: Option<Url>,
    pub pushed_authorization_request_endpoint: Option<Url>,
    pub require_pushed_authorization_requests: bool,
    /// Answers carry `iss` (RFC 9207 section 3).
    pub names_itself: bool,
    pub claims_parameter: bool,
    /// `None`: the metadata does not say.
    pub code_challenge_methods: Option<Vec<String>>,
    pub auth_methods: Option<Vec<String>>,
    pub algorithms: Option<Vec<String>>,
    pub frontchannel_logout: bool,
    pub backchannel_logout: bool,
}

/// Where the provider's keys are.
#[derive(Debug, Clone)]
pub enum Keys {
    At(Url),
    /// The administrator gave them.
    Given(Vec<PublicJwk>),
}

/// What a member of the metadata may be.
#[derive(Debug, Clone, Copy)]
pub enum Member {
    Address,
    Flag,
    Texts,
    KeySet,
}

/// Members that are read, and that the setting `metadata` may give.
pub const MEMBERS: &[(&str, Member)] = &[
    ("authorization_endpoint", Member::Address),
    ("token_endpoint", Member::Address),
    ("jwks_uri", Member::Address),
    ("jwks", Member::KeySet),
    ("userinfo_endpoint", Member::Address),
    ("end_session_endpoint", Member::Address),
    ("revocation_endpoint", Member::Address),
    ("pushed_authorization_request_endpoint", Member::Address),
    ("require_pushed_authorization_requests", Member::Flag),
    ("authorization_response_iss_parameter_supported", Member::Flag),
    ("claims_parameter_supported", Member::Flag),
    ("code_challenge_methods_supported", Member::Texts),
    ("token_endpoint_auth_methods_supported", Member::Texts),
    ("id_token_signing_alg_values_supported", Member::Texts),
    ("frontchannel_logout_supported", Member::Flag),
    ("backchannel_logout_supported", Member::Flag),
];

impl Member {
    /// # Errors
    /// One sentence that says what is expected.
    pub fn accepts(self, value: &Value) -> Result<(), String> {
        let good = match self {
            Self::Address => return value.as_str().ok_or("expected an address".into()).and_then(web_address).map(drop),
            Self::Flag => value.is_boolean(),
            Self::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::KeySet => {
                let sentence = |bad: Vec<(String, String)>| bad.into_iter().map(|(_, why)| why).collect::<Vec<_>>();
                return registered_set(value).map(drop).map_err(|bad| sentence(bad).join(" "));
            }
        };
        let expected = if matches!(self, Self::Flag) { "expected true or false" } else { "expected a list of texts" };
        if good { Ok(()) } else { Err(expected.into()) }
    }
}

impl Provider {
    /// Reads the metadata of a connection; `document` is `None` where there is no discovery.
    ///
    /// # Errors
    /// Every complaint: the document then counts for nothing.
    pub fn read(settings: &Settings, document: Option<&str>) -> Result<Self, Vec<Complaint>> {
        let mut members = match document {
            Some(text) => published(settings, text)?,
            None => Map::new(),
        };
        let issuer = match document {
            Some(_) => members.get("issuer").and_then(Value::as_str).unwrap_or_default().to_owned(),
            None => template(&settings.issuer),
        };
        for (name, value) in &settings.metadata {
            members.insert(name.clone(), value.clone());
        }
        let mut reading = Reading { members: &members, complaints: Vec::new() };
        let authorization_endpoint = reading.required("authorization_endpoint");
        let token_endpoint = reading.required("token_endpoint");
        let keys = reading.keys(settings.metadata.contains_key("jwks"));
        let provider = |complete: (Url, Url, Keys), reading: &mut Reading<'_>| {
            let (authorization_endpoint, token_endpoint, keys) = complete;
            Self {
                issuer,
                authorization_endpoint,
                token_endpoint,
                keys,
                userinfo_endpoint: reading.address("userinfo_endpoint"),
                end_session_endpoint: reading.address("end_session_endpoint"),
                revocation_endpoint: reading.address("revocation_endpoint"),
                pushed_authorization_request_endpoint: reading.address("pushed_authorization_request_endpoint"),
                require_pushed_authorization_requests: reading.flag("require_pushed_authorization_requests"),
                names_itself: reading.flag("authorization_response_iss_parameter_supported"),
                claims_parameter: reading.flag("claims_parameter_supported"),
                code_challenge_methods: reading.texts("code_challenge_methods_supported"),
                auth_methods: reading.texts("token_endpoint_auth_methods_supported"),
                algorithms: reading.texts("id_token_signing_alg_values_supported"),
                frontchannel_logout: reading.flag("frontchannel_logout_supported"),
                backchannel_logout: reading.flag("backchannel_logout_supported"),
            }
        };
        let complete = authorization_endpoint.zip(token_endpoint).zip(keys).map(|((a, t), k)| (a, t, k));
        let read = complete.map(|complete| provider(complete, &mut reading));
        match read {
            Some(provider) if reading.complaints.is_empty() => Ok(provider),
            _ => Err(reading.complaints),
        }
    }

    /// All addresses that we or browsers go to, by the name of their member.
    pub fn endpoints(&self) -> Vec<(&'static str, &Url)> {
        let keys = match &self.keys {
            Keys::At(url) => Some(url),
            Keys::Given(_) => None,
        };
        let all = [
            ("authorization_endpoint", Some(&self.authorization_endpoint)),
            ("token_endpoint", Some(&self.token_endpoint)),
            ("jwks_uri", keys),
            ("userinfo_endpoint", self.userinfo_endpoint.as_ref()),
            ("end_session_endpoint", self.end_session_endpoint.as_ref()),
            ("revocation_endpoint", self.revocation_endpoint.as_ref()),
            ("pushed_authorization_request_endpoint", self.pushed_authorization_request_endpoint.as_ref()),
        ];
        all.into_iter().filter_map(|(name, url)| Some((name, url?))).collect()
    }
}

/// The published document, where it is of the issuer that was set (OpenID Connect Discovery 4.3).
fn published(settings: &Settings, text: &str) -> Result<Map<String, Value>, Vec<Complaint>> {
    let complaint = |message: String| vec![Complaint::new("discovery", message)];
    if text.len() > MAX_DOCUMENT {
        return Err(complaint(format!("the metadata is longer than {MAX_DOCUMENT} octets")));
    }
    let members = strict_json::object(text.as_bytes()).map_err(|why| complaint(format!("the metadata is {why}")))?;
    let issuer = members.get("issuer").and_then(Value::as_str);
    let expected = expected_issuers(settings);
    if !issuer.is_some_and(|issuer| expected.iter().any(|expected| expected == issuer)) {
        let found = issuer.map_or_else(|| "none".to_owned(), |issuer| format!("`{issuer}`"));
        let hint = hint(&settings.issuer, issuer.unwrap_or_default());
        return Err(complaint(format!("issuer of the metadata: expected `{}`, found {found}{hint}", expected[0])));
    }
    Ok(members)
}

/// What the metadata may call the issuer.
fn expected_issuers(settings: &Settings) -> Vec<String> {
    /// The directory of personal accounts, which publishes its own name.
    const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    match settings.profile.issuer {
        IssuerStyle::Entra if settings.issuer.contains("/consumers/") => {
            vec![template(&settings.issuer), settings.issuer.replace("/consumers/", &format!("/{CONSUMERS}/"))]
        }
        IssuerStyle::Entra if is_of_many(&settings.issuer) => vec![template(&settings.issuer)],
        _ => vec![settings.issuer.clone()],
    }
}

/// An issuer of many directories as its metadata writes it.
pub fn template(issuer: &str) -> String {
    let many = ["/common/", "/organizations/", "/consumers/"];
    many.iter().fold(issuer.to_owned(), |issuer, part| issuer.replace(part, "/{tenantid}/"))
}

/// What an administrator may have mixed up.
fn hint(wanted: &str, found: &str) -> &'static str {
    if wanted.trim_end_matches('/') == found.trim_end_matches('/') {
        return "; they differ in the slash at the end";
    }
    if wanted.eq_ignore_ascii_case(found) {
        return "; they differ in upper and lower case";
    }
    if found.contains("sts.windows.net") || wanted.contains("sts.windows.net") {
        return "; one is of version 1 of Microsoft's endpoints and the other of version 2, whose address ends in /v2.0";
    }
    if wanted.contains("/oauth2/") != found.contains("/oauth2/") {
        return "; one is Okta's org server and the other a custom server (…/oauth2/NAME)";
    }
    ""
}

struct Reading<'a> {
    members: &'a Map<String, Value>,
    complaints: Vec<Complaint>,
}

impl Reading<'_> {
    fn complain(&mut self, name: &str, message: impl std::fmt::Display) {
        self.complaints.push(Complaint::new("discovery", format!("{name} of the metadata: {message}")));
    }

    fn required(&mut self, name: &str) -> Option<Url> {
        if !self.members.contains_key(name) {
            self.complain(name, "is missing");
        }
        self.address(name)
    }

    fn address(&mut self, name: &str) -> Option<Url> {
        let value = self.members.get(name)?;
        let read = value.as_str().ok_or_else(|| "is not a text".to_owned()).and_then(web_address);
        read.map_err(|why| self.complain(name, why)).ok()
    }

    /// Keys that were given are taken; those of a document are at an address of their own.
    fn keys(&mut self, given: bool) -> Option<Keys> {
        if given {
            let set = self.members.get("jwks").map(registered_set);
            return match set {
                Some(Ok(keys)) => Some(Keys::Given(keys)),
                _ => {
                    self.complain("jwks", "can't be used");
                    None
                }
            };
        }
        self.required("jwks_uri").map(Keys::At)
    }

    fn flag(&self, name: &str) -> bool {
        self.members.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.members.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// An address that may be fetched from or shown to a browser: https, or http to this very machine, which the
/// way out permits by a setting of its own.
///
/// # Errors
/// One phrase that says what is wrong.
pub fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is not an address".to_owned())?;
    if !is_https_or_loopback(&url) {
        return Err("is not an https address".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name in it".into());
    }
    Ok(url)
}
