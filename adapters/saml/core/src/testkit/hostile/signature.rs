//! Signatures in forms that SAML doesn't allow, most of them made with the very key that is
//! trusted: so only the form can be what refuses them. And good signatures that are put where
//! they don't belong.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;

use super::super::wrapping::wrapped_messages;
use super::super::{Forgery, KeyKind, ScriptError, TestKey, forge, sign_message};
use super::{Good, Hostile, MessageKind, between};

type Change<'a> = &'a dyn Fn(String) -> String;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const FORM: &str = "has a form that is not accepted";
const STRANGER: &str = "not made by a key of the connection";

pub fn refused(good: &Good<'_>, signed: &str) -> Result<Vec<Hostile>, ScriptError> {
    let mut all = odd_infos(good)?;
    all.extend(odd_signatures(good)?);
    all.extend(weak_algorithms(good)?);
    all.extend(other_keys(good)?);
    all.extend(changed(good, signed));
    let root = format!("samlp:{}", good.kind.root());
    let wrapped = wrapped_messages(&root, signed, good.victim, "https://mallory.example/x");
    all.extend(wrapped.into_iter().map(|attack| {
        let reason = wrapping_reason(good.kind, attack.name);
        Hostile::new(attack.name, reason, attack.xml)
    }));
    Ok(all)
}

/// What refuses a wrapped message: mostly the form, before any signature costs time.
fn wrapping_reason(kind: MessageKind, name: &str) -> &'static str {
    match name {
        "XSW1: original message inside the signature" | "original message in an Object" => {
            "ds:Signature must hold SignedInfo"
        }
        "original message in Extensions, signature outside" | "signed message in Extensions" => {
            "Extensions may not hold"
        }
        "evil message with the stolen signature" => "does not refer to the element",
        "evil message with the same ID" => "changed after signing",
        "evil message holds the one of the same ID" | "decoy signature with a payload" => "ID appears twice",
        "two documents" => "follows the root element",
        "signature removed" => match kind {
            MessageKind::Response => "What is signed",
            _ => "not signed",
        },
        _ => super::OUT_OF_PLACE,
    }
}

