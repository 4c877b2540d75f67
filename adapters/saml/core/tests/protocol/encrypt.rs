//! What we encrypt, our own reader and xmlsec's can read.

use fedbridge_contract::keys::Decrypter;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{
    Cbc, ContentMethod, DecryptPolicy, EncryptError, EncryptedWrapper, KeyMethod, Limits, UnverifiedDocument, decrypt,
    encrypt,
};
use fedbridge_saml_core::testkit::{KeyKind, TestDecrypter, TestKey};

use crate::support::KEYS;

const METHODS: [ContentMethod; 4] =
    [ContentMethod::Aes128Gcm, ContentMethod::Aes256Gcm, ContentMethod::Aes128Cbc, ContentMethod::Aes256Cbc];

fn opened(xml: &str, key: usize, cbc: Cbc) -> Result<String, String> {
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
    let decrypter = TestDecrypter(KEYS[key].clone());
    let keys: [&dyn Decrypter; 1] = [&decrypter];
    decrypt(document.unverified_root(), &keys, &DecryptPolicy { cbc })
        .map(|inner| inner.unverified_root().only_text().unwrap().to_owned())
        .map_err(|error| error.to_string())
}

/// Of the content: its key stands before it.
fn ciphertext(xml: &str) -> &str {
    xml.rsplit_once("<xenc:CipherValue>").unwrap().1
}

#[test]
fn every_method_can_be_read_again() {
    let plain = format!("<saml:NameID xmlns:saml=\"{}\">\u{e4} &lt;x&gt;</saml:NameID>", names::ASSERTION);
    for content in METHODS {
        for key in [KeyMethod::OaepMgf1p, KeyMethod::OaepSha256] {
            for (wrapper, name) in [
                (EncryptedWrapper::Id, "EncryptedID"),
                (EncryptedWrapper::Assertion, "EncryptedAssertion"),
                (EncryptedWrapper::Attribute, "EncryptedAttribute"),
            ] {
                let xml = encrypt(&plain, wrapper, &KEYS[1].certificate, content, key).unwrap();
                assert!(xml.starts_with(&format!("<saml:{name} ")) && !xml.contains("NameID"), "{xml}");
                assert_eq!(opened(&xml, 1, Cbc::Accepted).as_deref(), Ok("\u{e4} <x>"), "{content:?} {key:?}");
                assert!(opened(&xml, 0, Cbc::Accepted).is_err(), "another's key opens it");
                let gcm = matches!(content, ContentMethod::Aes128Gcm | ContentMethod::Aes256Gcm);
                assert_eq!(opened(&xml, 1, Cbc::Refused).is_ok(), gcm);
                let again = encrypt(&plain, wrapper, &KEYS[1].certificate, content, key).unwrap();
                assert_ne!(ciphertext(&again), ciphertext(&xml), "a new key and a new vector each time");
            }
        }
    }
}

#[test]
fn other_keys_are_refused() {
    let encrypt = |certificate: &[u8]| {
        encrypt("<a/>", EncryptedWrapper::Id, certificate, ContentMethod::Aes256Gcm, KeyMethod::OaepMgf1p).unwrap_err()
    };
    assert_eq!(encrypt(&KEYS[3].certificate), EncryptError::Key, "an elliptic curve");
    assert_eq!(encrypt(&TestKey::make(KeyKind::Rsa(1024)).unwrap().certificate), EncryptError::Key, "1024 bits");
    assert_eq!(encrypt(b"no certificate"), EncryptError::Certificate);
}
