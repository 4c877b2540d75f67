//! Passkeys as a second factor (WebAuthn 3), as far as a relying party needs them that does not ask who made the
//! authenticator. The browser gives the public key as a SubjectPublicKeyInfo, so no CBOR is read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Expected, FactorCrypto, NewPasskeyAnswer, Passkey, PasskeyAnswer};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::sign::Verifier;
use serde_json::Value;

use crate::totp;

/// See the module's text.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpensslFactors;

impl FactorCrypto for OpensslFactors {
    fn totp(&self, secret: &[u8], code: &str, now: Timestamp, after: i64) -> Option<i64> {
        totp::step_of(secret, code, now, after)
    }

    fn passkey(&self, key: &Passkey, answer: &PasskeyAnswer, expected: &Expected<'_>) -> Result<u32, String> {
        if answer.id != key.id {
            return Err("another passkey answered".to_owned());
        }
        let client_data = octets("clientDataJSON", &answer.client_data)?;
        is_client_data("webauthn.get", &client_data, expected)?;
        let data = octets("authenticatorData", &answer.authenticator_data)?;
        let head = Head::read(&data, expected)?;
        let public = public_key(&octets("the kept public key", &key.public_key)?, key.algorithm)?;
        let mut signed = data;
        signed.extend(openssl::sha::sha256(&client_data));
        let signature = octets("signature", &answer.signature)?;
        if !verifies(&public, key.algorithm, &signed, &signature) {
            return Err("the signature does not verify".to_owned());
        }
        Ok(head.counter)
    }

    fn new_passkey(&self, answer: &NewPasskeyAnswer, expected: &Expected<'_>) -> Result<Passkey, String> {
        let client_data = octets("clientDataJSON", &answer.client_data)?;
        is_client_data("webauthn.create", &client_data, expected)?;
        let data = octets("authenticatorData", &answer.authenticator_data)?;
        let head = Head::read(&data, expected)?;
        let id = octets("the credential's id", &answer.id)?;
        if head.credential(&data) != Some(&id) {
            return Err("the authenticator data is not of this credential".to_owned());
        }
        public_key(&octets("the public key", &answer.public_key)?, answer.algorithm)?;
        Ok(Passkey {
            id: answer.id.clone(),
            public_key: answer.public_key.clone(),
            algorithm: answer.algorithm,
            counter: head.counter,
        })
    }
}

/// Octets of base64url. None of them is long.
fn octets(what: &str, text: &str) -> Result<Vec<u8>, String> {
    let short = Some(text).filter(|text| text.len() <= 8192);
    short.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(|| format!("{what} is no base64url"))
}

/// WebAuthn 3 section 5.8.1.
fn is_client_data(kind: &str, octets: &[u8], expected: &Expected<'_>) -> Result<(), String> {
    let data: Value = serde_json::from_slice(octets).map_err(|_| "clientDataJSON is no JSON".to_owned())?;
    let says = |name: &str, wanted: &str| data.get(name).and_then(Value::as_str) == Some(wanted);
    if !says("type", kind) {
        Err(format!("the type is not {kind}"))
    } else if !says("challenge", expected.challenge) {
        Err("it answers another challenge".to_owned())
    } else if !says("origin", expected.origin) {
        Err("it was made for another origin".to_owned())
    } else if data.get("crossOrigin") == Some(&Value::Bool(true)) {
        Err("it was made in another site's frame".to_owned())
    } else {
        Ok(())
    }
}

/// The beginning of authenticator data (WebAuthn 3 section 6.1).
struct Head {
    attested: bool,
    counter: u32,
}

impl Head {
    const LENGTH: usize = 37;
    const USER_PRESENT: u8 = 0x01;
    const ATTESTED: u8 = 0x40;

