//! Attacks on the message itself: the parser's gates and the fixed grammar.

use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_saml::testkit::{Forgery, ResponsePlan, Sign, forge};

use crate::support::{NOW, World, failed_check};

/// Guard: refused before a tree is built. Lenient parsers accept a harmless DOCTYPE, a missing end
/// tag and trailing garbage.
#[test]
fn what_the_parser_refuses() {
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Assertion, Sign::Response] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        let xml = plan.build(&world.idp).unwrap();
        let in_name = |markup: &str| xml.replacen("alice<", &format!("al{markup}ice<"), 1);
        let before = |markup: &str| format!("{markup}{xml}");
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]>";
        for (name, changed) in [
            ("comment in NameID", in_name("<!---->")),
            ("processing instruction in NameID", in_name("<?x?>")),
            ("entity in NameID", in_name("&x;")),
            ("comment in an attribute value", xml.replacen("staff", "st<!---->aff", 1)),
            ("comment in Audience", xml.replacen("</saml:Audience>", "<!--x--></saml:Audience>", 1)),
            ("comment outside of everything", before("<!--x-->")),
            ("processing instruction", before("<?xml-stylesheet href=\"x\"?>")),
            ("harmless DOCTYPE", before("<!DOCTYPE x>")),
            ("ID by ATTLIST", before("<!DOCTYPE x [<!ATTLIST samlp:Response ID ID #IMPLIED>]>")),
            ("ID by entity", before("<!DOCTYPE x [<!ENTITY i \"_x\">]>").replacen(&plan.id, "&i;", 1)),
            (
                "external entity",
                before("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>").replacen("alice<", "&e;<", 1),
            ),
            ("parameter entity", before("<!DOCTYPE x [<!ENTITY % e SYSTEM \"http://127.0.0.1:9/x\"> %e;]>")),
            ("billion laughs", before(laughs).replacen("alice<", "&c;<", 1)),
            ("missing end tag", xml.strip_suffix("</samlp:Response>").unwrap().to_owned()),
            ("trailing garbage", format!("{xml}x")),
            ("trailing element", format!("{xml}<x/>")),
            ("second root", format!("{xml}{xml}")),
            ("leading text", before("x")),
            ("byte order mark", before("\u{feff}")),
            ("other encoding", before("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>")),
            ("XML 1.1", before("<?xml version=\"1.1\"?>")),
            ("duplicate attribute", xml.replacen("Version=\"2.0\"", "Version=\"2.0\" Version=\"2.0\"", 1)),
            ("undeclared prefix", xml.replacen("<samlp:Status>", "<u:x/><samlp:Status>", 1)),
            (
                "relative namespace",
                xml.replacen(
                    "<samlp:Status>",
                    "<samlp:Extensions><x xmlns=\"x\"/></samlp:Extensions><samlp:Status>",
                    1,
                ),
            ),
            ("rebound xml prefix", xml.replacen("<samlp:Status>", "<samlp:Status xmlns:xml=\"urn:x\">", 1)),
            ("null character", in_name("&#0;")),
            (
                "too deep",
                xml.replacen(
                    "<samlp:Status>",
                    &format!(
                        "<samlp:Extensions>{}{}</samlp:Extensions><samlp:Status>",
                        "<x xmlns=\"urn:x\">".repeat(40),
                        "</x>".repeat(40)
                    ),
                    1,
                ),
            ),
            (
                "too many nodes",
                xml.replacen(
                    "<samlp:Status>",
                    &format!(
                        "<samlp:Extensions>{}</samlp:Extensions><samlp:Status>",
                        "<x xmlns=\"urn:x\"/>".repeat(12_000)
                    ),
                    1,
                ),
            ),
        ] {
            assert_eq!(world.refuse_xml(&pending, &changed), "XML", "{name}");
        }
    }
}

/// Guard: CDATA is text and nothing else: the value is whole, and the signature covers it.
#[test]
fn cdata_does_not_truncate() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.assertion.raw_name_id = Some("alice<![CDATA[@evil]]>.example".into());
    assert_eq!(world.accept(&pending, &plan).subject.display, "alice@evil.example");
    let xml = world.plan(&pending).build(&world.idp).unwrap().replacen("alice<", "alice<![CDATA[x]]><", 1);
    assert_eq!(world.refuse_xml(&pending, &xml), "Assertion signature");
}

