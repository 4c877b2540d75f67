//! Messages as browsers and servers carry them, and what must be refused before anybody looks inside.

use std::io::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::binding::artifact::{self, Artifact, ArtifactMessage};
use fedbridge_saml_core::binding::post::PostMessage;
use fedbridge_saml_core::binding::redirect::{self, MAX_INFLATED, RedirectMessage};
use fedbridge_saml_core::binding::soap::{self, SoapMessage};
use fedbridge_saml_core::binding::{BindingError, Parameter};
use fedbridge_saml_core::seam::{Limits, UnverifiedDocument};
use fedbridge_saml_core::trust::Distrust;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use url::Url;

use crate::support::{KEYS, NOW, form, get, ring, trust};

fn packed(octets: &[u8]) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).unwrap();
    escaped(&encoder.finish().unwrap())
}

fn escaped(octets: &[u8]) -> String {
    url::form_urlencoded::byte_serialize(STANDARD.encode(octets).as_bytes()).collect()
}

fn query(relay_state: Option<&str>, key: usize) -> String {
    let target = Url::parse("https://sp.example/slo?tenant=a").unwrap();
    let keys = ring(&KEYS[key]);
    let sent = redirect::send(&target, Parameter::SamlRequest, "<a>?&\u{e4}</a>", relay_state, Some(&keys)).unwrap();
    let (address, query) = sent.split_once("tenant=a&").unwrap();
    assert_eq!(address, "https://sp.example/slo?");
    query.to_owned()
}

fn verdict(query: &str, key: usize) -> Result<RedirectMessage, String> {
    let message = RedirectMessage::read(query).map_err(|error| error.to_string())?;
    let signed = message.signature.as_ref().ok_or("unsigned")?;
    let mut trace = TraceLog::new();
    trust(&[&KEYS[key]]).verify_query(signed, NOW, &mut trace).map_err(|why| format!("{why:?}"))?;
    Ok(message)
}

#[test]
fn a_redirect_is_read_as_it_was_sent() {
    for key in [0, 3] {
        for relay_state in [None, Some("a b&c=d+\u{e4}%"), Some(&*"x".repeat(1024))] {
            let message = verdict(&query(relay_state, key), key).unwrap();
            assert_eq!(message.parameter, Parameter::SamlRequest);
            assert_eq!(message.xml, "<a>?&\u{e4}</a>".as_bytes());
            assert_eq!(message.relay_state.as_deref(), relay_state);
        }
    }
    // Parameters of others, and another order, change nothing that is signed.
    let sent = query(Some("r"), 0);
    let mut parts: Vec<&str> = sent.split('&').collect();
    parts.reverse();
    assert!(verdict(&format!("x=1&{}&y", parts.join("&")), 0).is_ok());
}

#[test]
fn only_the_octets_that_came_are_signed() {
    let good = query(Some("a b"), 0);
    for (name, bad) in [
        ("another RelayState", good.replace("RelayState=a+b", "RelayState=a+c")),
        ("RelayState in another spelling", good.replace("RelayState=a+b", "RelayState=a%20b")),
        ("no RelayState", good.replace("&RelayState=a+b", "")),
        (
            "lower-case hexadecimal digits",
            good.replace("%3D", "%3d").replace("%2B", "%2b").replace("%2F", "%2f").replace("%3A", "%3a"),
        ),
        ("as a response", good.replace("SAMLRequest=", "SAMLResponse=")),
        ("another method", good.replace("rsa-sha256", "rsa-sha512")),
    ] {
        assert_ne!(bad, good, "{name}");
        assert_eq!(verdict(&bad, 0).unwrap_err(), "KeyUnknown", "{name}");
    }
    assert_eq!(verdict(&good, 2).unwrap_err(), "KeyUnknown");
    assert_eq!(verdict(&good, 3).unwrap_err(), "KeyUnknown");
    for (method, expected) in [
        ("http%3A%2F%2Fwww.w3.org%2F2000%2F09%2Fxmldsig%23rsa-sha1", "Refused"),
        ("http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23hmac-sha256", "Refused"),
        ("none", "Refused"),
    ] {
        let (before, after) = good.split_once("SigAlg=").unwrap();
        let (_, signature) = after.split_once('&').unwrap();
        assert_eq!(verdict(&format!("{before}SigAlg={method}&{signature}"), 0).unwrap_err(), expected, "{method}");
    }
    let mut trace = TraceLog::new();
    let signed = RedirectMessage::read(&good).unwrap().signature.unwrap();
    assert_eq!(trust(&[]).verify_query(&signed, NOW, &mut trace), Err(Distrust::Refused));
}

