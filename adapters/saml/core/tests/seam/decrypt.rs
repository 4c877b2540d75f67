//! Decryption: what is accepted, and that failures look alike.

use fedbridge_contract::keys::{Decrypter, OaepDigest};
use fedbridge_saml_core::seam::{
    Cbc, DecryptError, DecryptPolicy, UnverifiedDocument, VerifyError, VerifyPolicy, decrypt,
};

use crate::encrypt::{Layout, OAEP_11, OAEP_MGF1P, RSA_15, Recipe, Sealed};
use crate::keys::{TestKey, idp, idp_next};
use crate::message::*;
use crate::xmlsec1;

const GCM: [&str; 3] = [
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2009/xmlenc11#aes192-gcm",
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
];
const CBC: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
];

/// The SP's decryption key; any RSA key will do.
fn sp() -> &'static TestKey {
    idp_next()
}

fn open(element: &str, keys: &[&TestKey], cbc: Cbc) -> Result<UnverifiedDocument, DecryptError> {
    let document = parse(element);
    let keys: Vec<&dyn Decrypter> = keys.iter().map(|key| *key as &dyn Decrypter).collect();
    decrypt(document.unverified_root(), &keys, &DecryptPolicy { cbc })
}

fn failure(element: &str) -> DecryptError {
    open(element, &[sp()], Cbc::Accepted).unwrap_err()
}

#[test]
fn each_algorithm_and_layout_opens() {
    let plaintext = assertion("_a1", "person");
    let all = [OaepDigest::Sha1, OaepDigest::Sha256, OaepDigest::Sha384, OaepDigest::Sha512];
    for cipher in GCM.into_iter().chain(CBC) {
        for layout in [Layout::InKeyInfo, Layout::Beside, Layout::Retrieved] {
            let recipe = Recipe { cipher, layout, ..Recipe::default() };
            let opened = open(&recipe.encrypt(&plaintext, sp()), &[sp()], Cbc::Accepted).unwrap();
            assert!(opened.unverified_root().is(SAML, "Assertion"), "{cipher}");
        }
    }
    for digest in all {
        let legacy = Recipe { key_transport: OAEP_MGF1P, digest, mgf1: OaepDigest::Sha1, ..Recipe::default() };
        open(&legacy.encrypt(&plaintext, sp()), &[sp()], Cbc::Refused).unwrap();
        for mgf1 in all {
            let recipe = Recipe { key_transport: OAEP_11, digest, mgf1, ..Recipe::default() };
            open(&recipe.encrypt(&plaintext, sp()), &[sp()], Cbc::Refused).unwrap();
        }
    }
}

