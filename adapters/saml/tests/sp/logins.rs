//! Logins that go well, and the checks of an answer one by one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::identity::Onward;
use fedbridge_contract::trace::Step;
use fedbridge_contract::upstream::{LoginOutcome, LoginWish, UpstreamRefusalKind};
use fedbridge_saml::names;
use fedbridge_saml::testkit::{
    AttributePlan, AuthnPlan, KeyKind, NameIdPlan, ResponsePlan, ScriptedIdp, Sign, TestKey,
};
use serde_json::json;

use crate::support::{IDP, NOW, World, alice, failed_check, posted};

fn at(offset: i64) -> String {
    fedbridge_contract::time::Timestamp::from_seconds(NOW.seconds() + offset).rfc3339_seconds()
}

#[test]
fn a_login_carries_everything() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.assertion.authn[0].session_not_on_or_after = Some(at(60));
    plan.assertion.authn[0].authorities = vec!["https://other.example".into()];
    let identity = world.accept(&pending, &plan);
    assert_eq!(identity.subject.display, "alice");
    assert!(identity.subject.stable);
    assert_eq!(identity.attributes.get("mail"), ["alice@acme.example"]);
    assert_eq!(identity.attributes.get("groups"), ["staff", "admins"]);
    assert_eq!(identity.authn.auth_time, NOW);
    assert_eq!(identity.authn.amr, ["pwd"]);
    assert_eq!(identity.authn.authorities, ["https://other.example"]);
    assert!(identity.authn.acr.as_deref().unwrap().ends_with(":PasswordProtectedTransport"));
    assert_eq!(identity.session.not_on_or_after.unwrap(), NOW + Duration::from_secs(60));
    assert_eq!(identity.session.index, plan.assertion.authn[0].session_index);
    assert!(identity.session.logout_state.as_deref().unwrap().contains("\"alice\""));
    assert_eq!(identity.onward, Onward::Unrestricted);
    // Until NotOnOrAfter and the skew.
    assert_eq!(identity.once.len(), 1);
    assert_eq!(identity.once[0].purpose, "saml.assertion");
    assert_eq!(identity.once[0].expires, NOW + Duration::from_secs(300 + 180));
}

#[test]
fn the_trace_names_checks_and_keeps_secrets_out() {
    let world = World::new();
    let pending = world.begin();
    let xml = world.plan(&pending).build(&world.idp).unwrap();
    let (outcome, trace) = world.complete(&pending, &xml);
    assert!(matches!(outcome, LoginOutcome::Authenticated(_)));
    let names: Vec<_> = trace
        .steps()
        .iter()
        .filter_map(|step| match step {
            Step::Check { name, source, .. } => {
                // A bound of our own has none.
                assert!(source.starts_with("SAML ") || source.is_empty(), "{name}: {source}");
                Some(name.as_str())
            }
            _ => None,
        })
        .collect();
    for wanted in
        ["Destination", "Status", "Assertion signature", "Audience", "Recipient", "InResponseTo in the assertion"]
    {
        assert!(names.contains(&wanted), "{wanted} is missing in {names:?}");
    }
    let unverified = trace.steps().iter().any(|step| matches!(step, Step::Received { verified: false, .. }));
    assert!(unverified, "what is not verified is marked");
    let text = serde_json::to_string(&trace).unwrap();
    let signature = xml.split_once("<ds:SignatureValue>").unwrap().1.split_once('<').unwrap().0;
    assert!(!text.contains(signature));
}

/// Guard: the policy of what must be signed, 4 policies by 4 signings.
#[test]
fn matrix_of_signing_policies() {
    let signings = [Sign::Nothing, Sign::Assertion, Sign::Response, Sign::Both];
    for (policy, wanted) in [
        ("either", [false, true, true, true]),
        ("assertion", [false, true, false, true]),
        ("response", [false, false, true, true]),
        ("both", [false, false, false, true]),
    ] {
        let world = World::with(json!({ "require_signed": policy }));
        for (sign, accepted) in signings.into_iter().zip(wanted) {
            let pending = world.begin();
            let mut plan = world.plan(&pending);
            plan.sign = sign;
            if accepted {
                assert_eq!(world.accept(&pending, &plan).subject.display, "alice");
            } else {
                assert_eq!(world.refuse(&pending, &plan), "What is signed", "{policy} {sign:?}");
            }
        }
    }
}