    fn read(data: &[u8], expected: &Expected<'_>) -> Result<Self, String> {
        let Some((head, _)) = data.split_at_checked(Self::LENGTH) else {
            return Err("the authenticator data is too short".to_owned());
        };
        let flags = head[32];
        if head[..32] != openssl::sha::sha256(expected.rp_id.as_bytes()) {
            Err("it was made for another relying party".to_owned())
        } else if flags & Self::USER_PRESENT == 0 {
            Err("nobody was there".to_owned())
        } else {
            let counter = u32::from_be_bytes([head[33], head[34], head[35], head[36]]);
            Ok(Self { attested: flags & Self::ATTESTED != 0, counter })
        }
    }

    /// The new credential's id (WebAuthn 3 section 6.5.1): behind 16 octets of the authenticator's model.
    fn credential<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let rest = data.get(Self::LENGTH + 16..).filter(|_| self.attested)?;
        let (length, rest) = rest.split_at_checked(2)?;
        rest.get(..usize::from(u16::from_be_bytes([length[0], length[1]])))
    }
}

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

/// A key that fits its algorithm.
fn public_key(spki: &[u8], algorithm: i64) -> Result<PKey<Public>, String> {
    let key = PKey::public_key_from_der(spki).map_err(|_| "the public key can't be read".to_owned())?;
    let fits = match algorithm {
        ES256 => key.ec_key().is_ok_and(|key| key.group().curve_name() == Some(Nid::X9_62_PRIME256V1)),
        EDDSA => key.id() == Id::ED25519,
        RS256 => key.rsa().is_ok_and(|key| (2048..=8192).contains(&(key.size() * 8))),
        _ => return Err(format!("the algorithm {algorithm} is not taken")),
    };
    if fits { Ok(key) } else { Err("the public key is not one of its algorithm".to_owned()) }
}

