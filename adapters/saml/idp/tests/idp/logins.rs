//! Logins from the request to the assertion.

use std::time::Duration;

use fedbridge_contract::downstream::{Accepted, ConsentWish, Downstream as _};
use fedbridge_contract::http::ReplyKind;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Element, Limits, UnverifiedDocument};
use serde_json::json;

use crate::support::{
    ACS, Ask, IDP, ISSUER, MFA, NOW, PASSWORD, SECOND_ACS, SP, SSO, World, get_address, posted, posted_response,
};

/// What an assertion says, read by the parser that both roles stand on.
pub fn assertion(xml: &str) -> Element {
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
    document.unverified_root().child(names::ASSERTION, "Assertion").unwrap().clone()
}

pub fn find<'a>(element: &'a Element, name: &str) -> &'a Element {
    element.descendants().find(|inner| inner.name() == name).unwrap_or_else(|| panic!("no {name}"))
}

pub fn text<'a>(element: &'a Element, name: &str) -> &'a str {
    find(element, name).only_text().unwrap()
}

fn class(of: &str) -> String {
    format!("<saml:AuthnContextClassRef>{of}</saml:AuthnContextClassRef>")
}

fn contexts(comparison: &str, classes: &[&str]) -> Ask {
    let classes: String = classes.iter().map(|each| class(each)).collect();
    Ask::having(&format!(
        "<samlp:RequestedAuthnContext Comparison=\"{comparison}\">{classes}</samlp:RequestedAuthnContext>"
    ))
}

#[test]
fn who_is_asked_for_consent_is_told_where_the_answer_goes() {
    for (setting, wish) in [
        (json!({}), ConsentWish::NotNeeded),
        (json!({ "consent": "none" }), ConsentWish::NotNeeded),
        (json!({ "consent": "remember" }), ConsentWish::Remembered),
        (json!({ "consent": "always" }), ConsentWish::Always),
    ] {
        let world = World::with(setting);
        let login = world.login(&Ask::new().by_redirect());
        assert_eq!(login.consent, wish);
        let host = world.provider.host(&world.app, &login.continuation).unwrap();
        assert!(ACS.starts_with(&format!("https://{host}/")), "{host}");
        assert_eq!(world.provider.host(&world.app, b"not ours"), None);
    }
}

#[test]
fn a_login_by_either_binding() {
    let world = World::new();
    for input in [Ask::new().by_redirect(), Ask::new().by_post()] {
        let login = world.login(&input);
        assert_eq!(login.app, world.app.id);
        assert_eq!(login.wish.requesters, [SP]);
        assert!(!login.wish.force_authn && !login.wish.passive && login.wish.acr_values.is_empty());
        assert!(login.again.starts_with(SSO), "{}", login.again);
        assert_eq!(login.retry, None, "an answered request starts nothing more");
        assert_eq!(login.once.len(), 1);
        let finished = world.finish(&login);
        assert!(finished.grant.is_none());
        let (action, xml, relay_state) = posted(&finished.reply);
        assert_eq!((action.as_str(), relay_state.as_deref()), (ACS, Some("here")));
        let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
        let response = document.unverified_root();
        assert_eq!(response.attribute("InResponseTo"), Some("_r1"));
        assert_eq!(response.attribute("Destination"), Some(ACS));
        assert_eq!(text(response, "Issuer"), IDP);
        let assertion = assertion(&xml);
        let data = find(&assertion, "SubjectConfirmationData");
        assert_eq!(data.attribute("Recipient"), Some(ACS));
        assert_eq!(data.attribute("InResponseTo"), Some("_r1"));
        assert_eq!(data.attribute("NotOnOrAfter"), Some("2026-11-22T02:05:00Z"));
        assert_eq!(data.attribute("NotBefore"), None);
        assert_eq!(text(&assertion, "Audience"), SP);
        let statement = find(&assertion, "AuthnStatement");
        assert_eq!(statement.attribute("AuthnInstant"), Some("2026-11-22T01:59:00Z"), "the upstream's");
        assert_eq!(statement.attribute("SessionNotOnOrAfter"), Some("2026-11-22T10:00:00Z"));
        assert_eq!(text(&assertion, "AuthnContextClassRef"), PASSWORD);
        assert_eq!(text(&assertion, "AuthenticatingAuthority"), "https://idp.example/metadata");
    }
}

