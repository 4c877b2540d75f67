//! Public keys as JWKs (RFC 7517), and their thumbprints (RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::{KeyPurpose, SignatureAlgorithm};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Public};
use openssl::rsa::Rsa;
use serde_json::{Map, Value};

/// Reading and writing of public JWKs.
pub struct PublicJwk;

/// The JWK is not a public key of a kind that the bridge makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the public JWK is not a P-256, RSA or Ed25519 key")]
pub struct UnusableJwk;

impl PublicJwk {
    /// The JWK with `kid` (its thumbprint), `alg` and `use`, and the thumbprint by itself.
    ///
    /// # Errors
    /// The key is of another kind than P-256, RSA and Ed25519.
    pub fn describe<T: HasPublic>(
        key: &PKeyRef<T>,
        purpose: KeyPurpose,
        algorithm: SignatureAlgorithm,
    ) -> Result<(String, Value), ErrorStack> {
        let mut jwk = required_members(key)?;
        let canonical = Value::Object(jwk.clone()).to_string();
        let kid = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(canonical.as_bytes()));
        let (usage, alg) = match purpose {
            KeyPurpose::Oidc | KeyPurpose::SamlSigning | KeyPurpose::OidcClient => ("sig", algorithm.name()),
            KeyPurpose::SamlDecryption => ("enc", "RSA-OAEP"),
            KeyPurpose::OidcDecryption => ("enc", "RSA-OAEP-256"),
        };
        jwk.insert("kid".into(), kid.clone().into());
        jwk.insert("alg".into(), alg.into());
        jwk.insert("use".into(), usage.into());
        Ok((kid, Value::Object(jwk)))
    }

    /// Reads the key back.
    ///
    /// # Errors
    /// The JWK is not one that [`PublicJwk::describe`] writes.
    pub fn key(jwk: &Value) -> Result<PKey<Public>, UnusableJwk> {
        let octets = |name: &str| {
            let text = jwk.get(name).and_then(Value::as_str).ok_or(UnusableJwk)?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| UnusableJwk)
        };
        let number = |name: &str| BigNum::from_slice(&octets(name)?).map_err(|_| UnusableJwk);
        let member = |name: &str| jwk.get(name).and_then(Value::as_str);
        match (member("kty"), member("crv")) {
            (Some("EC"), Some("P-256")) => {
                let (x, y) = (number("x")?, number("y")?);
                EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)
                    .and_then(|group| EcKey::from_public_key_affine_coordinates(&group, &x, &y))
                    .and_then(PKey::from_ec_key)
            }
            (Some("OKP"), Some("Ed25519")) => PKey::public_key_from_raw_bytes(&octets("x")?, Id::ED25519),
            (Some("RSA"), None) => Rsa::from_public_components(number("n")?, number("e")?).and_then(PKey::from_rsa),
            _ => return Err(UnusableJwk),
        }
        .map_err(|_| UnusableJwk)
    }
}

/// The members that a thumbprint covers, in its order (RFC 7638 section 3.2).
fn required_members<T: HasPublic>(key: &PKeyRef<T>) -> Result<Map<String, Value>, ErrorStack> {
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let members = match key.id() {
        Id::EC => {
            let key = key.ec_key()?;
            let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
            let mut context = BigNumContext::new()?;
            key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
            vec![
                ("crv", "P-256".to_owned()),
                ("kty", "EC".to_owned()),
                ("x", text(&x.to_vec_padded(32)?)),
                ("y", text(&y.to_vec_padded(32)?)),
            ]
        }
        Id::ED25519 => {
            vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", text(&key.raw_public_key()?))]
        }
        _ => {
            let key = key.rsa()?;
            vec![("e", text(&key.e().to_vec())), ("kty", "RSA".to_owned()), ("n", text(&key.n().to_vec()))]
        }
    };
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // RFC 7638 section 3.1.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX\
                 jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqz\
                 s8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ\
                 -G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = PublicJwk::key(&serde_json::json!({"kty": "RSA", "n": n, "e": "AQAB"})).unwrap();
        let (kid, jwk) = PublicJwk::describe(&key, KeyPurpose::Oidc, SignatureAlgorithm::RS256).unwrap();
        assert_eq!(kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!((&jwk["alg"], &jwk["use"], &jwk["n"]), (&"RS256".into(), &"sig".into(), &n.into()));
    }

    #[test]
    fn a_foreign_key_is_refused() {
        assert_eq!(PublicJwk::key(&serde_json::json!({"kty": "oct", "k": "AAAA"})).err(), Some(UnusableJwk));
        assert_eq!(
            PublicJwk::key(&serde_json::json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})).err(),
            Some(UnusableJwk)
        );
    }
}
