//! Keys from their making to their use, rotation and the master key file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyPurpose, KeyState, OaepDigest, SignatureAlgorithm, Signer as _};
use fedbridge_contract::services::{Clock as _, Rng as _, TokenSecrets as _};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{KeyOpener as _, SealError, Sealer};
use fedbridge_hub::spec::StoredKey;
use fedbridge_keys::{
    AesGcmSealer, BadTransition, HmacTokenSecrets, KeyChange, MasterKey, MasterKeyError, OpensslKeyOpener, OpensslRng,
    OpensslSigner, PublicJwk, SystemClock, TenantName, advance, carry_out, client_keys, generate_key, initial_keys,
    plan_rotation, retire_due,
};
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};
use openssl::x509::X509;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[test]
fn sealed_values_open_only_where_they_belong() {
    let sealer = sealer(1);
    let sealed = sealer.seal(b"t1/secret/a", b"hello");
    assert_eq!(sealer.open(b"t1/secret/a", &sealed), Ok(b"hello".to_vec()));
    for place in [&b"t1/secret/b"[..], b"t2/secret/a", b"t1", b""] {
        assert_eq!(sealer.open(place, &sealed), Err(SealError));
    }
    assert_eq!(self::sealer(2).open(b"t1/secret/a", &sealed), Err(SealError), "another master key");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(sealer.open(b"t1/secret/a", &changed), Err(SealError), "octet {at}");
        assert_eq!(sealer.open(b"t1/secret/a", &sealed[..at]), Err(SealError), "cut at {at}");
    }
    assert_ne!(sealer.seal(b"t1/secret/a", b"hello"), sealed, "never the same twice");
    assert_eq!(sealer.open(b"p", &sealer.seal(b"p", b"")), Ok(vec![]));
}

#[test]
fn every_algorithm_signs_so_that_openssl_agrees() {
    use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
    let sealer = sealer(1);
    for algorithm in [ES256, RS256, PS256, EdDSA] {
        let key = key(KeyPurpose::Oidc, algorithm, KeyState::Active, &*sealer);
        let signer = OpensslSigner::new(&key, Arc::clone(&sealer));
        assert_eq!((signer.kid(), signer.algorithm()), (key.kid.as_str(), algorithm));
        let signature = signer.sign(b"message").unwrap();
        assert!(signer.verify(b"message", &signature), "{algorithm:?}");
        assert!(!signer.verify(b"massage", &signature));
        for wrong in [&signature[1..], &signature[..signature.len() - 1], &[], &vec![0; signature.len()]] {
            assert!(!signer.verify(b"message", wrong), "{algorithm:?}");
        }
        assert!(independently_verified(&key, b"message", &signature), "{algorithm:?}");
        assert_eq!(key.public_jwk["kid"], key.kid.as_str());
        assert_eq!(key.public_jwk["alg"], algorithm.name());
        assert_eq!(key.public_jwk.get("d"), None);
    }
    let es256 = OpensslSigner::new(&key(KeyPurpose::Oidc, ES256, KeyState::Active, &*sealer), sealer);
    // r and s keep their leading zeros: about every 128th signature has one.
    assert!((0..600).all(|_| es256.sign(b"m").unwrap().len() == 64));
}

#[test]
fn a_key_under_another_master_key_does_not_sign() {
    let stored = key(KeyPurpose::Oidc, SignatureAlgorithm::ES256, KeyState::Active, &*sealer(1));
    let cause = OpensslSigner::new(&stored, sealer(2)).sign(b"m").unwrap_err();
    assert!(cause.to_string().contains("wrong master key"), "{cause}");
    let moved = StoredKey { tenant: TenantId::from_uuid(Uuid::from_u128(9)), ..stored };
    assert!(OpensslSigner::new(&moved, sealer(1)).sign(b"m").is_err(), "a key belongs to its tenant");
}

