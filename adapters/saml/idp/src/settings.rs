//! The settings of a service provider: read strictly, every complaint at once.

mod choices;
mod fields;
mod released;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::App;
use fedbridge_contract::downstream::ConsentWish;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::metadata::{EncryptionKey, SpDescription, import_sp, pinned_keys};
use fedbridge_saml_core::seam::{ContentMethod, KeyMethod};
use fedbridge_saml_core::trust::Trust;
use fedbridge_saml_core::turns;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::acs;
pub use choices::{AttributeRule, AttributeSource, LogoutChannel, NameIdRule, NameIdSource, Sign};
pub use fields::FIELDS;

pub(crate) use choices::{EMAIL, EMAIL_VERIFIED, fits_any_uri, is_uri};
pub use released::released_claims;

/// The setting that holds the service provider's metadata.
pub(crate) const METADATA: &str = "sp_metadata";

/// How long an assertion may be used; also the most that can be set (saml2int).
const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);

/// Keys of a service provider that the bridge file's reader consumes; good for a suggestion only.
const ELSEWHERE: &[&str] = &["slug", "was", "name", "enabled", "connections", "claims", "groups"];

/// The settings of one service provider, checked, with its metadata taken apart.
pub struct SpSettings {
    pub sp: SpDescription,
    pub name_id: NameIdRule,
    pub attributes: Vec<AttributeRule>,
    pub sign: Sign,
    /// `None`: assertions go out in the clear.
    pub encryption: Option<Encryption>,
    pub require_signed_requests: bool,
    /// What its signatures are judged by; `None` where it has no key, so that no signature of it counts.
    pub trust: Option<Arc<Trust>>,
    /// Audiences besides its entity ID.
    pub audiences: Vec<String>,
    pub assertion_lifetime: Duration,
    /// The app's session ends after this at the latest; `None` means with ours.
    pub session_lifetime: Option<Duration>,
    /// `None`: no login begins without a request. Otherwise the targets that may be named.
    pub unsolicited: Option<Vec<String>>,
    pub default_relay_state: Option<String>,
    /// Authentication context classes, weakest first.
    pub authn_contexts: Vec<String>,
    pub minimum_acr: Option<String>,
    /// Whether people are asked before the app gets anything.
    pub consent: ConsentWish,
    pub logout: LogoutChannel,
    /// Its turns on the blocking threads, so that one flooded app leaves room for the others.
    pub turns: Arc<Semaphore>,
}

/// How assertions are encrypted, and to which key.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// DER.
    pub certificate: Vec<u8>,
    pub content: ContentMethod,
    pub key: KeyMethod,
}

impl SpSettings {
    /// The settings of an app, read once for each snapshot.
    ///
    /// # Errors
    /// Every complaint. Settings are checked when they are saved; metadata may have expired since.
    pub fn of(app: &App, now: Timestamp) -> Result<Arc<Self>, Vec<Complaint>> {
        app.parsed(|settings| Self::parse(settings, now))
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn parse(value: &Value, now: Timestamp) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new();
        let empty = Map::new();
        let object = value.as_object().unwrap_or_else(|| {
            reader.complain("", "the settings of a service provider must be a map");
            &empty
        });
        let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        reader.only_keys_beside(object, "", &names, ELSEWHERE);
        let description = description(&mut reader, object, now);
        let name_id = choices::name_id(&mut reader, object);
        let attributes = choices::attributes(&mut reader, object);
        let sign = reader.choice(
            object,
            "",
            "sign",
            &[("both", Sign::Both), ("response", Sign::Response), ("assertion", Sign::Assertion)],
        );
        let encrypt = reader.boolean(object, "", "encrypt").unwrap_or(false);
        let methods = choices::encryption(&mut reader, object);
        let signed = reader.boolean(object, "", "require_signed_requests");
        let sha1_until = reader.end_of_day(object, "", "allow_sha1_until");
        let distrusted = reader.fingerprints(object, "", "distrusted_keys");
        let audiences = reader.texts(object, "", "audiences").unwrap_or_default();
        let assertion_lifetime = assertion_lifetime(&mut reader, object);
        let session_lifetime = choices::lifetime(&mut reader, object, "session_lifetime");
        let unsolicited = choices::unsolicited(&mut reader, object);
        let default_relay_state = reader.text(object, "", "default_relay_state");
        let authn_contexts = reader.texts(object, "", "authn_contexts").unwrap_or_default();
        let minimum_acr = reader.text(object, "", "minimum_acr");
        if minimum_acr.as_ref().is_some_and(|acr| !authn_contexts.contains(acr)) {
            reader.complain("minimum_acr", "must be one of authn_contexts, which tell what is stronger");
        }
        let consent = reader.choice(
            object,
            "",
            "consent",
            &[("none", ConsentWish::NotNeeded), ("remember", ConsentWish::Remembered), ("always", ConsentWish::Always)],
        );
        let logout = choices::logout(&mut reader, object);
        let Some(sp) = description else {
            return Err(reader.finish(()).err().unwrap_or_default());
        };
        let trust = trust::trust(&mut reader, &sp, &distrusted, sha1_until);
        if acs::default(&sp, trust.is_some()).is_none() {
            let why =
                "has only addresses for answers by artifact, and no signing key that the app could fetch them with";
            reader.complain(METADATA, why);
        }
        let require_signed_requests = signed.unwrap_or(sp.authn_requests_signed && trust.is_some());
        if require_signed_requests && trust.is_none() {
            reader.complain(
                "require_signed_requests",
                "can't be met: the metadata has no signing key that may be used, so every request would be refused",
            );
        }
        let encryption = if encrypt { encryption(&mut reader, &sp.encryption, methods) } else { None };
        let settings = Self {
            name_id,
            attributes,
            sign: sign.unwrap_or(Sign::Both),
            encryption,
            require_signed_requests,
            trust: trust.map(Arc::new),
            audiences,
            assertion_lifetime,
            session_lifetime,
            unsolicited,
            default_relay_state,
            authn_contexts,
            minimum_acr,
            consent: consent.unwrap_or_default(),
            logout,
            turns: turns::of_a_partner(),
            sp,
        };
        reader.finish(settings)
    }