#[test]
fn confusing_queries_are_refused() {
    let message = packed(b"<a/>");
    let read = |query: &str| RedirectMessage::read(query).map(|_| ());
    assert_eq!(read(&format!("SAMLRequest={message}")), Ok(()));
    let deflate = "urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE";
    assert_eq!(read(&format!("SAMLEncoding={deflate}&SAMLResponse={message}")), Ok(()));
    for (query, expected) in [
        (String::new(), BindingError::NoMessage),
        ("SAMLRequest=".into(), BindingError::NoMessage),
        (format!("SAMLRequest={message}&SAMLRequest={message}"), BindingError::Repeated("SAMLRequest")),
        (format!("SAMLRequest={message}&SAMLResponse={message}"), BindingError::TwoMessages),
        (format!("SAMLRequest={message}&SAMLResponse="), BindingError::TwoMessages),
        (format!("SAMLRequest={message}&SAMLart=a"), BindingError::Misplaced("SAMLart")),
        (format!("SAMLRequest={message}&RelayState=a&RelayState=b"), BindingError::Repeated("RelayState")),
        (format!("SAMLRequest={message}&SAML%52equest={message}"), BindingError::EncodedName("SAMLRequest")),
        (format!("SAMLRequest={message}&Relay%53tate=b"), BindingError::EncodedName("RelayState")),
        (format!("SAMLRequest={message}&SAMLEncoding=urn%3Ax"), BindingError::Encoding),
        (format!("SAMLRequest={message}&SigAlg=a"), BindingError::HalfSigned),
        (format!("SAMLRequest={message}&Signature=YQ%3D%3D"), BindingError::HalfSigned),
        (format!("SAMLRequest={message}&SigAlg=&Signature=YQ%3D%3D"), BindingError::HalfSigned),
        (format!("SAMLRequest={message}&SigAlg=a&Signature=%21"), BindingError::NotBase64("the Signature")),
        (format!("SAMLRequest={message}&SigAlg=a&Signature="), BindingError::NotBase64("the Signature")),
        ("SAMLRequest=%21".into(), BindingError::NotBase64("the message")),
        (format!("SAMLRequest={}", "A".repeat(512 * 1024 + 4)), BindingError::TooLarge(512 * 1024 + 4)),
        (format!("SAMLRequest={}", escaped(b"<a/>")), BindingError::NotDeflate),
        (format!("SAMLRequest={}", escaped(&[])), BindingError::NoMessage),
    ] {
        assert_eq!(read(&query), Err(expected), "{query:.100}");
    }
}

