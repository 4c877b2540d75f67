//! The C libraries: libxml2 in [`xml`] (parser, canonicalization), libxmlsec1 in
//! [`xmlsec`] (signatures). Everything given out is safe to use; no raw pointer leaves.
//!
//! Rules kept here: a parser context, a tree and a signature context belong to one
//! call or one [`Dom`]; no panic crosses into C; every result is checked for null and
//! every length before it is read.
#![allow(unsafe_code)]

mod xml;
mod xmlsec;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use super::algorithm::{DigestMethod, SignatureMethod};
pub(super) use xml::{Dom, Insertion};
pub(super) use xmlsec::{Outcome, SignedPart, XmlsecKey, opens, registered_transforms};
use xmlsec::{digest_transform, signature_transform};

#[allow(
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    unused_qualifications,
    clippy::all
)]
mod c {
    include!(concat!(env!("OUT_DIR"), "/seam_ffi.rs"));
}

/// Initializes both libraries and shuts every door that SAML does not need. To be
/// called once in a process, before any other thread uses either library.
pub(super) fn init_libraries() -> Result<(), &'static str> {
    // SAFETY: plain calls; the caller holds the one-time lock.
    unsafe {
        c::xmlInitParser();
        c::xmlThrDefSetGenericErrorFunc(null_mut(), None);
        c::xmlThrDefSetStructuredErrorFunc(null_mut(), Some(ignore_xml_error));
        c::xmlSecErrorsDefaultCallbackEnableOutput(0);
    }
    quiet_thread();
    run_samael_init()?;
    // SAFETY: xmlsec is initialized; nothing else uses its global lists yet.
    unsafe {
        // After xmlsec, which sets a loader of its own.
        c::xmlSetExternalEntityLoader(Some(refuse_entity));
        c::xmlSecErrorsSetCallback(Some(ignore_xmlsec_error));
        c::xmlSecErrorsDefaultCallbackEnableOutput(0);
        c::xmlSecIOCleanupCallbacks();
        c::xmlSecPtrListEmpty(c::xmlSecTransformIdsGet());
        for transform in allowed_transforms() {
            if c::xmlSecTransformIdsRegister(transform) < 0 {
                return Err("xmlsec does not have a transform that SAML needs");
            }
        }
    }
    Ok(())
}

/// samael initializes xmlsec behind a lock of its own, at the first use of a key. If
/// xmlsec were initialized here as well, samael's later call would open the transform
/// list again; so samael is made to do it, now, with a key that is none.
fn run_samael_init() -> Result<(), &'static str> {
    use samael::crypto::{CertificateDer, Crypto, CryptoProvider};
    let no_key = CertificateDer::from(vec![0]);
    if Crypto::verify_signed_xml("<x/>", &no_key, None).is_ok() {
        return Err("samael accepted a document without a signature");
    }
    // SAFETY: reads the size of a static list.
    if unsafe { c::xmlSecPtrListGetSize(c::xmlSecTransformIdsGet()) } == 0 {
        return Err("xmlsec was not initialized");
    }
    Ok(())
}

/// Both libraries as they are without our closing them, for the test of the proof.
#[cfg(test)]
pub(super) fn init_open() -> Result<(), &'static str> {
    // SAFETY: the test that calls this has a process of its own.
    unsafe { c::xmlSecErrorsDefaultCallbackEnableOutput(0) };
    run_samael_init()
}

/// Everything that xmlsec may ever run. What one signature may use is narrower: see
/// [`Dom::verify`].
unsafe fn allowed_transforms() -> Vec<c::xmlSecTransformId> {
    let mut all = unsafe { vec![c::xmlSecTransformExclC14NGetKlass(), c::xmlSecTransformEnvelopedGetKlass()] };
    all.extend(DigestMethod::ALL.map(|digest| unsafe { digest_transform(digest) }));
    all.extend(SignatureMethod::ALL.map(|method| unsafe { signature_transform(method) }));
    all
}

/// libxml2 keeps its error handlers per thread, and a thread may be older than
/// [`init_libraries`]; so every entry sets them.
fn quiet_thread() {
    // SAFETY: sets this thread's handlers.
    unsafe {
        c::xmlSetStructuredErrorFunc(null_mut(), Some(ignore_xml_error));
    }
}

unsafe extern "C" fn ignore_xml_error(_: *mut c_void, _: c::xmlErrorPtr) {}

unsafe extern "C" fn ignore_xmlsec_error(
    _: *const c_char,
    _: c_int,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: c_int,
    _: *const c_char,
) {
}

unsafe extern "C" fn refuse_entity(_: *const c_char, _: *const c_char, _: c::xmlParserCtxtPtr) -> c::xmlParserInputPtr {
    null_mut()
}

pub(super) fn entity_loader_refuses() -> bool {
    // SAFETY: reads a global function pointer.
    unsafe { c::xmlGetExternalEntityLoader() }.is_some_and(|loader| {
        std::ptr::fn_addr_eq(loader, refuse_entity as unsafe extern "C" fn(_, _, _) -> c::xmlParserInputPtr)
    })
}

unsafe fn text<'a>(octets: *const c::xmlChar) -> Option<&'a str> {
    if octets.is_null() {
        return None;
    }
    unsafe { CStr::from_ptr(octets.cast()) }.to_str().ok()
}

unsafe fn copy_octets(data: *const u8, length: usize) -> Option<Vec<u8>> {
    if data.is_null() || length == 0 {
        return None;
    }
    Some(unsafe { std::slice::from_raw_parts(data, length) }.to_vec())
}