/// Guard: every signature that is there must verify, also one that the policy doesn't ask for.
#[test]
fn a_broken_signature_is_never_passed_over() {
    let stranger = ScriptedIdp::with_key(IDP, "https://idp.example/sso", TestKey::make(KeyKind::Rsa(2048)).unwrap());
    for policy in ["either", "response"] {
        let world = World::with(json!({ "require_signed": policy }));
        let pending = world.begin();
        let mut plan = world.plan(&pending);
        // The assertion signed by a stranger, the response by the provider.
        let xml = plan.build(&stranger).unwrap();
        let signed = fedbridge_saml::testkit::forge(
            &xml,
            &plan.id,
            &fedbridge_saml::testkit::Forgery::honest(&world.idp.key.private),
        )
        .unwrap();
        assert_eq!(world.refuse_xml(&pending, &signed), "Assertion signature");
        plan.sign = Sign::Both;
        assert_eq!(world.accept(&pending, &plan).subject.display, "alice");
    }
}

/// Each row breaks one thing and names the check that must see it. All rows are tried with a signed
/// assertion and with everything signed.
#[test]
fn every_check_refuses_its_own_fault() {
    type Change = fn(&mut ResponsePlan);
    let rows: &[(&str, Change)] = &[
        // Byte for byte.
        ("Response issuer", |plan| plan.issuer = Some(IDP.to_uppercase())),
        ("Response issuer", |plan| plan.issuer = Some(format!("{IDP}/"))),
        ("Assertion issuer", |plan| plan.assertion.issuer = "https://other.example".into()),
        // SAML bindings 3.5.5.2.
        ("Destination", |plan| plan.destination = Some("https://evil.example/saml/acs".into())),
        ("Destination", |plan| plan.destination = Some(format!("{}/", crate::support::ACS))),
        ("Destination", |plan| plan.destination = Some(String::new())),
        // Inside and outside.
        ("InResponseTo", |plan| plan.in_response_to = Some("_other".into())),
        ("InResponseTo", |plan| plan.in_response_to = None),
        ("InResponseTo in the assertion", |plan| {
            plan.assertion.confirmations[0].in_response_to = Some("_other".into())
        }),
        ("InResponseTo in the assertion", |plan| plan.assertion.confirmations[0].in_response_to = None),
        // SAML profiles 4.1.4.2: the bearer confirmation.
        ("Bearer confirmation", |plan| plan.assertion.confirmations.clear()),
        ("Bearer confirmation", |plan| {
            let twice = plan.assertion.confirmations[0].clone();
            plan.assertion.confirmations.push(twice);
        }),
        ("Bearer confirmation", |plan| {
            plan.assertion.confirmations[0].method = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key".into();
        }),
        ("Recipient", |plan| plan.assertion.confirmations[0].recipient = Some("https://other.example/acs".into())),
        ("Recipient", |plan| plan.assertion.confirmations[0].recipient = None),
        ("Confirmation NotBefore", |plan| plan.assertion.confirmations[0].not_before = Some(at(-10))),
        ("Confirmation NotOnOrAfter", |plan| plan.assertion.confirmations[0].not_on_or_after = None),
        ("Confirmation NotOnOrAfter", |plan| plan.assertion.confirmations[0].not_on_or_after = Some("tomorrow".into())),
        // SAML core 2.5.1: conditions and audience.
        ("Conditions", |plan| plan.assertion.conditions = None),
        ("Audience", |plan| plan.assertion.conditions.as_mut().unwrap().audiences.clear()),
        ("Audience", |plan| {
            plan.assertion.conditions.as_mut().unwrap().audiences = vec![vec!["https://other.example".into()]];
        }),
        ("Audience", |plan| {
            let conditions = plan.assertion.conditions.as_mut().unwrap();
            conditions.audiences.push(vec!["https://other.example".into()]);
        }),
        ("Audience", |plan| {
            let conditions = plan.assertion.conditions.as_mut().unwrap();
            conditions.audiences = vec![vec![crate::support::ENTITY.to_uppercase()]];
        }),
        ("Known conditions", |plan| {
            plan.assertion.conditions.as_mut().unwrap().raw =
                "<saml:Condition xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:e=\"urn:e\" xsi:type=\"e:Odd\"/>".into();
        }),
        ("Known conditions", |plan| {
            plan.assertion.conditions.as_mut().unwrap().raw = "<e:Odd xmlns:e=\"urn:e\"/>".into();
        }),
        ("OneTimeUse", |plan| {
            plan.assertion.conditions.as_mut().unwrap().raw = "<saml:OneTimeUse/><saml:OneTimeUse/>".into();
        }),
        ("ProxyRestriction", |plan| {
            plan.assertion.conditions.as_mut().unwrap().raw = "<saml:ProxyRestriction Count=\"-1\"/>".into();
        }),
        // SAML core 2.7.2.
        ("AuthnStatement", |plan| plan.assertion.authn.clear()),
        ("AuthnInstant", |plan| plan.assertion.authn[0].instant = "yesterday".into()),
        // SAML core 2.2: the name.
        ("NameID", |plan| plan.assertion.name_id.as_mut().unwrap().value = " \n".into()),
        ("NameID", |plan| plan.assertion.name_id.as_mut().unwrap().value = "x".repeat(1025)),
        ("Subject", |plan| plan.assertion.name_id = None),
        ("Form of the assertion", |plan| plan.assertion.raw_name_id = Some("alice<b>x</b>".into())),
        // Times far ahead: an assertion issued next year.
        ("Response IssueInstant", |plan| plan.issue_instant = at(365 * 86_400)),
        ("Assertion IssueInstant", |plan| plan.assertion.issue_instant = at(365 * 86_400)),
    ];
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Assertion, Sign::Both] {
        for (number, (check, change)) in rows.iter().enumerate() {
            let mut plan = world.plan(&pending);
            plan.sign = sign;
            world.accept(&pending, &plan);
            change(&mut plan);
            assert_eq!(world.refuse(&pending, &plan), *check, "row {number}, {sign:?}");
        }
    }
}

