//! Attacks on signatures, made here and never copied from anywhere. Each must be refused, and by the guard that is named.

use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_saml::testkit::{
    Attack, Forgery, KeyKind, ScriptedIdp, Sign, TestKey, forge, wrapped_assertions, wrapped_responses,
};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use serde_json::json;

use crate::support::{IDP, NOW, Pending, World, failed_check};

fn refused_all(world: &World, pending: &Pending, attacks: &[Attack]) {
    for Attack { name, xml } in attacks {
        let (outcome, trace) = world.complete(pending, xml);
        match outcome {
            LoginOutcome::Rejected(_) => drop(failed_check(&trace)),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Guards: one assertion as direct child, the fixed grammar, Signature only in the element it
/// covers, data from the verified octets.
#[test]
fn wrapping_of_signed_assertions() {
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Assertion, Sign::Both] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        let mut signed = plan.build(&world.idp).unwrap();
        world.accept_xml(&pending, &signed);
        if sign == Sign::Both {
            // The attacker strips the response's signature, which leaves a signed assertion.
            let start = signed.find("<ds:Signature").unwrap();
            let end = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
            signed.replace_range(start..end, "");
            world.accept_xml(&pending, &signed);
        }
        let attacks = wrapped_assertions(&signed, "alice", "mallory");
        assert_eq!(attacks.len(), 18);
        assert!(attacks.iter().all(|attack| attack.xml.contains("mallory")));
        refused_all(&world, &pending, &attacks);
    }
}

/// The same guards where the response is signed.
#[test]
fn wrapping_of_signed_responses() {
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Response, Sign::Both] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        let signed = plan.build(&world.idp).unwrap();
        world.accept_xml(&pending, &signed);
        let attacks = wrapped_responses(&signed, "alice", "mallory");
        assert_eq!(attacks.len(), 15);
        refused_all(&world, &pending, &attacks);
    }
}

/// With both signed under the policy `both`, an attacker can't trade one signature for the other.
#[test]
fn wrapping_under_the_policy_both() {
    let world = World::with(json!({ "require_signed": "both" }));
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.sign = Sign::Both;
    let signed = plan.build(&world.idp).unwrap();
    refused_all(&world, &pending, &wrapped_responses(&signed, "alice", "mallory"));
    refused_all(&world, &pending, &wrapped_assertions(&signed, "alice", "mallory"));
}

/// Guard: every octet under a signature counts. Changed texts, attributes and names.
#[test]
fn changed_content_breaks_the_signature() {
    let world = World::new();
    let pending = world.begin();
    for (sign, check) in [(Sign::Assertion, "Assertion signature"), (Sign::Response, "Response signature")] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        let xml = plan.build(&world.idp).unwrap();
        for (from, to) in [
            ("alice<", "mallory<"),
            ("alice@acme.example", "root@acme.example"),
            ("Name=\"groups\"", "Name=\"roles\""),
            (">admins<", ">admins <"),
            (
                "</saml:Attribute></saml:AttributeStatement>",
                "</saml:Attribute><saml:Attribute Name=\"x\"/></saml:AttributeStatement>",
            ),
        ] {
            let changed = xml.replacen(from, to, 1);
            assert_ne!(changed, xml, "{from}");
            assert_eq!(world.refuse_xml(&pending, &changed), check, "{from}");
        }
    }
}

/// Guard: keys come from the connection; the certificate in KeyInfo selects nothing.
#[test]
fn keys_in_the_message_are_not_read() {
    let world = World::new();
    let pending = world.begin();
    let plan = world.plan(&pending);
    // A stranger's key with its certificate in KeyInfo.
    let stranger = ScriptedIdp::with_key(IDP, "https://idp.example/sso", TestKey::make(KeyKind::Rsa(2048)).unwrap());
    let forged = plan.build(&stranger).unwrap();
    assert!(forged.contains("X509Certificate"));
    assert_eq!(world.refuse_xml(&pending, &forged), "Assertion signature");
    // The right key with garbage, or a stranger's certificate, in KeyInfo.
    let honest = plan.build(&world.idp).unwrap();
    let (start, end) =
        (honest.find("<ds:KeyInfo>").unwrap(), honest.find("</ds:KeyInfo>").unwrap() + "</ds:KeyInfo>".len());
    let (forged_start, forged_end) =
        (forged.find("<ds:KeyInfo>").unwrap(), forged.find("</ds:KeyInfo>").unwrap() + "</ds:KeyInfo>".len());
    for info in [
        "",
        "<ds:KeyInfo><ds:KeyName>whatever</ds:KeyName></ds:KeyInfo>",
        "<ds:KeyInfo><ds:RetrievalMethod URI=\"http://127.0.0.1:9/key\"/></ds:KeyInfo>",
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>!!!</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
        &forged[forged_start..forged_end],
    ] {
        let changed = format!("{}{info}{}", &honest[..start], &honest[end..]);
        assert_eq!(world.accept_xml(&pending, &changed).subject.display, "alice");
    }
}