#[test]
fn the_same_request_has_the_same_key_and_another_has_another() {
    let world = World::new();
    let once = |ask: &Ask| world.login(&ask.by_redirect()).once[0].key.clone();
    assert_eq!(once(&Ask::new()), once(&Ask::new()));
    assert_ne!(once(&Ask::new()), once(&Ask::new().replaced("_r1", "_r2")));
    let expires = world.login(&Ask::new().by_redirect()).once[0].expires;
    assert!(expires > NOW + Duration::from_secs(3600), "longer than any login lasts");
}

#[test]
fn the_address_for_answers_is_a_registered_one() {
    let world = World::new();
    let url = format!("AssertionConsumerServiceURL=\"{ACS}\"");
    let post = format!("ProtocolBinding=\"{}\"", names::BINDING_POST);
    for (asked, expected) in [
        (url.clone(), ACS),
        (format!("{url} {post}"), ACS),
        (format!("AssertionConsumerServiceURL=\"{SECOND_ACS}\""), SECOND_ACS),
        ("AssertionConsumerServiceIndex=\"0\"".into(), SECOND_ACS),
        ("AssertionConsumerServiceIndex=\"1\"".into(), ACS),
        (String::new(), ACS),
        (post, ACS),
    ] {
        let ask = Ask::new().replaced(&url, &asked);
        let login = world.login(&ask.by_redirect());
        let (action, xml) = posted_response(&world.finish(&login).reply);
        assert_eq!(action, expected, "{asked}");
        assert_eq!(find(&assertion(&xml), "SubjectConfirmationData").attribute("Recipient"), Some(expected));
    }
}

#[test]
fn relay_state_comes_back_as_it_went() {
    let world = World::new();
    let odd = "\"><script>alert(1)</script>&amp;+%20 ü\u{1f600}'";
    let long = "r".repeat(1024);
    for state in [odd, &long, "x"] {
        let ask = Ask { relay_state: Some(state.into()), ..Ask::new() };
        for input in [ask.by_redirect(), ask.by_post()] {
            let login = world.login(&input);
            assert_eq!(posted(&world.finish(&login).reply).2.as_deref(), Some(state));
        }
    }
    let none = Ask { relay_state: None, ..Ask::new() };
    assert_eq!(posted(&world.finish(&world.login(&none.by_redirect())).reply).2, None);
}

#[test]
fn hints_beside_the_message_are_taken_and_the_signed_octets_stay() {
    let world = World::new();
    let mut input = Ask::new().signed_redirect(crate::support::app_signing());
    let query = input.query.clone();
    input.query = format!("{query}&connection=okta&login_hint=alice%40acme.example");
    let login = world.login(&input);
    assert_eq!(login.hints.connection.as_deref(), Some("okta"));
    assert_eq!(login.wish.login_hint.as_deref(), Some("alice@acme.example"));
    assert_eq!(login.again, format!("{SSO}?{query}&login_hint=alice%40acme.example"));
    assert_eq!(world.login(&get_address(&format!("{}&connection=okta", login.again))).once, login.once);
}

// ---- wishes ----

#[test]
fn force_authn_and_is_passive_are_passed_on_and_looked_at() {
    let world = World::new();
    let login =
        world.login(&Ask::new().replaced("Version=", "ForceAuthn=\"1\" IsPassive=\"true\" Version=").by_redirect());
    assert!(login.wish.force_authn && login.wish.passive);
    let mut identity = world.identity();
    identity.auth_time = NOW - Duration::from_secs(200);
    let refusal = world.finish_as(&login, &identity).unwrap_err();
    assert!(refusal.public.contains("fresh login"), "{}", refusal.public);
    identity.auth_time = NOW;
    world.finish_as(&login, &identity).unwrap();
}

