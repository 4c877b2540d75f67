//! Keys: the master key, sealing at rest, the tenants' key pairs and their
//! rotation, token secrets, and the process's clock and random source.
//!
//! Everything here goes through openssl. No private key leaves this crate
//! unsealed: others see the traits of [`fedbridge_contract::keys`].

mod argon2;
mod certificate;
mod decrypter;
mod generate;
mod genuine;
mod hmac;
mod jwk;
mod master;
mod ring;
pub mod rollover;
mod rotation;
mod sealer;
mod signer;
mod system;
mod tokens;
mod totp;
mod webauthn;

pub use argon2::Argon2Hasher;
pub use decrypter::OpensslDecrypter;
pub use generate::{GenerateError, TenantName, client_keys, generate_key, initial_keys};
pub use jwk::{PublicJwk, UnusableJwk};
pub use master::{MasterKey, MasterKeyError};
pub use ring::OpensslKeyOpener;
pub use rotation::{BadTransition, KeyChange, advance, carry_out, plan_rotation, retire_due};
pub use sealer::AesGcmSealer;
pub use signer::OpensslSigner;
pub use system::{OpensslRng, SystemClock};
pub use tokens::HmacTokenSecrets;
pub use webauthn::OpensslFactors;
