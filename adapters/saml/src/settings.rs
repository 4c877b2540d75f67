//! The settings of a SAML connection: read strictly, every complaint at once.

use std::time::Duration;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::Field;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::UnsolicitedPolicy;
use fedbridge_saml_core::metadata::{RequestBinding, TrustedKey, pinned_keys};
use serde_json::{Map, Value};
use time::{Date, macros::format_description};

use fedbridge_contract::text::duration;
use fedbridge_saml_core::reader::Reader;

mod unsolicited;

/// The default and the largest clock skew (saml2int SDP-G01).
pub const DEFAULT_SKEW: Duration = Duration::from_secs(180);
pub const MAX_SKEW: Duration = Duration::from_secs(300);

/// What a connection was told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The IdP's metadata document.
    pub metadata_xml: String,
    /// Which entity of an aggregate is meant.
    pub entity_id: Option<String>,
    pub sp_entity_id: Option<String>,
    pub subject_from: Vec<SubjectSource>,
    pub require_signed: RequireSigned,
    pub sign_requests: bool,
    pub sign_metadata: bool,
    pub allow_cbc: bool,
    /// SHA-1 signatures are accepted before this moment.
    pub allow_sha1_until: Option<Timestamp>,
    pub clock_skew: Duration,
    pub request_binding: Option<RequestBinding>,
    pub name_id_policy: Option<NameIdPolicy>,
    pub requested_authn_context: Option<RequestedAuthnContext>,
    pub force_authn: bool,
    /// Ask by this index instead of by address.
    pub acs_index: Option<u16>,
    /// The query parameter that carries a login hint to the IdP.
    pub login_hint_parameter: Option<String>,
    pub response_binding: ResponseBinding,
    /// What happens to logins that the IdP starts. `None`: they are refused.
    pub unsolicited: Option<UnsolicitedPolicy>,
    /// The IdP is told when a session ends.
    pub logout: bool,
    /// SHA-256 of signing certificates that count for nothing, whatever the metadata says.
    pub distrusted_keys: Vec<[u8; 32]>,
    /// Further names of the IdP, in logout messages only.
    pub issuers: Vec<String>,
    /// Say in the request who asks (SAML core 3.4.1.2).
    pub scoping: bool,
    /// The authentication contexts that an app requires are asked of the IdP.
    pub pass_authn_context: bool,
}

/// How answers come back (SAML profiles 4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseBinding {
    Post,
    /// By reference; the answer itself is fetched from the IdP (SAML bindings 3.6).
    Artifact,
}

/// Where the subject comes from; the first that is present wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectSource {
    NameId,
    Attribute(String),
}

/// What must be signed. Whatever is signed must verify in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequireSigned {
    Assertion,
    Response,
    Both,
    Either,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameIdPolicy {
    pub format: Option<String>,
    pub allow_create: Option<bool>,
    pub sp_name_qualifier: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAuthnContext {
    pub classes: Vec<String>,
    pub comparison: Comparison,
    /// The class that comes back must be one of `accepted`.
    pub required: bool,
    pub accepted: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Exact,
    Minimum,
    Maximum,
    Better,
}

impl Comparison {
    /// The value of the attribute (SAML core 3.3.2.2.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Better => "better",
        }
    }
}