/// Guard: a signed response must say where it was sent.
#[test]
fn destination_may_only_be_absent_without_a_signed_response() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.destination = None;
    world.accept(&pending, &plan);
    plan.sign = Sign::Response;
    assert_eq!(world.refuse(&pending, &plan), "Destination");
}

/// Guard: the skew is applied once in each comparison, and no more than once.
#[test]
fn the_skew_is_180_seconds_and_not_181() {
    type Change = fn(&mut ResponsePlan, String);
    let past: &[(&str, Change)] = &[
        ("Confirmation NotOnOrAfter", |plan, at| plan.assertion.confirmations[0].not_on_or_after = Some(at)),
        ("Conditions NotOnOrAfter", |plan, at| plan.assertion.conditions.as_mut().unwrap().not_on_or_after = Some(at)),
        ("SessionNotOnOrAfter", |plan, at| plan.assertion.authn[0].session_not_on_or_after = Some(at)),
    ];
    let future: &[(&str, Change)] = &[
        ("Conditions NotBefore", |plan, at| plan.assertion.conditions.as_mut().unwrap().not_before = Some(at)),
        ("AuthnInstant", |plan, at| plan.assertion.authn[0].instant = at),
        ("Assertion IssueInstant", |plan, at| plan.assertion.issue_instant = at),
        ("Response IssueInstant", |plan, at| plan.issue_instant = at),
    ];
    let world = World::new();
    let pending = world.begin();
    for (rows, sign) in [(past, -1), (future, 1)] {
        for (check, change) in rows {
            let mut plan = world.plan(&pending);
            change(&mut plan, at(sign * 179));
            world.accept(&pending, &plan);
            change(&mut plan, at(sign * 181));
            assert_eq!(world.refuse(&pending, &plan), *check);
        }
    }
    // Another setting moves the line.
    let strict = World::with(json!({ "clock_skew": "1s" }));
    let pending = strict.begin();
    let mut plan = strict.plan(&pending);
    plan.assertion.authn[0].instant = at(3);
    assert_eq!(strict.refuse(&pending, &plan), "AuthnInstant");
}

