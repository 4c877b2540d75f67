//! Logout messages, right and wrong.

use std::time::Duration;

use fedbridge_contract::logout::{LogoutEnd, Notice, Told};
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Challenge;
use fedbridge_saml_core::logout::{self, Carried, LogoutIn, LogoutParties, LogoutRequestParts, VerifiedLogoutRequest};
use fedbridge_saml_core::metadata::{LogoutBinding, LogoutEndpoint};
use fedbridge_saml_core::name_id::OwnedNameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Cbc;
use fedbridge_saml_core::testkit::{Encryption, LogoutRequestPlan, LogoutResponsePlan, NameIdPlan, TestKey};
use fedbridge_saml_core::trust::Distrust;
use url::Url;

use crate::schema;
use crate::support::{KEYS, NOW, form, get, ring, soap, trust};

const US: &str = "https://bridge.example/slo";
const THEM: &str = "https://partner.example/metadata";

fn verify_as(carried: &Carried, keys: &[&TestKey]) -> (Result<LogoutIn, Distrust>, String) {
    let mut trace = TraceLog::new();
    let parties = LogoutParties {
        them: &["https://other.example", THEM],
        trust: &trust(keys),
        address: US,
        skew: Duration::from_secs(180),
        decrypters: &ring(&KEYS[1]),
        cbc: Cbc::Refused,
    };
    let result = logout::verify(carried, &parties, NOW, &mut trace);
    (result, trace.cause().unwrap_or_default())
}

fn verify(carried: &Carried) -> (Result<LogoutIn, Distrust>, String) {
    verify_as(carried, &[&KEYS[0]])
}

fn plan() -> LogoutRequestPlan {
    let name = NameIdPlan::new("alice", names::FORMAT_PERSISTENT);
    LogoutRequestPlan::new(THEM, US, name, NOW).with_index("_i1").with_index("_i2")
}

fn answer() -> LogoutResponsePlan {
    LogoutResponsePlan::new(THEM, US, "_asked", NOW)
}

