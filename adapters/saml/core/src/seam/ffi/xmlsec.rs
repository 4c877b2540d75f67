//! libxmlsec1: verifies signatures, and says what it would run.

use std::ffi::{CStr, CString, c_uint};
use std::ptr::{null, null_mut};

use super::super::algorithm::{DigestMethod, SignatureMethod};
use super::xml::Dom;
use super::{c, copy_octets, quiet_thread, text};

/// A public key in xmlsec's form.
pub(in crate::seam) struct XmlsecKey(*mut c::_xmlSecKey);

// SAFETY: the key is never changed after it was made; xmlsec's duplication reads it and
// counts a reference to the OpenSSL key atomically.
unsafe impl Send for XmlsecKey {}
// SAFETY: as above.
unsafe impl Sync for XmlsecKey {}

impl Drop for XmlsecKey {
    fn drop(&mut self) {
        // SAFETY: made by xmlsec, owned here.
        unsafe { c::xmlSecKeyDestroy(self.0) }
    }
}

impl XmlsecKey {
    /// From DER of a SubjectPublicKeyInfo (RFC 5280 section 4.1).
    pub(in crate::seam) fn from_public_key_der(der: &[u8]) -> Option<Self> {
        let length = c_uint::try_from(der.len()).ok()?;
        // SAFETY: xmlsec reads `length` octets and keeps none of them.
        let key = unsafe {
            c::xmlSecOpenSSLAppKeyLoadMemory(
                der.as_ptr(),
                length,
                c::xmlSecKeyDataFormat_xmlSecKeyDataFormatDer,
                null(),
                null_mut(),
                null_mut(),
            )
        };
        (!key.is_null()).then_some(Self(key))
    }
}

/// What one signature and one key came to.
pub(in crate::seam) enum Outcome {
    /// The octets that were digested.
    Verified(Vec<u8>),
    /// The signed element was changed, whatever the key.
    DigestDiffers,
    /// Another key signed, or SignedInfo was changed.
    KeyDiffers,
    /// xmlsec could not process the signature.
    Failed,
}

/// What to verify; positions of elements in the document.
#[derive(Debug, Clone, Copy)]
pub(in crate::seam) struct SignedPart<'a> {
    pub(in crate::seam) signature: usize,
    pub(in crate::seam) target: usize,
    pub(in crate::seam) id: &'a str,
    pub(in crate::seam) method: SignatureMethod,
    pub(in crate::seam) digest: DigestMethod,
}

struct SignatureContext(*mut c::_xmlSecDSigCtx);

impl Drop for SignatureContext {
    fn drop(&mut self) {
        // SAFETY: made by xmlsec, owned here; frees its copy of the key too.
        unsafe { c::xmlSecDSigCtxDestroy(self.0) }
    }
}

impl Dom {
    /// Verifies with exactly the transforms and algorithms that `part` names, and a
    /// Reference that may only point into this document.
    pub(in crate::seam) fn verify(&self, part: &SignedPart<'_>, key: &XmlsecKey) -> Outcome {
        quiet_thread();
        self.try_verify(part, key).unwrap_or(Outcome::Failed)
    }

    fn try_verify(&self, part: &SignedPart<'_>, key: &XmlsecKey) -> Option<Outcome> {
        let signature = *self.elements.get(part.signature)?;
        self.register_id(part)?;
        // SAFETY: the context is this call's own; the tree is alive and this thread's;
        // every pointer that xmlsec gives is checked before use.
        unsafe {
            let context = SignatureContext(c::xmlSecDSigCtxCreate(null_mut()));
            let fields = context.0.as_mut()?;
            fields.flags |= c::XMLSEC_DSIG_FLAGS_STORE_SIGNEDINFO_REFERENCES;
            fields.enabledReferenceUris = c::xmlSecTransformUriTypeSameDocument;
            let exclusive = c::xmlSecTransformExclC14NGetKlass();
            for transform in [c::xmlSecTransformEnvelopedGetKlass(), exclusive, digest_transform(part.digest)] {
                if c::xmlSecDSigCtxEnableReferenceTransform(context.0, transform) < 0 {
                    return None;
                }
            }
            for transform in [exclusive, signature_transform(part.method)] {
                if c::xmlSecDSigCtxEnableSignatureTransform(context.0, transform) < 0 {
                    return None;
                }
            }
            fields.signKey = c::xmlSecKeyDuplicate(key.0);
            if fields.signKey.is_null() {
                return None;
            }
            if c::xmlSecDSigCtxVerify(context.0, signature) < 0 {
                return None;
            }
            let references = &raw mut (*context.0).signedInfoReferences;
            if c::xmlSecPtrListGetSize(references) != 1 {
                return None;
            }
            let reference = c::xmlSecPtrListGetItem(references, 0).cast::<c::_xmlSecDSigReferenceCtx>();
            let digested = reference.as_ref()?.status == c::xmlSecDSigStatus_xmlSecDSigStatusSucceeded;
            let verified = (*context.0).status == c::xmlSecDSigStatus_xmlSecDSigStatusSucceeded;
            match (digested, verified) {
                (false, _) => return Some(Outcome::DigestDiffers),
                (true, false) => return Some(Outcome::KeyDiffers),
                (true, true) => {}
            }
            if text((*reference).uri)?.strip_prefix('#') != Some(part.id) {
                return None;
            }
            let buffer = c::xmlSecDSigReferenceCtxGetPreDigestBuffer(reference);
            if buffer.is_null() {
                return None;
            }
            let length = usize::try_from(c::xmlSecBufferGetSize(buffer)).ok()?;
            copy_octets(c::xmlSecBufferGetData(buffer), length).map(Outcome::Verified)
        }
    }

