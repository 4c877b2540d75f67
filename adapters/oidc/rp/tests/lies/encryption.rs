//! Encrypted ID tokens: which are opened, and that a signature inside is needed in any case.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::{Decrypter, KeyError, KeyRing, KeyState, OaepDigest, OidcDecryptionKey};
use fedbridge_contract::upstream::{LoginOutcome, LoginWish};
use fedbridge_oidc_core::testkit::{HttpAnswer, Person};
use openssl::encrypt::{Decrypter as OpensslDecrypter, Encrypter};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{Cipher, encrypt_aead};
use serde_json::{Value, json};

use crate::world::{World, accepted, failed_check, tenant_with};

const CHECK: &str = "encrypted ID token";

fn key(at: usize) -> &'static PKey<Private> {
    static KEYS: OnceLock<[PKey<Private>; 2]> = OnceLock::new();
    &KEYS.get_or_init(|| [0, 1].map(|_| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()))[at]
}

struct Opens(usize, String);

impl Decrypter for Opens {
    fn kid(&self) -> &str {
        &self.1
    }

    fn unwrap_oaep(&self, wrapped: &[u8], digest: OaepDigest, mgf1: OaepDigest) -> Result<Vec<u8>, KeyError> {
        assert_eq!((digest, mgf1), (OaepDigest::Sha256, OaepDigest::Sha256));
        let failed = || KeyError { kid: self.1.clone(), cause: "it does not open".into() };
        let mut decrypter = OpensslDecrypter::new(key(self.0)).unwrap();
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        decrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
        decrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        let mut out = vec![0; decrypter.decrypt_len(wrapped).map_err(|_| failed())?];
        let length = decrypter.decrypt(wrapped, &mut out).map_err(|_| failed())?;
        out.truncate(length);
        Ok(out)
    }
}

/// How a token is encrypted.
struct Plan {
    header: Value,
    to: usize,
    content: Vec<u8>,
    cipher: Cipher,
    key_length: usize,
    /// Changes the parts before they are put together.
    spoil: fn(&mut [String; 5]),
}

impl Plan {
    fn right(inner: &str) -> Self {
        Self {
            header: json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT" }),
            to: 0,
            content: inner.as_bytes().to_vec(),
            cipher: Cipher::aes_256_gcm(),
            key_length: 32,
            spoil: |_| {},
        }
    }

    fn token(&self) -> String {
        let protected = URL_SAFE_NO_PAD.encode(self.header.to_string());
        let content_key = vec![7; self.key_length];
        let mut encrypter = Encrypter::new(key(self.to)).unwrap();
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
        encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
        let mut wrapped = vec![0; encrypter.encrypt_len(&content_key).unwrap()];
        let length = encrypter.encrypt(&content_key, &mut wrapped).unwrap();
        wrapped.truncate(length);
        let (iv, mut tag) = ([9; 12], [0; 16]);
        let used = &content_key[..self.cipher.key_len().min(content_key.len())];
        let sealed = match used.len() == self.cipher.key_len() {
            true => encrypt_aead(self.cipher, used, Some(&iv), protected.as_bytes(), &self.content, &mut tag).unwrap(),
            false => self.content.clone(),
        };
        let part = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let mut parts = [protected, part(&wrapped), part(&iv), part(&sealed), part(&tag)];
        (self.spoil)(&mut parts);
        parts.join(".")
    }
}

/// A connection with two keys: one that was rolled over to, and the one before.
fn world() -> World {
    let mut world = World::new();
    let of = |at: usize, state| {
        let decrypter = Arc::new(Opens(at, format!("enc-{at}")));
        (world.connection, OidcDecryptionKey { state, decrypter, jwk: json!({ "kid": format!("enc-{at}") }) })
    };
    let oidc_decryption = vec![of(0, KeyState::Active), of(1, KeyState::Retiring)];
    world.tenant = Arc::new(tenant_with(KeyRing { oidc_decryption, ..KeyRing::default() }));
    world
}

/// A login whose ID token is what `make` makes of the right one.
async fn login(world: &World, make: impl Fn(&str) -> String) -> (LoginOutcome, Option<String>) {
    let pending = world.begin_with(LoginWish::default()).await.unwrap();
    let answer = world.op.answer(&pending.location);
    let right = world.op.id_token(&world.op.last_login().unwrap()).token();
    let tokens = json!({ "token_type": "Bearer", "access_token": "x", "id_token": make(&right) });
    let fetched = std::sync::OnceLock::new();
    fetched.set(HttpAnswer::json(200, &tokens).body).unwrap();
    let (outcome, trace) = world.complete_with(&pending, &answer, &fetched).await;
    (outcome, failed_check(&trace))
}