/// Guard: the authentication is new where a new one was asked for.
#[test]
fn force_authn_needs_a_new_authentication() {
    let old = |plan: &mut ResponsePlan| plan.assertion.authn[0].instant = at(-181);
    let forced = [
        (World::with(json!({ "force_authn": true })), LoginWish::default()),
        (World::new(), LoginWish { force_authn: true, ..LoginWish::default() }),
        (World::new(), LoginWish { max_age: Some(600), ..LoginWish::default() }),
    ];
    for (world, wish) in forced {
        let pending = world.begin_with(wish);
        assert!(pending.request.force_authn);
        let mut plan = world.plan(&pending);
        world.accept(&pending, &plan);
        old(&mut plan);
        assert_eq!(world.refuse(&pending, &plan), "New authentication");
    }
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    old(&mut plan);
    world.accept(&pending, &plan);
}

/// Guard: `max_age` holds where no page may be shown, so that ForceAuthn could not be sent.
#[test]
fn max_age_is_checked_for_passive_requests() {
    let world = World::new();
    let pending = world.begin_with(LoginWish { max_age: Some(600), passive: true, ..LoginWish::default() });
    assert!(pending.request.is_passive && !pending.request.force_authn);
    let mut plan = world.plan(&pending);
    plan.assertion.authn[0].instant = at(-779);
    world.accept(&pending, &plan);
    plan.assertion.authn[0].instant = at(-781);
    assert_eq!(world.refuse(&pending, &plan), "Age of the authentication");
}

/// Guard: a demanded authentication context.
#[test]
fn a_required_context_must_come_back() {
    let mfa = "https://refeds.org/profile/mfa";
    let world = World::with(json!({ "requested_authn_context": { "classes": [mfa], "required": true } }));
    let pending = world.begin();
    assert!(pending.request.xml.contains("Comparison=\"exact\"") && pending.request.xml.contains(mfa));
    let mut plan = world.plan(&pending);
    assert_eq!(world.refuse(&pending, &plan), "Authentication context");
    plan.assertion.authn[0].class = None;
    assert_eq!(world.refuse(&pending, &plan), "Authentication context");
    plan.assertion.authn[0].class = Some(mfa.into());
    assert_eq!(world.accept(&pending, &plan).authn.amr, ["mfa"]);
}

#[test]
fn several_statements_give_the_newest_login_and_the_earliest_end() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.assertion.authn = [(-50, 900, "urn:a"), (-10, 500, "urn:b"), (-30, 700, "urn:c")]
        .into_iter()
        .map(|(instant, end, class)| AuthnPlan {
            instant: at(instant),
            session_not_on_or_after: Some(at(end)),
            class: Some(class.into()),
            ..AuthnPlan::default()
        })
        .collect();
    let identity = world.accept(&pending, &plan);
    assert_eq!(identity.authn.acr.as_deref(), Some("urn:b"));
    assert_eq!(identity.authn.auth_time, NOW - Duration::from_secs(10));
    assert_eq!(identity.session.not_on_or_after.unwrap(), NOW + Duration::from_secs(500));
}

