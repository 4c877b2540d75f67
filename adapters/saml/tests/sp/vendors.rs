//! One login and both logout messages of each vendor, in the shape that its product gives them, under the
//! settings of its profile in fixtures/vendors.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Challenge, Level};
use fedbridge_saml::testkit::{
    Encryption, ScriptedIdp, TestKey, Way, encrypted_assertion, post_fields, redirect_query, sign_message,
};
use fedbridge_saml_core::logout::{Carried, LogoutIn, LogoutParties, verify};
use fedbridge_saml_core::metadata::import::import;
use fedbridge_saml_core::seam::Cbc;
use fedbridge_saml_core::trust::Trust;
use serde_json::Value;

use crate::support::{ACS, ENTITY, NOW, SP_KEYS, World, posted, tenant};

const SLO: &str = "https://bridge.example/t/acme/connections/okta/saml/slo";

struct Vendor {
    folder: PathBuf,
    profile: Value,
    key: std::sync::Arc<TestKey>,
}

impl Vendor {
    fn of(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vendors").join(name);
        let profile = std::fs::read(folder.join("profile.json")).unwrap();
        Self { folder, profile: serde_json::from_slice(&profile).unwrap(), key: TestKey::shared() }
    }

    fn text(&self, member: &str) -> &str {
        self.profile[member].as_str().unwrap()
    }

    fn texts(&self, member: &str) -> Vec<&str> {
        self.profile[member].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
    }

    /// A file with its placeholders filled; `more` are further ones.
    fn filled(&self, file: &str, more: &[(&str, &str)]) -> String {
        let mut text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let (now, earlier) = (NOW.rfc3339_seconds(), (NOW - Duration::from_secs(300)).rfc3339_seconds());
        let later = (NOW + Duration::from_secs(300)).rfc3339_seconds();
        let own =
            [("now", &*now), ("earlier", &earlier), ("later", &later), ("acs", ACS), ("sp", ENTITY), ("slo", SLO)];
        for (name, value) in own.iter().chain(more) {
            text = text.replace(&format!("@{name}@"), value);
        }

        text.trim_end().to_owned()
    }

    /// The metadata with the test's key in the place of each of the vendor's.
    fn metadata(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join(self.text("metadata"))).unwrap();
        let certificate = STANDARD.encode(&self.key.certificate);
        let mut parts = text.split('@');
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            if part.starts_with("cert:") || part.starts_with("folded:") {
                filled.push_str(&certificate);
            } else if filled.ends_with(&certificate) {
                filled.push_str(part);
            } else {
                filled.push('@');
                filled.push_str(part);
            }
        }
        filled
    }

    fn world(&self) -> World {
        let mut settings = self.profile["settings"].clone();
        settings["idp_metadata"] = serde_json::json!({ "xml": self.metadata() });
        let mut idp = ScriptedIdp::new(self.text("entity_id"), "unused");
        idp.key = self.key.clone();
        World::of(idp, settings).unwrap()
    }

    /// The response to a request, signed and encrypted as the profile says.
    fn response(&self, request: &str) -> String {
        let signs = self.text("signs");
        let mut assertion = self.filled("assertion.xml.in", &[("request", request), ("assertion", "_assertion-1")]);
        if matches!(signs, "assertion" | "both") {
            assertion = sign_message(&assertion, "_assertion-1", &self.key).unwrap();
        }
        if self.profile["encrypts"] == true {
            assertion = encrypted_assertion(&assertion, &Encryption::to(&SP_KEYS[1].certificate)).unwrap();
        }
        let more = [("request", request), ("response", "_response-1"), ("content", &*assertion)];
        let response = self.filled("response.xml.in", &more);
        if matches!(signs, "response" | "both") {
            sign_message(&response, "_response-1", &self.key).unwrap()
        } else {
            response
        }
    }
}

fn logs_in(name: &str) {
    let vendor = Vendor::of(name);
    let world = vendor.world();
    let pending = world.begin();
    let to = match &pending.challenge {
        Challenge::Redirect(location) => location.split('?').next().unwrap().to_owned(),
        Challenge::AutoPost { action, .. } => action.clone(),
    };
    let destination = pending.request.destination.clone().unwrap();
    assert!(destination.starts_with(&to), "{name} is asked at {to}, not {destination}");
    let identity = world.accept_xml(&pending, &vendor.response(&pending.request.id));
    for (attribute, values) in vendor.profile["attributes"].as_object().unwrap() {
        let values: Vec<_> = values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        assert_eq!(identity.attributes.get(attribute), values, "{name}: {attribute}");
    }
    let expected = match vendor.profile["settings"]["subject"]["from"][0].as_str() {
        Some(attribute) => identity.attributes.get(attribute)[0].clone(),
        None => vendor.text("subject").to_owned(),
    };
    assert_eq!(identity.subject.display, expected, "{name}");
}

