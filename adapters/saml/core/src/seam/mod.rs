//! The XML security seam: the only way from received bytes to trusted data.
//!
//! libxml2 is the one parser of everything that is received; libxmlsec1 checks
//! the signatures. All C calls and all `unsafe` are in [`ffi`]; everything else
//! here, and everything above, is safe Rust over an owned tree.
//!
//! The road of a protected message:
//!
//! 1. [`init`] once at start, then [`assert_closed`];
//! 2. [`UnverifiedDocument::parse`] with [`Limits::message`];
//! 3. [`UnverifiedDocument::verify_enveloped`] on the element that must be
//!    signed, with keys of the *connection*: gives a [`VerifiedElement`], read
//!    from the very octets that were digested;
//! 4. for encrypted parts [`decrypt`] (then step 3), or
//!    [`VerifiedElement::decrypt_child`] where the ciphertext was signed.
//!
//! [`encrypt`] is the way back: it makes encrypted parts for a partner.
//!
//! Documents are not `Send`: do steps 2 to 4 inside one blocking closure and
//! let only `VerifiedElement`s (which are `Send + Sync`) out.
//!
//! Namespace context of decrypted octets: they are parsed alone, so a prefix that only
//! the outer document declares is refused.

mod algorithm;
mod closed;
mod decrypt;
mod document;
mod element;
mod encrypt;
mod encrypted;
mod ffi;
mod key;
mod limits;
mod sign;
mod signature;
mod verify;

pub use algorithm::{DigestMethod, SignatureMethod};
pub use closed::{assert_closed, init};
pub use decrypt::{Cbc, DecryptError, DecryptPolicy, decrypt};
pub use document::UnverifiedDocument;
pub use element::{Attribute, ContentError, Element, Node};
pub use encrypt::{ContentMethod, EncryptError, EncryptedWrapper, KeyMethod, encrypt};
pub use key::{Fingerprint, KeyRefusal, VerifyKey};
pub use limits::{Limits, ParseRefusal};
pub use sign::{SignError, SignRequest, SignaturePlace, sign_enveloped};
pub use verify::{Sha1, VerifiedElement, VerifyError, VerifyPolicy};

/// The libraries are not as they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeamError {
    #[error("the XML libraries could not be set up: {0}")]
    Init(&'static str),
    #[error("the XML libraries allow what they must not: {0}")]
    Open(String),
    #[error("the element is not of this document")]
    NotInDocument,
    #[error("the element could not be canonicalized")]
    Canonicalization,
}