pub const FIELDS: &[Field] = &[
    Field::new(
        "idp_metadata",
        "The identity provider's metadata: { file: … }, { url: …, refresh: 6h, signed_by: … } or { xml: … }.",
    )
    .required()
    .document(),
    Field::new("entity_id", "Which identity provider of the metadata is meant, where it describes several."),
    Field::new("sp_entity_id", "The entity ID of the bridge at this provider. Default: the metadata address."),
    Field::new(
        "subject",
        "Where the subject comes from: { from: [NAME_ID] } or attribute names, the first present wins.",
    ),
    Field::new("require_signed", "assertion, response, both or either (default). Every signature present must verify."),
    Field::new("sign_requests", "Sign authentication requests. Default: true."),
    Field::new("sign_metadata", "Sign the published metadata. Default: false."),
    Field::new("allow_cbc", "Accept assertions encrypted with AES-CBC. Default: false."),
    Field::new("allow_sha1_until", "Accept SHA-1 signatures until this date, for example 2027-03-31. Default: never."),
    Field::new(
        "allow_idp_initiated",
        "Accept logins that the provider starts: { client: …, mode: bounce or accept, targets: […] }, or \
         { service_provider: … }. Default: refused.",
    ),
    Field::new("clock_skew", "How far the clocks may differ. Default: 180s; 300s at most."),
    Field::new("request_binding", "redirect or post. Default: redirect, unless the provider offers post alone."),
    Field::new(
        "name_id_policy",
        "{ format: …, allow_create: true, sp_name_qualifier: … } for the request. Default: none.",
    ),
    Field::new(
        "requested_authn_context",
        "{ classes: […], comparison: exact, required: true, accepted: […] }. Default: none.",
    ),
    Field::new("force_authn", "Ask for a fresh authentication each time. Default: false."),
    Field::new("assertion_consumer_service_index", "Send this index (0) instead of the address. Default: the address."),
    Field::new("login_hint_parameter", "The query parameter that carries a login hint, for example login_hint."),
    Field::new(
        "response_binding",
        "post (default) or artifact: whether answers come through the browser or are fetched.",
    ),
    Field::new(
        "logout",
        "Tell the provider when a session ends here. Default: true. Its own requests are always taken.",
    ),
    Field::new("distrusted_keys", "Signing certificates to refuse at once, whatever the metadata says: [sha256:…]."),
    Field::new("issuers", "Further entity IDs of this provider, accepted in logout messages only."),
    Field::new("scoping", "Tell the provider which app asks, and pass a ProxyCount on. Default: false."),
    Field::new("pass_authn_context", "Ask for the authentication contexts that the app requires. Default: false."),
];

impl Settings {
    pub(crate) fn distrusts(&self, key: &TrustedKey) -> bool {
        self.distrusted_keys.contains(key.key.fingerprint().as_bytes())
    }

    /// Reads the settings of one connection.
    ///
    /// # Errors
    /// Everything that is wrong, in the order in which the settings stand.
    pub fn parse(value: &Value) -> Result<Self, Vec<Complaint>> {
        let empty = Map::new();
        let mut reader = Reader::new();
        let object = match value {
            Value::Object(object) => object,
            _ => {
                reader.complain("", "the settings of a SAML connection must be a map");
                &empty
            }
        };
        let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        reader.only_keys(object, "", &names);

        let metadata_xml = metadata(&mut reader, object);
        let settings = Self {
            metadata_xml,
            entity_id: reader.text(object, "", "entity_id"),
            sp_entity_id: sp_entity_id(&mut reader, object),
            subject_from: subject(&mut reader, object),
            require_signed: reader
                .choice(
                    object,
                    "",
                    "require_signed",
                    &[
                        ("either", RequireSigned::Either),
                        ("assertion", RequireSigned::Assertion),
                        ("response", RequireSigned::Response),
                        ("both", RequireSigned::Both),
                    ],
                )
                .unwrap_or(RequireSigned::Either),
            sign_requests: reader.boolean(object, "", "sign_requests").unwrap_or(true),
            sign_metadata: reader.boolean(object, "", "sign_metadata").unwrap_or(false),
            allow_cbc: reader.boolean(object, "", "allow_cbc").unwrap_or(false),
            allow_sha1_until: sha1_until(&mut reader, object),
            clock_skew: skew(&mut reader, object),
            request_binding: reader.choice(
                object,
                "",
                "request_binding",
                &[("redirect", RequestBinding::Redirect), ("post", RequestBinding::Post)],
            ),
            name_id_policy: name_id_policy(&mut reader, object),
            requested_authn_context: authn_context(&mut reader, object),
            force_authn: reader.boolean(object, "", "force_authn").unwrap_or(false),
            acs_index: acs_index(&mut reader, object),
            login_hint_parameter: hint_parameter(&mut reader, object),
            response_binding: reader
                .choice(
                    object,
                    "",
                    "response_binding",
                    &[("post", ResponseBinding::Post), ("artifact", ResponseBinding::Artifact)],
                )
                .unwrap_or(ResponseBinding::Post),
            unsolicited: unsolicited::read(&mut reader, object),
            logout: reader.boolean(object, "", "logout").unwrap_or(true),
            distrusted_keys: distrusted_keys(&mut reader, object),
            issuers: reader.texts(object, "", "issuers").unwrap_or_default(),
            scoping: reader.boolean(object, "", "scoping").unwrap_or(false),
            pass_authn_context: reader.boolean(object, "", "pass_authn_context").unwrap_or(false),
        };
        if settings.response_binding == ResponseBinding::Artifact && settings.acs_index.is_some() {
            reader.complain(
                "assertion_consumer_service_index",
                "is the index of the ACS for post; with response_binding: artifact leave it out",
            );
        }
        reader.finish(settings)
    }
}