/// Guard: the fixed grammar of the response, with nothing signed that could refuse first.
#[test]
fn the_grammar_of_the_response() {
    let world = World::new();
    let pending = world.begin();
    let xml = world.plan(&pending).build(&world.idp).unwrap();
    let status = "<samlp:Status>";
    let root = |attribute: &str| xml.replacen("<samlp:Response ", &format!("<samlp:Response {attribute} "), 1);
    let issuer = |attribute: &str| {
        xml.replacen(
            "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">",
            &format!("<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" {attribute}>"),
            1,
        )
    };
    for (name, check, changed) in [
        ("another root", "Root element", xml.replace("samlp:Response", "samlp:ArtifactResponse")),
        ("AuthnRequest as root", "Root element", xml.replace("samlp:Response", "samlp:AuthnRequest")),
        ("LogoutRequest as root (J 108)", "Root element", xml.replace("samlp:Response", "samlp:LogoutRequest")),
        (
            "root of another namespace",
            "Root element",
            xml.replacen("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.0:protocol", 1),
        ),
        (
            "assertion as root",
            "Root element",
            xml[xml.find("<saml:Assertion").unwrap()..xml.find("</samlp:Response>").unwrap()].to_owned(),
        ),
        ("version 1.1", "Version", xml.replacen("Version=\"2.0\"", "Version=\"1.1\"", 1)),
        ("foreign attribute", "Form of the response", root("xmlns:e=\"urn:e\" e:x=\"y\"")),
        (
            "attribute of our namespace",
            "Form of the response",
            root("xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" saml:Destination=\"x\""),
        ),
        ("unknown attribute", "Form of the response", root("Odd=\"y\"")),
        ("text between", "Form of the response", xml.replacen(status, "text<samlp:Status>", 1)),
        ("foreign sibling", "Form of the response", xml.replacen(status, "<x xmlns=\"urn:x\"/><samlp:Status>", 1)),
        (
            "Status twice",
            "Form of the response",
            xml.replacen(status, "<samlp:Status><samlp:StatusCode Value=\"x\"/></samlp:Status><samlp:Status>", 1),
        ),
        (
            "Status missing its code",
            "Form of the response",
            xml.replacen("<samlp:StatusCode ", "<samlp:StatusMessage ", 1).replacen(
                "</samlp:StatusCode>",
                "</samlp:StatusMessage>",
                1,
            ),
        ),
        (
            "Extensions after Status",
            "Form of the response",
            xml.replacen("</samlp:Status>", "</samlp:Status><samlp:Extensions/>", 1),
        ),
        (
            "Issuer twice",
            "Form of the response",
            xml.replacen(
                "<saml:Issuer ",
                "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">x</saml:Issuer><saml:Issuer ",
                1,
            ),
        ),
        (
            "Issuer with a Format",
            "Form of the response",
            issuer("Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\""),
        ),
        ("Issuer with a qualifier", "Form of the response", issuer("NameQualifier=\"x\"")),
        ("Assertion before Status", "Form of the response", {
            let (start, end) = (xml.find("<saml:Assertion").unwrap(), xml.find("</samlp:Response>").unwrap());
            let assertion = xml[start..end].to_owned();
            format!("{}{}", xml[..start].replacen(status, &format!("{assertion}{status}"), 1), "</samlp:Response>")
        }),
    ] {
        assert_eq!(world.refuse_xml(&pending, &changed), check, "{name}");
    }
}

/// Guard: the fixed grammar of the assertion, signed by the provider itself: a signature is no leave
/// to say what SAML can't.
#[test]
fn the_grammar_of_the_assertion() {
    type Change = fn(&mut ResponsePlan);
    let rows: &[(&str, Change)] = &[
        ("Form of the assertion", |plan| plan.assertion.raw_statements = "<saml:Odd/>".into()),
        ("Form of the assertion", |plan| plan.assertion.raw_statements = "<x xmlns=\"urn:x\"/>".into()),
        ("Form of the assertion", |plan| plan.assertion.raw_statements = "text".into()),
        ("Form of the assertion", |plan| plan.assertion.raw_statements = "<saml:Conditions/>".into()),
        ("Form of the assertion", |plan| {
            plan.assertion.raw_statements = "<saml:Subject><saml:NameID>mallory</saml:NameID></saml:Subject>".into();
        }),
        ("Form of the assertion", |plan| {
            plan.assertion.raw_statements = "<saml:AuthzDecisionStatement Resource=\"x\" Decision=\"Permit\"/>".into();
        }),
        ("Decryption", |plan| {
            plan.assertion.raw_statements =
                "<saml:AttributeStatement><saml:EncryptedAttribute/></saml:AttributeStatement>".into();
        }),
        ("Form of the assertion", |plan| plan.assertion.raw_name_id = Some("a<saml:NameID>b</saml:NameID>".into())),
        ("Attributes", |plan| plan.assertion.attributes[0].raw = "<x xmlns=\"urn:x\"/>".into()),
        ("Attributes", |plan| plan.assertion.attributes[0].raw = "text".into()),
        ("Attributes", |plan| plan.assertion.attributes[0].name = String::new()),
        ("Attributes", |plan| {
            plan.assertion.attributes[0].raw =
                "<saml:AttributeValue>a<x xmlns=\"urn:x\"/></saml:AttributeValue>".into();
        }),
    ];
    let world = World::new();
    let pending = world.begin();
    for (number, (check, change)) in rows.iter().enumerate() {
        for sign in [Sign::Assertion, Sign::Response] {
            let mut plan = world.plan(&pending);
            plan.sign = sign;
            change(&mut plan);
            assert_eq!(world.refuse(&pending, &plan), *check, "row {number} {sign:?}");
        }
    }
}

/// Guard: the version of the assertion, under the provider's own signature.
#[test]
fn an_assertion_of_another_version_is_refused() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.sign = Sign::Nothing;
    let xml = plan.build(&world.idp).unwrap();
    let (response, assertion) = xml.split_at(xml.find("<saml:Assertion").unwrap());
    for (version, accepted) in [("2.0", true), ("1.1", false), ("", false)] {
        let assertion = assertion.replacen("Version=\"2.0\"", &format!("Version=\"{version}\""), 1);
        let how = Forgery::honest(&world.idp.key.private);
        let signed = forge(&format!("{response}{assertion}"), &plan.assertion.id, &how).unwrap();
        if accepted {
            world.accept_xml(&pending, &signed);
        } else {
            assert_eq!(world.refuse_xml(&pending, &signed), "Assertion version");
        }
    }
}