fn fields(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// By each binding, signed with this key.
fn ways(plan: &LogoutRequestPlan, key: &TestKey) -> [Carried; 3] {
    [
        Carried::read(&get(&plan.query(Some("r s"), key).unwrap())).unwrap(),
        Carried::read(&form(&fields(&plan.form(Some("r s"), key).unwrap()))).unwrap(),
        Carried::read(&soap(&plan.soap(key).unwrap())).unwrap(),
    ]
}

fn asked(carried: &Carried) -> VerifiedLogoutRequest {
    match verify(carried) {
        (Ok(LogoutIn::Request(request)), _) => request,
        (other, cause) => panic!("{other:?}: {cause}"),
    }
}

#[test]
fn a_right_request_is_believed_by_every_binding() {
    for carried in ways(&plan(), &KEYS[0]) {
        assert_eq!(carried.unverified_issuer().as_deref(), Ok(THEM));
        let request = asked(&carried);
        assert_eq!(request.name_id.value, "alice");
        assert_eq!(request.name_id.format.as_deref(), Some(names::FORMAT_PERSISTENT));
        assert_eq!(request.indexes, ["_i1", "_i2"]);
        assert_eq!(carried.relay_state.as_deref(), (!carried.is_soap()).then_some("r s"));
        assert_eq!(request.once.expires, NOW + Duration::from_secs(480));
        assert!(!request.asynchronous);
    }
    let first = plan();
    let keys: Vec<_> = ways(&first, &KEYS[0]).iter().map(|carried| asked(carried).once.key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "one message is one message by every binding");
    assert_ne!(asked(&ways(&plan(), &KEYS[0])[0]).once.key, keys[0]);
}

#[test]
fn what_may_be_left_out_or_hidden() {
    let all = LogoutRequestPlan { indexes: Vec::new(), not_on_or_after: None, asynchronous: true, ..plan() };
    let hidden = LogoutRequestPlan { encryption: Some(Encryption::to(&KEYS[1].certificate)), ..plan() };
    for (one, other) in ways(&all, &KEYS[0]).iter().zip(&ways(&hidden, &KEYS[0])) {
        let request = asked(one);
        assert!(request.indexes.is_empty() && request.asynchronous);
        assert_eq!(asked(other).name_id.value, "alice");
    }
    let to_another = LogoutRequestPlan { encryption: Some(Encryption::to(&KEYS[2].certificate)), ..plan() };
    for carried in ways(&to_another, &KEYS[0]) {
        assert!(verify(&carried).1.contains("could not be decrypted"));
    }
}

#[test]
fn each_wrong_request_is_refused_for_its_own_reason() {
    let later = |seconds| Some((NOW + Duration::from_secs(seconds)).rfc3339_seconds());
    let earlier = |seconds| (NOW - Duration::from_secs(seconds)).rfc3339_seconds();
    let table: Vec<(&str, LogoutRequestPlan)> = vec![
        ("Version", LogoutRequestPlan { version: "1.1".into(), ..plan() }),
        ("Issuer", LogoutRequestPlan { issuer: Some("https://partner.example/METADATA".into()), ..plan() }),
        ("Destination", LogoutRequestPlan { destination: Some("https://bridge.example/slo/".into()), ..plan() }),
        ("IssueInstant", LogoutRequestPlan { issue_instant: later(181).unwrap(), ..plan() }),
        ("IssueInstant", LogoutRequestPlan { issue_instant: "now".into(), ..plan() }),
        ("NotOnOrAfter", LogoutRequestPlan { not_on_or_after: Some(earlier(180)), ..plan() }),
        ("NotOnOrAfter", LogoutRequestPlan { not_on_or_after: None, issue_instant: earlier(480), ..plan() }),
        // Its ID is not kept for years, so neither is it good for years.
        ("NotOnOrAfter", LogoutRequestPlan { issue_instant: earlier(3600 + 180), ..for_years() }),
        ("names nobody", LogoutRequestPlan { name_id: None, indexes: Vec::new(), ..plan() }),
        ("where NameID or EncryptedID must stand", LogoutRequestPlan { name_id: None, ..plan() }),
        ("1 to 1024 octets", LogoutRequestPlan { name_id: Some(NameIdPlan::new("", "urn:f")), ..plan() }),
        (
            "1 to 1024 octets",
            LogoutRequestPlan { name_id: Some(NameIdPlan::new(&"x".repeat(1025), "urn:f")), ..plan() },
        ),
        ("at most 64", LogoutRequestPlan { indexes: (0..65).map(|at| format!("_{at}")).collect(), ..plan() }),
        ("may not hold Assertion here", LogoutRequestPlan { raw: assertion(), ..plan() }),
        ("may not hold Assertion here", LogoutRequestPlan { raw_extensions: Some(assertion()), ..plan() }),
        (
            "may not hold NameID here",
            LogoutRequestPlan { raw: format!("<n:NameID xmlns:n=\"{}\">root</n:NameID>", names::ASSERTION), ..plan() },
        ),
    ];
    for (reason, plan) in table {
        for carried in ways(&plan, &KEYS[0]) {
            let (result, cause) = verify(&carried);
            assert!(matches!(result, Err(Distrust::Refused)), "{reason}: {result:?}");
            assert!(cause.contains(reason), "{reason}: {cause}");
        }
    }
    let anonymous = LogoutRequestPlan { issuer: None, ..plan() }.query(None, &KEYS[0]).unwrap();
    let carried = Carried::read(&get(&anonymous)).unwrap();
    assert_eq!(carried.unverified_issuer().unwrap_err(), "LogoutRequest has no Issuer");
    assert!(verify(&carried).1.contains("has NameID where Issuer must stand"));
    // A browser's message names its address; a server's call has it already.
    let [redirect, post, soap] = ways(&LogoutRequestPlan { destination: None, ..plan() }, &KEYS[0]);
    assert!(verify(&redirect).1.contains("Destination") && verify(&post).1.contains("Destination"));
    assert!(verify(&soap).0.is_ok());
}

fn assertion() -> String {
    format!("<saml:Assertion xmlns:saml=\"{}\" ID=\"_x\" Version=\"2.0\"/>", names::ASSERTION)
}

#[test]
fn only_the_partners_signature_counts() {
    for carried in ways(&plan(), &KEYS[2]) {
        assert!(matches!(verify(&carried).0, Err(Distrust::KeyUnknown)));
        assert!(matches!(verify_as(&carried, &[]).0, Err(Distrust::Refused)));
        assert!(verify_as(&carried, &[&KEYS[0], &KEYS[2]]).0.is_ok());
    }
    let query = plan().query(None, &KEYS[0]).unwrap();
    let bare = query.split("&SigAlg").next().unwrap();
    let xml = plan().xml().unwrap();
    let posted = |xml: &str| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(xml);
        Carried::read(&form(&fields(&[("SAMLRequest".into(), text)]))).unwrap()
    };
    let called = |xml: &str| {
        let envelope = "http://schemas.xmlsoap.org/soap/envelope/";
        Carried::read(&soap(&format!("<e:Envelope xmlns:e=\"{envelope}\"><e:Body>{xml}</e:Body></e:Envelope>")))
            .unwrap()
    };
    for unsigned in [Carried::read(&get(bare)).unwrap(), posted(&xml), called(&xml)] {
        let (result, cause) = verify(&unsigned);
        assert!(matches!(result, Err(Distrust::Refused)), "{result:?}");
        assert!(cause.contains("signature"), "{cause}");
    }
    // A signed request of another moment inside a forged one, and a changed one.
    let signed = plan().signed(&KEYS[0]).unwrap();
    let forged =
        xml.replace("alice", "bob").replace("</samlp:LogoutRequest>", &format!("{signed}</samlp:LogoutRequest>"));
    let changed = signed.replace("alice", "bob");
    for carried in [posted(&forged), called(&forged), posted(&changed), called(&changed)] {
        assert!(matches!(verify(&carried).0, Err(Distrust::Refused)));
    }
    // Signed inside, and sent where only the query's signature is asked for.
    let inside = fedbridge_saml_core::binding::redirect::send;
    let to = Url::parse(US).unwrap();
    let parameter = fedbridge_saml_core::binding::Parameter::SamlRequest;
    let unsigned = inside(&to, parameter, &signed, None, None).unwrap();
    let carried = Carried::read(&get(unsigned.split_once('?').unwrap().1)).unwrap();
    assert!(verify(&carried).1.contains("Query signature"));
    let both = inside(&to, parameter, &changed, None, Some(&ring(&KEYS[0]))).unwrap();
    let carried = Carried::read(&get(both.split_once('?').unwrap().1)).unwrap();
    assert!(verify(&carried).1.contains("LogoutRequest signature"), "a signature that is there must be right");
}