fn metadata(reader: &mut Reader, object: &Map<String, Value>) -> String {
    const KEY: &str = "idp_metadata";
    let Some(inner) = reader.map(object, "", KEY) else {
        if object.get(KEY).is_none_or(Value::is_null) {
            reader.complain(KEY, "is missing; give { file: … }, { url: … } or { xml: … }");
        }
        return String::new();
    };
    reader.only_keys(inner, KEY, &["xml", "url", "refresh", "signed_by"]);
    if let Some(Err(why)) = reader.text(inner, KEY, "signed_by").map(|pem| pinned_keys(&pem)) {
        reader.complain("idp_metadata.signed_by", why);
    }
    let url = reader.text(inner, KEY, "url");
    if let Some(url) = &url
        && url::Url::parse(url).map_or(true, |url| !matches!(url.scheme(), "https" | "http"))
    {
        reader.complain("idp_metadata.url", "is not an http or https address");
    }
    if let Some(refresh) = reader.text(inner, KEY, "refresh") {
        if url.is_none() {
            reader.complain("idp_metadata.refresh", "is only of use beside url");
        }
        match duration(&refresh) {
            Ok(every) if every.is_zero() => reader.complain("idp_metadata.refresh", "must be longer than nothing"),
            Ok(_) => {}
            Err(why) => reader.complain("idp_metadata.refresh", why),
        }
    }
    match reader.text(inner, KEY, "xml") {
        Some(xml) => xml,
        None => {
            match (inner.contains_key("xml"), url) {
                (true, _) => {} // The reader has complained about its type.
                (false, Some(_)) => reader.complain(KEY, "the metadata was not fetched from its address yet"),
                (false, None) => reader.complain(KEY, "names no metadata; give { file: … }, { url: … } or { xml: … }"),
            }
            String::new()
        }
    }
}

fn sp_entity_id(reader: &mut Reader, object: &Map<String, Value>) -> Option<String> {
    let id = reader.text(object, "", "sp_entity_id")?;
    if id.chars().count() > 1024 || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        reader.complain("sp_entity_id", "must be a URI of at most 1024 characters without white space");
    }
    Some(id)
}

fn subject(reader: &mut Reader, object: &Map<String, Value>) -> Vec<SubjectSource> {
    let default = vec![SubjectSource::NameId];
    let Some(inner) = reader.map(object, "", "subject") else { return default };
    reader.only_keys(inner, "subject", &["from"]);
    match reader.texts(inner, "subject", "from") {
        Some(names) if names.is_empty() => {
            reader.complain("subject.from", "is empty; name NAME_ID or an attribute");
            default
        }
        Some(names) => names
            .into_iter()
            .map(|name| if name == "NAME_ID" { SubjectSource::NameId } else { SubjectSource::Attribute(name) })
            .collect(),
        None => default,
    }
}