/// Guard: to whom an assertion may be passed on.
#[test]
fn proxy_restrictions_travel_onward() {
    let world = World::new();
    let pending = world.begin();
    for (raw, wanted) in [
        ("<saml:OneTimeUse/>", Onward::Unrestricted),
        ("<saml:ProxyRestriction Count=\"0\"/>", Onward::Nobody),
        (
            "<saml:ProxyRestriction Count=\"00\"><saml:Audience>a</saml:Audience></saml:ProxyRestriction>",
            Onward::Nobody,
        ),
        ("<saml:ProxyRestriction Count=\"1\"/>", Onward::Unrestricted),
        (
            "<saml:ProxyRestriction><saml:Audience>a</saml:Audience></saml:ProxyRestriction>",
            Onward::Only(vec!["a".into()]),
        ),
    ] {
        let mut plan = world.plan(&pending);
        plan.assertion.conditions.as_mut().unwrap().raw = raw.into();
        assert_eq!(world.accept(&pending, &plan).onward, wanted, "{raw}");
    }
}

/// Guard: the same assertion gives the same one-time key, another one another (the hub refuses the
/// second use).
#[test]
fn one_time_keys_tell_assertions_apart() {
    let world = World::new();
    let pending = world.begin();
    let plan = world.plan(&pending);
    let key = |plan: &ResponsePlan| world.accept(&pending, plan).once[0].key.clone();
    let mut again = plan.clone();
    again.id = "_another_response".into();
    assert_eq!(key(&plan), key(&again));
    let mut other = plan.clone();
    other.assertion.id = "_another_assertion".into();
    assert_ne!(key(&plan), key(&other));
}

/// Guard: the provider's own refusals.
#[test]
fn refusals_of_the_provider_are_mapped() {
    let world = World::new();
    let pending = world.begin_with(LoginWish { passive: true, ..LoginWish::default() });
    for (code, kind) in [
        (names::STATUS_NO_PASSIVE, UpstreamRefusalKind::LoginRequired),
        (names::STATUS_NO_AUTHN_CONTEXT, UpstreamRefusalKind::UnmetAuthnContext),
        (names::STATUS_AUTHN_FAILED, UpstreamRefusalKind::Denied),
        ("urn:oasis:names:tc:SAML:2.0:status:UnsupportedBinding", UpstreamRefusalKind::Failed),
    ] {
        for sign in [Sign::Nothing, Sign::Response] {
            let mut plan = world.idp.refusal(&pending.request, code, NOW);
            plan.sign = sign;
            assert_eq!(world.refused_by_provider(&pending, &plan).kind, kind);
            plan.in_response_to = Some("_other".into());
            assert_eq!(world.refuse(&pending, &plan), "InResponseTo");
        }
    }
}

/// Guard: an error that carries an assertion is refused, not read.
#[test]
fn an_error_with_an_assertion_is_refused() {
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let mut plan = world.plan(&pending);
        plan.status = (names::STATUS_RESPONDER.into(), Some(names::STATUS_NO_PASSIVE.into()));
        plan.sign = sign;
        assert_eq!(world.refuse(&pending, &plan), "Content of an error");
    }
    let mut plan = world.plan(&pending);
    plan.with_assertion = false;
    plan.sign = Sign::Response;
    assert_eq!(world.refuse(&pending, &plan), "Assertions");
}

/// Guard: connection and request belong together.
#[test]
fn the_answer_of_another_connection_is_refused() {
    let here = World::new();
    let there = World::new();
    let mut pending = there.begin();
    let xml = there.plan(&pending).build(&there.idp).unwrap();
    there.accept_xml(&pending, &xml);
    assert_eq!(here.refuse_xml(&pending, &xml), "Outstanding request");
    pending.state = b"{}".to_vec();
    assert_eq!(there.refuse_xml(&pending, &xml), "Outstanding request");
    // The metadata now names another provider.
    let pending = there.begin();
    let state = String::from_utf8(pending.state.clone()).unwrap().replace(IDP, "https://old.example");
    let pending = crate::support::Pending { state: state.into_bytes(), ..pending };
    assert_eq!(there.refuse_xml(&pending, &xml), "Provider that was asked");
}

