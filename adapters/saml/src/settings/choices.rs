//! Single settings and what they may be.

use std::time::Duration;

use fedbridge_contract::reader::Reader;
use fedbridge_saml_core::metadata::pinned_keys;
use fedbridge_saml_core::names::{FORMAT_EMAIL, FORMAT_PERSISTENT, FORMAT_TRANSIENT, FORMAT_UNSPECIFIED};
use serde_json::{Map, Value};
use url::Url;

use super::{Comparison, DEFAULT_SKEW, MAX_SKEW, NameIdPolicy, RequestedAuthnContext, SubjectSource};

pub(super) fn metadata(reader: &mut Reader, object: &Map<String, Value>) -> (String, Option<Url>) {
    const KEY: &str = "idp_metadata";
    let Some(inner) = reader.map(object, "", KEY) else {
        if object.get(KEY).is_none_or(Value::is_null) {
            reader.complain(KEY, "is missing; give { file: … }, { url: … } or { xml: … }");
        }
        return (String::new(), None);
    };
    reader.only_keys(inner, KEY, &["xml", "url", "refresh", "signed_by"]);
    if let Some(Err(why)) = reader.text(inner, KEY, "signed_by").map(|pem| pinned_keys(&pem)) {
        reader.complain("idp_metadata.signed_by", why);
    }
    let url = reader.text(inner, KEY, "url");
    let address =
        url.as_ref().and_then(|url| Url::parse(url).ok()).filter(|url| matches!(url.scheme(), "https" | "http"));
    if url.is_some() && address.is_none() {
        reader.complain("idp_metadata.url", "is not an http or https address");
    }
    if let Some(every) = reader.duration(inner, KEY, "refresh") {
        if url.is_none() {
            reader.complain("idp_metadata.refresh", "is only of use beside url");
        }
        if every.is_zero() {
            reader.complain("idp_metadata.refresh", "must be longer than nothing");
        }
    }
    let xml = match reader.text(inner, KEY, "xml") {
        Some(xml) => xml,
        None => {
            match (inner.contains_key("xml"), url) {
                (true, _) => {} // The reader has complained about its type.
                (false, Some(_)) => reader.complain(KEY, "the metadata was not fetched from its address yet"),
                (false, None) => reader.complain(KEY, "names no metadata; give { file: … }, { url: … } or { xml: … }"),
            }
            String::new()
        }
    };
    (xml, address)
}

pub(super) fn sp_entity_id(reader: &mut Reader, object: &Map<String, Value>) -> Option<String> {
    let id = reader.text(object, "", "sp_entity_id")?;
    if id.chars().count() > 1024 || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        reader.complain("sp_entity_id", "must be a URI of at most 1024 characters without white space");
    }
    Some(id)
}

pub(super) fn subject(reader: &mut Reader, object: &Map<String, Value>) -> Vec<SubjectSource> {
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

pub(super) fn skew(reader: &mut Reader, object: &Map<String, Value>) -> Duration {
    match reader.duration(object, "", "clock_skew") {
        None => DEFAULT_SKEW,
        Some(skew) if skew <= MAX_SKEW => skew,
        Some(_) => {
            reader.complain("clock_skew", "is more than 300s, the most that is allowed");
            DEFAULT_SKEW
        }
    }
}

pub(super) fn name_id_policy(reader: &mut Reader, object: &Map<String, Value>) -> Option<NameIdPolicy> {
    const KEY: &str = "name_id_policy";
    let inner = reader.map(object, "", KEY)?;
    reader.only_keys(inner, KEY, &["format", "allow_create", "sp_name_qualifier"]);
    let format = reader.text(inner, KEY, "format").map(|format| match format.as_str() {
        "persistent" => FORMAT_PERSISTENT.to_owned(),
        "transient" => FORMAT_TRANSIENT.to_owned(),
        "email" => FORMAT_EMAIL.to_owned(),
        "unspecified" => FORMAT_UNSPECIFIED.to_owned(),
        _ => format,
    });
    if let Some(format) = &format
        && Url::parse(format).is_err()
    {
        reader
            .complain("name_id_policy.format", "is neither a URI nor one of persistent, transient, email, unspecified");
    }
    let allow_create = reader.boolean(inner, KEY, "allow_create");
    Some(NameIdPolicy { format, allow_create, sp_name_qualifier: reader.text(inner, KEY, "sp_name_qualifier") })
}

pub(super) fn authn_context(reader: &mut Reader, object: &Map<String, Value>) -> Option<RequestedAuthnContext> {
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

pub(super) fn acs_index(reader: &mut Reader, object: &Map<String, Value>) -> Option<u16> {
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

pub(super) fn hint_parameter(reader: &mut Reader, object: &Map<String, Value>) -> Option<String> {
    const KEY: &str = "login_hint_parameter";
    let name = reader.text(object, "", KEY)?;
    let reserved = ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !plain || reserved.contains(&name.as_str()) {
        reader.complain(KEY, "must be a plain parameter name such as login_hint");
    }
    Some(name)
}