fn sha1_until(reader: &mut Reader, object: &Map<String, Value>) -> Option<Timestamp> {
    let text = reader.text(object, "", "allow_sha1_until")?;
    let date = Date::parse(&text, format_description!("[year]-[month]-[day]")).ok().and_then(Date::next_day);
    match date {
        // The day that is named still counts.
        Some(after) => Some(Timestamp::from_seconds(after.midnight().assume_utc().unix_timestamp())),
        None => {
            reader.complain("allow_sha1_until", "is not a date such as 2027-03-31");
            None
        }
    }
}

fn skew(reader: &mut Reader, object: &Map<String, Value>) -> Duration {
    let Some(text) = reader.text(object, "", "clock_skew") else { return DEFAULT_SKEW };
    match duration(&text) {
        Ok(skew) if skew <= MAX_SKEW => skew,
        Ok(_) => {
            reader.complain("clock_skew", "is more than 300s, the most that is allowed");
            DEFAULT_SKEW
        }
        Err(why) => {
            reader.complain("clock_skew", why);
            DEFAULT_SKEW
        }
    }
}

fn name_id_policy(reader: &mut Reader, object: &Map<String, Value>) -> Option<NameIdPolicy> {
    const KEY: &str = "name_id_policy";
    let inner = reader.map(object, "", KEY)?;
    reader.only_keys(inner, KEY, &["format", "allow_create", "sp_name_qualifier"]);
    let format = reader.text(inner, KEY, "format").map(|format| match format.as_str() {
        "persistent" => fedbridge_saml_core::names::FORMAT_PERSISTENT.to_owned(),
        "transient" => fedbridge_saml_core::names::FORMAT_TRANSIENT.to_owned(),
        "email" => fedbridge_saml_core::names::FORMAT_EMAIL.to_owned(),
        "unspecified" => fedbridge_saml_core::names::FORMAT_UNSPECIFIED.to_owned(),
        _ => format,
    });
    if let Some(format) = &format
        && url::Url::parse(format).is_err()
    {
        reader
            .complain("name_id_policy.format", "is neither a URI nor one of persistent, transient, email, unspecified");
    }
    let allow_create = reader.boolean(inner, KEY, "allow_create");
    Some(NameIdPolicy { format, allow_create, sp_name_qualifier: reader.text(inner, KEY, "sp_name_qualifier") })
}

fn authn_context(reader: &mut Reader, object: &Map<String, Value>) -> Option<RequestedAuthnContext> {
    const KEY: &str = "requested_authn_context";
    let inner = reader.map(object, "", KEY)?;
    reader.only_keys(inner, KEY, &["classes", "comparison", "required", "accepted"]);
    let classes = reader.texts(inner, KEY, "classes").unwrap_or_default();
    if classes.is_empty() {
        reader.complain("requested_authn_context.classes", "must name at least one authentication context class");
    }
    let comparisons = [Comparison::Exact, Comparison::Minimum, Comparison::Maximum, Comparison::Better];
    let comparison = reader
        .choice(inner, KEY, "comparison", &comparisons.map(|comparison| (comparison.name(), comparison)))
        .unwrap_or(Comparison::Exact);
    let required = reader.boolean(inner, KEY, "required").unwrap_or(false);
    let accepted = match reader.texts(inner, KEY, "accepted") {
        Some(accepted) => accepted,
        None => {
            // Which class is stronger than another is known to the two parties alone (SAML core 3.3.2.2.1).
            if required && comparison != Comparison::Exact {
                reader.complain(
                    "requested_authn_context.accepted",
                    "must list the classes that will do, because the comparison is not exact",
                );
            }
            classes.clone()
        }
    };
    Some(RequestedAuthnContext { classes, comparison, required, accepted })
}

