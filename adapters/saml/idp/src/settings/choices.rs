//! Single settings and what they may be.

use std::time::Duration;

use fedbridge_contract::reader::Reader;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{ContentMethod, KeyMethod};
use serde_json::{Map, Value};

/// What is signed (SAML core 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Both,
    Response,
    Assertion,
}

impl Sign {
    /// For a person.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Both => "the assertion, and the response around it",
            Self::Response => "the response",
            Self::Assertion => "the assertion",
        }
    }
}

/// How the service provider hears of a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutChannel {
    /// SOAP where the metadata offers it, else a frame.
    Auto,
    Soap,
    Frame,
    /// It is not told.
    Off,
}

/// How the person is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameIdRule {
    pub source: NameIdSource,
    /// The Format that goes out where the request asks for none.
    pub format: String,
    /// Several providers that share persistent identifiers: the name that qualifies them.
    pub affiliation: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameIdSource {
    /// Random, pairwise and kept for ever (SAML core 8.3.7).
    Persistent,
    /// Of this session and provider alone (SAML core 8.3.8).
    Transient,
    /// What a released claim says.
    Claim(String),
    /// The claim `email`. Every upstream of the tenant can name any address, so it names a person only
    /// where the address is verified, unless the settings say otherwise.
    Email { unverified: bool },
}

impl NameIdSource {
    /// The claims that it is made of.
    pub fn claims(&self) -> Vec<&str> {
        match self {
            Self::Persistent | Self::Transient => Vec::new(),
            Self::Claim(claim) => vec![claim],
            Self::Email { .. } => vec![EMAIL, EMAIL_VERIFIED],
        }
    }
}

/// The person's address, and whether the connection that the login came by owns its domain (OpenID
/// Connect Core 5.1).
pub(crate) const EMAIL: &str = "email";
pub(crate) const EMAIL_VERIFIED: &str = "email_verified";

/// One attribute that goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeRule {
    pub name: String,
    /// Its NameFormat.
    pub format: String,
    pub friendly_name: Option<String>,
    pub source: AttributeSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeSource {
    Claim(String),
    Constant(String),
}

impl Default for NameIdRule {
    fn default() -> Self {
        Self { source: NameIdSource::Persistent, format: names::FORMAT_PERSISTENT.into(), affiliation: None }
    }
}

const FORMATS: &[(&str, &str)] = &[
    ("persistent", names::FORMAT_PERSISTENT),
    ("transient", names::FORMAT_TRANSIENT),
    ("email", names::FORMAT_EMAIL),
    ("unspecified", names::FORMAT_UNSPECIFIED),
];

pub(super) fn name_id(reader: &mut Reader, object: &Map<String, Value>) -> NameIdRule {
    const PATH: &str = "name_id";
    let Some(inner) = reader.map(object, "", PATH) else { return NameIdRule::default() };
    reader.only_keys(inner, PATH, &["format", "claim", "affiliation", "unverified"]);
    let claim = reader.text(inner, PATH, "claim");
    let affiliation = reader.text(inner, PATH, "affiliation");
    let unverified = reader.choice(inner, PATH, "unverified", &[("allow", true), ("refuse", false)]);
    let format = reader.text(inner, PATH, "format").map(|text| named_format(reader, &text));
    let opaque = |format: &String| [names::FORMAT_PERSISTENT, names::FORMAT_TRANSIENT].contains(&format.as_str());
    if claim.is_some() && format.as_ref().is_some_and(opaque) {
        reader.complain(
            "name_id.claim",
            "can't stand beside persistent or transient, which are made at random; leave one of the two out",
        );
    }
    let email = NameIdSource::Email { unverified: unverified == Some(true) };
    let source = match (claim, format.as_deref()) {
        (Some(claim), _) if claim == EMAIL => email,
        (Some(claim), _) => NameIdSource::Claim(claim),
        (None, Some(names::FORMAT_TRANSIENT)) => NameIdSource::Transient,
        (None, Some(names::FORMAT_EMAIL)) => email,
        // Without a claim to take it from, the name is opaque and pairwise whatever its format is.
        (None, _) => NameIdSource::Persistent,
    };
    if affiliation.is_some() && source != NameIdSource::Persistent {
        reader.complain("name_id.affiliation", "has a meaning for persistent names alone");
    }
    if unverified.is_some() && !matches!(source, NameIdSource::Email { .. }) {
        reader.complain("name_id.unverified", "has a meaning for names from the claim `email` alone");
    }
    let format = format.unwrap_or_else(|| match source {
        NameIdSource::Claim(_) | NameIdSource::Email { .. } => names::FORMAT_UNSPECIFIED.into(),
        _ => names::FORMAT_PERSISTENT.into(),
    });
    NameIdRule { source, format, affiliation }
}

/// One of our words, or the URI of a format.
fn named_format(reader: &mut Reader, text: &str) -> String {
    if let Some((_, format)) = FORMATS.iter().find(|(name, _)| *name == text) {
        return (*format).to_owned();
    }
    if !is_uri(text) {
        reader.complain("name_id.format", "must be persistent, transient, email, unspecified or a URI");
    }
    text.to_owned()
}

