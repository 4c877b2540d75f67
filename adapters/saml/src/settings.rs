//! The settings of a SAML connection: read strictly, every complaint at once.

mod choices;
mod fields;
mod unsolicited;

#[cfg(test)]
mod tests;

use std::time::Duration;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::UnsolicitedPolicy;
use fedbridge_saml_core::metadata::{RequestBinding, TrustedKey};
use serde_json::{Map, Value};
use url::Url;

pub use fields::FIELDS;

/// The default and the largest clock skew (saml2int SDP-G01).
pub const DEFAULT_SKEW: Duration = Duration::from_secs(180);
pub const MAX_SKEW: Duration = Duration::from_secs(300);

/// What a connection was told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The IdP's metadata document.
    pub metadata_xml: String,
    /// Where it is fetched from, unless somebody gave it by hand.
    pub metadata_url: Option<Url>,
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

        let (metadata_xml, metadata_url) = choices::metadata(&mut reader, object);
        let settings = Self {
            metadata_xml,
            metadata_url,
            entity_id: reader.text(object, "", "entity_id"),
            sp_entity_id: choices::sp_entity_id(&mut reader, object),
            subject_from: choices::subject(&mut reader, object),
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
            allow_sha1_until: reader.end_of_day(object, "", "allow_sha1_until"),
            clock_skew: choices::skew(&mut reader, object),
            request_binding: reader.choice(
                object,
                "",
                "request_binding",
                &[("redirect", RequestBinding::Redirect), ("post", RequestBinding::Post)],
            ),
            name_id_policy: choices::name_id_policy(&mut reader, object),
            requested_authn_context: choices::authn_context(&mut reader, object),
            force_authn: reader.boolean(object, "", "force_authn").unwrap_or(false),
            acs_index: choices::acs_index(&mut reader, object),
            login_hint_parameter: choices::hint_parameter(&mut reader, object),
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
            distrusted_keys: reader.fingerprints(object, "", "distrusted_keys"),
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
