//! Redirects in which two readers could see different messages (115), made from a signed query.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::carry::{deflated, parameter, unescaped};
use super::super::{ScriptError, Way};
use super::{Hostile, between};

const STRANGER: &str = "not made by a key";

/// What every redirect entry point must refuse that demands a signature. `query` is right, carries a
/// RelayState, and is signed.
///
/// # Errors
/// Nothing could be compressed.
pub fn queries(way: Way, query: &str) -> Result<Vec<Hostile>, ScriptError> {
    let name = way.parameter();
    let other = if way == Way::Request { "SAMLResponse" } else { "SAMLRequest" };
    let message = parameter(query, name).unwrap_or_default();
    let signature = parameter(query, "Signature").unwrap_or_default();
    let with = |name: &str, value: &str| {
        let (start, old) = (format!("{name}="), parameter(query, name).unwrap_or_default());
        query.replacen(&format!("{start}{old}"), &format!("{start}{value}"), 1)
    };
    let without = |name: &str| {
        let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
        kept.join("&")
    };
    let packed = |octets: &[u8]| -> Result<String, ScriptError> { Ok(escaped(&STANDARD.encode(deflated(octets)?))) };
    let bomb = packed(&vec![b' '; 1 << 26])?;
    let algorithm = |uri: &str| with("SigAlg", &escaped(uri));
    let xml = unescaped(message);
    let rows: Vec<(&str, &'static str, String)> = vec![
        ("nothing", "no SAMLRequest", String::new()),
        ("no message", "no SAMLRequest", without(name)),
        ("an empty message", "no SAMLRequest", with(name, "")),
        ("both kinds of message (CVE-2025-27773)", "both", format!("{query}&{other}={message}")),
        ("the message twice", "came twice", format!("{query}&{name}={message}")),
        ("another message before", "came twice", format!("{name}=AAAA&{query}")),
        (
            "the message in another spelling of its name",
            "percent-encoded",
            format!("{query}&%53{}={message}", &name[1..]),
        ),
        ("RelayState twice (CVE-2026-18217)", "came twice", format!("{query}&RelayState=x")),
        ("SigAlg twice", "came twice", format!("{query}&SigAlg=x")),
        ("Signature twice", "came twice", format!("{query}&Signature={signature}")),
        ("an artifact too", "does not belong", format!("{query}&SAMLart=AAQAAA")),
        ("an encoding that nobody defined", "SAMLEncoding", format!("{query}&SAMLEncoding=urn%3Ax")),
        ("a Signature without its SigAlg (DEPENDENCIES: a panic elsewhere)", "SigAlg", without("SigAlg")),
        ("a SigAlg without its Signature", "SigAlg", without("Signature")),
        ("an empty Signature", "Signature", with("Signature", "")),
        ("a Signature that is no base64", "base64", with("Signature", "%2D%2D")),
        ("a message that is no base64", "base64", with(name, "%2D%2D")),
        ("a message that is no DEFLATE", "DEFLATE", with(name, "AAAA")),
        (
            "a message that ends too early",
            "DEFLATE",
            with(name, &escaped(&xml.chars().take(xml.len() / 8 * 4).collect::<String>())),
        ),
        ("a message that inflates without end", "inflates", with(name, &bomb)),
        (
            "RelayState in another spelling",
            STRANGER,
            with("RelayState", &respelled(parameter(query, "RelayState").unwrap_or_default())),
        ),
        ("another RelayState", STRANGER, with("RelayState", "mallory")),
        ("no RelayState, though it was signed", STRANGER, without("RelayState")),
        ("SHA-1", "SHA-1 is not accepted", algorithm("http://www.w3.org/2000/09/xmldsig#rsa-sha1")),
        ("HMAC", "is not accepted", algorithm("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")),
        (
            "an algorithm for another type of key",
            "of the type that",
            algorithm("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        ),
        (
            "another algorithm than was signed with",
            STRANGER,
            algorithm("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
        ),
        ("the Signature of nothing", STRANGER, with("Signature", &escaped(&STANDARD.encode([0; 256])))),
    ];
    Ok(rows.into_iter().map(|(name, reason, query)| Hostile::new(name, reason, query)).collect())
}

/// Right queries in forms that are rare and legal, all signed alike.
pub fn valid_queries(query: &str) -> Vec<(String, String)> {
    let mut reversed: Vec<_> = query.split('&').collect();
    reversed.reverse();
    let signature = parameter(query, "Signature").unwrap_or_default();
    vec![
        ("as it is".into(), query.to_owned()),
        ("in another order".into(), reversed.join("&")),
        ("with a parameter that SAML doesn't know".into(), format!("{query}&login_hint=alice")),
        (
            "with its encoding named".into(),
            format!("{query}&SAMLEncoding=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE"),
        ),
        ("with line breaks in the Signature".into(), between(query, signature, "", &format!("{signature}%0A"))),
    ]
}

/// The same value with its first letter percent-encoded.
fn respelled(value: &str) -> String {
    match value.as_bytes().split_first() {
        Some((first, _)) if first.is_ascii_alphanumeric() => format!("%{first:02X}{}", &value[1..]),
        _ => format!("{value}%20"),
    }
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