/// Guard: what can never be accepted is refused before the signature costs anything. Each of these
/// was changed after signing, and the form is what says no.
#[test]
fn the_form_is_checked_before_the_signature() {
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        let xml = plan.build(&world.idp).unwrap();
        let filler = "<saml:Odd/>".repeat(1000);
        for (check, before) in [
            ("Form of the assertion", "<saml:Subject>"),
            ("Form of the assertion", "<saml:Audience>"),
            ("Form of the assertion", "</saml:AttributeStatement>"),
            ("Attributes", "<saml:AttributeValue>"),
        ] {
            let filled = xml.replacen(before, &format!("{filler}{before}"), 1);
            assert_eq!(world.refuse_xml(&pending, &filled), check, "{sign:?} {before}");
        }
    }
}

/// Guard: two assertions are refused even where each is signed (CVE-2021-28091).
#[test]
fn two_signed_assertions_are_refused() {
    let world = World::new();
    let pending = world.begin();
    let first = world.plan(&pending).build(&world.idp).unwrap();
    let second = world.plan(&pending).build(&world.idp).unwrap();
    let assertion = &second[second.find("<saml:Assertion").unwrap()..second.find("</samlp:Response>").unwrap()];
    let both = first.replacen("</samlp:Response>", &format!("{assertion}</samlp:Response>"), 1);
    assert_eq!(world.refuse_xml(&pending, &both), "Assertions");
}

/// Guard: a captured assertion in a forged envelope. The outer InResponseTo is the attacker's to
/// choose; the signed one is not.
#[test]
fn an_outer_in_response_to_never_satisfies_the_inner_check() {
    let world = World::new();
    let mine = world.begin();
    let theirs = world.begin();
    let captured = world.plan(&theirs).build(&world.idp).unwrap();
    let rewrapped = captured.replacen(
        &format!("InResponseTo=\"{}\"", theirs.request.id),
        &format!("InResponseTo=\"{}\"", mine.request.id),
        1,
    );
    assert_eq!(world.refuse_xml(&mine, &rewrapped), "InResponseTo in the assertion");
    // The same with an assertion that the provider started by itself.
    let mut unsolicited = world.plan(&mine);
    unsolicited.assertion.confirmations[0].in_response_to = None;
    assert_eq!(world.refuse(&mine, &unsolicited), "InResponseTo in the assertion");
}

/// Guard: a signed error is not turned into a login by what is grafted on it.
#[test]
fn a_grafted_assertion_does_not_help_a_signed_error() {
    let world = World::new();
    let pending = world.begin();
    let mut error = world.idp.refusal(&pending.request, fedbridge_saml::names::STATUS_AUTHN_FAILED, NOW);
    error.sign = Sign::Response;
    let signed = error.build(&world.idp).unwrap();
    let login = world.plan(&pending).build(&world.idp).unwrap();
    let assertion = &login[login.find("<saml:Assertion").unwrap()..login.find("</samlp:Response>").unwrap()];
    let grafted = signed.replacen("</samlp:Response>", &format!("{assertion}</samlp:Response>"), 1);
    assert_eq!(world.refuse_xml(&pending, &grafted), "Response signature");
    let decoy = signed.replacen("<samlp:Status>", &format!("<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:Object>{assertion}</ds:Object></ds:Signature><samlp:Status>"), 1);
    assert_eq!(world.refuse_xml(&pending, &decoy), "Form of the response");
}

/// Guard: markup in a value stays a value.
#[test]
fn markup_in_values_stays_text() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    let evil = "</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"groups\"><saml:AttributeValue>root";
    plan.assertion.attributes[0].values = vec![evil.into()];
    let identity = world.accept(&pending, &plan);
    assert_eq!(identity.attributes.get("mail"), [evil]);
    assert_eq!(identity.attributes.get("groups"), ["staff", "admins"]);
}

/// Guard: a person reads one plain sentence; the cause is for the trace, and holds no control
/// characters that could forge lines in a log.
#[test]
fn causes_are_for_admins_and_defused() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.destination = Some("https://evil.example/\u{7f}\n".into());
    let (outcome, trace) = world.complete(&pending, &plan.build(&world.idp).unwrap());
    let LoginOutcome::Rejected(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failed_check(&trace), "Destination");
    assert!(error.cause.starts_with("Destination: expected https://bridge.example/"));
    assert!(!error.cause.chars().any(char::is_control));
    assert!(!error.public.contains("evil") && !error.public.contains("Destination"));
}