#[test]
fn requested_contexts_become_lists() {
    let settings = json!({ "authn_contexts": ["urn:weak", PASSWORD, MFA, "urn:strongest"] });
    let world = World::with(settings);
    let unfolded = |comparison: &str, classes: &[&str]| {
        let login = world.login(&contexts(comparison, classes).by_redirect());
        assert!(login.wish.acr_required);
        login.wish.acr_values
    };
    assert_eq!(unfolded("exact", &[MFA, "urn:any"]), [MFA, "urn:any"]);
    assert_eq!(unfolded("minimum", &[PASSWORD]), [PASSWORD, MFA, "urn:strongest"]);
    assert_eq!(unfolded("minimum", &["urn:any"]), ["urn:any"]);
    assert_eq!(unfolded("maximum", &[PASSWORD]), [PASSWORD, "urn:weak"]);
    assert_eq!(unfolded("better", &[PASSWORD]), [MFA, "urn:strongest"]);
    assert_eq!(unfolded("better", &[PASSWORD, MFA]), ["urn:strongest"]);
    for impossible in [&["urn:strongest"][..], &["urn:any"], &[PASSWORD, "urn:any"]] {
        let status = world.refused_with_status(&contexts("better", impossible).by_redirect());
        assert!(status.contains(names::STATUS_NO_AUTHN_CONTEXT), "{status}");
    }
    let declared = Ask::having(
        "<samlp:RequestedAuthnContext><saml:AuthnContextDeclRef>urn:d</saml:AuthnContextDeclRef></samlp:RequestedAuthnContext>",
    );
    assert!(world.refused_with_status(&declared.by_redirect()).contains(names::STATUS_NO_AUTHN_CONTEXT));
}

#[test]
fn a_context_that_was_not_reached_is_never_asserted() {
    let world = World::new();
    let login = world.login(&contexts("exact", &[MFA]).by_redirect());
    let mut identity = world.identity();
    let refusal = world.finish_as(&login, &identity).unwrap_err();
    assert_eq!(refusal.kind, fedbridge_contract::downstream::RefusalKind::UnmetAuthnContext);
    identity.amr = vec!["pwd".into(), "mfa".into()];
    let xml = posted_response(&world.finish_as(&login, &identity).unwrap().reply).1;
    assert_eq!(text(&assertion(&xml), "AuthnContextClassRef"), MFA);
    // Words that are no URIs prove nothing to SAML.
    let plain = world.login(&Ask::new().by_redirect());
    (identity.acr, identity.amr) = (Some("gold".into()), Vec::new());
    let xml = posted_response(&world.finish_as(&plain, &identity).unwrap().reply).1;
    assert!(text(&assertion(&xml), "AuthnContextClassRef").ends_with(":unspecified"));
}

#[test]
fn the_least_context_holds_whatever_is_asked_for() {
    let world = World::with(json!({ "authn_contexts": [PASSWORD, MFA], "minimum_acr": MFA, "unsolicited": true }));
    assert_eq!(world.login(&Ask::new().by_redirect()).wish.acr_values, [MFA]);
    assert_eq!(world.login(&contexts("minimum", &[PASSWORD]).by_redirect()).wish.acr_values, [MFA]);
    let status = world.refused_with_status(&contexts("exact", &[PASSWORD]).by_redirect());
    assert!(status.contains(names::STATUS_NO_AUTHN_CONTEXT));
    for login in
        [world.login(&Ask::new().by_redirect()), world.login(&get_address(&format!("{ISSUER}/saml/start/wiki")))]
    {
        assert!(world.finish_as(&login, &world.identity()).is_err());
    }
}

#[test]
fn scoping_is_passed_on() {
    let world = World::new();
    let ask = |attributes: &str| {
        Ask::having(&format!(
            "<samlp:Scoping{attributes}><samlp:IDPList><samlp:IDPEntry ProviderID=\"urn:x\"/></samlp:IDPList>\
             <samlp:RequesterID>https://behind.example</samlp:RequesterID></samlp:Scoping>"
        ))
    };
    let login = world.login(&ask(" ProxyCount=\"2\"").by_redirect());
    assert_eq!(login.wish.proxy_count, Some(2));
    assert_eq!(login.wish.requesters, [SP, "https://behind.example"]);
    assert_eq!(world.login(&ask("").by_redirect()).wish.proxy_count, None);
    let status = world.refused_with_status(&ask(" ProxyCount=\"0\"").by_redirect());
    assert!(status.contains(names::STATUS_PROXY_COUNT_EXCEEDED), "{status}");
}