#[test]
fn what_another_program_encrypts_opens() {
    let plaintext = assertion("_a1", "person");
    for (cipher, session_key) in [(GCM[0], "aes-128"), (GCM[2], "aes-256"), (CBC[0], "aes-128"), (CBC[2], "aes-256")] {
        let template = format!(
            concat!(
                r#"<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">"#,
                r#"<xenc:EncryptionMethod Algorithm="{cipher}"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">"#,
                r#"<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{transport}"/><xenc:CipherData><xenc:CipherValue/>"#,
                r#"</xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData>"#,
                r#"</xenc:EncryptedData>"#
            ),
            cipher = cipher,
            transport = OAEP_MGF1P
        );
        let data = xmlsec1::encrypt(&template, &plaintext, session_key, sp());
        let element = format!(r#"<saml:EncryptedAssertion xmlns:saml="{SAML}">{data}</saml:EncryptedAssertion>"#);
        let opened = open(&element, &[sp()], Cbc::Accepted).unwrap();
        assert!(opened.unverified_root().is(SAML, "Assertion"), "{cipher}");
    }
}

#[test]
fn weak_algorithms_are_refused_by_name() {
    let plaintext = assertion("_a1", "person");
    let named = |uri: &str| DecryptError::Algorithm(uri.to_owned());
    for cipher in CBC {
        let element = Recipe { cipher, ..Recipe::default() }.encrypt(&plaintext, sp());
        assert_eq!(open(&element, &[sp()], Cbc::Refused).unwrap_err(), named(cipher));
    }
    let rsa15 = Recipe { key_transport: RSA_15, ..Recipe::default() }.encrypt(&plaintext, sp());
    assert_eq!(failure(&rsa15), named(RSA_15));
    let good = Recipe::default().encrypt(&plaintext, sp());
    for other in ["http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "http://www.w3.org/2001/04/xmlenc#kw-aes128", ""] {
        assert_eq!(failure(&good.replace(GCM[2], other)), named(other));
        assert_eq!(failure(&good.replace(OAEP_11, other)), named(other));
    }
    let md5 = good.replace("http://www.w3.org/2001/04/xmlenc#sha256", "urn:md5");
    assert_eq!(failure(&md5), named("urn:md5"));
    assert_eq!(failure(&good.replace("mgf1sha256", "mgf1md5")), named("http://www.w3.org/2009/xmlenc11#mgf1md5"));
}

#[test]
fn both_keys_of_a_rollover_open() {
    let plaintext = assertion("_a1", "person");
    for to in [idp(), idp_next()] {
        let element = Recipe::default().encrypt(&plaintext, to);
        open(&element, &[idp(), idp_next()], Cbc::Refused).unwrap();
        open(&element, &[idp_next(), idp()], Cbc::Refused).unwrap();
    }
    let element = Recipe::default().encrypt(&plaintext, idp());
    assert_eq!(open(&element, &[idp_next()], Cbc::Refused).unwrap_err(), DecryptError::Failed);
    assert_eq!(open(&element, &[], Cbc::Refused).unwrap_err(), DecryptError::NoKeys);
}

#[test]
fn odd_structure_is_refused_before_any_key_is_used() {
    let good = Recipe::default().encrypt(&assertion("_a1", "person"), sp());
    let key = cut(&good, "xenc:EncryptedKey").to_owned();
    let data = cut(&good, "xenc:EncryptedData").to_owned();
    for spoiled in [
        good.replace(&data, ""),
        good.replace(&data, &data.repeat(2).replace("_k1", "").replace("Id=\"\"", "")),
        good.replace(&key, ""),
        good.replace(&key, &key.replace(" Id=\"_k1\"", "").repeat(5)),
        good.replace("xmlenc#Element", "xmlenc#Content"),
        good.replacen("<xenc:CipherValue>", "<xenc:CipherReference URI='http://127.0.0.1:9/'/><xenc:CipherValue>", 1),
        good.replacen("<xenc:CipherValue>", "<xenc:CipherValue>!", 1),
        good.replacen("<ds:KeyInfo>", r##"<ds:KeyInfo><ds:RetrievalMethod URI="#_k2"/>"##, 1),
        good.replacen("<ds:KeyInfo>", r#"<ds:KeyInfo><ds:RetrievalMethod URI="http://127.0.0.1:9/"/>"#, 1),
        good.replacen("<ds:DigestMethod", "<xenc:OAEPparams>AA==</xenc:OAEPparams><ds:DigestMethod", 1),
        good.replacen("<xenc:EncryptionMethod", "stray<xenc:EncryptionMethod", 1),
    ] {
        assert!(matches!(failure(&spoiled), DecryptError::Grammar(_)), "{spoiled}");
    }
}

/// Counts the private-key operations, so that a shortcut shows.
struct Counting<'a>(&'a TestKey, std::sync::atomic::AtomicUsize);

impl Decrypter for Counting<'_> {
    fn kid(&self) -> &str {
        "counting"
    }

    fn unwrap_oaep(
        &self,
        wrapped: &[u8],
        digest: OaepDigest,
        mgf1: OaepDigest,
    ) -> Result<Vec<u8>, fedbridge_contract::keys::KeyError> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.unwrap_oaep(wrapped, digest, mgf1)
    }
}

#[test]
fn all_keys_are_tried_whether_or_not_one_fits() {
    let recipe = Recipe::default();
    let good = recipe.seal(assertion("_a1", "person").as_bytes(), sp());
    let spoiled = Sealed { data: good.data.clone(), key: vec![1; good.key.len()] };
    for sealed in [good, spoiled] {
        let keys = [Counting(sp(), Default::default()), Counting(idp(), Default::default())];
        let document = parse(&recipe.element(&sealed));
        let _ = decrypt(document.unverified_root(), &[&keys[0], &keys[1]], &DecryptPolicy::default());
        assert_eq!(keys.map(|key| key.1.into_inner()), [1, 1]);
    }
}