/// `sha256:` and 64 hexadecimal digits, with or without colons between them, as tools print it.
fn distrusted_keys(reader: &mut Reader, object: &Map<String, Value>) -> Vec<[u8; 32]> {
    const KEY: &str = "distrusted_keys";
    let mut keys = Vec::new();
    for (at, text) in reader.texts(object, "", KEY).unwrap_or_default().into_iter().enumerate() {
        match text.strip_prefix("sha256:").and_then(fingerprint) {
            Some(key) => keys.push(key),
            None => reader.complain(
                &format!("{KEY}[{at}]"),
                "is not the SHA-256 of a certificate: write sha256: and 64 hexadecimal digits",
            ),
        }
    }
    keys
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|&byte| byte != b':').collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

fn acs_index(reader: &mut Reader, object: &Map<String, Value>) -> Option<u16> {
    const KEY: &str = "assertion_consumer_service_index";
    match object.get(KEY) {
        None | Some(Value::Null) => None,
        // In the published metadata this is the ACS for post.
        Some(value) if value.as_u64() == Some(0) => Some(0),
        Some(_) => {
            reader.complain(KEY, "must be 0, the index of the ACS for post in the published metadata");
            None
        }
    }
}

fn hint_parameter(reader: &mut Reader, object: &Map<String, Value>) -> Option<String> {
    const KEY: &str = "login_hint_parameter";
    let name = reader.text(object, "", KEY)?;
    let reserved = ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !plain || reserved.contains(&name.as_str()) {
        reader.complain(KEY, "must be a plain parameter name such as login_hint");
    }
    Some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fedbridge_contract::config::AppKind;
    use fedbridge_contract::upstream::UnsolicitedMode;
    use serde_json::json;

    fn complaints(value: &Value) -> Vec<String> {
        Settings::parse(value).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn defaults() {
        let settings = Settings::parse(&json!({ "idp_metadata": { "xml": "<x/>" } })).unwrap();
        assert_eq!(settings.subject_from, [SubjectSource::NameId]);
        assert_eq!(settings.require_signed, RequireSigned::Either);
        assert_eq!(settings.clock_skew, Duration::from_secs(180));
        assert!(settings.sign_requests && !settings.allow_cbc && !settings.force_authn);
        assert_eq!(settings.allow_sha1_until, None);
        assert_eq!((settings.unsolicited, settings.response_binding), (None, ResponseBinding::Post));
        assert!(settings.logout && !settings.scoping && !settings.pass_authn_context);
    }

    #[test]
    fn reads_everything() {
        let settings = Settings::parse(&json!({
            "idp_metadata": { "url": "https://idp.example/md", "refresh": "6h", "xml": "<x/>" },
            "entity_id": "https://idp.example",
            "sp_entity_id": "urn:bridge",
            "subject": { "from": ["NAME_ID", "mail"] },
            "require_signed": "both",
            "sign_requests": false,
            "sign_metadata": true,
            "allow_cbc": true,
            "allow_sha1_until": "2027-03-31",
            "clock_skew": "5m",
            "request_binding": "post",
            "name_id_policy": { "format": "persistent", "allow_create": true },
            "requested_authn_context": { "classes": ["urn:a"], "comparison": "minimum", "required": true, "accepted": ["urn:a", "urn:b"] },
            "force_authn": true,
            "assertion_consumer_service_index": 0,
            "login_hint_parameter": "login_hint",
            "allow_idp_initiated": { "client": "portal", "mode": "accept", "targets": ["https://portal.example/a"] },
            "logout": false,
            "distrusted_keys": [format!("sha256:{}", "0a:".repeat(31) + "FF")],
            "issuers": ["https://idp.example/other"],
            "scoping": true,
            "pass_authn_context": true,
        }))
        .unwrap();
        assert_eq!(settings.allow_sha1_until.unwrap().rfc3339(), "2027-04-01T00:00:00Z");
        assert_eq!(settings.subject_from[1], SubjectSource::Attribute("mail".into()));
        assert_eq!(
            settings.name_id_policy.unwrap().format.as_deref(),
            Some(fedbridge_saml_core::names::FORMAT_PERSISTENT)
        );
        assert_eq!(settings.requested_authn_context.unwrap().accepted.len(), 2);
        let unsolicited = settings.unsolicited.unwrap();
        assert_eq!(unsolicited.app, (AppKind::OidcClient, "portal".to_owned()));
        assert_eq!(unsolicited.mode, UnsolicitedMode::Accept);
        assert_eq!(unsolicited.targets, ["https://portal.example/a"]);
        let mut key = [0x0a; 32];
        key[31] = 0xff;
        assert_eq!(settings.distrusted_keys, [key]);
        assert!(!settings.logout && settings.scoping && settings.pass_authn_context);
    }

    #[test]
    fn logins_that_the_provider_starts_are_off_and_then_bounced() {
        let read = |value: Value| {
            let settings = json!({ "idp_metadata": { "xml": "<x/>" }, "allow_idp_initiated": value });
            Settings::parse(&settings).map(|settings| settings.unsolicited)
        };
        for off in [Value::Null, json!(false)] {
            assert_eq!(read(off).unwrap(), None);
        }
        let wiki = read(json!({ "service_provider": "wiki" })).unwrap().unwrap();
        assert_eq!(wiki.app, (AppKind::SamlSp, "wiki".to_owned()));
        assert_eq!((wiki.mode, wiki.targets), (UnsolicitedMode::Bounce, Vec::new()));
        for wrong in [
            json!(true),
            json!({}),
            json!({ "mode": "accept" }),
            json!({ "client": "a", "mode": "maybe" }),
            json!({ "client": "a", "target": ["https://a.example/"] }),
            json!({ "client": "a", "targets": ["//a.example/"] }),
            json!({ "client": "a", "targets": ["javascript:alert(1)"] }),
            json!({ "client": "a", "targets": ["http://a.example/"] }),
            json!({ "client": "a", "targets": ["https://b@a.example/"] }),
        ] {
            assert_eq!(read(wrong.clone()).unwrap_err().len(), 1, "{wrong}");
        }
    }

    #[test]
    fn complains_about_everything_at_once() {
        let found = complaints(&json!({
            "sign_request": true,
            "subject": { "from": [] },
            "require_signed": "bothh",
            "allow_cbc": "yes",
            "allow_sha1_until": "soon",
            "allow_idp_initiated": { "client": "portal", "service_provider": "wiki" },
            "distrusted_keys": ["sha256:00"],
            "clock_skew": "301s",
            "requested_authn_context": { "classes": ["urn:a"], "comparison": "better", "required": true },
            "assertion_consumer_service_index": 3,
            "login_hint_parameter": "RelayState",
        }));
        for wanted in [
            "sign_request: unknown key; the nearest known one is `sign_requests`",
            "idp_metadata: is missing",
            "subject.from: is empty",
            "require_signed: must be one of either, assertion, response, both",
            "allow_cbc: must be true or false",
            "allow_sha1_until: is not a date",
            "allow_idp_initiated: must name one app",
            "distrusted_keys[0]: is not the SHA-256 of a certificate",
            "clock_skew: is more than 300s",
            "requested_authn_context.accepted: must list",
            "assertion_consumer_service_index: must be 0",
            "login_hint_parameter: must be a plain parameter name",
        ] {
            assert!(found.iter().any(|line| line.starts_with(wanted)), "{wanted} is not in {found:#?}");
        }
        assert_eq!(found.len(), 12);
    }

    #[test]
    fn metadata_must_be_there() {
        assert_eq!(
            complaints(&json!({ "idp_metadata": { "url": "https://idp.example/md" } })),
            ["idp_metadata: the metadata was not fetched from its address yet"]
        );
        assert_eq!(complaints(&json!({ "idp_metadata": "x" })), ["idp_metadata: must be a map"]);
        assert_eq!(complaints(&json!({ "idp_metadata": { "xml": 1 } })), ["idp_metadata.xml: must be a text"]);
    }
}