// ---- lifetimes and audiences ----

#[test]
fn lifetimes_and_audiences_are_as_set() {
    let world = World::with(json!({
        "assertion_lifetime": "90s", "session_lifetime": "1h", "audiences": ["urn:other"],
    }));
    let assertion = assertion(&world.response());
    assert_eq!(find(&assertion, "Conditions").attribute("NotOnOrAfter"), Some("2026-11-22T02:01:30Z"));
    assert_eq!(find(&assertion, "AuthnStatement").attribute("SessionNotOnOrAfter"), Some("2026-11-22T03:00:00Z"));
    let audiences: Vec<_> =
        find(&assertion, "AudienceRestriction").elements().map(|each| each.only_text().unwrap()).collect();
    assert_eq!(audiences, [SP, "urn:other"]);
}

#[test]
fn the_app_takes_part_in_logout_where_it_can() {
    let world = World::new();
    let login = world.login(&Ask::new().by_redirect());
    let finished = world.finish(&login);
    let participant = finished.participant.unwrap();
    let assertion = assertion(&posted_response(&finished.reply).1);
    assert_eq!(participant.app, world.app.id);
    let index = find(&assertion, "AuthnStatement").attribute("SessionIndex").unwrap();
    assert_eq!(participant.index.as_deref(), Some(index));
    assert!(participant.key.contains(text(&assertion, "NameID")));
    for world in [
        World::with(json!({ "logout": "off" })),
        World::of(&crate::support::Sp { slo: false, ..Default::default() }, json!({})),
    ] {
        assert!(world.finish(&world.login(&Ask::new().by_redirect())).participant.is_none());
    }
}

// ---- without a request ----

#[test]
fn a_login_can_begin_here_where_the_app_allows_it() {
    let start = |rest: &str| get_address(&format!("{ISSUER}/saml/start/{rest}"));
    let closed = World::new();
    assert_eq!(closed.refused_on_page(&start("wiki")).0, 404);
    assert_eq!(closed.provider.initiate(&closed.tenant, &closed.app, None), None);

    let target = "https://wiki.example/page?a=b&c";
    let world = World::with(json!({ "unsolicited": { "targets": [target] }, "default_relay_state": "home" }));
    let open = |target: Option<&str>| world.provider.initiate(&world.tenant, &world.app, target).unwrap();
    for (address, state) in
        [(open(None), "home"), (open(Some(target)), target), (open(Some("https://evil.example")), "home")]
    {
        let login = world.login(&get_address(&address));
        assert_eq!(login.again, address);
        assert!(login.once.is_empty());
        let (action, xml, relay_state) = posted(&world.finish(&login).reply);
        assert_eq!((action.as_str(), relay_state.as_deref()), (ACS, Some(state)));
        assert!(!xml.contains("InResponseTo"), "{xml}");
    }
    // And a request has an address to start anew.
    assert_eq!(world.login(&Ask::new().by_redirect()).retry, Some(open(None)));

    assert_eq!(world.refused_on_page(&start("other")).0, 404);
    for bad in ["https://evil.example", "javascript:alert(1)", "//wiki.example", "https://wiki.example/page"] {
        let bad: String = url::form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        let (status, cause) = world.refused_on_page(&start(&format!("wiki?target={bad}")));
        assert_eq!(status, 400);
        assert!(cause.starts_with("Target"), "{cause}");
    }
    world.doubles.shut.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.refused_on_page(&start("wiki")).0, 403);
}

/// What was not built is not there.
#[test]
fn there_are_no_other_endpoints() {
    let world = World::new();
    let paths: Vec<_> = world.provider.routes().iter().map(|route| route.path).collect();
    for path in ["saml/ecp", "saml/attributes", "saml/nameid", "saml/manage", "saml/query"] {
        assert!(!paths.contains(&path));
    }
    let mut input = get_address(SSO);
    input.route = "saml/ecp";
    match world.accept(&input).0 {
        Accepted::Reply(reply) => match reply.kind {
            ReplyKind::Body(body) => assert_eq!(body.status, 404),
            other => panic!("{other:?}"),
        },
        _ => panic!("something is there"),
    }
}