#[test]
fn a_decrypter_unwraps_with_the_named_digests_only() {
    use OaepDigest::{Sha1, Sha256, Sha384, Sha512};
    let sealer = sealer(1);
    let stored = key(KeyPurpose::SamlDecryption, SignatureAlgorithm::RS256, KeyState::Active, &*sealer);
    let ring = OpensslKeyOpener::new(sealer).ring(std::slice::from_ref(&stored)).unwrap();
    let decrypter = &ring.saml_decryption[0].decrypter;
    let public = X509::from_der(&ring.saml_decryption[0].certificate).unwrap().public_key().unwrap();
    let digest = |it| match it {
        Sha1 => MessageDigest::sha1(),
        Sha256 => MessageDigest::sha256(),
        Sha384 => MessageDigest::sha384(),
        Sha512 => MessageDigest::sha512(),
    };
    for (oaep, mgf1) in [(Sha1, Sha1), (Sha256, Sha1), (Sha256, Sha256), (Sha384, Sha384), (Sha512, Sha512)] {
        let mut encrypter = Encrypter::new(&public).unwrap();
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        encrypter.set_rsa_oaep_md(digest(oaep)).unwrap();
        encrypter.set_rsa_mgf1_md(digest(mgf1)).unwrap();
        let mut wrapped = vec![0; 256];
        let length = encrypter.encrypt(b"content key", &mut wrapped).unwrap();
        assert_eq!(decrypter.unwrap_oaep(&wrapped[..length], oaep, mgf1).unwrap(), b"content key");
        let other = if oaep == Sha512 { Sha256 } else { Sha512 };
        assert!(decrypter.unwrap_oaep(&wrapped[..length], other, mgf1).is_err());
        wrapped[9] ^= 1;
        assert!(decrypter.unwrap_oaep(&wrapped[..length], oaep, mgf1).is_err());
    }
    assert!(decrypter.unwrap_oaep(b"short", Sha256, Sha256).is_err());
}

#[test]
fn a_new_tenant_has_keys_for_every_purpose() {
    let sealer = sealer(1);
    let keys = initial_keys(name(), NOW, &*sealer).unwrap();
    let ring = OpensslKeyOpener::new(sealer).ring(&keys).unwrap();
    assert!(ring.oidc_signer(SignatureAlgorithm::ES256).is_some());
    assert!(ring.oidc_signer(SignatureAlgorithm::RS256).is_some());
    assert_eq!((ring.oidc.len(), ring.saml_signing.len(), ring.saml_decryption.len()), (4, 2, 1));
    let saml = ring.saml_signer().unwrap();
    let certificate = X509::from_der(saml.certificate.as_ref().unwrap()).unwrap();
    let public = certificate.public_key().unwrap();
    assert!(certificate.verify(&public).unwrap(), "signed by itself");
    let common_name = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next().unwrap();
    assert_eq!(common_name.data().as_slice(), b"acme");
    let days = certificate.not_before().diff(certificate.not_after()).unwrap().days;
    assert_eq!(days, 3651, "ten years and the day before");
    let jwk = PublicJwk::key(&saml.jwk).unwrap();
    assert!(jwk.public_eq(&public), "the JWK and the certificate are of one key");
    let kids: std::collections::HashSet<_> = keys.iter().map(|key| &key.kid).collect();
    assert_eq!(kids.len(), keys.len());
}

#[test]
fn a_connections_keys_are_its_own() {
    let sealer = sealer(1);
    let [ours, theirs] = [1, 2].map(|id| ConnectionId::from_uuid(Uuid::from_u128(id)));
    let mut keys = client_keys(name(), ours, SignatureAlgorithm::ES256, NOW, &*sealer).unwrap();
    keys.extend(client_keys(name(), theirs, SignatureAlgorithm::EdDSA, NOW, &*sealer).unwrap());
    assert!(keys.iter().all(|key| key.certificate.is_none() && key.purpose == KeyPurpose::OidcClient));
    let opener = OpensslKeyOpener::new(sealer);
    let ring = opener.ring(&keys).unwrap();
    assert_eq!((ring.oidc.len(), ring.oidc_client.len()), (0, 4), "they sign no tokens of ours");
    let signer = ring.client_signer(theirs).unwrap();
    assert_eq!((signer.kid(), signer.algorithm()), (keys[2].kid.as_str(), SignatureAlgorithm::EdDSA));
    assert_eq!(ring.oidc_client[0].1.jwk["use"], "sig");
    keys[0].connection = None;
    assert!(opener.ring(&keys).is_err_and(|error| error.contains("does not say which")));
}