#[tokio::test]
async fn a_signed_token_is_found_inside() {
    let world = world();
    let half = |token: &str| URL_SAFE_NO_PAD.encode(&openssl::sha::sha256(token.as_bytes())[..16]);
    world.op.person(Person::new("alice").with("at_hash", json!(half("x"))));
    type Change = fn(&mut Plan);
    let good: [(&str, Change); 4] = [
        ("as it is", |_| {}),
        ("with the key before", |plan| plan.to = 1),
        ("with a kid", |plan| plan.header["kid"] = json!("enc-0")),
        ("A128GCM", |plan| {
            plan.header["enc"] = json!("A128GCM");
            (plan.cipher, plan.key_length) = (Cipher::aes_128_gcm(), 16);
        }),
    ];
    for (what, change) in good {
        let (outcome, failed) = login(&world, |inner| {
            let mut plan = Plan::right(inner);
            change(&mut plan);
            plan.token()
        })
        .await;
        assert!(matches!(outcome, LoginOutcome::Authenticated(_)), "{what}: {failed:?}");
    }
    type Bad = (&'static str, &'static str, Change);
    let bad: [Bad; 16] = [
        ("RSA1_5", CHECK, |plan| plan.header["alg"] = json!("RSA1_5")),
        ("OAEP with SHA-1", CHECK, |plan| plan.header["alg"] = json!("RSA-OAEP")),
        ("a password", CHECK, |plan| {
            plan.header["alg"] = json!("PBES2-HS256+A128KW");
            plan.header["p2c"] = json!(2_000_000_000);
        }),
        ("dir", CHECK, |plan| plan.header["alg"] = json!("dir")),
        ("CBC", CHECK, |plan| plan.header["enc"] = json!("A128CBC-HS256")),
        ("compressed", CHECK, |plan| plan.header["zip"] = json!("DEF")),
        ("crit", CHECK, |plan| plan.header["crit"] = json!(["exp"])),
        ("a key in the header", CHECK, |plan| plan.header["jwk"] = json!({})),
        ("a kid of nobody", CHECK, |plan| plan.header["kid"] = json!("enc-9")),
        ("a kid of the other key", CHECK, |plan| plan.header["kid"] = json!("enc-1")),
        ("a content key of another length", CHECK, |plan| plan.key_length = 16),
        ("another tag", CHECK, |plan| plan.spoil = |parts| parts[4] = URL_SAFE_NO_PAD.encode([0; 16])),
        ("a short tag", CHECK, |plan| plan.spoil = |parts| parts[4] = URL_SAFE_NO_PAD.encode([0; 4])),
        ("another header", CHECK, |plan| {
            plan.spoil = |parts| {
                let header = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM" });
                parts[0] = URL_SAFE_NO_PAD.encode(header.to_string());
            };
        }),
        ("claims that nobody signed", CHECK, |plan| plan.content = br#"{"iss":"https://op.example"}"#.to_vec()),
        ("alg none inside", "alg of the ID token", |plan| {
            let inner = String::from_utf8(plan.content.clone()).unwrap();
            let claims = inner.split('.').nth(1).unwrap();
            plan.content = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)).into_bytes();
        }),
    ];
    for (what, check, change) in bad {
        let (outcome, failed) = login(&world, |inner| {
            let mut plan = Plan::right(inner);
            change(&mut plan);
            plan.token()
        })
        .await;
        assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{what}: {outcome:?}");
        assert_eq!(failed.as_deref(), Some(check), "{what}");
    }
    // An encrypted token in an encrypted one.
    let (_, failed) = login(&world, |inner| Plan::right(&Plan::right(inner).token()).token()).await;
    assert_eq!(failed.as_deref(), Some(CHECK));
    let (_, failed) = login(&world, |_| format!("{}.a.b.c.d", "x".repeat(70_000))).await;
    assert_eq!(failed.as_deref(), Some(CHECK));
}

#[tokio::test]
async fn without_a_key_nothing_is_opened() {
    let mut world = world();
    world.tenant = Arc::new(tenant_with(KeyRing::default()));
    let (_, failed) = login(&world, |inner| Plan::right(inner).token()).await;
    assert_eq!(failed.as_deref(), Some(CHECK));
    accepted(world.login(LoginWish::default()).await);
}
