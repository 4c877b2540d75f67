//! Unwrapping of content keys with RSA-OAEP.

use std::sync::Arc;

use fedbridge_contract::keys::{Decrypter, KeyError, OaepDigest};
use fedbridge_hub::ports::Sealer;
use fedbridge_hub::spec::StoredKey;
use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;

use crate::signer::Lazy;

/// A private RSA key, unsealed when it is first used.
pub struct OpensslDecrypter(Lazy<PKey<Private>>);

impl OpensslDecrypter {
    pub fn new(key: &StoredKey, sealer: Arc<dyn Sealer>) -> Self {
        Self(Lazy::new(key, sealer))
    }
}

impl Decrypter for OpensslDecrypter {
    fn kid(&self) -> &str {
        self.0.kid()
    }

    fn unwrap_oaep(&self, wrapped: &[u8], digest: OaepDigest, mgf1: OaepDigest) -> Result<Vec<u8>, KeyError> {
        let key = self.0.get(Ok)?;
        // Every failure reads the same: what went wrong inside must not be an oracle.
        decrypt(key, wrapped, digest, mgf1).map_err(|_| KeyError {
            kid: self.0.kid().to_owned(),
            cause: "the wrapped key does not open with this key and these digests".to_owned(),
        })
    }
}

fn decrypt(
    key: &PKeyRef<Private>,
    wrapped: &[u8],
    digest: OaepDigest,
    mgf1: OaepDigest,
) -> Result<Vec<u8>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    context.decrypt_init()?;
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(md(digest))?;
    context.set_rsa_mgf1_md(md(mgf1))?;
    let mut plain = Vec::new();
    context.decrypt_to_vec(wrapped, &mut plain)?;
    Ok(plain)
}

fn md(digest: OaepDigest) -> &'static MdRef {
    match digest {
        OaepDigest::Sha1 => Md::sha1(),
        OaepDigest::Sha256 => Md::sha256(),
        OaepDigest::Sha384 => Md::sha384(),
        OaepDigest::Sha512 => Md::sha512(),
    }
}