#[test]
fn answers_say_how_it_went() {
    let told =
        |plan: &LogoutResponsePlan| match verify(&Carried::read(&get(&plan.query(None, &KEYS[0]).unwrap())).unwrap()) {
            (Ok(LogoutIn::Response(answer)), _) => {
                assert_eq!(answer.in_response_to, "_asked");
                answer.told
            }
            (other, cause) => panic!("{other:?}: {cause}"),
        };
    let status = |first: &str, second: Option<&str>| LogoutResponsePlan {
        status: (first.into(), second.map(str::to_owned)),
        ..answer()
    };
    assert_eq!(told(&answer()), Told::Done);
    assert_eq!(told(&status(names::STATUS_SUCCESS, Some(names::STATUS_PARTIAL_LOGOUT))), Told::Partial);
    assert_eq!(told(&status(names::STATUS_RESPONDER, Some(names::STATUS_PARTIAL_LOGOUT))), Told::Partial);
    assert_eq!(told(&status(names::STATUS_REQUESTER, Some(names::STATUS_UNKNOWN_PRINCIPAL))), Told::Done);
    assert_eq!(told(&status(names::STATUS_RESPONDER, None)), Told::Refused);
    let without = LogoutResponsePlan { in_response_to: None, ..answer() };
    let carried = Carried::read(&get(&without.query(None, &KEYS[0]).unwrap())).unwrap();
    assert!(verify(&carried).1.contains("InResponseTo"));
}