/// A signature of the provider's own key, in a form that SAML doesn't allow. `expected` is the check.
fn forged<'a>(world: &'a World, pending: &Pending, change: impl FnOnce(&mut Forgery<'a>)) -> String {
    let mut plan = world.plan(pending);
    plan.sign = Sign::Nothing;
    let xml = plan.build(&world.idp).unwrap();
    let mut how = Forgery::honest(&world.idp.key.private);
    change(&mut how);
    forge(&xml, &plan.assertion.id, &how).unwrap()
}

#[test]
fn the_forge_itself_is_sound() {
    let world = World::new();
    let pending = world.begin();
    let xml = forged(&world, &pending, |_| {});
    assert_eq!(world.accept_xml(&pending, &xml).subject.display, "alice");
}

/// Guard: the closed list of algorithms. RSA-SHA1 is not in it by default.
#[test]
fn sha1_only_until_its_date() {
    let sha1 = |world: &World, pending: &Pending| {
        forged(world, pending, |how| {
            how.signature_method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
            how.digest_method = "http://www.w3.org/2000/09/xmldsig#sha1";
            how.digest = MessageDigest::sha1();
        })
    };
    for (settings, accepted) in [
        (json!({}), false),
        (json!({ "allow_sha1_until": "2026-11-21" }), false), // yesterday
        (json!({ "allow_sha1_until": "2026-11-22" }), true),  // today still counts
    ] {
        let world = World::with(settings.clone());
        let pending = world.begin();
        let xml = sha1(&world, &pending);
        if accepted {
            world.accept_xml(&pending, &xml);
        } else {
            assert_eq!(world.refuse_xml(&pending, &xml), "Assertion signature", "{settings}");
        }
    }
    // A SHA-1 digest under a SHA-256 signature is SHA-1 too.
    let world = World::new();
    let pending = world.begin();
    let xml = forged(&world, &pending, |how| how.digest_method = "http://www.w3.org/2000/09/xmldsig#sha1");
    assert_eq!(world.refuse_xml(&pending, &xml), "Assertion signature");
}

/// Guard: HMAC with the public certificate as its key.
#[test]
fn hmac_is_refused() {
    let world = World::new();
    let pending = world.begin();
    let certificate = PKey::hmac(&world.idp.key.certificate).unwrap();
    for method in [
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    ] {
        let mut plan = world.plan(&pending);
        plan.sign = Sign::Nothing;
        let xml = plan.build(&world.idp).unwrap();
        let how = Forgery { signature_method: method, ..Forgery::honest(&certificate) };
        let signed = forge(&xml, &plan.assertion.id, &how).unwrap();
        assert_eq!(world.refuse_xml(&pending, &signed), "Assertion signature", "{method}");
    }
}

