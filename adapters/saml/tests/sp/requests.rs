//! Authentication requests.

use std::collections::HashSet;

use fedbridge_contract::keys::Signer as _;
use fedbridge_contract::upstream::{Challenge, LoginWish, UpstreamRefusalKind};
use fedbridge_saml::names;
use fedbridge_saml::seam::{VerifyKey, VerifyPolicy};
use fedbridge_saml::testkit::ScriptedIdp;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use openssl::x509::X509;
use serde_json::json;

use crate::schema;
use crate::support::{ACS, ENTITY, HANDLE, IDP, NOW, SP_KEYS, World};

/// Unique, 128 bits, and a name that Entra takes.
#[test]
fn ids_are_unique_names() {
    let world = World::with(json!({ "sign_requests": false }));
    let ids: HashSet<_> = (0..10_000).map(|_| world.begin().request.id).collect();
    assert_eq!(ids.len(), 10_000);
    for id in ids {
        assert!(id.len() == 33 && id.starts_with('_') && id[1..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
}

/// SAML core 3.4.1, SAML profiles 4.1.4.1.
#[test]
fn says_who_asks_and_where_to_answer() {
    let world = World::new();
    let pending = world.begin();
    let request = &pending.request;
    assert_eq!(request.issuer, ENTITY);
    assert_eq!(request.destination.as_deref(), Some("https://idp.example/sso"));
    assert_eq!(request.acs.as_deref(), Some(ACS));
    assert!(request.xml.contains(&format!("ProtocolBinding=\"{}\"", names::BINDING_POST)));
    assert!(request.xml.contains(&format!("<saml:Issuer>{ENTITY}</saml:Issuer>")));
    assert!(request.xml.contains(&format!("IssueInstant=\"{}\"", NOW.rfc3339_seconds())));
    assert!(request.xml.contains("Version=\"2.0\""));
    for absent in
        ["AssertionConsumerServiceIndex", "NameIDPolicy", "RequestedAuthnContext", "ForceAuthn", "IsPassive", "Subject"]
    {
        assert!(!request.xml.contains(absent), "{absent}");
    }

    let world = World::with(json!({ "assertion_consumer_service_index": 0, "sp_entity_id": "urn:bridge" }));
    let request = world.begin().request;
    assert_eq!(request.issuer, "urn:bridge");
    assert!(request.xml.contains("AssertionConsumerServiceIndex=\"0\""));
    assert!(!request.xml.contains("AssertionConsumerServiceURL") && !request.xml.contains("ProtocolBinding"));
}

/// An independent verification over the octets as sent.
#[test]
fn redirect_signature_covers_the_octets_as_sent() {
    let world = World::new();
    let pending = world.begin();
    let request = &pending.request;
    assert_eq!(request.relay_state.as_deref(), Some(HANDLE));
    let signature = request.query_signature.as_ref().unwrap();
    assert_eq!(signature.algorithm, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
    assert!(signature.octets.starts_with("SAMLRequest=") && signature.octets.contains("&RelayState="));
    let key = X509::from_der(&SP_KEYS[0].certificate).unwrap().public_key().unwrap();
    let verify = |octets: &str| {
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
        verifier.verify_oneshot(&signature.signature, octets.as_bytes()).unwrap()
    };
    assert!(verify(&signature.octets));
    assert!(!verify(&signature.octets.replace(HANDLE, "other")));
    assert!(SP_KEYS[0].verify(signature.octets.as_bytes(), &signature.signature));
}

/// Our setting or the provider's wish.
#[test]
fn signs_where_either_side_wants_it() {
    let unsigned = World::with(json!({ "sign_requests": false }));
    assert!(unsigned.begin().request.query_signature.is_none());
    let mut idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    idp.want_authn_requests_signed = true;
    let wanted = World::of(idp, json!({ "sign_requests": false })).unwrap();
    assert!(wanted.begin().request.query_signature.is_some());
}

/// The enveloped signature verifies, and nothing else went into the form.
#[test]
fn post_binding_is_signed_inside() {
    let world = World::with(json!({ "request_binding": "post" }));
    let pending = world.begin();
    let Challenge::AutoPost { action, fields } = &pending.challenge else { panic!("not a form") };
    assert_eq!(action, "https://idp.example/sso");
    assert_eq!(fields.len(), 2);
    assert_eq!(fields[1], ("RelayState".to_owned(), HANDLE.to_owned()));
    let xml = &pending.request.xml;
    let document =
        fedbridge_saml::seam::UnverifiedDocument::parse(xml.as_bytes(), fedbridge_saml::seam::Limits::message())
            .unwrap();
    let key = VerifyKey::from_certificate_der(&SP_KEYS[0].certificate).unwrap();
    let verified = document.verify_enveloped(document.unverified_root(), &[key], &VerifyPolicy::default()).unwrap();
    assert_eq!(verified.element().attribute("ID"), Some(pending.request.id.as_str()));
    // Signature right after the Issuer, as the schema has it.
    assert!(xml.contains("</saml:Issuer><ds:Signature"));

    let plain = World::with(json!({ "request_binding": "post", "sign_requests": false }));
    assert!(!plain.begin().request.xml.contains("Signature"));
}

/// SAML core 3.4.1: ForceAuthn, IsPassive and what is asked for.
#[test]
fn wishes_and_settings_reach_the_request() {
    let world = World::with(json!({ "name_id_policy": { "format": "persistent", "allow_create": true } }));
    let wish = LoginWish { force_authn: true, passive: true, ..LoginWish::default() };
    let request = world.begin_with(wish).request;
    assert!(request.force_authn && request.is_passive);
    let policy = format!("<samlp:NameIDPolicy Format=\"{}\" AllowCreate=\"true\"/>", names::FORMAT_PERSISTENT);
    assert!(request.xml.contains(&policy));

    let world = World::with(json!({ "name_id_policy": { "allow_create": false, "sp_name_qualifier": "urn:q" } }));
    assert!(
        world.begin().request.xml.contains("<samlp:NameIDPolicy SPNameQualifier=\"urn:q\" AllowCreate=\"false\"/>")
    );

    let context = json!({ "requested_authn_context": { "classes": ["urn:a", "urn:b"], "comparison": "minimum" } });
    let xml = World::with(context).begin().request.xml;
    assert!(xml.contains(
        "<samlp:RequestedAuthnContext Comparison=\"minimum\"><saml:AuthnContextClassRef>urn:a</saml:AuthnContextClassRef>\
         <saml:AuthnContextClassRef>urn:b</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>"
    ));
}

/// A parameter of the address, escaped, outside of the signature and never a Subject.
#[test]
fn a_login_hint_is_a_parameter() {
    let world = World::with(json!({ "login_hint_parameter": "login_hint" }));
    let wish = LoginWish { login_hint: Some("a&SAMLRequest=x@acme.example".into()), ..LoginWish::default() };
    let pending = world.begin_with(wish);
    let Challenge::Redirect(location) = &pending.challenge else { panic!("not a redirect") };
    assert!(location.contains("login_hint=a%26SAMLRequest%3Dx%40acme.example&SAMLRequest="));
    assert!(!pending.request.xml.contains("Subject"));
}

/// An address with a query of its own keeps it.
#[test]
fn addresses_with_a_query_are_extended() {
    let idp = ScriptedIdp::new(IDP, "https://accounts.example/o/saml2/idp?idpid=C0");
    let world = World::of(idp, json!({})).unwrap();
    let pending = world.begin();
    let Challenge::Redirect(location) = &pending.challenge else { panic!("not a redirect") };
    assert!(location.starts_with("https://accounts.example/o/saml2/idp?idpid=C0&SAMLRequest="), "{location}");
}

#[test]
fn the_only_binding_of_a_provider_is_taken() {
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let post_only = idp.metadata().replacen(names::BINDING_REDIRECT, "urn:oasis:names:tc:SAML:2.0:bindings:SOAP", 1);
    let world = World::of(idp.clone(), json!({ "idp_metadata": { "xml": post_only } })).unwrap();
    assert!(matches!(world.begin().challenge, Challenge::AutoPost { .. }));
    let complaints =
        World::of(idp, json!({ "idp_metadata": { "xml": post_only }, "request_binding": "redirect" })).err().unwrap();
    assert_eq!(complaints[0].path, "request_binding");
}

/// The schema of OASIS accepts requests with every setting, signed and unsigned.
#[test]
fn requests_satisfy_the_oasis_schema() {
    let everything = json!({
        "request_binding": "post",
        "name_id_policy": { "format": "persistent", "allow_create": true, "sp_name_qualifier": "urn:q" },
        "requested_authn_context": { "classes": ["urn:a", "urn:b"], "comparison": "better" },
        "force_authn": true,
    });
    for settings in [json!({}), everything, json!({ "assertion_consumer_service_index": 0 })] {
        let wish = LoginWish { passive: true, ..LoginWish::default() };
        crate::schema::accepts("saml-schema-protocol-2.0.xsd", &World::with(settings).begin_with(wish).request.xml);
    }
}

/// SAML core 3.4.1.2 and 3.4.1.5.1: who asks, and one provider less may stand between.
#[test]
fn scoping_only_where_it_is_set() {
    let wish = || LoginWish {
        proxy_count: Some(2),
        requesters: vec!["https://app.example/?a&b".into(), "portal".into()],
        ..LoginWish::default()
    };
    assert!(!World::new().begin_with(wish()).request.xml.contains("Scoping"));
    let world = World::with(json!({ "scoping": true }));
    let xml = world.begin_with(wish()).request.xml;
    let expected = "<samlp:Scoping ProxyCount=\"1\">\
                    <samlp:RequesterID>https://app.example/?a&amp;b</samlp:RequesterID>\
                    <samlp:RequesterID>portal</samlp:RequesterID></samlp:Scoping>";
    assert!(xml.contains(expected), "{xml}");
    schema::accepts("saml-schema-protocol-2.0.xsd", &xml);
    assert!(!world.begin().request.xml.contains("Scoping"), "nothing to say");
}

/// SAML core 3.3.2.2.1: what the app requires goes up, and must come back.
#[test]
fn required_contexts_of_the_app_are_passed_on_where_it_is_set() {
    const MFA: &str = "https://refeds.org/profile/mfa";
    let wish = |required| LoginWish {
        acr_values: vec![MFA.into(), "urn:other".into()],
        acr_required: required,
        ..LoginWish::default()
    };
    assert!(!World::new().begin_with(wish(true)).request.xml.contains("RequestedAuthnContext"));
    let world = World::with(json!({ "pass_authn_context": true }));
    assert!(!world.begin_with(wish(false)).request.xml.contains("RequestedAuthnContext"));
    let pending = world.begin_with(wish(true));
    let expected = format!(
        "<samlp:RequestedAuthnContext Comparison=\"exact\"><saml:AuthnContextClassRef>{MFA}</saml:AuthnContextClassRef>\
         <saml:AuthnContextClassRef>urn:other</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>"
    );
    assert!(pending.request.xml.contains(&expected), "{}", pending.request.xml);
    schema::accepts("saml-schema-protocol-2.0.xsd", &pending.request.xml);

    let mut plan = world.plan(&pending);
    assert_eq!(world.refused_by_provider(&pending, &plan).kind, UpstreamRefusalKind::UnmetAuthnContext);
    plan.assertion.authn[0].class = Some(MFA.into());
    assert_eq!(world.accept(&pending, &plan).authn.acr.as_deref(), Some(MFA));

    // What the connection itself requires comes first.
    let own = json!({ "classes": ["urn:own"], "required": true });
    let world = World::with(json!({ "pass_authn_context": true, "requested_authn_context": own }));
    let pending = world.begin_with(wish(true));
    assert!(pending.request.xml.contains("urn:own") && !pending.request.xml.contains(MFA));
    let mut plan = world.plan(&pending);
    plan.assertion.authn[0].class = Some("urn:own".into());
    world.accept(&pending, &plan);
}