/// An answer on a connection of ours may be unsigned; a signature that is there must be right, and
/// nothing but an answer may come.
#[test]
fn answers_to_our_own_calls() {
    let xml = fedbridge_saml_core::binding::soap::envelope(&answer().xml());
    assert!(verify(&Carried::answer(xml.as_bytes())).0.is_ok());
    assert!(verify(&Carried::answer(answer().soap(&KEYS[0]).unwrap().as_bytes())).0.is_ok());
    let strange = answer().soap(&KEYS[2]).unwrap();
    assert!(matches!(verify(&Carried::answer(strange.as_bytes())).0, Err(Distrust::KeyUnknown)));
    let request = plan().soap(&KEYS[0]).unwrap();
    assert!(verify(&Carried::answer(request.as_bytes())).1.contains("Root element"));
    let called = Carried::read(&soap(&xml)).unwrap();
    assert!(verify(&called).1.contains("Root element"), "an answer does not come as a call");
}

#[test]
fn a_message_is_what_its_parameter_says() {
    let query = plan().query(None, &KEYS[0]).unwrap().replace("SAMLRequest=", "SAMLResponse=");
    assert!(verify(&Carried::read(&get(&query)).unwrap()).1.contains("Root element"));
}

#[test]
fn what_we_send_is_read_as_it_was_meant() {
    let name_id = OwnedNameId {
        value: " <alice> & \"bob\" ".into(),
        format: Some(names::FORMAT_TRANSIENT.into()),
        name_qualifier: Some("q".into()),
        sp_name_qualifier: Some("s".into()),
        sp_provided_id: Some("p".into()),
    };
    let indexes = ["_a&b".to_owned()];
    let parts = LogoutRequestParts {
        id: "_id",
        issuer: THEM,
        destination: US,
        name_id: &name_id,
        indexes: &indexes,
        not_on_or_after: NOW + Duration::from_secs(300),
        now: NOW,
    };
    schema::accepts("saml-schema-protocol-2.0.xsd", &logout::request(&parts));
    let keys = ring(&KEYS[0]);
    for binding in [LogoutBinding::Redirect, LogoutBinding::Post, LogoutBinding::Soap] {
        let endpoint = LogoutEndpoint { binding, location: Url::parse(US).unwrap(), response_location: None };
        let carried = match logout::notice(&endpoint, &parts, &keys).unwrap() {
            Notice::Front(Challenge::Redirect(location)) => Carried::read(&get(location.split_once('?').unwrap().1)),
            Notice::Front(Challenge::AutoPost { fields: sent, .. }) => Carried::read(&form(&fields(&sent))),
            Notice::Back(post) => {
                assert_eq!((post.url.as_str(), post.content_type.as_str()), (US, "text/xml; charset=utf-8"));
                Carried::read(&soap(&post.body))
            }
            other => panic!("{other:?}"),
        };
        let request = asked(&carried.unwrap());
        assert_eq!((request.id.as_str(), &request.name_id, &request.indexes[..]), ("_id", &name_id, &indexes[..]));
    }
    for (end, told) in [
        (LogoutEnd::Complete, Told::Done),
        (LogoutEnd::Partial, Told::Partial),
        (LogoutEnd::NoSession, Told::Done),
        (LogoutEnd::Refused, Told::Refused),
        (LogoutEnd::Failed, Told::Refused),
    ] {
        schema::refuses("saml-schema-protocol-2.0.xsd", &logout::response("1", "_asked", THEM, Some(US), end, NOW));
        let xml = logout::response("_r", "_asked", THEM, Some(US), end, NOW);
        schema::accepts("saml-schema-protocol-2.0.xsd", &xml);
        let envelope = fedbridge_saml_core::binding::soap::envelope(&xml);
        match verify(&Carried::answer(envelope.as_bytes())).0 {
            Ok(LogoutIn::Response(answer)) => assert_eq!(answer.told, told),
            other => panic!("{other:?}"),
        }
    }
}

fn for_years() -> LogoutRequestPlan {
    LogoutRequestPlan { not_on_or_after: Some("2099-01-01T00:00:00Z".into()), ..plan() }
}

#[test]
fn the_id_of_a_request_is_kept_for_an_hour_at_most() {
    for carried in ways(&for_years(), &KEYS[0]) {
        assert_eq!(asked(&carried).once.expires, NOW + Duration::from_secs(3600 + 180));
    }
}