/// Guard: two providers with the same NameID are told apart by connection, and a key of one says
/// nothing at the other.
#[test]
fn the_response_of_another_provider_is_refused() {
    let world = World::new();
    let other = ScriptedIdp::with_key(IDP, "https://idp.example/sso", TestKey::make(KeyKind::Rsa(2048)).unwrap());
    let pending = world.begin();
    for (sign, check) in [(Sign::Assertion, "Assertion signature"), (Sign::Response, "Response signature")] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        assert_eq!(world.refuse_xml(&pending, &plan.build(&other).unwrap()), check);
    }
}

#[test]
fn every_listed_key_is_tried() {
    let old = TestKey::make(KeyKind::Rsa(2048)).unwrap();
    let elliptic = TestKey::make(KeyKind::P256).unwrap();
    let shared = TestKey::shared();
    let listing = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let xml = listing.metadata_with(&[&old, &elliptic, &shared]);
    for key in [old, elliptic, shared] {
        let idp = ScriptedIdp::with_key(IDP, "https://idp.example/sso", key);
        let world = World::of(idp, json!({ "idp_metadata": { "xml": xml } })).unwrap();
        let pending = world.begin();
        for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
            let mut plan = world.plan(&pending);
            plan.sign = sign;
            world.accept(&pending, &plan);
        }
    }
}

/// Guard: attributes go by Name and NameFormat, never by FriendlyName.
#[test]
fn attributes_by_name_and_format() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    let attribute = |name: &str, format: Option<&str>, friendly: Option<&str>, value: &str| AttributePlan {
        name_format: format.map(Into::into),
        friendly_name: friendly.map(Into::into),
        ..AttributePlan::new(name, [value])
    };
    let uri = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
    plan.assertion.attributes = vec![
        attribute("urn:oid:1", Some(uri), Some("mail"), "spoofed"),
        attribute("Role", None, None, "one"),
        attribute("Role", None, None, "two"),
        attribute("Role", Some(uri), None, "three"),
        AttributePlan {
            raw: "<saml:AttributeValue><saml:NameID NameQualifier=\"q\">targeted</saml:NameID></saml:AttributeValue>"
                .into(),
            ..AttributePlan::new("urn:oid:targeted", [])
        },
        AttributePlan {
            raw: "<saml:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>".into(),
            ..AttributePlan::new("nil", ["there"])
        },
        AttributePlan {
            raw: "<saml:AttributeValue><x xmlns=\"urn:x\">deep</x></saml:AttributeValue>".into(),
            ..AttributePlan::new("structured", [])
        },
        AttributePlan {
            raw: "<saml:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"xs:string\"> <![CDATA[a<b]]>&amp;c </saml:AttributeValue>".into(),
            ..AttributePlan::new("typed", [])
        },
    ];
    let attributes = world.accept(&pending, &plan).attributes;
    assert!(!attributes.contains("mail"));
    assert_eq!(attributes.get("Role"), ["one", "two"]);
    assert_eq!(attributes.get(&format!("{uri}|Role")), ["three"]);
    assert_eq!(attributes.get("urn:oid:targeted"), ["targeted"]);
    assert_eq!(attributes.get("nil"), ["there"]);
    assert!(attributes.contains("structured") && attributes.get("structured").is_empty());
    assert_eq!(attributes.get("typed"), [" a<b&c "]);
}

#[test]
fn the_subject_can_come_from_an_attribute() {
    let world = World::with(json!({ "subject": { "from": ["employee", "NAME_ID"] } }));
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.assertion.name_id = Some(NameIdPlan::new("_t", names::FORMAT_TRANSIENT));
    assert!(!world.accept(&pending, &plan).subject.stable);
    plan.assertion.attributes.push(AttributePlan::new("employee", ["4711"]));
    let subject = world.accept(&pending, &plan).subject;
    assert!(subject.stable);
    assert_eq!(subject.display, "4711");
    plan.assertion.name_id = None;
    assert_eq!(world.accept(&pending, &plan).subject, subject);
}