    /// Past its `validUntil` nothing in the metadata counts any more (SAML metadata 4.3.1).
    pub fn expired(&self, now: Timestamp) -> bool {
        self.sp.expired(now)
    }

    /// Whether it hears of the end of sessions.
    pub fn joins_logout(&self) -> bool {
        self.logout != LogoutChannel::Off && !self.sp.slo.is_empty()
    }
}

/// The entity ID in the settings' metadata, without a look at dates or keys.
pub fn entity_id(settings: &Value) -> Option<String> {
    let wanted = settings.get("entity_id").and_then(Value::as_str);
    let xml = settings.get(METADATA)?.get("xml")?.as_str()?;
    // Before any validUntil: a name stays a name.
    import_sp(xml.as_bytes(), wanted, Timestamp::from_millis(0)).ok().map(|sp| sp.entity_id)
}

fn description(reader: &mut Reader, object: &Map<String, Value>, now: Timestamp) -> Option<SpDescription> {
    let wanted = reader.text(object, "", "entity_id");
    let Some(inner) = reader.map(object, "", METADATA) else {
        if object.get(METADATA).is_none_or(Value::is_null) {
            reader.complain(METADATA, "is missing; give { file: … }, { url: … } or { xml: … }");
        }
        return None;
    };
    // `url`, `refresh` and `signed_by` are for whoever fetches the document.
    reader.only_keys(inner, METADATA, &["xml", "url", "refresh", "signed_by"]);
    if let Some(Err(why)) = reader.text(inner, METADATA, "signed_by").map(|pem| pinned_keys(&pem)) {
        reader.complain("sp_metadata.signed_by", why);
    }
    let Some(xml) = reader.text(inner, METADATA, "xml") else {
        reader.complain(METADATA, "has no document yet");
        return None;
    };
    match import_sp(xml.as_bytes(), wanted.as_deref(), now) {
        Ok(sp) => Some(sp),
        Err(complaints) => {
            complaints.into_iter().for_each(|complaint| reader.complain(&complaint.path, complaint.message));
            None
        }
    }
}

fn assertion_lifetime(reader: &mut Reader, object: &Map<String, Value>) -> Duration {
    match choices::lifetime(reader, object, "assertion_lifetime") {
        Some(lifetime) if lifetime > ASSERTION_LIFETIME => {
            reader.complain("assertion_lifetime", "is more than 5m, the most that is allowed");
            ASSERTION_LIFETIME
        }
        Some(lifetime) => lifetime,
        None => ASSERTION_LIFETIME,
    }
}

/// A service provider that wants encryption and has no key fails here, and not by sending in the clear.
fn encryption(reader: &mut Reader, keys: &[EncryptionKey], methods: (ContentMethod, KeyMethod)) -> Option<Encryption> {
    let Some(key) = keys.first() else {
        reader.complain("encrypt", "can't be done: the metadata has no encryption key");
        return None;
    };
    Some(Encryption { certificate: key.certificate.clone(), content: methods.0, key: methods.1 })
}