#[test]
fn rotation_never_leaves_a_gap() {
    let sealer = sealer(1);
    let mut keys = vec![
        key(KeyPurpose::Oidc, SignatureAlgorithm::ES256, KeyState::Active, &*sealer),
        key(KeyPurpose::Oidc, SignatureAlgorithm::ES256, KeyState::Next, &*sealer),
        key(KeyPurpose::SamlDecryption, SignatureAlgorithm::RS256, KeyState::Active, &*sealer),
    ];
    let (active, next) = (keys[0].kid.clone(), keys[1].kid.clone());
    let old = OpensslSigner::new(&keys[0], Arc::clone(&sealer)).sign(b"token").unwrap();

    let hour = Duration::from_secs(3600);
    let plan = plan_rotation(&keys);
    rotate(&mut keys, &plan, NOW + hour, &*sealer);
    let ring = OpensslKeyOpener::new(Arc::clone(&sealer)).ring(&keys).unwrap();
    assert_eq!(ring.oidc_signer(SignatureAlgorithm::ES256).unwrap().kid(), next, "the one that was published ahead");
    assert!(ring.oidc_key(&active).unwrap().signer.verify(b"token", &old), "old tokens still check");
    assert_eq!(ring.oidc.iter().filter(|key| key.state == KeyState::Next).count(), 1);
    let states: Vec<_> = ring.saml_decryption.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Retiring, KeyState::Active], "both keys open assertions");

    assert_eq!(retire_due(&keys, NOW + hour * 25 - Duration::from_millis(1), hour * 24), []);
    let due = retire_due(&keys, NOW + hour * 25, hour * 24);
    assert_eq!(due.len(), 2);
    rotate(&mut keys, &due, NOW + hour * 25, &*sealer);
    let ring = OpensslKeyOpener::new(sealer).ring(&keys).unwrap();
    assert!(ring.oidc_key(&active).is_none(), "a retired key is published no more");
    assert_eq!(ring.saml_decryption.len(), 1);
}

#[test]
fn a_key_lives_forwards_only() {
    use KeyState::{Active, Next, Retired, Retiring};
    let order = [Next, Active, Retiring, Retired];
    let start = key(KeyPurpose::Oidc, SignatureAlgorithm::ES256, Next, &*sealer(1));
    for (at, from) in order.into_iter().enumerate() {
        for (to_at, to) in order.into_iter().enumerate() {
            let moved = advance(&StoredKey { state: from, ..start.clone() }, to, NOW + Duration::from_secs(5));
            if to_at == at + 1 {
                let moved = moved.unwrap();
                assert_eq!((moved.state, moved.changed.seconds()), (to, NOW.seconds() + 5));
            } else {
                assert_eq!(moved.err(), Some(BadTransition { from, to }));
            }
        }
    }
}