/// Guard: one SignedInfo, one Reference to the parent, two transforms, no DTD or comments in it, no
/// Object. Each of these is signed with the provider's real key, so only the form can refuse it.
/// Among them: SSRF, file read and XPath by Reference and Transform.
#[test]
fn odd_forms_of_a_real_signature() {
    let world = World::new();
    let pending = world.begin();
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>1</ds:XPath></ds:Transform></ds:Transforms>";
    let xslt = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/></ds:Transforms>";
    let base64 = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#base64\"/></ds:Transforms>";
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let info: &[(&str, &dyn Fn(String) -> String)] = &[
        ("empty reference", &|info| uri(&info, "")),
        ("reference to the response", &|info| uri(&info, "#_another")),
        ("xpointer", &|info| uri(&info, "#xpointer(/)")),
        ("http reference", &|info| uri(&info, "http://127.0.0.1:9/x")),
        ("file reference", &|info| uri(&info, "file:///etc/hostname")),
        ("relative reference", &|info| uri(&info, "etc/hostname")),
        ("no reference address", &|info| info.replacen(" URI=\"", " Id=\"", 1)),
        ("xpath transform", &|info| info.replace("</ds:Transforms>", xpath)),
        ("xslt transform", &|info| info.replace("</ds:Transforms>", xslt)),
        ("base64 transform", &|info| info.replace("</ds:Transforms>", base64)),
        ("no transforms", &|info| between(&info, "<ds:Transforms>", "</ds:Transforms>", "")),
        ("inclusive canonicalization", &|info| {
            info.replace(exclusive, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")
        }),
        ("canonicalization with comments", &|info| info.replace(exclusive, &format!("{exclusive}WithComments"))),
        ("canonicalization 1.1", &|info| info.replace(exclusive, "http://www.w3.org/2006/12/xml-c14n11")),
        ("two references", &|info| {
            let (_, reference) = info.split_once("<ds:Reference").unwrap();
            let reference = format!("<ds:Reference{}", reference.strip_suffix("</ds:SignedInfo>").unwrap());
            info.replace("</ds:SignedInfo>", &format!("{reference}</ds:SignedInfo>"))
        }),
        ("no reference", &|info| between(&info, "<ds:Reference", "</ds:Reference>", "")),
        ("HMACOutputLength", &|info| {
            info.replacen(
                "rsa-sha256\"/>",
                "rsa-sha256\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>",
                1,
            )
        }),
        ("unknown digest", &|info| info.replace("xmlenc#sha256", "xmlenc#ripemd160")),
    ];
    for (name, change) in info {
        let xml = forged(&world, &pending, |how| how.signed_info = *change);
        assert_eq!(world.refuse_xml(&pending, &xml), "Assertion signature", "{name}");
    }
    let whole: &[(&str, &str, &dyn Fn(String) -> String)] = &[
        ("Object", "Assertion signature", &|s| s.replace("</ds:Signature>", "<ds:Object>x</ds:Object></ds:Signature>")),
        ("two SignedInfo", "Assertion signature", &|s| {
            let start = s.find("<ds:SignedInfo").unwrap();
            let end = s.find("</ds:SignedInfo>").unwrap() + "</ds:SignedInfo>".len();
            let twice = s[start..end].to_owned();
            s.replacen("<ds:SignatureValue>", &format!("{twice}<ds:SignatureValue>"), 1)
        }),
        ("empty SignatureValue", "Assertion signature", &|s| {
            between(&s, "<ds:SignatureValue>", "</ds:SignatureValue>", "<ds:SignatureValue/>")
        }),
        ("comment in DigestValue", "XML", &|s| s.replacen("<ds:DigestValue>", "<ds:DigestValue><!--x-->", 1)),
        ("comment in SignatureValue", "XML", &|s| s.replacen("<ds:SignatureValue>", "<ds:SignatureValue><!--x-->", 1)),
        ("text in Signature", "Assertion signature", &|s| s.replacen("<ds:SignatureValue>", "x<ds:SignatureValue>", 1)),
        ("element in DigestValue", "Assertion signature", &|s| {
            s.replacen("<ds:DigestValue>", "<ds:DigestValue><x/>", 1)
        }),
        ("SignedInfo of another namespace", "Assertion signature", &|s| {
            s.replacen(
                "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
                "<ds:SignedInfo xmlns:ds=\"urn:e\"",
                1,
            )
        }),
    ];
    for (name, check, change) in whole {
        let xml = forged(&world, &pending, |how| how.signature = *change);
        assert_eq!(world.refuse_xml(&pending, &xml), *check, "{name}");
    }
}

fn uri(info: &str, to: &str) -> String {
    between(info, " URI=\"", "\"", &format!(" URI=\"{to}\""))
}

/// Replaces what stands from `start` to `end`, both included.
fn between(text: &str, start: &str, end: &str, with: &str) -> String {
    let at = text.find(start).unwrap();
    let stop = at + start.len() + text[at + start.len()..].find(end).unwrap() + end.len();
    format!("{}{with}{}", &text[..at], &text[stop..])
}

/// Guard: an expensive transform is refused unrun.
#[test]
fn an_xpath_bomb_is_refused_by_its_form() {
    let world = World::new();
    let pending = world.begin();
    let bomb = format!(
        "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>{}</ds:XPath></ds:Transform></ds:Transforms>",
        "count(//. | //@*)+".repeat(400) + "1"
    );
    let honest = forged(&world, &pending, |_| {});
    world.accept_xml(&pending, &honest);
    let xml = honest.replace("</ds:Transforms>", &bomb);
    assert_ne!(xml, honest);
    let (outcome, trace) = world.complete(&pending, &xml);
    assert!(matches!(outcome, LoginOutcome::Rejected(_)));
    assert_eq!(failed_check(&trace), "Assertion signature");
    let cause = trace.cause().unwrap();
    assert!(cause.contains("there must be two transforms"), "by its form, before xmlsec sees it: {cause}");
}

/// Guard: an attribute that looks like the ID is none, and IDs are unique over the whole document
/// (SAML core 1.3.4).
#[test]
fn confused_ids() {
    let world = World::new();
    let pending = world.begin();
    let plan = world.plan(&pending);
    let xml = plan.build(&world.idp).unwrap();
    let id = &plan.assertion.id;
    for (name, changed) in [
        ("xml:id", xml.replacen(&format!("ID=\"{id}\""), &format!("xml:id=\"{id}\""), 1)),
        ("namespaced ID", xml.replacen(&format!("ID=\"{id}\""), &format!("saml:ID=\"{id}\" ID=\"{id}\""), 1)),
        ("same ID on the response", xml.replacen(&plan.id, id, 1)),
        (
            "same ID in Extensions",
            xml.replacen(
                "<samlp:Status>",
                &format!("<samlp:Extensions><x xmlns=\"urn:x\" ID=\"{id}\"/></samlp:Extensions><samlp:Status>"),
                1,
            ),
        ),
        (
            "same Id in lower case",
            xml.replacen(
                "<samlp:Status>",
                &format!("<samlp:Extensions><x xmlns=\"urn:x\" id=\"{id}\"/></samlp:Extensions><samlp:Status>"),
                1,
            ),
        ),
        ("ID twice", xml.replacen(&format!("ID=\"{id}\""), &format!("ID=\"{id}\" ID=\"_x\""), 1)),
    ] {
        assert_eq!(world.refuse_xml(&pending, &changed), "XML", "{name}");
    }
}

/// Guard: whatever one octet of a signed message becomes, the login is refused or is the same login.
/// There is no second parser that could disagree. Also: nothing panics.
#[test]
fn mutated_responses_never_log_in_as_somebody_else() {
    let world = World::new();
    let pending = world.begin();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    let pieces: [&[u8]; 12] =
        [b"<", b">", b"&", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x?>", b"\"", b"&#0;", b" xmlns=\"\"", b"\xff"];
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        let xml = plan.build(&world.idp).unwrap().into_bytes();
        for _ in 0..500 {
            let mut mutated = xml.clone();
            let at = next(mutated.len());
            match next(5) {
                0 => mutated[at] = u8::try_from(next(128)).unwrap(),
                1 => drop(mutated.remove(at)),
                2 => mutated.truncate(at),
                3 => drop(mutated.splice(at..at, pieces[next(pieces.len())].iter().copied())),
                _ => {
                    let to = (at + next(60)).min(mutated.len());
                    let copy = mutated[at..to].to_vec();
                    let place = next(mutated.len());
                    drop(mutated.splice(place..place, copy));
                }
            }
            let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &mutated);
            let (outcome, _) = world.complete_input(&pending, &crate::support::posted(&base64), NOW);
            match outcome {
                LoginOutcome::Authenticated(identity) => {
                    assert_eq!(identity.subject.display, "alice");
                    assert_eq!(identity.attributes.get("groups"), ["staff", "admins"]);
                    assert_eq!(identity.attributes.names().count(), 2);
                }
                LoginOutcome::Rejected(_) | LoginOutcome::KeyUnknown(_) => {}
                LoginOutcome::UpstreamRefused(_) => assert_eq!(sign, Sign::Assertion, "an unsigned status"),
            }
        }
    }
}
