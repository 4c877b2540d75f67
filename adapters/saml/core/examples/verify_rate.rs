//! Processor time of parsing, verifying and reading signed responses, on one thread; then
//! of refusing responses of 100 KB that were made to be expensive.
//!
//! `cargo run --release -p fedbridge-saml-core --example verify_rate`
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use fedbridge_contract::keys::{KeyError, SignatureAlgorithm, Signer};
use fedbridge_saml_core::seam::{
    Limits, SignRequest, SignaturePlace, UnverifiedDocument, VerifyKey, VerifyPolicy, init, sign_enveloped,
};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const ROUND: Duration = Duration::from_millis(500);

fn main() {
    init().unwrap();
    let key = Key(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());
    let trusted = [VerifyKey::from_public_key_der(&key.0.public_key_to_der().unwrap()).unwrap()];
    println!(
        "{:>10} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "attributes", "octets", "parse us", "verify us", "all us", "all /s"
    );
    for attributes in [5, 50, 200, 500] {
        let xml = signed(attributes, &key);
        let parse = micros(|| drop(UnverifiedDocument::parse(&xml, Limits::message()).unwrap()));
        let document = UnverifiedDocument::parse(&xml, Limits::message()).unwrap();
        let verify = micros(|| {
            let target = document.unverified_root().child(SAML, "Assertion").unwrap();
            drop(document.verify_enveloped(target, &trusted, &VerifyPolicy::default()).unwrap());
        });
        let all = micros(|| {
            let document = UnverifiedDocument::parse(&xml, Limits::message()).unwrap();
            let target = document.unverified_root().child(SAML, "Assertion").unwrap();
            let verified = document.verify_enveloped(target, &trusted, &VerifyPolicy::default()).unwrap();
            assert_eq!(verified.element().descendants().filter(|e| e.name() == "AttributeValue").count(), attributes);
        });
        println!("{attributes:>10} {:>8} {parse:>12.1} {verify:>12.1} {all:>12.1} {:>12.0}", xml.len(), 1e6 / all);
    }
    println!("{:>40} {:>8} {:>12} {:>12}", "hostile", "octets", "parse us", "all us");
    for (name, xml) in hostile(&String::from_utf8(signed(0, &key)).unwrap()) {
        let parse = micros(|| drop(UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap()));
        let all = micros(|| {
            let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
            let target = document.unverified_root().child(SAML, "Assertion").unwrap();
            assert!(document.verify_enveloped(target, &trusted, &VerifyPolicy::default()).is_err());
        });
        println!("{name:>40} {:>8} {parse:>12.1} {all:>12.1}", xml.len());
    }
}

