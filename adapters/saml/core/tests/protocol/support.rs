//! Keys, a trust and requests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::keys::{DecryptionKey, KeyRing, KeyState, SigningKey};
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::seam::VerifyKey;
use fedbridge_saml_core::testkit::{KeyKind, TestDecrypter, TestKey};
use fedbridge_saml_core::trust::{Trust, TrustedKey};

/// 2026-11-22T02:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);

/// The partner's, ours, a stranger's, and one with an elliptic curve.
pub static KEYS: LazyLock<[Arc<TestKey>; 4]> = LazyLock::new(|| {
    let rsa = || TestKey::make(KeyKind::Rsa(2048)).unwrap();
    [rsa(), rsa(), rsa(), TestKey::make(KeyKind::P256).unwrap()]
});

pub fn trust(keys: &[&TestKey]) -> Trust {
    let trusted = |key: &&TestKey| TrustedKey {
        key: VerifyKey::from_certificate_der(&key.certificate).unwrap(),
        label: "partner".into(),
        not_before: None,
        not_after: None,
    };
    Trust { keys: keys.iter().map(trusted).collect(), sha1_until: None }
}

/// A ring that signs with this key and decrypts with it.
pub fn ring(key: &Arc<TestKey>) -> KeyRing {
    KeyRing {
        saml_signing: vec![SigningKey {
            state: KeyState::Active,
            signer: Arc::clone(key) as _,
            jwk: serde_json::Value::Null,
            certificate: Some(key.certificate.clone()),
        }],
        saml_decryption: vec![DecryptionKey {
            state: KeyState::Active,
            decrypter: Arc::new(TestDecrypter(Arc::clone(key))),
            certificate: key.certificate.clone(),
        }],
        ..KeyRing::default()
    }
}

pub fn get(query: &str) -> HttpInput {
    input(Method::Get, query, "", None)
}

pub fn form(body: &str) -> HttpInput {
    input(Method::Post, "", body, Some("application/x-www-form-urlencoded"))
}

pub fn soap(body: &str) -> HttpInput {
    input(Method::Post, "", body, Some("text/xml; charset=utf-8"))
}

pub fn input(method: Method, query: &str, body: &str, content_type: Option<&str>) -> HttpInput {
    HttpInput {
        method,
        route: fedbridge_saml_core::names::SLO_ROUTE,
        rest: String::new(),
        query: query.into(),
        body: body.to_owned().into(),
        content_type: content_type.map(str::to_owned),
        authorization: None,
        origin: None,
        accept_language: None,
        if_match: None,
        if_none_match: None,
        prefer: None,
        cookies: Vec::new(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}