#[test]
fn every_spoiled_octet_fails_the_same_way() {
    let plaintext = assertion("_a1", "person");
    for cipher in [GCM[0], CBC[0]] {
        let recipe = Recipe { cipher, ..Recipe::default() };
        let good = recipe.seal(plaintext.as_bytes(), sp());
        for at in (0..good.key.len()).step_by(17) {
            let mut key = good.key.clone();
            key[at] ^= 1;
            let spoiled = Sealed { data: good.data.clone(), key };
            assert_eq!(failure(&recipe.element(&spoiled)), DecryptError::Failed);
        }
        for at in (0..good.data.len()).step_by(7) {
            let mut data = good.data.clone();
            data[at] ^= 0x80;
            match open(&recipe.element(&Sealed { data, key: good.key.clone() }), &[sp()], Cbc::Accepted) {
                Err(failure) => assert_eq!(failure, DecryptError::Failed),
                Ok(_) => assert_eq!(cipher, CBC[0], "CBC notices nothing; that is why it is off"),
            }
        }
    }
}

#[test]
fn every_length_is_survived() {
    for cipher in [GCM[0], CBC[0]] {
        let recipe = Recipe { cipher, ..Recipe::default() };
        let good = recipe.seal(b"<a>0123456789</a>", sp());
        for length in 0..good.data.len() {
            let short = Sealed { data: good.data[..length].to_vec(), key: good.key.clone() };
            assert_eq!(failure(&recipe.element(&short)), DecryptError::Failed, "{cipher} {length}");
        }
        for length in [0, 1, 128, 255] {
            let short = Sealed { data: good.data.clone(), key: good.key[..length].to_vec() };
            assert_eq!(failure(&recipe.element(&short)), DecryptError::Failed, "{length}");
        }
    }
}

#[test]
fn a_content_key_of_another_length_fails() {
    let short = Recipe { cipher: GCM[0], ..Recipe::default() };
    let sealed = short.seal(b"<a/>", sp());
    let element = short.element(&sealed).replace(GCM[0], GCM[2]);
    assert_eq!(failure(&element), DecryptError::Failed);
}

#[test]
fn plaintext_meets_the_same_parser() {
    for plaintext in [
        "",
        "text",
        "<a/><b/>",
        "<a>",
        "<!DOCTYPE a><a/>",
        "<a><!-- x --></a>",
        "<a><?x y?></a>",
        "<saml:Assertion ID='_a1'/>",
        "<a xmlns='relative'/>",
        "\u{FEFF}<a/>",
    ] {
        assert_eq!(failure(&Recipe::default().encrypt(plaintext, sp())), DecryptError::Failed, "{plaintext}");
    }
}

#[test]
fn encryption_is_not_authentication() {
    let forged = response("_r1", &Recipe::default().encrypt(&assertion("_a1", "admin"), sp()));
    let document = parse(&forged);
    let opened = decrypt(find(&document, "EncryptedAssertion"), &[sp()], &DecryptPolicy::default()).unwrap();
    let verified = opened.verify_enveloped(opened.unverified_root(), &[idp().verify_key()], &VerifyPolicy::default());
    assert_eq!(verified.unwrap_err(), VerifyError::Unsigned);
}

#[test]
fn a_signed_assertion_inside_is_verified() {
    let signed = sign_after_issuer(&assertion("_a1", "person"), "_a1", idp());
    let opened = open(&Recipe::default().encrypt(&signed, sp()), &[sp()], Cbc::Refused).unwrap();
    let verified =
        opened.verify_enveloped(opened.unverified_root(), &[idp().verify_key()], &VerifyPolicy::default()).unwrap();
    assert_eq!(name_id(&verified), "person");
}

#[test]
fn ciphertext_under_a_signature_is_verified_when_opened() {
    let encrypted = Recipe::default().encrypt(&assertion("_a1", "person"), sp());
    let xml = sign_after_issuer(&response("_r1", &encrypted), "_r1", idp());
    let response = verify_id(&xml, "_r1").unwrap();
    let part = response.element().child(SAML, "EncryptedAssertion").unwrap();
    let opened = response.decrypt_child(part, &[sp()], &DecryptPolicy::default()).unwrap();
    assert_eq!(name_id(&opened), "person");
    assert_eq!(opened.signed_by(), response.signed_by());

    let other = parse(&Recipe::default().encrypt(&assertion("_a1", "admin"), sp()));
    let foreign = response.decrypt_child(other.unverified_root(), &[sp()], &DecryptPolicy::default());
    assert_eq!(foreign.unwrap_err(), DecryptError::NotInElement);
}