/// Unsigned filler in a signed assertion: at most 100 KB, and near the limits on nodes.
fn hostile(signed: &str) -> Vec<(&'static str, String)> {
    const SIZE: usize = 100_000;
    let filled = |filler: &str, nodes: usize| {
        let times = (9_700 / nodes).min((SIZE - signed.len()) / filler.len());
        signed.replacen("<saml:Subject>", &format!("{}<saml:Subject>", filler.repeat(times)), 1)
    };
    let nested = |tag: &str, depth: usize, inner: &str| {
        format!("{}{inner}{}", format!("<{tag}>").repeat(depth), format!("</{tag}>").repeat(depth))
    };
    let attributes = |count: usize| (0..count).fold(String::new(), |text, at| format!("{text} a{at}=\"\""));
    let namespaces = (0..50).fold(String::new(), |text, at| format!("{text} xmlns:n{at}=\"u:{at}\""));
    let prefixes = (0..16).fold(String::new(), |text, at| format!("{text} p{at}"));
    let wide = |xml: String| xml.replacen("<samlp:Response ", &format!("<samlp:Response {namespaces} "), 1);
    let listed = |xml: String| {
        let list = format!(
            r#"xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="{}"/></ds:Transform></ds:Transforms>"#,
            prefixes.trim()
        );
        xml.replacen(r#"xml-exc-c14n#"></ds:Transform></ds:Transforms>"#, &list, 1)
    };
    let deep = nested("a", 28, &format!("<b{}/>", attributes(40)).repeat(8));
    vec![
        ("empty elements", filled("<a/>", 1)),
        ("64 attributes each", filled(&format!("<a{}/>", attributes(64)), 65)),
        ("a declaration each", filled("<a xmlns:b='u:1'/>", 2)),
        ("deep", filled(&nested("a", 28, ""), 28)),
        ("deep, with attributes", filled(&deep, 28 + 8 * 41)),
        ("50 namespaces in scope", wide(filled("<a/>", 1))),
        ("16 prefixes", listed(filled("<a/>", 1))),
        ("16 prefixes, 50 namespaces", listed(wide(filled("<a/>", 1)))),
        ("16 prefixes, 50 namespaces, 900 elements", {
            let few = wide(signed.replacen(
                "<saml:Subject>",
                &format!("{}<saml:Subject>", nested("a", 28, &"<b/>".repeat(850))),
                1,
            ));
            listed(few)
        }),
        ("16 prefixes, 50 namespaces, deep", listed(wide(filled(&nested("a", 28, &"<b/>".repeat(200)), 228)))),
        ("50 namespaces, deep, attributes", wide(filled(&deep, 28 + 8 * 41))),
    ]
}

/// Processor time of one call, so that a busy machine does not blur it.
fn micros(mut work: impl FnMut()) -> f64 {
    work();
    let (start, used) = (Instant::now(), processor_time());
    let mut rounds = 0;
    while start.elapsed() < ROUND {
        work();
        rounds += 1;
    }
    (processor_time() - used).as_secs_f64() * 1e6 / f64::from(rounds)
}

/// What this thread has used (Linux).
fn processor_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

/// A Response as IdPs send it, with a signed assertion.
fn signed(attributes: usize, key: &Key) -> Vec<u8> {
    let mut statement = String::new();
    for at in 0..attributes {
        write!(
            statement,
            concat!(
                r#"<saml:Attribute Name="urn:oid:1.3.6.1.4.1.5923.1.1.1.{at}" FriendlyName="attribute{at}" "#,
                r#"NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml:AttributeValue "#,
                r#"xsi:type="xs:string">value number {at}</saml:AttributeValue></saml:Attribute>"#
            ),
            at = at
        )
        .unwrap();
    }
    let xml = format!(
        concat!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="{saml}" ID="_r1" "#,
            r#"Version="2.0" IssueInstant="2026-11-22T02:00:00Z" Destination="https://sp.example/acs" InResponseTo="_q1">"#,
            r#"<saml:Issuer>https://idp.example</saml:Issuer><samlp:Status><samlp:StatusCode "#,
            r#"Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><saml:Assertion "#,
            r#"xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" "#,
            r#"ID="_a1" Version="2.0" IssueInstant="2026-11-22T02:00:00Z"><saml:Issuer>https://idp.example</saml:Issuer>"#,
            r#"<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">person</saml:NameID>"#,
            r#"<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData "#,
            r#"InResponseTo="_q1" NotOnOrAfter="2026-11-22T02:05:00Z" Recipient="https://sp.example/acs"/>"#,
            r#"</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="2026-11-22T02:00:00Z" "#,
            r#"NotOnOrAfter="2026-11-22T02:05:00Z"><saml:AudienceRestriction><saml:Audience>https://sp.example</saml:Audience>"#,
            r#"</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="2026-11-22T02:00:00Z">"#,
            r#"<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password"#,
            r#"</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{statement}"#,
            r#"</saml:AttributeStatement></saml:Assertion></samlp:Response>"#
        ),
        saml = SAML,
        statement = statement
    );
    let place = SignaturePlace::After(SAML, "Issuer");
    let request = SignRequest { target_id: "_a1", place, certificate: None, limits: Limits::message() };
    sign_enveloped(xml.as_bytes(), &request, key).unwrap()
}

struct Key(PKey<Private>);

impl Signer for Key {
    fn kid(&self) -> &str {
        "bench"
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RS256
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = |_| KeyError { kid: "bench".to_owned(), cause: "sign".to_owned() };
        let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &self.0).map_err(failed)?;
        signer.sign_oneshot_to_vec(message).map_err(failed)
    }

    fn verify(&self, _: &[u8], _: &[u8]) -> bool {
        false
    }
}
