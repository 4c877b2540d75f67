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
//! 4. for encrypted parts [`UnverifiedDocument::parse_decrypted`] (then step 3)
//!    or [`VerifiedElement::decrypt_child`] (the ciphertext was signed).
//!
//! Documents are not `Send`: do steps 2 to 4 inside one blocking closure and
//! let only `VerifiedElement`s (which are `Send + Sync`) out.
//!
//! The public surface, in short:
//!
//! ```text
//! fn init() -> Result<(), SeamError>;             // idempotent; every entry point calls it
//! fn assert_closed() -> Result<(), SeamError>;    // at start-up
//!
//! Limits::message() / Limits::metadata()          // Copy, no other constructors
//!
//! UnverifiedDocument::parse(&[u8], Limits) -> Result<UnverifiedDocument, ParseRefusal>
//!   .unverified_root(&self) -> &Element
//!   .canonicalize(&self, &Element) -> Result<Vec<u8>, SeamError>      // exc-c14n, no comments
//!   .verify_enveloped(&self, &Element, &[VerifyKey], &VerifyPolicy) -> Result<VerifiedElement, VerifyError>
//!   .parse_decrypted(&Element, &[&dyn DecryptKey], &DecryptPolicy) -> Result<UnverifiedDocument, DecryptError>
//!
//! VerifiedElement (Send + Sync; built only by verify_enveloped and its own narrowing methods)
//!   .element(&self) -> &Element      .octets(&self) -> &[u8]
//!   .signed_by(&self) -> &Fingerprint      .algorithm(&self) -> SignatureAlgorithm
//!   .into_child(self, ns, name) -> Option<VerifiedElement>            // the only such child
//!   .decrypt_child(&self, &Element, &[&dyn DecryptKey], &DecryptPolicy) -> Result<VerifiedElement, DecryptError>
//!
//! Element (Send + Sync, plain tree)
//!   .namespace() -> &str   .name() -> &str   .is(ns, name) -> bool
//!   .attribute(name) -> Option<&str>         // un-namespaced only
//!   .attribute_ns(ns, name) -> Option<&str>  .attributes() -> &[Attribute]
//!   .elements() -> impl Iterator<Item = &Element>   .nodes() -> &[Node]
//!   .only_text() -> Result<&str, ContentError>      // no child elements; "" when empty
//!   .only_elements() -> Result<Vec<&Element>, ContentError>   // text between must be white space
//!   .child(ns, name) -> Option<&Element>     // the first
//!
//! VerifyKey (Clone, Send + Sync; parsed once, cheap to clone)
//!   ::from_certificate_der(&[u8]) / ::from_certificate_pem(&[u8]) / ::from_public_key_der(&[u8]) -> Result<_, KeyError>
//!   .fingerprint() -> &Fingerprint           // SHA-256 of the certificate (or of the SPKI)
//!   .verify_octets(SignatureAlgorithm, octets, signature, &VerifyPolicy) -> Result<(), VerifyError>   // redirect binding
//! VerifyPolicy { sha1: Sha1 }  enum Sha1 { Refused, Accepted }      Default = Refused
//! SignatureAlgorithm { RsaSha256, RsaSha384, RsaSha512, EcdsaSha256, EcdsaSha384, EcdsaSha512, RsaSha1 }
//!   .uri() -> &'static str   ::from_uri(&str) -> Option<Self>
//!
//! PendingSignature::prepare(xml, &SignRequest { target_id, place, algorithm, certificate }) -> Result<PendingSignature, SignError>
//!   .octets_to_sign(&self) -> &[u8]          // SignedInfo, canonical; give them to the Signer
//!   .complete(self, signature: &[u8]) -> Result<Vec<u8>, SignError>    // ECDSA: r||s or DER, both are understood
//! fn sign_enveloped(xml, &SignRequest, &dyn Fn(&[u8]) -> Result<Vec<u8>, E>) -> Result<Vec<u8>, _>
//!
//! trait DecryptKey: Send + Sync { fn unwrap_oaep(&self, &OaepParameters, wrapped: &[u8]) -> Option<Vec<u8>>; }
//! DecryptPolicy { cbc: Cbc }   enum Cbc { Refused, Accepted }        Default = Refused
//! OpensslDecryptKey::new(PKey<Private>)      // a DecryptKey over a key in memory
//! ```
//!
//! Namespace context of decrypted octets: they are parsed alone, so a prefix
//! that only the outer document declares is refused.
