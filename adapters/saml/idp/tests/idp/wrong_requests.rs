//! Wrong AuthnRequests: each is refused on a page of ours, with its own reason, and the browser is sent
//! nowhere.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Reply, ReplyKind};
use fedbridge_saml_core::testkit::{KeyKind, TestKey};
use serde_json::json;

use crate::support::{ACS, Ask, NOW, SP, SSO, Sp, World, app_signing, get_address, post, stranger};

struct Wrong {
    what: &'static str,
    ask: Ask,
    /// What the refusal's cause begins with, and what else is in it.
    check: &'static str,
    says: &'static str,
}

const FORM: &str = "Form of the request: ";
const XML: &str = "XML: ";

fn instant(of: fedbridge_contract::time::Timestamp) -> String {
    format!("IssueInstant=\"{}\"", of.rfc3339_seconds())
}

fn wrong() -> Vec<Wrong> {
    let base = Ask::new();
    let now = instant(NOW);
    let swap = |what, from: &str, to: &str, check, says| Wrong { what, ask: base.replaced(from, to), check, says };
    let put = |what, inside: &str, check, says| Wrong { what, ask: Ask::having(inside), check, says };
    let destination = format!("Destination=\"{SSO}\"");
    let acs = format!("AssertionConsumerServiceURL=\"{ACS}\"");
    let issuer = format!("<saml:Issuer>{SP}</saml:Issuer>");
    let form = |what, from: &str, to: &str, says| swap(what, from, to, FORM, says);
    let whole =
        |what, xml: &str, check, says| Wrong { what, ask: Ask { xml: xml.into(), ..base.clone() }, check, says };
    let renamed = |name: &str| base.xml.replace("samlp:AuthnRequest", name);
    let many: String =
        (0..33).map(|at| format!("<saml:AuthnContextClassRef>urn:x:{at}</saml:AuthnContextClassRef>")).collect();
    let inner = base.xml.replace("_r1", "_inner");
    vec![
        // Not an AuthnRequest at all.
        whole("a response", &renamed("samlp:Response"), FORM, "is Response, not AuthnRequest"),
        whole("a logout request", &renamed("samlp:LogoutRequest"), FORM, "is LogoutRequest, not AuthnRequest"),
        whole("of another namespace", &renamed("saml:AuthnRequest"), FORM, "not AuthnRequest"),
        whole("an attribute query", &renamed("samlp:AttributeQuery"), FORM, "is AttributeQuery"),
        whole("no XML", "hello", XML, ""),
        whole("nothing but space", " ", XML, ""),
        whole("two roots", &format!("{}{}", base.xml, base.xml), XML, ""),
        whole("a DOCTYPE", &format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{}", base.xml), XML, ""),
        whole("a processing instruction", &format!("<?x y?>{}", base.xml), XML, ""),
        whole("cut off", &base.xml[..base.xml.len() - 4], XML, ""),
        swap("a comment in the Issuer", SP, "https://wiki.example/<!-- x -->sp", XML, ""),
        swap("an entity in the Issuer", SP, "&sp;", XML, ""),
        swap("a namespaced ID", "ID=\"_r1\"", "ID=\"_r1\" samlp:ID=\"_r2\"", XML, ""),
        swap("xml:id", "ID=\"_r1\"", "ID=\"_r1\" xml:id=\"_r2\"", XML, ""),
        put("an ID that comes twice", "<samlp:Extensions><x xmlns=\"urn:x\" ID=\"_r1\"/></samlp:Extensions>", XML, ""),
        // The form.
        form("no Issuer", &issuer, "", "has no Issuer"),
        form("two Issuers", &issuer, &format!("{issuer}{issuer}"), "may not hold Issuer here"),
        form("an empty Issuer", SP, "", "Issuer is empty"),
        form("an Issuer with a child", SP, "<saml:Issuer/>", "must hold one text"),
        form(
            "an Issuer of another format",
            "<saml:Issuer>",
            "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">",
            "Format other than entity",
        ),
        form(
            "an Issuer with a qualifier",
            "<saml:Issuer>",
            "<saml:Issuer NameQualifier=\"x\">",
            "may not have the attribute NameQualifier",
        ),
        form("an unknown attribute", "Version=", "Evil=\"1\" Version=", "may not have the attribute Evil"),
        form("no ID", " ID=\"_r1\"", "", "has no ID"),
        form("an ID that begins with a digit", "\"_r1\"", "\"1r\"", "is not a name"),
        form("an ID with a colon", "\"_r1\"", "\"a:b\"", "is not a name"),
        form("an ID with a quote", "\"_r1\"", "\"_r1&quot; x=&quot;\"", "is not a name"),
        form("no Version", " Version=\"2.0\"", "", "has no Version"),
        form("no IssueInstant", &now, "", "has no IssueInstant"),
        form("ForceAuthn=yes", "Version=", "ForceAuthn=\"yes\" Version=", "neither true nor false"),
        form("IsPassive=TRUE", "Version=", "IsPassive=\"TRUE\" Version=", "neither true nor false"),
        put("text between elements", "hello", FORM, "holds text"),
        put("an unknown child", "<samlp:Evil/>", FORM, "may not hold Evil here"),
        put("children out of order", "<samlp:Scoping/><samlp:NameIDPolicy/>", FORM, "may not hold NameIDPolicy here"),
        put(
            "a policy with a child",
            "<samlp:NameIDPolicy><x xmlns=\"urn:x\"/></samlp:NameIDPolicy>",
            FORM,
            "may not hold x here",
        ),
        put("AllowCreate=maybe", "<samlp:NameIDPolicy AllowCreate=\"maybe\"/>", FORM, "AllowCreate"),
        put(
            "a comparison that there is not",
            "<samlp:RequestedAuthnContext Comparison=\"fuzzy\"><saml:AuthnContextClassRef>urn:x</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>",
            FORM,
            "Comparison is none of",
        ),
        put("an empty context", "<samlp:RequestedAuthnContext/>", FORM, "must hold classes or declarations"),
        put(
            "too many classes",
            &format!("<samlp:RequestedAuthnContext>{many}</samlp:RequestedAuthnContext>"),
            FORM,
            "more than 32 times",
        ),
        put("a negative ProxyCount", "<samlp:Scoping ProxyCount=\"-1\"/>", FORM, "ProxyCount is not"),
        put("a huge ProxyCount", "<samlp:Scoping ProxyCount=\"99999999999\"/>", FORM, "ProxyCount is not"),
        put(
            "a request in the Extensions",
            &format!("<samlp:Extensions>{inner}</samlp:Extensions>"),
            FORM,
            "Extensions may not hold AuthnRequest",
        ),
        put(
            "an assertion in the Subject",
            "<saml:Subject><saml:Assertion/></saml:Subject>",
            FORM,
            "may not hold Assertion here",
        ),
        put(
            "a request in the Conditions",
            &format!("<saml:Conditions>{inner}</saml:Conditions>"),
            FORM,
            "Conditions may not hold AuthnRequest",
        ),
        // Who asks.
        swap("an unknown app", SP, "https://other.example/sp", "Issuer: ", "https://other.example/sp"),
        swap("another case", SP, "https://wiki.example/SP", "Issuer: ", "/SP"),
        swap("a slash more", SP, "https://wiki.example/sp/", "Issuer: ", "/sp/"),
        swap("padded", SP, " https://wiki.example/sp ", "Issuer: ", ""),
        // What it says.
        swap("version 1.1", "2.0\"", "1.1\"", "Version: ", "1.1"),
        swap("version 2.1", "Version=\"2.0\"", "Version=\"2.1\"", "Version: ", "2.1"),
        swap(
            "another host",
            &destination,
            "Destination=\"https://evil.example/saml/sso\"",
            "Destination: ",
            "evil.example",
        ),
        swap(
            "another tenant",
            &destination,
            "Destination=\"https://bridge.example/t/other/saml/sso\"",
            "Destination: ",
            "/t/other/",
        ),
        swap(
            "a Destination with a slash more",
            &destination,
            &format!("Destination=\"{SSO}/\""),
            "Destination: ",
            "sso/",
        ),
        swap("an empty Destination", &destination, "Destination=\"\"", "Destination: ", ""),
        swap("too old", &now, &instant(NOW - Duration::from_secs(13 * 60 + 1)), "IssueInstant: ", "T01:46:59Z"),
        swap("from the future", &now, &instant(NOW + Duration::from_secs(181)), "IssueInstant: ", "T02:03:01Z"),
        swap("a time with an offset", &now, "IssueInstant=\"2026-11-22T02:00:00+00:00\"", "IssueInstant: ", "+00:00"),
        swap("no time", &now, "IssueInstant=\"now\"", "IssueInstant: ", "now"),
        // Where the answer shall go.
        swap(
            "an unregistered address",
            ACS,
            "https://evil.example/acs",
            TO,
            "https://evil.example/acs is not registered",
        ),
        swap("a longer path", ACS, "https://wiki.example/acs/x", TO, "is not registered"),
        swap("a shorter path", ACS, "https://wiki.example/ac", TO, "is not registered"),
        swap("a query more", ACS, "https://wiki.example/acs?x", TO, "is not registered"),
        swap("a fragment more", ACS, "https://wiki.example/acs#x", TO, "is not registered"),
        swap("another case of the host", ACS, "https://WIKI.example/acs", TO, "is not registered"),
        swap("the default port", ACS, "https://wiki.example:443/acs", TO, "is not registered"),
        swap("a path that goes back", ACS, "https://wiki.example/x/../acs", TO, "is not registered"),
        swap("a user in front", ACS, "https://wiki.example@evil.example/acs", TO, "is not registered"),
        swap("plain http", ACS, "http://wiki.example/acs", TO, "is not registered"),
        swap("a script", ACS, "javascript:alert(1)", TO, "is not registered"),
        swap("data", ACS, "data:text/html,x", TO, "is not registered"),
        swap("no host", ACS, "//wiki.example/acs", TO, "is not registered"),
        swap("an empty address", ACS, "", TO, "is not registered"),
        swap("a padded address", ACS, " https://wiki.example/acs", TO, "is not registered"),
        swap("an unknown index", &acs, "AssertionConsumerServiceIndex=\"9\"", TO, "the index 9"),
        swap("an index with a zero in front", &acs, "AssertionConsumerServiceIndex=\"01\"", TO, "the index 01"),
        swap("a negative index", &acs, "AssertionConsumerServiceIndex=\"-1\"", TO, "the index -1"),
        swap(
            "an index and an address",
            &acs,
            &format!("{acs} AssertionConsumerServiceIndex=\"1\""),
            TO,
            "an address and an index",
        ),
        swap(
            "an index and a binding",
            &acs,
            "AssertionConsumerServiceIndex=\"1\" ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"",
            TO,
            "an index and a binding",
        ),
        swap(
            "an answer by redirect",
            "Version=",
            "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Version=",
            TO,
            "HTTP-Redirect are not offered",
        ),
        swap(
            "an answer by PAOS",
            "Version=",
            "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:PAOS\" Version=",
            TO,
            "PAOS are not offered",
        ),
    ]
}

const TO: &str = "Address for the answer: ";

#[test]
fn each_is_refused_on_a_page_for_its_own_reason() {
    let world = World::new();
    for Wrong { what, ask, check, says } in wrong() {
        for input in [ask.by_redirect(), ask.by_post()] {
            let (status, cause) = world.refused_on_page(&input);
            assert_eq!(status, 400, "{what}: {cause}");
            assert!(cause.starts_with(check) && cause.contains(says), "{what}: {cause}");
        }
    }
}

/// The same with a signature that holds: a signature makes nothing right.
#[test]
fn a_good_signature_does_not_help_a_wrong_request() {
    let world = World::with(json!({ "require_signed_requests": true }));
    for Wrong { what, ask, check, says } in wrong() {
        let well_formed = check != XML && !ask.xml.contains("Response") && ask.xml.contains("<saml:Issuer");
        if !well_formed || !ask.xml.contains("ID=\"_r1\"") {
            continue; // Nothing that could be signed.
        }
        let (_, cause) = world.refused_on_page(&ask.signed_redirect(app_signing()));
        assert!(cause.starts_with(check) && cause.contains(says), "{what}: {cause}");
    }
}

// ---- signatures ----

#[test]
fn a_signature_that_is_there_must_hold_even_where_none_is_needed() {
    let world = World::new();
    let ask = Ask::new();
    let good = ask.signed(app_signing());
    let redirect = ask.signed_redirect(app_signing());
    world.login(&good.by_post());
    world.login(&redirect);

    let changed = |from: &str, to: &str| good.replaced(from, to).by_post();
    let query = |from: &str, to: &str| {
        assert!(redirect.query.contains(from), "{}", redirect.query);
        HttpInput { query: redirect.query.replacen(from, to, 1), ..redirect.clone() }
    };
    let last = redirect.query.len() - 12;
    let flipped = if redirect.query.as_bytes()[last] == b'A' { "B" } else { "A" };
    let mut flipped_query = redirect.query.clone();
    flipped_query.replace_range(last..=last, flipped);
    let wrong = [
        ("another's key", ask.signed(stranger()).by_post(), "not made by a key"),
        ("another's key over the query", ask.signed_redirect(stranger()), "not made by a key"),
        (
            "changed after signing",
            changed("Version=\"2.0\"", "IsPassive=\"true\" Version=\"2.0\""),
            "changed after signing",
        ),
        ("another address after signing", changed(ACS, crate::support::SECOND_ACS), "changed after signing"),
        ("a query that was changed", query("RelayState=here", "RelayState=there"), ""),
        ("a signature that was changed", HttpInput { query: flipped_query, ..redirect.clone() }, ""),
        (
            "without its method",
            HttpInput { query: redirect.query.replacen("SigAlg=", "Other=", 1), ..redirect.clone() },
            "Signature without a SigAlg",
        ),
        ("inside a redirected message", good.by_redirect(), "a signature inside the message"),
        ("SHA-1", query("rsa-sha256", "rsa-sha1"), ""),
    ];
    for (what, input, says) in wrong {
        let (status, cause) = world.refused_on_page(&input);
        assert_eq!(status, 400, "{what}");
        assert!(cause.contains(says), "{what}: {cause}");
    }
}

#[test]
fn where_signatures_are_required_none_is_not_enough() {
    let signs = Sp { signs_requests: true, ..Sp::default() };
    for world in [World::with(json!({ "require_signed_requests": true })), World::of(&signs, json!({}))] {
        world.login(&Ask::new().signed(app_signing()).by_post());
        world.login(&Ask::new().signed_redirect(app_signing()));
        for input in [Ask::new().by_redirect(), Ask::new().by_post()] {
            let (_, cause) = world.refused_on_page(&input);
            assert_eq!(cause, "Signature of the request: expected a signature, got a request that is not signed");
        }
    }
    // The setting outweighs the metadata.
    World::of(&signs, json!({ "require_signed_requests": false })).login(&Ask::new().by_redirect());
}

#[test]
fn without_a_key_to_check_with_every_signature_is_refused() {
    let world = World::of(&Sp { signing: Vec::new(), ..Sp::default() }, json!({}));
    world.login(&Ask::new().by_redirect());
    for input in [Ask::new().signed(app_signing()).by_post(), Ask::new().signed_redirect(app_signing())] {
        let (_, cause) = world.refused_on_page(&input);
        assert!(cause.contains("no key to check one with"), "{cause}");
    }
}

#[test]
fn each_of_several_keys_will_do_and_a_distrusted_one_will_not() {
    let second = TestKey::make(KeyKind::P256).unwrap();
    let sp = Sp { signing: vec![app_signing().clone(), second.clone()], ..Sp::default() };
    let world = World::of(&sp, json!({}));
    for key in [app_signing(), &second] {
        world.login(&Ask::new().signed(key).by_post());
        world.login(&Ask::new().signed_redirect(key));
    }
    let fingerprint = openssl::sha::sha256(&app_signing().certificate).map(|byte| format!("{byte:02X}")).join(":");
    let world = World::of(&sp, json!({ "distrusted_keys": [format!("sha256:{fingerprint}")] }));
    world.login(&Ask::new().signed(&second).by_post());
    assert!(
        world.refused_on_page(&Ask::new().signed(app_signing()).by_post()).1.starts_with("Signature of the request")
    );
}

/// An AuthnRequest that was signed, wrapped into one that was not: samael took the outer one's address.
#[test]
fn only_what_was_signed_is_read() {
    let world = World::new();
    let good = Ask::new().signed(app_signing());
    let signature = {
        let from = good.xml.find("<ds:Signature").unwrap();
        let to = good.xml.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        good.xml[from..to].to_owned()
    };
    let original = good.xml.replace(&signature, "");
    let evil = |inside: &str, id: &str| {
        let xml = format!("<saml:Issuer>{SP}</saml:Issuer>{inside}");
        let start = Ask::new().xml.replace("_r1", id).replace(ACS, "https://evil.example/acs");
        Ask { xml: start.replace(&format!("<saml:Issuer>{SP}</saml:Issuer>"), &xml), ..Ask::new() }
    };
    let wrapped = [
        evil(&format!("<samlp:Extensions>{}</samlp:Extensions>", good.xml), "_evil"),
        evil(&format!("{signature}<samlp:Extensions>{original}</samlp:Extensions>"), "_evil"),
        evil(&format!("{signature}<saml:Subject>{original}</saml:Subject>"), "_evil"),
        evil(&good.xml, "_evil"),
        evil(
            &signature.replace("</ds:Signature>", &format!("<ds:Object>{original}</ds:Object></ds:Signature>")),
            "_evil",
        ),
    ];
    for ask in wrapped {
        let (status, cause) = world.refused_on_page(&ask.by_post());
        assert_eq!(status, 400, "{cause}");
    }
}

#[test]
fn a_signed_request_says_where_it_goes() {
    let world = World::new();
    let ask = Ask::new().replaced(&format!("Destination=\"{SSO}\""), "");
    world.login(&ask.by_redirect());
    for input in [ask.signed(app_signing()).by_post(), ask.signed_redirect(app_signing())] {
        let (_, cause) = world.refused_on_page(&input);
        assert!(cause.ends_with("got none, in a signed request"), "{cause}");
    }
}

// ---- bindings ----

#[test]
fn bindings_carry_one_request_and_nothing_else() {
    let world = World::new();
    let good = Ask::new().by_redirect();
    let query = |query: String| HttpInput { query, ..good.clone() };
    let form = Ask::new().by_post();
    let body = |body: String| HttpInput { body: body.into(), ..form.clone() };
    let text = String::from_utf8(form.body.to_vec()).unwrap();
    let encoded: String = url::form_urlencoded::byte_serialize(STANDARD.encode(&Ask::new().xml).as_bytes()).collect();
    let long = "x".repeat(4097);
    let large = Ask::having(&format!("<samlp:Extensions>{}</samlp:Extensions>", " ".repeat(64 * 1024)));
    let wrong = [
        ("nothing", query(String::new()), 400),
        ("a response", query(good.query.replacen("SAMLRequest", "SAMLResponse", 1)), 400),
        ("twice", query(format!("{0}&{0}", good.query)), 400),
        ("both kinds", query(format!("{}&SAMLResponse=x", good.query)), 400),
        ("an artifact besides", query(format!("{}&SAMLart=x", good.query)), 400),
        ("an encoding that there is not", query(format!("{}&SAMLEncoding=urn:x", good.query)), 400),
        ("no base64", query("SAMLRequest=%21%21".into()), 400),
        ("not deflated", query(format!("SAMLRequest={encoded}")), 400),
        ("a long RelayState", query(format!("SAMLRequest={encoded}&RelayState={long}")), 400),
        ("a posted response", body(text.replacen("SAMLRequest", "SAMLResponse", 1)), 400),
        ("posted twice", body(format!("{text}&{text}")), 400),
        ("posted without the type", HttpInput { content_type: Some("text/plain".into()), ..form.clone() }, 400),
        ("posted with a query", HttpInput { query: good.query.clone(), ..form.clone() }, 400),
        ("posted with a long RelayState", body(format!("SAMLRequest={encoded}&RelayState={long}")), 413),
        ("too large", post(format!("SAMLRequest={}", "A".repeat(513 * 1024))), 413),
        ("posted with much inside", large.by_post(), 413),
        ("with much inside", large.by_redirect(), 413),
    ];
    for (what, input, expected) in wrong {
        let (status, cause) = world.refused_on_page(&input);
        assert_eq!(status, expected, "{what}: {cause}");
    }
}

/// 1 GB of zeros in about 1 MB of base64 would be refused by its size; 500 KB of base64 inflate to 380 MB.
#[test]
fn what_can_not_be_read_is_told_in_a_sentence() {
    let world = World::new();
    let sentence = "Message: expected one SAMLRequest that can be read, got something else: ";
    for (input, why) in [
        (post("SAMLRequest=%21".into()), "the message is not base64"),
        (get_address(SSO), "no SAMLRequest and no SAMLResponse"),
    ] {
        assert_eq!(world.refused_on_page(&input).1, format!("{sentence}{why}"));
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_large() {
    let world = World::new();
    let mut packer = flate2::Compress::new(flate2::Compression::best(), false);
    let zeros = vec![b' '; 300 << 20];
    let mut packed = Vec::with_capacity(1 << 20);
    packer.compress_vec(&zeros, &mut packed, flate2::FlushCompress::Finish).unwrap();
    let value: String = url::form_urlencoded::byte_serialize(STANDARD.encode(packed).as_bytes()).collect();
    let input = get_address(&format!("{SSO}?SAMLRequest={value}"));
    let before = tokio::time::Instant::now();
    let (status, _) = world.refused_on_page(&input);
    assert_eq!(status, 413);
    assert!(before.elapsed() < Duration::from_millis(500), "{:?}", before.elapsed());
}

// ---- what is kept stays small ----

/// Anybody can send a request that nobody signed, and each that is accepted is stored.
#[test]
fn a_small_message_makes_no_large_row() {
    let world = World::new();
    let text = |length: usize| "a".repeat(length);
    let requesters = |number: usize, length: usize| {
        let all = format!("<samlp:RequesterID>{}</samlp:RequesterID>", text(length)).repeat(number);
        Ask::having(&format!("<samlp:Scoping>{all}</samlp:Scoping>"))
    };
    let classes = |number: usize, length: usize| {
        let all: String = (0..number)
            .map(|at| format!("<saml:AuthnContextClassRef>{at:02}{}</saml:AuthnContextClassRef>", text(length - 2)))
            .collect();
        Ask::having(&format!("<samlp:RequestedAuthnContext>{all}</samlp:RequestedAuthnContext>"))
    };
    let policy = |name: &str| Ask::having(&format!("<samlp:NameIDPolicy {name}=\"{}\"/>", text(1025)));
    let attribute = |name: &str| Ask::new().replaced(" ID=", &format!(" {name}=\"{}\" ID=", text(1025)));
    let subject = |length: usize| {
        Ask::having(&format!("<saml:Subject><saml:NameID>{}</saml:NameID></saml:Subject>", text(length)))
    };
    for (ask, says) in [
        (requesters(9, 8), "more than 8 times RequesterID"),
        (requesters(1, 1025), "RequesterID has 1025 octets"),
        (classes(1, 1025), "AuthnContextClassRef has 1025 octets"),
        (classes(32, 1024), "What is kept of the request"),
        (subject(1025), "NameID has 1025 octets"),
        (policy("Format"), "Format has 1025 octets"),
        (policy("SPNameQualifier"), "SPNameQualifier has 1025 octets"),
        (attribute("ProviderName"), "ProviderName has 1025 octets"),
        (attribute("ProtocolBinding"), "ProtocolBinding has 1025 octets"),
        (Ask::new().replaced(SP, &text(1025)), "Issuer has 1025 octets"),
    ] {
        for input in [ask.by_redirect(), ask.by_post()] {
            let (status, cause) = world.refused_on_page(&input);
            assert!(status == 400 && cause.contains(says), "{says}: {cause}");
        }
    }
    for ask in [requesters(8, 1024), classes(8, 1024), subject(1024)] {
        let login = world.login(&ask.by_redirect());
        assert!(login.continuation.len() <= 16 * 1024, "{}", login.continuation.len());
    }
}

#[test]
fn a_parked_request_begins_a_few_logins() {
    let world = World::new();
    let parked = || match world.accept(&Ask::new().by_post()).0 {
        Accepted::Reply(Reply { kind: ReplyKind::Redirect(location), .. }) => get_address(&location),
        _ => panic!("not parked"),
    };
    let (first, second) = (parked(), parked());
    (0..16).for_each(|_| drop(world.login(&first)));
    let (status, cause) = world.refused_on_page(&first);
    assert!(status == 400 && cause.starts_with("Visits of the parked request"), "{cause}");
    world.login(&second);
}

// ---- what is disabled or over ----

#[test]
fn whatever_is_disabled_or_expired_logs_nobody_in() {
    let world = World::new();
    world.doubles.shut.store(true, std::sync::atomic::Ordering::Relaxed);
    let (status, _) = world.refused_on_page(&Ask::new().by_redirect());
    assert_eq!(status, 403);
    let (status, _) = world.refused_on_page(&Ask::new().by_post());
    assert_eq!(status, 403);

    let until = NOW + Duration::from_secs(60);
    let world = World::of(&Sp { valid_until: Some(until), ..Sp::default() }, json!({}));
    world.login(&Ask::new().by_redirect());
    let later = Ask::new().replaced(&instant(NOW), &instant(until));
    match world.accept_at(&later.by_redirect(), until) {
        (Accepted::Reply(reply), _) => assert!(matches!(reply.kind, ReplyKind::Page(_))),
        _ => panic!("accepted with expired metadata"),
    }
    assert!(world.last_refusal().unwrap().starts_with("Service provider metadata is valid"));
}

/// The app is disabled between the request and the browser's return, and the address taken away.
#[test]
fn a_parked_request_is_looked_at_again() {
    let world = World::new();
    let location = match world.accept(&Ask::new().by_post()).0 {
        Accepted::Reply(reply) => match reply.kind {
            ReplyKind::Redirect(location) => location,
            other => panic!("{other:?}"),
        },
        _ => panic!("not parked"),
    };
    assert!(location.starts_with(&format!("{SSO}?request=")), "{location}");
    let back = get_address(&location);
    world.login(&back);
    world.login(&back);

    let moved =
        Sp { endpoints: Sp::default().endpoints.replace("wiki.example/acs\"", "wiki.example/new\""), ..Sp::default() };
    let (_, cause) = World::kept(world.doubles.clone(), &moved, json!({})).refused_on_page(&back);
    assert!(cause.starts_with("Address for the answer"), "{cause}");
    world.doubles.shut.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.refused_on_page(&back).0, 403);
    world.doubles.shut.store(false, std::sync::atomic::Ordering::Relaxed);
    let late = world.accept_at(&back, NOW + Duration::from_secs(601));
    assert!(matches!(late.0, Accepted::Reply(_)));
    let (_, cause) = world.refused_on_page(&get_address(&format!("{SSO}?request=made-up")));
    assert!(cause.starts_with("Parked request"), "{cause}");
    world.doubles.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.refused_on_page(&back).0, 503);
}