fn logs_out(name: &str) {
    let vendor = Vendor::of(name);
    let idp = import(vendor.metadata().as_bytes(), None, NOW).unwrap();
    assert_eq!(idp.entity_id, vendor.text("entity_id"));
    let mut them = vec![vendor.text("entity_id")];
    if let Some(further) = vendor.profile["settings"]["issuers"].as_array() {
        them.extend(further.iter().map(|issuer| issuer.as_str().unwrap()));
    }
    assert_eq!(them, vendor.texts("logout_issuers"), "{name}");
    let parties = LogoutParties {
        them: &them,
        trust: &Trust { keys: idp.signing, sha1_until: None },
        address: SLO,
        skew: Duration::from_secs(180),
        decrypters: &tenant().keys,
        cbc: Cbc::Refused,
    };
    let request = vendor.filled("logout_request.xml.in", &[("message", "_message-1")]);
    let answer = vendor.filled("logout_response.xml.in", &[("message", "_message-2"), ("request", "_ours")]);
    for by_redirect in [true, false] {
        let take = |way: Way, xml: &str, id: &str| {
            let input = if by_redirect {
                redirected(&redirect_query(way, xml, None, Some(&vendor.key)).unwrap())
            } else {
                slo_post(&post_fields(way, &sign_message(xml, id, &vendor.key).unwrap(), None))
            };
            let mut trace = TraceLog::new();
            let carried = Carried::read(&input).unwrap();
            verify(&carried, &parties, NOW, &mut trace).unwrap_or_else(|_| panic!("{name}: {:?}", trace.cause()))
        };
        let LogoutIn::Request(asked) = take(Way::Request, &request, "_message-1") else { panic!("not a request") };
        assert_eq!(asked.name_id.value, vendor.text("subject"), "{name}");
        assert_eq!(asked.indexes, [vendor.text("session_index")], "{name}");
        let LogoutIn::Response(told) = take(Way::Answer, &answer, "_message-2") else { panic!("not an answer") };
        assert_eq!(told.in_response_to, "_ours", "{name}");
    }
}

fn redirected(query: &str) -> fedbridge_contract::http::HttpInput {
    let method = fedbridge_contract::http::Method::Get;
    fedbridge_contract::http::HttpInput { method, query: query.into(), body: Default::default(), ..posted("") }
}

fn slo_post(fields: &[(String, String)]) -> fedbridge_contract::http::HttpInput {
    let body = fedbridge_saml::testkit::post_body(fields);
    fedbridge_contract::http::HttpInput { body: body.into(), ..posted("") }
}

#[test]
fn okta() {
    logs_in("okta");
    logs_out("okta");
}

/// Its logout messages name another Issuer than its assertions, which counts with the setting alone.
#[test]
fn entra() {
    logs_in("entra");
    logs_out("entra");
    assert_ne!(Vendor::of("entra").texts("logout_issuers").len(), 1);
}

#[test]
fn adfs() {
    logs_in("adfs");
    logs_out("adfs");
}

#[test]
fn google() {
    logs_in("google");
}

#[test]
fn keycloak() {
    logs_in("keycloak");
    logs_out("keycloak");
}

#[test]
fn pingfederate() {
    logs_in("pingfederate");
    logs_out("pingfederate");
}

#[test]
fn shibboleth() {
    logs_in("shibboleth");
    logs_out("shibboleth");
}

#[test]
fn onelogin() {
    logs_in("onelogin");
    logs_out("onelogin");
}

/// The format of its NameID is of no standard, and is taken as it stands.
#[test]
fn jumpcloud() {
    logs_in("jumpcloud");
}

/// What `check` says of the product, and which settings it names: under those of the profile none is left.
fn is_known(name: &str) {
    let vendor = Vendor::of(name);
    let advice = |settings: Value| {
        let mut idp = ScriptedIdp::new(vendor.text("entity_id"), "unused");
        idp.key = vendor.key.clone();
        let mut settings = settings;
        settings["idp_metadata"] = serde_json::json!({ "xml": vendor.metadata() });
        let world = World::of(idp, settings).unwrap();
        let found = crate::publishing::findings(&world, NOW);
        let advice = found.into_iter().filter(|(level, _)| *level == Level::Advice);
        advice.map(|(_, text)| text).collect::<Vec<_>>()
    };
    let product = vendor.text("name");
    let notes: Vec<_> = vendor.texts("notes").into_iter().map(|note| format!("{product}: {note}")).collect();
    assert_eq!(advice(vendor.profile["settings"].clone()), notes, "{name}");
    let without = advice(serde_json::json!({}));
    assert_eq!(without[..notes.len()], notes, "{name}");
    // Each further line names a setting of the profile.
    for line in &without[notes.len()..] {
        let named = |setting: &&String| line.contains(&format!("`{setting}: "));
        assert!(vendor.profile["settings"].as_object().unwrap().keys().any(|key| named(&key)), "{name}: {line}");
    }
    let expected = match name {
        "entra" | "shibboleth" => 1,
        _ => 0,
    };
    assert_eq!(without.len(), notes.len() + expected, "{name}: {without:?}");
}

#[test]
fn check_knows_each_product_by_its_metadata() {
    let names = ["okta", "entra", "adfs", "google", "keycloak", "pingfederate", "shibboleth", "onelogin", "jumpcloud"];
    names.into_iter().for_each(is_known);
    let nobody = World::new();
    let found = crate::publishing::findings(&nobody, NOW);
    assert!(found.iter().all(|(level, _)| *level != Level::Advice), "{found:?}");
}

/// A vendor without logout messages has no logout in its profile either.
#[test]
fn a_profile_without_logout_says_so() {
    for name in ["google", "jumpcloud"] {
        let vendor = Vendor::of(name);
        assert_eq!(vendor.profile["settings"]["logout"], false, "{name}");
        assert!(!vendor.folder.join("logout_request.xml.in").exists(), "{name}");
    }
}
