//! From an unverified element to a [`VerifiedElement`].

use std::sync::Arc;

use super::algorithm::{DigestMethod, SignatureMethod};
use super::document::UnverifiedDocument;
use super::element::Element;
use super::ffi::{Outcome, SignedPart};
use super::key::{Fingerprint, VerifyKey};
use super::limits::{Limits, ParseRefusal, RepeatedIds};
use super::signature::Signature;

/// An element that a trusted key signed, read from the very octets that were digested.
///
/// Only [`UnverifiedDocument::verify_enveloped`] makes one; the methods here can narrow
/// it, never widen it.
#[derive(Clone)]
pub struct VerifiedElement {
    pub(super) element: Element,
    pub(super) octets: Arc<[u8]>,
    pub(super) signed_by: Fingerprint,
    pub(super) method: SignatureMethod,
    pub(super) limits: Limits,
}

/// What a connection accepts of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyPolicy {
    pub sha1: Sha1,
}

/// Whether SHA-1 may be used. A connection that needs it has an end date for it, which
/// is checked where the policy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sha1 {
    #[default]
    Refused,
    Accepted,
}

/// Look-ups of inclusive prefixes, each for each element, before anybody knows who signed:
/// real messages need some 1,000, and this many take about 5 ms.
const MOST_LOOKUPS: usize = 16_000;

/// Why an element is not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the connection has no key to verify with")]
    NoKeys,
    #[error("the element is not of this document")]
    NotInDocument,
    #[error(transparent)]
    Document(#[from] ParseRefusal),
    #[error("the element has no ID attribute")]
    NoId,
    #[error("the ID is not an NCName of ASCII characters")]
    BadId,
    #[error("the element is not signed")]
    Unsigned,
    #[error("the element has more than one Signature")]
    SeveralSignatures,
    #[error("the signature has a form that is not accepted: {0}")]
    Grammar(&'static str),
    #[error("the signature does not refer to the element that it stands in")]
    ReferenceUri,
    #[error("the algorithm {0} is not accepted")]
    Algorithm(String),
    #[error("SHA-1 is not accepted")]
    Sha1,
    #[error("none of the connection's keys is of the type that {0} needs")]
    NoFittingKey(SignatureMethod),
    #[error("the signed content was changed after signing")]
    DigestMismatch,
    #[error("the signature was not made by a key of the connection, or SignedInfo was changed")]
    NoKeyMatches {
        /// Keys that were tried, in order.
        tried: Vec<Fingerprint>,
    },
    #[error("the signature library could not process the signature")]
    Library,
    #[error("the signed octets are not the element that was to be verified")]
    OtherElement,
}

impl UnverifiedDocument {
    /// Verifies the enveloped signature of `target`, an element of this document, with
    /// any of `keys`, which come from the connection and never from the message.
    pub fn verify_enveloped(
        &self,
        target: &Element,
        keys: &[VerifyKey],
        policy: &VerifyPolicy,
    ) -> Result<VerifiedElement, VerifyError> {
        if keys.is_empty() {
            return Err(VerifyError::NoKeys);
        }
        if !self.holds(target) {
            return Err(VerifyError::NotInDocument);
        }
        if self.limits.repeated_ids == RepeatedIds::RefusedWhenSigned {
            self.check_ids()?; // Otherwise the parse has done it.
        }
        let signature = Signature::of(target, policy)?;
        if signature.prefixes.saturating_mul(self.dom.element_count()) > MOST_LOOKUPS {
            return Err(VerifyError::Grammar("ec:InclusiveNamespaces has too many prefixes for so large a document"));
        }
        let part = SignedPart {
            signature: signature.element.index,
            target: target.index,
            id: signature.id,
            method: signature.method,
            digest: signature.digest,
        };
        let (mut tried, mut failures) = (Vec::new(), 0);
        for key in keys.iter().filter(|key| key.fits(signature.method)) {
            match self.dom.verify(&part, key.xmlsec()) {
                Outcome::Verified(octets) => return self.verified(target, octets, key, signature.method),
                Outcome::KeyDiffers => {}
                Outcome::DigestDiffers => return Err(VerifyError::DigestMismatch),
                // Also what xmlsec says to a signature that is too long for the key's curve:
                // another key may still fit.
                Outcome::Failed => failures += 1,
            }
            tried.push(*key.fingerprint());
        }
        match tried.len() {
            0 => Err(VerifyError::NoFittingKey(signature.method)),
            all if all == failures => Err(VerifyError::Library),
            _ => Err(VerifyError::NoKeyMatches { tried }),
        }
    }

    /// The digested octets, read again by the same parser, must be the element that was
    /// asked for, so that no later step can take another one for it.
    fn verified(
        &self,
        target: &Element,
        octets: Vec<u8>,
        key: &VerifyKey,
        method: SignatureMethod,
    ) -> Result<VerifiedElement, VerifyError> {
        let limits = self.limits.canonical();
        let element = UnverifiedDocument::parse(&octets, limits)?.root;
        if !element.is(target.namespace(), target.name()) || element.attribute("ID") != target.attribute("ID") {
            return Err(VerifyError::OtherElement);
        }
        Ok(VerifiedElement { element, octets: octets.into(), signed_by: *key.fingerprint(), method, limits })
    }
}

impl VerifiedElement {
    pub fn element(&self) -> &Element {
        &self.element
    }

    /// The canonical octets that were digested. After [`Self::child`] and
    /// [`Self::decrypt_child`] the octets of the whole that the element came from.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The key that made the signature.
    pub fn signed_by(&self) -> &Fingerprint {
        &self.signed_by
    }

    pub fn method(&self) -> SignatureMethod {
        self.method
    }

    /// The only child of that name: a part of what is verified is verified. `None` when
    /// there is none or more than one.
    pub fn child(&self, namespace: &str, name: &str) -> Option<Self> {
        Some(Self {
            element: self.element.only_child(namespace, name)?.clone(),
            octets: Arc::clone(&self.octets),
            ..*self
        })
    }

    /// The digested octets as a document, to verify a second signature inside. It is
    /// unverified in the sense that its content must be taken from what the second
    /// verification gives.
    pub fn reopen(&self) -> Result<UnverifiedDocument, ParseRefusal> {
        UnverifiedDocument::parse(&self.octets, self.limits)
    }
}

impl VerifyPolicy {
    pub(super) fn permit(&self, method: SignatureMethod) -> Result<(), VerifyError> {
        self.permit_sha1(method.is_sha1())
    }

    pub(super) fn permit_digest(&self, digest: DigestMethod) -> Result<(), VerifyError> {
        self.permit_sha1(digest.is_sha1())
    }

    fn permit_sha1(&self, used: bool) -> Result<(), VerifyError> {
        match (used, self.sha1) {
            (true, Sha1::Refused) => Err(VerifyError::Sha1),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for VerifiedElement {
    /// Names the element; its content is about a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedElement")
            .field("name", &self.element.name)
            .field("signed_by", &self.signed_by)
            .finish_non_exhaustive()
    }
}