fn verifies(key: &PKey<Public>, algorithm: i64, signed: &[u8], signature: &[u8]) -> bool {
    let verifier = match algorithm {
        EDDSA => Verifier::new_without_digest(key),
        _ => Verifier::new(MessageDigest::sha256(), key),
    };
    verifier.and_then(|mut verifier| verifier.verify_oneshot(signature, signed)).unwrap_or(false)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;
    use openssl::sign::Signer;
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> =
        Expected { challenge: "Y2hhbGxlbmdl", origin: "https://login.example", rp_id: "login.example" };

    fn text(octets: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(octets)
    }

    fn client_data(kind: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut data = json!({ "type": kind, "challenge": EXPECTED.challenge, "origin": EXPECTED.origin });
        change(&mut data);
        text(&serde_json::to_vec(&data).unwrap())
    }

    fn authenticator_data(rp_id: &str, flags: u8, counter: u32, credential: Option<&[u8]>) -> Vec<u8> {
        let mut data = openssl::sha::sha256(rp_id.as_bytes()).to_vec();
        data.push(flags);
        data.extend(counter.to_be_bytes());
        if let Some(id) = credential {
            data.extend([0; 16]);
            data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
            data.extend(id);
            data.extend(b"a COSE key that nobody reads");
        }
        data
    }

    struct Device {
        key: PKey<Private>,
        algorithm: i64,
    }

    impl Device {
        fn all() -> [Self; 3] {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
            [
                Self { key: PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap(), algorithm: ES256 },
                Self { key: PKey::generate_ed25519().unwrap(), algorithm: EDDSA },
                Self { key: PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(), algorithm: RS256 },
            ]
        }

        fn create(&self) -> NewPasskeyAnswer {
            NewPasskeyAnswer {
                id: text(b"one"),
                client_data: client_data("webauthn.create", |_| {}),
                authenticator_data: text(&authenticator_data("login.example", 0x41, 0, Some(b"one"))),
                public_key: text(&self.key.public_key_to_der().unwrap()),
                algorithm: self.algorithm,
            }
        }

        fn get(&self, data: Vec<u8>, client_data: String) -> PasskeyAnswer {
            let mut signed = data.clone();
            signed.extend(openssl::sha::sha256(&URL_SAFE_NO_PAD.decode(&client_data).unwrap()));
            let signer = match self.algorithm {
                EDDSA => Signer::new_without_digest(&self.key),
                _ => Signer::new(MessageDigest::sha256(), &self.key),
            };
            let signature = signer.unwrap().sign_oneshot_to_vec(&signed).unwrap();
            PasskeyAnswer {
                id: text(b"one"),
                client_data,
                authenticator_data: text(&data),
                signature: text(&signature),
            }
        }
    }

    #[test]
    fn takes_passkeys_of_each_algorithm() {
        for device in Device::all() {
            let key = OpensslFactors.new_passkey(&device.create(), &EXPECTED).unwrap();
            let answer =
                device.get(authenticator_data("login.example", 0x05, 7, None), client_data("webauthn.get", |_| {}));
            assert_eq!(OpensslFactors.passkey(&key, &answer, &EXPECTED), Ok(7), "{}", device.algorithm);
        }
    }

    #[test]
    fn refuses_answers_to_anything_else() {
        let [device, other, _] = Device::all();
        let key = OpensslFactors.new_passkey(&device.create(), &EXPECTED).unwrap();
        let data = || authenticator_data("login.example", 0x01, 1, None);
        let get = |change: fn(&mut Value)| client_data("webauthn.get", change);
        let signed = |data: Vec<u8>, change: fn(&mut Value)| device.get(data, get(change));
        let cases = [
            (signed(data(), |it| it["challenge"] = "b3RoZXI".into()), "another challenge"),
            (signed(data(), |it| it["origin"] = "https://login.example.evil".into()), "another origin"),
            (signed(data(), |it| it["type"] = "webauthn.create".into()), "the type is not"),
            (signed(data(), |it| it["crossOrigin"] = true.into()), "another site's frame"),
            (signed(authenticator_data("evil.example", 0x01, 1, None), |_| {}), "another relying party"),
            (signed(authenticator_data("login.example", 0x04, 1, None), |_| {}), "nobody was there"),
            (signed(vec![0; 36], |_| {}), "too short"),
            (
                PasskeyAnswer { signature: other.get(data(), get(|_| {})).signature, ..signed(data(), |_| {}) },
                "signature",
            ),
            (PasskeyAnswer { id: text(b"two"), ..signed(data(), |_| {}) }, "another passkey"),
            (PasskeyAnswer { client_data: "no base64!".into(), ..signed(data(), |_| {}) }, "no base64url"),
        ];
        for (answer, why) in cases {
            let refused = OpensslFactors.passkey(&key, &answer, &EXPECTED).unwrap_err();
            assert!(refused.contains(why), "{refused}, not {why}");
        }
        // What was signed is what counts: a counter that was changed on the way.
        let mut changed = signed(data(), |_| {});
        changed.authenticator_data = text(&authenticator_data("login.example", 0x01, 2, None));
        assert!(OpensslFactors.passkey(&key, &changed, &EXPECTED).is_err());
    }

    #[test]
    fn refuses_keys_that_are_not_what_they_say() {
        let [ec, ed, _] = Device::all();
        let weak = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let cases = [
            NewPasskeyAnswer { algorithm: EDDSA, ..ec.create() },
            NewPasskeyAnswer { algorithm: ES256, ..ed.create() },
            NewPasskeyAnswer { algorithm: -36, ..ec.create() },
            NewPasskeyAnswer { public_key: text(b"no key"), ..ec.create() },
            NewPasskeyAnswer { public_key: text(&weak.public_key_to_der().unwrap()), algorithm: RS256, ..ec.create() },
            NewPasskeyAnswer { id: text(b"two"), ..ec.create() },
            NewPasskeyAnswer {
                authenticator_data: text(&authenticator_data("login.example", 0x01, 0, Some(b"one"))),
                ..ec.create()
            },
            NewPasskeyAnswer { client_data: client_data("webauthn.get", |_| {}), ..ec.create() },
        ];
        for (at, answer) in cases.iter().enumerate() {
            assert!(OpensslFactors.new_passkey(answer, &EXPECTED).is_err(), "{at}");
        }
    }
}