    /// Makes the target's `ID`, and no other attribute, known as an ID.
    fn register_id(&self, part: &SignedPart<'_>) -> Option<()> {
        let target = *self.elements.get(part.target)?;
        let id = CString::new(part.id).ok()?;
        // SAFETY: walks the attributes of a living element; libxml2 copies the value.
        unsafe {
            let mut attribute = (*target).properties;
            loop {
                let fields = attribute.as_ref()?;
                if fields.ns.is_null() && text(fields.name) == Some("ID") {
                    break;
                }
                attribute = fields.next;
            }
            let known = c::xmlGetID(self.document, id.as_ptr().cast());
            if known.is_null() {
                let added = c::xmlAddID(null_mut(), self.document, id.as_ptr().cast(), attribute);
                return (!added.is_null()).then_some(());
            }
            (known == attribute).then_some(())
        }
    }

    /// Whether xmlsec would run the algorithm that the element at `index` names
    /// (a Transform, a DigestMethod or a SignatureMethod) when nothing narrows its list.
    pub(in crate::seam) fn would_run(&self, index: usize) -> bool {
        quiet_thread();
        let Some(&node) = self.elements.get(index) else {
            return false;
        };
        // SAFETY: a context of this call only, and a living node.
        unsafe {
            let context = c::xmlSecTransformCtxCreate();
            if context.is_null() {
                return false;
            }
            let transform = c::xmlSecTransformCtxNodeRead(context, node, c::xmlSecTransformUsageAny);
            c::xmlSecTransformCtxDestroy(context);
            !transform.is_null()
        }
    }
}

/// Algorithm URIs that xmlsec knows at all.
pub(in crate::seam) fn registered_transforms() -> Vec<String> {
    // SAFETY: the list holds static descriptions with a static or null href.
    unsafe {
        let list = c::xmlSecTransformIdsGet();
        (0..c::xmlSecPtrListGetSize(list))
            .filter_map(|at| {
                let klass = c::xmlSecPtrListGetItem(list, at).cast::<c::_xmlSecTransformKlass>();
                klass.as_ref().map(|klass| text(klass.href).unwrap_or_default().to_owned())
            })
            .collect()
    }
}

/// Whether xmlsec would open this path or URL for a Reference.
pub(in crate::seam) fn opens(uri: &CStr) -> bool {
    quiet_thread();
    // SAFETY: a context of this call only.
    unsafe {
        let context = c::xmlSecTransformCtxCreate();
        if context.is_null() {
            return false;
        }
        let opened = c::xmlSecTransformCtxUriExecute(context, uri.as_ptr().cast()) >= 0;
        c::xmlSecTransformCtxDestroy(context);
        opened
    }
}

pub(super) unsafe fn digest_transform(digest: DigestMethod) -> c::xmlSecTransformId {
    unsafe {
        match digest {
            DigestMethod::Sha1 => c::xmlSecOpenSSLTransformSha1GetKlass(),
            DigestMethod::Sha256 => c::xmlSecOpenSSLTransformSha256GetKlass(),
            DigestMethod::Sha384 => c::xmlSecOpenSSLTransformSha384GetKlass(),
            DigestMethod::Sha512 => c::xmlSecOpenSSLTransformSha512GetKlass(),
        }
    }
}

pub(super) unsafe fn signature_transform(method: SignatureMethod) -> c::xmlSecTransformId {
    unsafe {
        match method {
            SignatureMethod::RsaSha1 => c::xmlSecOpenSSLTransformRsaSha1GetKlass(),
            SignatureMethod::RsaSha256 => c::xmlSecOpenSSLTransformRsaSha256GetKlass(),
            SignatureMethod::RsaSha384 => c::xmlSecOpenSSLTransformRsaSha384GetKlass(),
            SignatureMethod::RsaSha512 => c::xmlSecOpenSSLTransformRsaSha512GetKlass(),
            SignatureMethod::EcdsaSha256 => c::xmlSecOpenSSLTransformEcdsaSha256GetKlass(),
            SignatureMethod::EcdsaSha384 => c::xmlSecOpenSSLTransformEcdsaSha384GetKlass(),
            SignatureMethod::EcdsaSha512 => c::xmlSecOpenSSLTransformEcdsaSha512GetKlass(),
        }
    }
}
