//! Refusals go to the app as a status, once its address is known to be good.

use fedbridge_contract::downstream::{Refusal, RefusalKind};
use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::page::Page;
use fedbridge_saml_core::names;
use serde_json::json;

use crate::schema;
use crate::support::{ACS, Ask, ISSUER, SSO, Sp, World, get_address, our_key, posted};
use crate::xmlsec1;

const KINDS: &[(RefusalKind, &str, Option<&str>)] = &[
    (RefusalKind::LoginRequired, names::STATUS_RESPONDER, Some(names::STATUS_NO_PASSIVE)),
    (RefusalKind::InteractionRequired, names::STATUS_RESPONDER, Some(names::STATUS_NO_PASSIVE)),
    (RefusalKind::AccountSelectionRequired, names::STATUS_RESPONDER, Some(names::STATUS_NO_PASSIVE)),
    (RefusalKind::ConsentRequired, names::STATUS_RESPONDER, Some(names::STATUS_NO_PASSIVE)),
    (RefusalKind::AccessDenied, names::STATUS_RESPONDER, Some(names::STATUS_REQUEST_DENIED)),
    (RefusalKind::UnmetAuthnContext, names::STATUS_RESPONDER, Some(names::STATUS_NO_AUTHN_CONTEXT)),
    (RefusalKind::SubjectUnavailable, names::STATUS_REQUESTER, Some(names::STATUS_INVALID_NAME_ID_POLICY)),
    (RefusalKind::ServerError, names::STATUS_RESPONDER, None),
    (RefusalKind::TemporarilyUnavailable, names::STATUS_RESPONDER, None),
];

#[test]
fn every_kind_has_its_status_and_is_signed() {
    for sign in ["both", "response", "assertion"] {
        let world = World::with(json!({ "sign": sign }));
        let login = world.login(&Ask::new().by_redirect());
        for (kind, top, detail) in KINDS {
            let reply = world.refuse(&login, &Refusal::new(*kind, "It is <not> possible & never was."));
            let (action, xml, relay_state) = posted(&reply);
            assert_eq!((action.as_str(), relay_state.as_deref()), (ACS, Some("here")));
            assert!(xml.contains(&format!("<samlp:StatusCode Value=\"{top}\">")) || detail.is_none(), "{xml}");
            assert!(detail.is_none_or(|detail| xml.contains(detail)), "{xml}");
            assert!(xml.contains("It is &lt;not&gt; possible &amp; never was. (trace "), "{xml}");
            assert!(xml.contains("InResponseTo=\"_r1\"") && !xml.contains("Assertion "), "{xml}");
            schema::accepts("saml-schema-protocol-2.0.xsd", &xml);
            xmlsec1::accepts(&xml, id(&xml), our_key());
        }
    }
}

fn id(xml: &str) -> &str {
    xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap()
}

#[test]
fn a_status_at_once_is_valid_and_signed_too() {
    let world = World::new();
    let xml = world.refused_with_status(&Ask::having("<samlp:Scoping ProxyCount=\"0\"/>").by_post());
    schema::accepts("saml-schema-protocol-2.0.xsd", &xml);
    xmlsec1::accepts(&xml, id(&xml), our_key());
    assert!(world.last_refusal().unwrap().contains("no further provider"));
}

#[test]
fn where_nobody_asked_or_the_address_is_gone_there_is_a_page() {
    let world = World::with(json!({ "unsolicited": true }));
    let refusal = Refusal::new(RefusalKind::AccessDenied, "Not you.");
    let is_page = |reply: fedbridge_contract::http::Reply, status: u16| match reply.kind {
        ReplyKind::Page(Page::Error(page)) => {
            assert_eq!((page.status, page.sentence.as_str()), (status, "Not you."));
            assert!(page.trace.is_some());
        }
        other => panic!("not a page: {other:?}"),
    };
    let unsolicited = world.login(&get_address(&format!("{ISSUER}/saml/start/wiki")));
    is_page(world.refuse(&unsolicited, &refusal), 403);

    let asked = world.login(&Ask::new().by_redirect());
    let moved =
        Sp { endpoints: Sp::default().endpoints.replace("wiki.example/acs\"", "wiki.example/new\""), ..Sp::default() };
    let moved = World::kept(world.doubles.clone(), &moved, json!({}));
    is_page(moved.refuse(&asked, &refusal), 403);
    let late = moved.finish_as(&asked, &moved.identity()).unwrap_err();
    assert!(late.public.contains("registration was changed"), "{}", late.public);

    let mut broken = asked.clone();
    broken.continuation = b"{}".to_vec();
    is_page(world.refuse(&broken, &refusal), 403);
    assert_eq!(world.finish_as(&broken, &world.identity()).unwrap_err().kind, RefusalKind::ServerError);
    assert!(get_address(SSO).query.is_empty());
}

#[test]
fn without_a_key_to_sign_with_nothing_goes_out() {
    let world = World::new();
    let login = world.login(&Ask::new().by_redirect());
    let keyless = world.without_keys();
    let refusal = keyless.finish_as(&login, &keyless.identity()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::ServerError);
    assert!(refusal.public.contains("could not be signed"), "{}", refusal.public);
    let cause = refusal.cause.clone().unwrap_or_default();
    assert!(cause.contains("signing key"), "the trace says why: {cause}");
    let reply = keyless.refuse(&login, &refusal);
    assert!(matches!(reply.kind, ReplyKind::Page(_)), "not even a status: {reply:?}");
    let (status, cause) = keyless.refused_on_page(&Ask::having("<samlp:Scoping ProxyCount=\"0\"/>").by_redirect());
    assert_eq!(status, 500, "{cause}");
}