pub(super) fn attributes(reader: &mut Reader, object: &Map<String, Value>) -> Vec<AttributeRule> {
    let Some(inner) = reader.map(object, "", "attributes") else { return Vec::new() };
    inner.iter().filter_map(|(name, value)| attribute(reader, name, value)).collect()
}

fn attribute(reader: &mut Reader, name: &str, value: &Value) -> Option<AttributeRule> {
    let path = format!("attributes.{name}");
    if name.is_empty() {
        reader.complain("attributes", "has an attribute without a name");
        return None;
    }
    // URIs name themselves (SAML profiles 8.2); all else is a plain name (8.1).
    let usual = if is_uri(name) { names::ATTRNAME_URI } else { names::ATTRNAME_BASIC };
    let plain = |source| AttributeRule { name: name.into(), format: usual.into(), friendly_name: None, source };
    let inner = match value {
        Value::String(claim) if !claim.is_empty() => return Some(plain(AttributeSource::Claim(claim.clone()))),
        Value::Object(inner) => inner,
        _ => {
            reader.complain(&path, "must be the name of a claim, { claim: … } or { value: … }");
            return None;
        }
    };
    reader.only_keys(inner, &path, &["claim", "value", "name_format", "friendly_name"]);
    let source = match (reader.text(inner, &path, "claim"), reader.text(inner, &path, "value")) {
        (Some(claim), None) => AttributeSource::Claim(claim),
        (None, Some(text)) => AttributeSource::Constant(text),
        _ => {
            reader.complain(&path, "must have one of claim and value");
            return None;
        }
    };
    let format = match reader.text(inner, &path, "name_format").as_deref() {
        None => usual.to_owned(),
        Some("basic") => names::ATTRNAME_BASIC.to_owned(),
        Some("uri") => names::ATTRNAME_URI.to_owned(),
        Some("unspecified") => names::ATTRNAME_UNSPECIFIED.to_owned(),
        Some(uri) if is_uri(uri) => uri.to_owned(),
        Some(_) => {
            reader.complain(&format!("{path}.name_format"), "must be basic, uri, unspecified or a URI");
            usual.to_owned()
        }
    };
    let friendly_name = reader.text(inner, &path, "friendly_name");
    Some(AttributeRule { format, friendly_name, ..plain(source) })
}

pub(super) fn encryption(reader: &mut Reader, object: &Map<String, Value>) -> (ContentMethod, KeyMethod) {
    const PATH: &str = "encryption";
    let usual = (ContentMethod::Aes256Gcm, KeyMethod::OaepMgf1p);
    let Some(inner) = reader.map(object, "", PATH) else { return usual };
    reader.only_keys(inner, PATH, &["content", "key"]);
    let content = reader.choice(
        inner,
        PATH,
        "content",
        &[
            ("aes256-gcm", ContentMethod::Aes256Gcm),
            ("aes128-gcm", ContentMethod::Aes128Gcm),
            ("aes256-cbc", ContentMethod::Aes256Cbc),
            ("aes128-cbc", ContentMethod::Aes128Cbc),
        ],
    );
    let key = reader.choice(
        inner,
        PATH,
        "key",
        &[("rsa-oaep", KeyMethod::OaepMgf1p), ("rsa-oaep-sha256", KeyMethod::OaepSha256)],
    );
    (content.unwrap_or(usual.0), key.unwrap_or(usual.1))
}

pub(super) fn lifetime(reader: &mut Reader, object: &Map<String, Value>, key: &str) -> Option<Duration> {
    let lifetime = reader.duration(object, "", key)?;
    if lifetime < Duration::from_secs(1) {
        reader.complain(key, "is less than a second");
        return None;
    }
    Some(lifetime)
}

/// `false`, or `{ targets: [...] }`.
pub(super) fn unsolicited(reader: &mut Reader, object: &Map<String, Value>) -> Option<Vec<String>> {
    const PATH: &str = "unsolicited";
    match object.get(PATH) {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Vec::new()),
        Some(Value::Object(inner)) => {
            reader.only_keys(inner, PATH, &["targets"]);
            Some(reader.texts(inner, PATH, "targets").unwrap_or_default())
        }
        Some(_) => {
            reader.complain(PATH, "expected true, false or { targets: […] }");
            None
        }
    }
}

pub(super) fn logout(reader: &mut Reader, object: &Map<String, Value>) -> LogoutChannel {
    // YAML reads a bare `off` as false in some readers.
    if object.get("logout") == Some(&Value::Bool(false)) {
        return LogoutChannel::Off;
    }
    let channels = [
        ("auto", LogoutChannel::Auto),
        ("soap", LogoutChannel::Soap),
        ("frame", LogoutChannel::Frame),
        ("off", LogoutChannel::Off),
    ];
    reader.choice(object, "", "logout", &channels).unwrap_or(LogoutChannel::Auto)
}

/// Good enough to tell a URI from a word: a scheme and a colon (RFC 3986 section 3.1).
pub(crate) fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !rest.is_empty()
            && fits_any_uri(text)
    })
}

/// Whether a schema takes it for an `xs:anyURI`: characters that no URI may have are refused (RFC 3986
/// appendix A), and names without a scheme are let through, because providers have such.
pub(crate) fn fits_any_uri(text: &str) -> bool {
    let fragments = text.bytes().filter(|&byte| byte == b'#').count();
    !text.is_empty()
        && fragments < 2
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`[]".contains(c))
}