#[test]
fn inflating_stops_at_the_limit_and_at_the_end() {
    let read = |octets: &[u8]| RedirectMessage::read(&format!("SAMLRequest={}", escaped(octets)));
    let deflated = |octets: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(read(&deflated(&vec![b' '; MAX_INFLATED])).unwrap().xml.len(), MAX_INFLATED);
    assert_eq!(read(&deflated(&vec![b' '; MAX_INFLATED + 1])), Err(BindingError::InflatesTooFar));
    // 32 MiB out of 32 KiB: no more than the limit is ever made of it.
    let bomb = deflated(&vec![0; 32 << 20]);
    #[allow(clippy::disallowed_methods)] // A test at the edge.
    let started = Instant::now();
    assert_eq!(read(&bomb), Err(BindingError::InflatesTooFar));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // What is random does not shrink, and needs no growing room either.
    let noise: Vec<u8> = (0..60_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(read(&deflated(&noise)).unwrap().xml, noise);
    let good = deflated(b"<a>some text</a>");
    assert_eq!(read(&good[..good.len() - 1]), Err(BindingError::NotDeflate), "cut");
    assert_eq!(read(&[&good[..], b"x"].concat()), Err(BindingError::NotDeflate), "more behind the end");
    assert_eq!(read(&[0xff; 40]), Err(BindingError::NotDeflate), "noise");
}

#[test]
fn forms_hold_one_message() {
    let read = |body: &str| PostMessage::read(&form(body));
    let message = read("SAMLRequest=PGEvPg%3D%3D&RelayState=a+b&x=y").unwrap();
    assert_eq!((message.parameter, &*message.xml), (Parameter::SamlRequest, &b"<a/>"[..]));
    assert_eq!(message.relay_state.as_deref(), Some("a b"));
    assert_eq!(read("SAMLResponse=PGEv%0D%0APg%3D%3D&RelayState=").unwrap().relay_state, None);
    for (body, expected) in [
        ("RelayState=a", BindingError::NoMessage),
        ("SAMLRequest=", BindingError::NoMessage),
        ("SAMLRequest=YQ%3D%3D&SAMLResponse=YQ%3D%3D", BindingError::TwoMessages),
        ("SAMLRequest=YQ%3D%3D&SAMLRequest=YQ%3D%3D", BindingError::Repeated("SAMLRequest")),
        ("SAMLRequest=YQ%3D%3D&SAML%52equest=YQ%3D%3D", BindingError::Repeated("SAMLRequest")),
        ("SAMLRequest=YQ%3D%3D&RelayState=a&RelayState=a", BindingError::Repeated("RelayState")),
        ("SAMLRequest=YQ%3D%3D&SAMLart=a", BindingError::Misplaced("SAMLart")),
        ("SAMLRequest=YQ", BindingError::NotBase64("the message")),
    ] {
        assert_eq!(read(body), Err(expected), "{body}");
    }
    let mut both = form("SAMLRequest=YQ%3D%3D");
    both.query = "RelayState=x".into();
    assert_eq!(PostMessage::read(&both), Err(BindingError::ParametersInQuery));
    assert_eq!(PostMessage::read(&get("SAMLRequest=YQ%3D%3D")), Err(BindingError::NotAForm));
}

#[test]
fn soap_carries_one_message() {
    let read =
        |text: &str| SoapMessage::read(text.as_bytes()).map(|message| message.unverified_message().name().to_owned());
    assert_eq!(read(&soap::envelope("<a xmlns=\"urn:x\">t</a>")).unwrap(), "a");
    let wrap = |inside: &str| {
        format!("<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\">{inside}</e:Envelope>")
    };
    assert_eq!(
        read(&wrap("\n<e:Header><h xmlns='urn:h' e:mustUnderstand='0'/></e:Header><e:Body> <a/> </e:Body>")).unwrap(),
        "a"
    );
    for (inside, expected) in [
        ("", "at most a Header"),
        ("<e:Body/>", "must hold one element"),
        ("<e:Body><a/><b/></e:Body>", "must hold one element"),
        ("<e:Body><a/></e:Body><e:Body><b/></e:Body>", "at most a Header"),
        ("<e:Body><a/></e:Body><e:Header/>", "at most a Header"),
        ("<e:Header/>", "has no Body"),
        ("x<e:Body><a/></e:Body>", "text stands"),
        ("<e:Body>x<a/></e:Body>", "text stands"),
        ("<e:Header><h xmlns='urn:h' e:mustUnderstand='1'/></e:Header><e:Body><a/></e:Body>", "must be understood"),
        (
            "<e:Body><e:Fault><faultcode>e:Client</faultcode><faultstring>no</faultstring></e:Fault></e:Body>",
            "fault: no",
        ),
        ("<e:Body><!-- c --><a/></e:Body>", "a comment"),
    ] {
        let error = read(&wrap(inside)).unwrap_err().to_string();
        assert!(error.contains(expected), "{inside}: {error}");
    }
    let error = read("<!DOCTYPE a><a/>").unwrap_err();
    assert!(error.to_string().contains("DOCTYPE"), "{error}");
    assert!(read("<a/>").unwrap_err().to_string().contains("not an Envelope"));
    assert!(matches!(SoapMessage::receive(&form("x=y")).map(|_| ()), Err(BindingError::NotXmlType)));
}

#[test]
fn artifacts() {
    let good = Artifact { endpoint_index: 258, source_id: Artifact::source_of("https://idp.example"), handle: [7; 20] };
    assert_eq!(Artifact::read(&good.text()), Ok(good));
    let octets = STANDARD.decode(good.text()).unwrap();
    assert_eq!((octets.len(), &octets[..4]), (44, &[0, 4, 1, 2][..]));
    let mut other_type = octets.clone();
    other_type[1] = 3;
    for bad in
        [STANDARD.encode(&octets[..43]), STANDARD.encode(&other_type), String::new(), "%".into(), good.text() + "AAAA"]
    {
        assert_eq!(Artifact::read(&bad), Err(BindingError::NotAnArtifact), "{bad}");
    }
    let text: String = url::form_urlencoded::byte_serialize(good.text().as_bytes()).collect();
    let expected = ArtifactMessage { artifact: good, relay_state: Some("r".into()) };
    assert_eq!(ArtifactMessage::read(&get(&format!("SAMLart={text}&RelayState=r"))), Ok(expected.clone()));
    assert_eq!(ArtifactMessage::read(&form(&format!("SAMLart={text}&RelayState=r"))), Ok(expected));
    for bad in [
        get(&format!("SAMLart={text}&SAMLart={text}")),
        get(&format!("SAMLart={text}&SAMLResponse=a")),
        form(&format!("SAMLart={text}&SAMLResponse=a")),
        get("RelayState=r"),
    ] {
        assert!(ArtifactMessage::read(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn artifact_messages_fit_the_schema_and_their_reader() {
    let ask = artifact::resolve_request("_a", "https://sp.example", "https://idp.example/ars", "AAQ=", NOW);
    crate::schema::accepts("saml-schema-protocol-2.0.xsd", &ask);
    let document = UnverifiedDocument::parse(ask.as_bytes(), Limits::message()).unwrap();
    let read = artifact::read_resolve(document.unverified_root()).unwrap();
    assert_eq!((read.id, read.issuer, read.artifact), ("_a", "https://sp.example", "AAQ="));
    for message in [None, Some(ask.as_str())] {
        let answer = artifact::response("_b", "_a", "https://idp.example", message, NOW);
        crate::schema::accepts("saml-schema-protocol-2.0.xsd", &answer);
        let document = UnverifiedDocument::parse(answer.as_bytes(), Limits::message()).unwrap();
        let read = artifact::read_response(document.unverified_root()).unwrap();
        assert_eq!((read.in_response_to, read.message.is_some()), (Some("_a"), message.is_some()));
        assert!(artifact::read_resolve(document.unverified_root()).is_err());
    }
}