/// Guard: times as Entra and ADFS write them.
#[test]
fn seven_digits_of_fraction_are_read() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    let fraction = |text: &mut String| *text = text.replace('Z', ".1234567Z");
    fraction(&mut plan.issue_instant);
    fraction(&mut plan.assertion.issue_instant);
    fraction(&mut plan.assertion.authn[0].instant);
    fraction(plan.assertion.confirmations[0].not_on_or_after.as_mut().unwrap());
    world.accept(&pending, &plan);
}

/// Guard: what may be dropped unread is dropped, so that nothing in it can help or hurt.
#[test]
fn extensions_and_advice_are_not_read() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.raw_extensions = Some("<x xmlns=\"urn:x\" a=\"b\"><y/></x>".into());
    plan.assertion.raw_advice = Some("<x xmlns=\"urn:x\">advice</x>".into());
    plan.sign = Sign::Both;
    world.accept(&pending, &plan);
}

/// Guard: the size gate comes before base64 and XML.
#[test]
fn oversized_and_undecodable_forms_are_refused() {
    let world = World::new();
    let pending = world.begin();
    for (form, check) in [
        ("A".repeat(512 * 1024 + 1), "Size"),
        ("%%%".to_owned(), "Base64"),
        ("PHg+".to_owned() + " ", "Base64"),
        (STANDARD.encode("not xml"), "XML"),
    ] {
        let (outcome, trace) = world.complete_input(&pending, &posted(&form), NOW);
        assert!(matches!(outcome, LoginOutcome::Rejected(_)));
        assert_eq!(failed_check(&trace), check);
    }
}

/// Guard: none is lost where there are many; `examples/verify_rate.rs` measures what they cost.
#[test]
fn many_attributes_are_read() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    let mut person = alice();
    for number in 0..500 {
        person = person.with(format!("urn:attribute:{number}"), &[&"v".repeat(200)]);
    }
    plan.assertion.attributes = person
        .attributes
        .iter()
        .map(|(name, values)| AttributePlan::new(name, values.iter().map(String::as_str)))
        .collect();
    let xml = plan.build(&world.idp).unwrap();
    assert!(xml.len() > 100_000, "{}", xml.len());
    let attributes = world.accept_xml(&pending, &xml).attributes;
    assert_eq!(attributes.names().count(), person.attributes.len());
    assert_eq!(attributes.get("urn:attribute:499"), ["v".repeat(200)]);
}

/// Guard: metadata past its end is not trusted, however long the connection has been open.
#[test]
fn metadata_past_its_end_is_not_used() {
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let until = at(3600);
    let xml = idp.metadata().replacen("entityID=", &format!("validUntil=\"{until}\" entityID="), 1);
    let world = World::of(idp, json!({ "idp_metadata": { "xml": xml } })).unwrap();
    let pending = world.begin();
    let answer = world.plan(&pending).build(&world.idp).unwrap();
    world.accept_xml(&pending, &answer);
    let (outcome, trace) = world.complete_at(&pending, &answer, NOW + Duration::from_secs(3600));
    assert!(matches!(outcome, LoginOutcome::Rejected(_)));
    assert_eq!(failed_check(&trace), "Provider metadata is valid");
}

/// Guard: Entra sends a link in place of many groups; rules must not take that for no groups.
#[test]
fn groups_that_did_not_come_are_not_no_groups() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.assertion.attributes.clear();
    let link = "http://schemas.microsoft.com/claims/groups.link";
    let address = "https://graph.windows.net/0000/users/0000/getMemberObjects";
    plan.assertion.attributes.push(AttributePlan::new(link, [address]));
    let (outcome, trace) = world.complete(&pending, &plan.build(&world.idp).unwrap());
    assert!(matches!(outcome, LoginOutcome::Rejected(_)));
    let cause = trace.cause().unwrap();
    assert!(cause.starts_with("Groups: expected the groups themselves, got a link, because"), "{cause}");
}
