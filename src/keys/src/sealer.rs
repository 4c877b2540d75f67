//! Sealing at rest: AES-256-GCM (NIST SP 800-38D) under a fresh key for each value.
//!
//! `version (1) | salt (16) | nonce (12) | ciphertext | tag (16)`
//!
//! The key is HKDF-Expand of the tenant's key with the salt. A busy tenant seals
//! more values than random nonces under one key allow (2^32); with a fresh key
//! for each value there is no such limit.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use fedbridge_contract::services::Rng as _;
use fedbridge_hub::ports::{SealError, Sealer};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use crate::hmac::{Hmac, expand};
use crate::master::MasterKey;
use crate::system::OpensslRng;

const VERSION: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEAD: usize = 1 + SALT + NONCE;

/// Above this the cache of tenant keys starts anew.
const MAX_CACHED: usize = 4096;

/// See the module's text. The tenant of a place is its text up to the first `/`.
pub struct AesGcmSealer {
    master: MasterKey,
    cipher: Cipher,
    tenants: RwLock<HashMap<Vec<u8>, Hmac>>,
}

impl AesGcmSealer {
    /// # Errors
    /// openssl has no AES-256-GCM.
    pub fn new(master: MasterKey) -> Result<Self, ErrorStack> {
        Ok(Self { master, cipher: Cipher::fetch(None, "AES-256-GCM", None)?, tenants: RwLock::default() })
    }

    fn key(&self, place: &[u8], salt: &[u8]) -> [u8; 32] {
        let tenant = place.split(|octet| *octet == b'/').next().unwrap_or_default();
        let expand = |key: &Hmac| expand(key, &[b"fedbridge sealed value", salt]);
        if let Some(key) = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return expand(key);
        }
        let fresh = self.master.derive(b"seal", tenant);
        let key = expand(&fresh);
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MAX_CACHED {
            tenants.clear();
        }
        tenants.insert(tenant.to_vec(), fresh);
        key
    }

    fn encrypt(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut out = Vec::with_capacity(HEAD + plain.len() + TAG);
        out.push(VERSION);
        out.resize(HEAD, 0);
        OpensslRng.fill(&mut out[1..]);
        let key = self.key(place, &out[1..=SALT]);
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(&self.cipher), Some(&key), Some(&out[1 + SALT..HEAD]))?;
        context.cipher_update(place, None)?;
        context.cipher_update_vec(plain, &mut out)?;
        context.cipher_final_vec(&mut out)?;
        let mut tag = [0; TAG];
        context.tag(&mut tag)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    fn decrypt(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let (salt, rest) = sealed[1..].split_at(SALT);
        let (nonce, rest) = rest.split_at(NONCE);
        let (body, tag) = rest.split_at(rest.len() - TAG);
        let key = self.key(place, salt);
        let mut context = CipherCtx::new()?;
        context.decrypt_init(Some(&self.cipher), Some(&key), Some(nonce))?;
        context.cipher_update(place, None)?;
        let mut plain = Vec::with_capacity(body.len());
        context.cipher_update_vec(body, &mut plain)?;
        context.set_tag(tag)?;
        context.cipher_final_vec(&mut plain)?;
        Ok(plain)
    }
}

impl Sealer for AesGcmSealer {
    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.encrypt(place, plain).unwrap_or_else(|cause| {
            // Only memory can fail here. An empty value opens nowhere.
            tracing::error!(%cause, "openssl could not seal a value");
            Vec::new()
        })
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if sealed.len() < HEAD + TAG || sealed[0] != VERSION {
            return Err(SealError);
        }
        self.decrypt(place, sealed).map_err(|_| SealError)
    }
}