#[test]
fn the_master_key_file_is_made_once_and_kept() {
    let folder = std::env::temp_dir().join(format!("fedbridge-keys-{}", std::process::id()));
    let path = folder.join("data/master.key");
    let token = |key: &MasterKey| HmacTokenSecrets::new(key).mac(name().id, "p", b"m");
    let made = MasterKey::load_or_create(&path, &OpensslRng).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(token(&made), token(&MasterKey::load_or_create(&path, &OpensslRng).unwrap()));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(token(&made), token(&MasterKey::from_text(&text).unwrap()), "the environment takes the same text");
    assert_eq!(std::fs::read_dir(folder.join("data")).unwrap().count(), 1, "no draft stays behind");
    assert_eq!(format!("{made:?}"), "MasterKey(…)");

    std::fs::write(&path, "not a key").unwrap();
    let damaged = MasterKey::load_or_create(&path, &OpensslRng);
    assert!(matches!(damaged, Err(MasterKeyError::BadText)), "a file that is there is never replaced");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a key");
    assert!(matches!(MasterKey::load(&folder.join("absent")), Err(MasterKeyError::File { .. })));
    for text in ["", "AAAA", &"A".repeat(44), &text[1..]] {
        let refused = MasterKey::from_text(text);
        assert!(refused.is_err() || text.len() == 44, "{text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn token_secrets_differ_by_everything_that_goes_in() {
    let secrets = HmacTokenSecrets::new(&MasterKey::from_bytes([1; 32]));
    let (one, other) = (name().id, TenantId::from_uuid(Uuid::from_u128(2)));
    let base = secrets.mac(one, "refresh", b"g1");
    assert_eq!(secrets.mac(one, "refresh", b"g1"), base);
    assert_ne!(secrets.mac(other, "refresh", b"g1"), base);
    assert_ne!(secrets.mac(one, "refres", b"hg1"), base);
    assert_ne!(secrets.mac(one, "refresh", b"g2"), base);
    assert_ne!(HmacTokenSecrets::new(&MasterKey::from_bytes([2; 32])).mac(one, "refresh", b"g1"), base);
}

#[test]
fn clock_and_random_source_work() {
    assert!(SystemClock.now() > Timestamp::from_seconds(1_600_000_000));
    let (mut one, mut other) = ([0; 32], [0; 32]);
    OpensslRng.fill(&mut one);
    OpensslRng.fill(&mut other);
    assert!(one != other && one != [0; 32]);
}

fn independently_verified(key: &StoredKey, message: &[u8], signature: &[u8]) -> bool {
    let public = PublicJwk::key(&key.public_jwk).unwrap();
    let sha256 = MessageDigest::sha256();
    match key.algorithm {
        SignatureAlgorithm::ES256 => {
            use openssl::bn::BigNum;
            let (r, s) = signature.split_at(32);
            let (r, s) = (BigNum::from_slice(r).unwrap(), BigNum::from_slice(s).unwrap());
            let der = openssl::ecdsa::EcdsaSig::from_private_components(r, s).unwrap().to_der().unwrap();
            Verifier::new(sha256, &public).unwrap().verify_oneshot(&der, message).unwrap()
        }
        SignatureAlgorithm::EdDSA => {
            Verifier::new_without_digest(&public).unwrap().verify_oneshot(signature, message).unwrap()
        }
        algorithm => {
            let mut verifier = Verifier::new(sha256, &public).unwrap();
            if algorithm == SignatureAlgorithm::PS256 {
                verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
            }
            verifier.verify_oneshot(signature, message).unwrap()
        }
    }
}

fn rotate(keys: &mut Vec<StoredKey>, changes: &[KeyChange], now: Timestamp, sealer: &dyn Sealer) {
    for changed in carry_out(changes, keys, name(), now, sealer).unwrap() {
        keys.retain(|key| key.kid != changed.kid);
        keys.push(changed);
    }
}

fn key(purpose: KeyPurpose, algorithm: SignatureAlgorithm, state: KeyState, sealer: &dyn Sealer) -> StoredKey {
    generate_key(name(), purpose, algorithm, state, NOW, sealer).unwrap()
}

fn name() -> TenantName<'static> {
    TenantName { id: TenantId::from_uuid(Uuid::from_u128(1)), slug: "acme" }
}

fn sealer(seed: u8) -> Arc<dyn Sealer> {
    Arc::new(AesGcmSealer::new(MasterKey::from_bytes([seed; 32])).unwrap())
}