pub fn accepted(good: &Good<'_>) -> Result<Vec<(String, Vec<u8>)>, ScriptError> {
    let key = &good.key.private;
    let with_prefixes = |info: String| {
        let list =
            "<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs saml\"/>";
        info.replacen(
            &format!("<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"/>"),
            &format!("<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">{list}</ds:CanonicalizationMethod>"),
            1,
        )
    };
    let broken_lines = |signature: String| signature.replacen("<ds:SignatureValue>", "<ds:SignatureValue>\n", 1);
    let named = |signature: String| {
        signature.replacen("</ds:Signature>", "<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo></ds:Signature>", 1)
    };
    let rows = [
        ("no KeyInfo", Forgery::honest(key)),
        ("a KeyInfo that names a key", Forgery { signature: &named, ..Forgery::honest(key) }),
        ("line breaks in SignatureValue", Forgery { signature: &broken_lines, ..Forgery::honest(key) }),
        ("a list of inclusive prefixes", Forgery { signed_info: &with_prefixes, ..Forgery::honest(key) }),
        (
            "RSA with SHA-512",
            Forgery {
                signature_method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
                digest_method: "http://www.w3.org/2001/04/xmlenc#sha512",
                digest: MessageDigest::sha512(),
                ..Forgery::honest(key)
            },
        ),
    ];
    rows.into_iter().map(|(name, how)| Ok((name.to_owned(), forge(&good.xml, &good.id, &how)?.into_bytes()))).collect()
}

/// One Reference to the parent, two transforms, closed lists of algorithms (104, 109, 114): no SSRF, no
/// file is read, no XSLT and no XPath runs.
fn odd_infos(good: &Good<'_>) -> Result<Vec<Hostile>, ScriptError> {
    const ELSEWHERE: &str = "does not refer to the element";
    const TRANSFORMS: &str = "there must be two transforms";
    let uri = |to: &'static str| move |info: String| between(&info, " URI=\"", "\"", &format!(" URI=\"{to}\""));
    let transform = |markup: &'static str| {
        move |info: String| info.replace("</ds:Transforms>", &format!("{markup}</ds:Transforms>"))
    };
    let canonicalization = |to: &'static str| move |info: String| info.replace(EXCLUSIVE, to);
    let rows: &[(&str, &'static str, Change<'_>)] = &[
        ("empty reference (109)", ELSEWHERE, &uri("")),
        ("reference to another element (109)", ELSEWHERE, &uri("#_another")),
        ("XPointer", ELSEWHERE, &uri("#xpointer(/)")),
        ("reference to http", ELSEWHERE, &uri("http://127.0.0.1:9/x")),
        ("reference to a file", ELSEWHERE, &uri("file:///etc/hostname")),
        ("relative reference", ELSEWHERE, &uri("etc/hostname")),
        ("no address in the reference", FORM, &|info| info.replacen(" URI=\"", " Other=\"", 1)),
        (
            "XPath transform (114)",
            TRANSFORMS,
            &transform(
                "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>1</ds:XPath></ds:Transform>",
            ),
        ),
        (
            "XSLT transform (CVE-2022-47966)",
            TRANSFORMS,
            &transform("<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/>"),
        ),
        (
            "base64 transform",
            TRANSFORMS,
            &transform("<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#base64\"/>"),
        ),
        ("no transforms", FORM, &|info| between(&info, "<ds:Transforms>", "</ds:Transforms>", "")),
        ("transforms without one", TRANSFORMS, &|info| {
            between(&info, "<ds:Transforms>", "</ds:Transforms>", "<ds:Transforms/>")
        }),
        (
            "inclusive canonicalization",
            "REC-xml-c14n-20010315 is not accepted",
            &canonicalization("http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        ),
        (
            "canonicalization with comments (106)",
            "WithComments is not accepted",
            &canonicalization("http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
        ),
        (
            "canonicalization 1.1",
            "xml-c14n11 is not accepted",
            &canonicalization("http://www.w3.org/2006/12/xml-c14n11"),
        ),
        ("two references (CVE-2026-33487)", FORM, &|info| {
            let reference = info.split_once("<ds:Reference").map(|(_, rest)| rest.replace("</ds:SignedInfo>", ""));
            info.replace("</ds:SignedInfo>", &format!("<ds:Reference{}</ds:SignedInfo>", reference.unwrap_or_default()))
        }),
        ("no reference", FORM, &|info| between(&info, "<ds:Reference", "</ds:Reference>", "")),
        ("HMACOutputLength", "ds:SignatureMethod must be empty", &|info| {
            info.replacen(
                "rsa-sha256\"/>",
                "rsa-sha256\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>",
                1,
            )
        }),
        ("unknown digest", "is not accepted", &|info| info.replace("xmlenc#sha256", "xmlenc#ripemd160")),
        ("more than 16 inclusive prefixes", FORM, &|info| {
            let list: String = (0..17).map(|number| format!("p{number} ")).collect();
            info.replacen(
                &format!("<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"/>"),
                &format!(
                    "<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"><ec:InclusiveNamespaces xmlns:ec=\"{EXCLUSIVE}\" \
                     PrefixList=\"{list}\"/></ds:CanonicalizationMethod>"
                ),
                1,
            )
        }),
    ];
    let key = &good.key.private;
    let forged = |change: Change<'_>| {
        let how = Forgery { signed_info: &|info| change(info), ..Forgery::honest(key) };
        forge(&good.xml, &good.id, &how)
    };
    rows.iter().map(|(name, reason, change)| Ok(Hostile::new(*name, reason, forged(*change)?))).collect()
}

/// One SignedInfo, one value, at most a KeyInfo, and nothing in between.
fn odd_signatures(good: &Good<'_>) -> Result<Vec<Hostile>, ScriptError> {
    const VALUE: &str = "ds:SignatureValue is not plain base64";
    const DIGEST: &str = "ds:DigestValue is not plain base64";
    let twice = |text: &str, name: &str| {
        let (start, end) = (format!("<ds:{name}"), format!("</ds:{name}>"));
        let part = text.split_once(&start).and_then(|(_, rest)| rest.split_once(&end)).map(|(part, _)| part);
        let part = format!("{start}{}{end}", part.unwrap_or_default());
        text.replacen(&part, &format!("{part}{part}"), 1)
    };
    let before_end = |text: &str, markup: &str| text.replace("</ds:Signature>", &format!("{markup}</ds:Signature>"));
    let rows: &[(&str, &'static str, Change<'_>)] = &[
        ("Object (107)", FORM, &|s| before_end(&s, "<ds:Object>x</ds:Object>")),
        ("Object with the message (CVE-2019-3465)", FORM, &|s| {
            before_end(&s, "<ds:Object><x xmlns=\"urn:x\">evil</x></ds:Object>")
        }),
        ("two SignedInfo (CVE-2025-29774)", FORM, &|s| twice(&s, "SignedInfo")),
        ("two SignatureValue", FORM, &|s| twice(&s, "SignatureValue")),
        ("empty SignatureValue", VALUE, &|s| {
            between(&s, "<ds:SignatureValue>", "</ds:SignatureValue>", "<ds:SignatureValue/>")
        }),
        ("SignatureValue that is no base64", VALUE, &|s| s.replacen("<ds:SignatureValue>", "<ds:SignatureValue>-", 1)),
        ("no SignatureValue", FORM, &|s| between(&s, "<ds:SignatureValue>", "</ds:SignatureValue>", "")),
        ("comment in DigestValue (CVE-2025-29775)", "comment", &|s| {
            s.replacen("<ds:DigestValue>", "<ds:DigestValue><!--x-->", 1)
        }),
        ("comment in SignatureValue", "comment", &|s| {
            s.replacen("<ds:SignatureValue>", "<ds:SignatureValue><!--x-->", 1)
        }),
        ("element in DigestValue", DIGEST, &|s| s.replacen("<ds:DigestValue>", "<ds:DigestValue><x/>", 1)),
        ("empty DigestValue (103)", DIGEST, &|s| {
            between(&s, "<ds:DigestValue>", "</ds:DigestValue>", "<ds:DigestValue/>")
        }),
        ("digest of nothing (103)", "changed after signing", &|s| {
            // SHA-256 of no octets: what a canonicalization that failed would give.
            let nothing = "<ds:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ds:DigestValue>";
            between(&s, "<ds:DigestValue>", "</ds:DigestValue>", nothing)
        }),
        ("text in the Signature", "stray text", &|s| s.replacen("<ds:SignatureValue>", "x<ds:SignatureValue>", 1)),
        ("SignedInfo of another namespace", FORM, &|s| {
            s.replacen(
                "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
                "<ds:SignedInfo xmlns:ds=\"urn:e\"",
                1,
            )
        }),
        ("unknown attribute in the Signature", FORM, &|s| {
            s.replacen("<ds:SignatureValue", "<ds:SignatureValue Odd=\"\"", 1)
        }),
    ];
    let key = &good.key.private;
    let forged = |change: Change<'_>| {
        let how = Forgery { signature: &|signature| change(signature), ..Forgery::honest(key) };
        forge(&good.xml, &good.id, &how)
    };
    rows.iter().map(|(name, reason, change)| Ok(Hostile::new(*name, reason, forged(*change)?))).collect()
}

fn weak_algorithms(good: &Good<'_>) -> Result<Vec<Hostile>, ScriptError> {
    const DSIG_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
    let certificate = PKey::hmac(&good.key.certificate).map_err(ScriptError::of)?;
    let key = &good.key.private;
    let rows = [
        (
            "RSA with SHA-1",
            "SHA-1 is not accepted",
            Forgery {
                signature_method: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
                digest_method: DSIG_SHA1,
                digest: MessageDigest::sha1(),
                ..Forgery::honest(key)
            },
        ),
        ("a SHA-1 digest", "SHA-1 is not accepted", Forgery { digest_method: DSIG_SHA1, ..Forgery::honest(key) }),
        (
            "RSA with MD5",
            "rsa-md5 is not accepted",
            Forgery { signature_method: "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", ..Forgery::honest(key) },
        ),
        (
            "HMAC with the certificate as its key",
            "hmac-sha256 is not accepted",
            Forgery {
                signature_method: "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
                ..Forgery::honest(&certificate)
            },
        ),
        ("HMAC that says it is RSA", STRANGER, Forgery::honest(&certificate)),
        ("no algorithm", "is not accepted", Forgery { signature_method: "", ..Forgery::honest(key) }),
    ];
    rows.into_iter()
        .map(|(name, reason, how)| Ok(Hostile::new(name, reason, forge(&good.xml, &good.id, &how)?)))
        .collect()
}

/// Keys come from configuration; what a message says about keys selects nothing (111).
fn other_keys(good: &Good<'_>) -> Result<Vec<Hostile>, ScriptError> {
    let stranger = TestKey::make(KeyKind::Rsa(2048))?;
    let curve = TestKey::make(KeyKind::P256)?;
    Ok(vec![
        Hostile::new(
            "a stranger's key in KeyInfo (CVE-2021-21239)",
            STRANGER,
            sign_message(&good.xml, &good.id, &stranger)?,
        ),
        Hostile::new(
            "a stranger's key, named like the trusted one",
            STRANGER,
            between(
                &sign_message(&good.xml, &good.id, &stranger)?,
                "<ds:KeyInfo>",
                "</ds:KeyInfo>",
                "<ds:KeyInfo><ds:KeyName>scripted</ds:KeyName></ds:KeyInfo>",
            ),
        ),
        Hostile::new("a key of another type", "of the type that", sign_message(&good.xml, &good.id, &curve)?),
    ])
}

/// Every octet under a signature counts, and every octet of the signature.
fn changed(good: &Good<'_>, signed: &str) -> Vec<Hostile> {
    const CHANGED: &str = "changed after signing";
    let flipped = signed.split_once("<ds:SignatureValue>").map(|(before, rest)| {
        let (first, rest) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
        format!("{before}<ds:SignatureValue>{}{rest}", if first == "A" { "B" } else { "A" })
    });
    vec![
        Hostile::new("a text that was changed", CHANGED, signed.replace(good.victim, "https://mallory.example/x")),
        Hostile::new(
            "a space that was put behind the Issuer's text",
            CHANGED,
            signed.replacen("</saml:Issuer>", " </saml:Issuer>", 1),
        ),
        Hostile::new("another IssueInstant", CHANGED, {
            between(signed, " IssueInstant=\"", "\"", " IssueInstant=\"2026-11-22T01:59:59Z\"")
        }),
        Hostile::new("one letter of the signature", STRANGER, flipped.unwrap_or_default()),
    ]
}
