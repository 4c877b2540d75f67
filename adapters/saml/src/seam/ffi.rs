//! The one file that calls C: libxml2 (parser, canonicalization) and libxmlsec1
//! (signatures). Everything it gives out is safe to use; no raw pointer leaves it.
//!
//! Rules kept here: a parser context, a tree and a signature context belong to one
//! call or one [`Dom`]; no panic crosses into C; every result is checked for null and
//! every length before it is read.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use super::algorithm::{DigestMethod, SignatureMethod};
use super::element::{Attribute, Element, Node};
use super::limits::{Comments, Limits, ParseRefusal};

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

// ---------------------------------------------------------------- start-up

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

unsafe fn digest_transform(digest: DigestMethod) -> c::xmlSecTransformId {
    unsafe {
        match digest {
            DigestMethod::Sha1 => c::xmlSecOpenSSLTransformSha1GetKlass(),
            DigestMethod::Sha256 => c::xmlSecOpenSSLTransformSha256GetKlass(),
            DigestMethod::Sha384 => c::xmlSecOpenSSLTransformSha384GetKlass(),
            DigestMethod::Sha512 => c::xmlSecOpenSSLTransformSha512GetKlass(),
        }
    }
}

unsafe fn signature_transform(method: SignatureMethod) -> c::xmlSecTransformId {
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

// ---------------------------------------------------------------- probes

/// Algorithm URIs that xmlsec knows at all.
pub(super) fn registered_transforms() -> Vec<String> {
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
pub(super) fn opens(uri: &CStr) -> bool {
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

pub(super) fn entity_loader_refuses() -> bool {
    // SAFETY: reads a global function pointer.
    unsafe { c::xmlGetExternalEntityLoader() }.is_some_and(|loader| {
        std::ptr::fn_addr_eq(loader, refuse_entity as unsafe extern "C" fn(_, _, _) -> c::xmlParserInputPtr)
    })
}

// ---------------------------------------------------------------- parsing

/// libxml2's tree of one document.
pub(super) struct Dom {
    document: *mut c::_xmlDoc,
    /// The elements in document order; [`Element::index`] is a position in here.
    elements: Vec<*mut c::_xmlNode>,
    not_send: PhantomData<*mut ()>,
}

impl Drop for Dom {
    fn drop(&mut self) {
        // SAFETY: this Dom owns the document, and nothing else points into it.
        unsafe { c::xmlFreeDoc(self.document) }
    }
}

/// What the callbacks of one parse share.
struct Guard {
    limits: Limits,
    /// For each open element, the namespace declarations in scope.
    scopes: Vec<usize>,
    nodes: usize,
    refusal: Option<ParseRefusal>,
}

impl Dom {
    pub(super) fn parse(octets: &[u8], limits: Limits) -> Result<(Self, Element), ParseRefusal> {
        quiet_thread();
        let length = c_int::try_from(octets.len()).map_err(|_| ParseRefusal::TooLarge(limits.octets))?;
        let mut guard = Guard { limits, scopes: Vec::new(), nodes: 0, refusal: None };
        // SAFETY: the context lives in this call; `guard` outlives it; libxml2 reads
        // `length` octets and copies what it keeps.
        let (document, well_formed) = unsafe {
            let context = c::xmlNewParserCtxt();
            if context.is_null() {
                return Err(ParseRefusal::Library);
            }
            install(context, &mut guard);
            let options = c::xmlParserOption_XML_PARSE_NONET
                | c::xmlParserOption_XML_PARSE_NOCDATA
                | c::xmlParserOption_XML_PARSE_COMPACT;
            let document =
                c::xmlCtxtReadMemory(context, octets.as_ptr().cast(), length, null(), null(), options as c_int);
            let well_formed = (*context).wellFormed != 0 && (*context).nsWellFormed != 0;
            c::xmlFreeParserCtxt(context);
            (document, well_formed)
        };
        let mut dom = Self { document, elements: Vec::new(), not_send: PhantomData };
        if let Some(refusal) = guard.refusal {
            return Err(refusal);
        }
        if document.is_null() || !well_formed {
            return Err(ParseRefusal::NotWellFormed(0));
        }
        let root = dom.read_tree().ok_or(ParseRefusal::Library)?;
        Ok((dom, root))
    }

    fn read_tree(&mut self) -> Option<Element> {
        // SAFETY: the document is alive and this thread's own.
        unsafe {
            let root = c::xmlDocGetRootElement(self.document);
            let mut reader =
                TreeReader { elements: &mut self.elements, namespaces: vec![Arc::from("")], names: Vec::new() };
            reader.element(root.as_ref()?)
        }
    }
}

/// Puts our callbacks before libxml2's tree builder.
unsafe fn install(context: *mut c::_xmlParserCtxt, guard: &mut Guard) {
    unsafe {
        (*context)._private = std::ptr::from_mut(guard).cast();
        let sax = &mut *(*context).sax;
        sax.internalSubset = Some(on_doctype);
        sax.processingInstruction = Some(on_instruction);
        sax.comment = Some(on_comment);
        sax.startElementNs = Some(on_start);
        sax.endElementNs = Some(on_end);
        sax.serror = Some(on_error);
        sax.initialized = c::XML_SAX2_MAGIC;
    }
}

/// Notes the first reason and stops the parser.
unsafe fn refuse(context: *mut c_void, reason: ParseRefusal) {
    unsafe {
        if let Some(guard) = guard(context) {
            guard.refusal.get_or_insert(reason);
        }
        c::xmlStopParser(context.cast());
    }
}

unsafe fn guard<'a>(context: *mut c_void) -> Option<&'a mut Guard> {
    unsafe { context.cast::<c::_xmlParserCtxt>().as_ref()?._private.cast::<Guard>().as_mut() }
}

unsafe extern "C" fn on_doctype(
    context: *mut c_void,
    _: *const c::xmlChar,
    _: *const c::xmlChar,
    _: *const c::xmlChar,
) {
    unsafe { refuse(context, ParseRefusal::Doctype) }
}

unsafe extern "C" fn on_instruction(context: *mut c_void, _: *const c::xmlChar, _: *const c::xmlChar) {
    unsafe { refuse(context, ParseRefusal::ProcessingInstruction) }
}

unsafe extern "C" fn on_comment(context: *mut c_void, _: *const c::xmlChar) {
    unsafe {
        if guard(context).is_none_or(|guard| guard.limits.comments == Comments::Refused) {
            refuse(context, ParseRefusal::Comment);
        }
    }
}

unsafe extern "C" fn on_start(
    context: *mut c_void,
    name: *const c::xmlChar,
    prefix: *const c::xmlChar,
    uri: *const c::xmlChar,
    declared: c_int,
    declarations: *mut *const c::xmlChar,
    attributes: c_int,
    defaulted: c_int,
    values: *mut *const c::xmlChar,
) {
    unsafe {
        let Some(guard) = guard(context) else {
            return refuse(context, ParseRefusal::Library);
        };
        let declared_here = usize::try_from(declared).unwrap_or(0);
        let parts = declared_here + usize::try_from(attributes).unwrap_or(0);
        let in_scope = guard.scopes.last().unwrap_or(&0) + declared_here;
        guard.scopes.push(in_scope);
        guard.nodes = guard.nodes.saturating_add(1 + parts);
        if guard.scopes.len() > guard.limits.depth {
            return refuse(context, ParseRefusal::TooDeep(guard.limits.depth));
        }
        if guard.nodes > guard.limits.nodes {
            return refuse(context, ParseRefusal::TooManyNodes(guard.limits.nodes));
        }
        if in_scope > guard.limits.namespaces {
            return refuse(context, ParseRefusal::TooManyNamespaces(guard.limits.namespaces));
        }
        // Pairs of prefix and URI.
        for at in 0..declared_here {
            let namespace = *declarations.add(2 * at + 1);
            if !namespace.is_null() && !is_absolute(CStr::from_ptr(namespace.cast()).to_bytes()) {
                return refuse(context, ParseRefusal::RelativeNamespace);
            }
        }
        c::xmlSAX2StartElementNs(context, name, prefix, uri, declared, declarations, attributes, defaulted, values);
    }
}

unsafe extern "C" fn on_end(
    context: *mut c_void,
    name: *const c::xmlChar,
    prefix: *const c::xmlChar,
    uri: *const c::xmlChar,
) {
    unsafe {
        if let Some(guard) = guard(context) {
            guard.scopes.pop();
        }
        c::xmlSAX2EndElementNs(context, name, prefix, uri);
    }
}

/// Whatever libxml2 complains about is a refusal, warnings included.
unsafe extern "C" fn on_error(context: *mut c_void, error: c::xmlErrorPtr) {
    unsafe {
        let code = error.as_ref().map_or(0, |error| error.code);
        refuse(context, refusal_of(c_uint::try_from(code).unwrap_or(0)));
    }
}

fn refusal_of(code: c_uint) -> ParseRefusal {
    match code {
        c::xmlParserErrors_XML_ERR_DOCUMENT_EMPTY => ParseRefusal::Empty,
        c::xmlParserErrors_XML_ERR_DOCUMENT_END => ParseRefusal::TrailingContent,
        c::xmlParserErrors_XML_ERR_TAG_NAME_MISMATCH | c::xmlParserErrors_XML_ERR_TAG_NOT_FINISHED => {
            ParseRefusal::MissingEndTag
        }
        c::xmlParserErrors_XML_ERR_ATTRIBUTE_REDEFINED | c::xmlParserErrors_XML_NS_ERR_ATTRIBUTE_REDEFINED => {
            ParseRefusal::DuplicateAttribute
        }
        c::xmlParserErrors_XML_NS_ERR_UNDEFINED_NAMESPACE => ParseRefusal::UndeclaredPrefix,
        c::xmlParserErrors_XML_NS_ERR_XML_NAMESPACE => ParseRefusal::ReservedNamespace,
        c::xmlParserErrors_XML_WAR_NS_URI | c::xmlParserErrors_XML_WAR_NS_URI_RELATIVE => {
            ParseRefusal::RelativeNamespace
        }
        c::xmlParserErrors_XML_ERR_UNDECLARED_ENTITY | c::xmlParserErrors_XML_WAR_UNDECLARED_ENTITY => {
            ParseRefusal::Entity
        }
        other => ParseRefusal::NotWellFormed(other),
    }
}

/// Empty (the default namespace is switched off), or a scheme, a colon and something
/// more (RFC 3986 section 3), in printable ASCII.
fn is_absolute(uri: &[u8]) -> bool {
    let Some(colon) = uri.iter().position(|&byte| byte == b':') else {
        return uri.is_empty();
    };
    let scheme = &uri[..colon];
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        && uri.len() > colon + 1
        && uri.iter().all(u8::is_ascii_graphic)
}

/// Copies libxml2's tree into ours.
struct TreeReader<'a> {
    elements: &'a mut Vec<*mut c::_xmlNode>,
    namespaces: Vec<Arc<str>>,
    /// libxml2 keeps each name once, so its address tells names apart.
    names: Vec<(*const c::xmlChar, Arc<str>)>,
}

/// Names and namespace names that are shared between elements; more are merely copied.
const SHARED: usize = 32;

impl TreeReader<'_> {
    /// The depth of this recursion is bounded by [`Limits`].
    unsafe fn element(&mut self, node: &c::_xmlNode) -> Option<Element> {
        let index = self.elements.len();
        self.elements.push(std::ptr::from_ref(node).cast_mut());
        let mut element = Element {
            namespace: unsafe { self.namespace(node.ns) },
            name: unsafe { self.name(node.name) }?,
            attributes: Vec::new(),
            nodes: Vec::new(),
            index,
        };
        let mut next = node.properties;
        while let Some(attribute) = unsafe { next.as_ref() } {
            element.attributes.push(Attribute {
                namespace: unsafe { self.namespace(attribute.ns) },
                name: unsafe { self.name(attribute.name) }?,
                value: unsafe { attribute_value(attribute) }?,
            });
            next = attribute.next;
        }
        let mut next = node.children;
        while let Some(child) = unsafe { next.as_ref() } {
            match child.type_ {
                c::xmlElementType_XML_ELEMENT_NODE => {
                    element.nodes.push(Node::Element(unsafe { self.element(child) }?));
                }
                c::xmlElementType_XML_TEXT_NODE => {
                    element.nodes.push(Node::Text(unsafe { text(child.content) }?.into()));
                }
                _ => return None,
            }
            next = child.next;
        }
        Some(element)
    }

    unsafe fn name(&mut self, name: *const c::xmlChar) -> Option<Arc<str>> {
        if let Some((_, known)) = self.names.iter().find(|(address, _)| *address == name) {
            return Some(Arc::clone(known));
        }
        let fresh: Arc<str> = Arc::from(unsafe { text(name) }?);
        if self.names.len() < SHARED {
            self.names.push((name, Arc::clone(&fresh)));
        }
        Some(fresh)
    }

    unsafe fn namespace(&mut self, namespace: *const c::_xmlNs) -> Arc<str> {
        let uri = unsafe { namespace.as_ref().and_then(|namespace| text(namespace.href)) }.unwrap_or_default();
        if let Some(known) = self.namespaces.iter().find(|known| known.as_ref() == uri) {
            return Arc::clone(known);
        }
        let fresh: Arc<str> = Arc::from(uri);
        if self.namespaces.len() < SHARED {
            self.namespaces.push(Arc::clone(&fresh));
        }
        fresh
    }
}

/// The value of an attribute is a list of text nodes.
unsafe fn attribute_value(attribute: &c::_xmlAttr) -> Option<Box<str>> {
    let mut value = String::new();
    let mut next = attribute.children;
    while let Some(part) = unsafe { next.as_ref() } {
        if part.type_ != c::xmlElementType_XML_TEXT_NODE {
            return None;
        }
        if !part.content.is_null() {
            value.push_str(unsafe { text(part.content) }?);
        }
        next = part.next;
    }
    Some(value.into_boxed_str())
}

unsafe fn text<'a>(octets: *const c::xmlChar) -> Option<&'a str> {
    if octets.is_null() {
        return None;
    }
    unsafe { CStr::from_ptr(octets.cast()) }.to_str().ok()
}

// ---------------------------------------------------------------- canonicalization

impl Dom {
    /// Exclusive canonicalization without comments of the element at `index`. `None`
    /// when libxml2 fails or gives nothing.
    pub(super) fn canonicalize(&self, index: usize) -> Option<Vec<u8>> {
        let apex = *self.elements.get(index)?;
        // Nothing of the document is outside its root: no need to ask for each node.
        let apex = (index != 0).then_some(apex);
        self.write(apex, c::xmlC14NMode_XML_C14N_EXCLUSIVE_1_0)
    }

    /// The whole document in canonical form 1.0, which keeps every namespace declaration:
    /// values such as `xs:string` may need them.
    pub(super) fn serialize(&self) -> Option<Vec<u8>> {
        self.write(None, c::xmlC14NMode_XML_C14N_1_0)
    }

    fn write(&self, apex: Option<*mut c::_xmlNode>, mode: c::xmlC14NMode) -> Option<Vec<u8>> {
        quiet_thread();
        let visible: c::xmlC14NIsVisibleCallback = apex.map(|_| is_below as _);
        let mut apex = apex.unwrap_or(null_mut());
        // SAFETY: the output buffer belongs to this call; the callback only follows
        // parent pointers of the living tree up to `apex`.
        unsafe {
            let output = c::xmlAllocOutputBuffer(null_mut());
            if output.is_null() {
                return None;
            }
            let written = c::xmlC14NExecute(
                self.document,
                visible,
                std::ptr::from_mut(&mut apex).cast(),
                mode as c_int,
                null_mut(),
                0,
                output,
            );
            let octets = copy_octets(c::xmlOutputBufferGetContent(output), c::xmlOutputBufferGetSize(output));
            c::xmlOutputBufferClose(output);
            octets.filter(|_| written >= 0)
        }
    }

    /// Puts a copy of another document's root element into this tree, after the
    /// element at `anchor`, or before its first child.
    pub(super) fn insert(&mut self, anchor: usize, place: Insertion, fragment: &Dom) -> Option<()> {
        let anchor = *self.elements.get(anchor)?;
        // SAFETY: the copy belongs to this document once it is linked, and is freed here
        // when it can't be linked.
        unsafe {
            let copy = c::xmlDocCopyNode(c::xmlDocGetRootElement(fragment.document), self.document, 1);
            if copy.is_null() {
                return None;
            }
            let linked = match place {
                Insertion::After => c::xmlAddNextSibling(anchor, copy),
                Insertion::FirstChild if (*anchor).children.is_null() => c::xmlAddChild(anchor, copy),
                Insertion::FirstChild => c::xmlAddPrevSibling((*anchor).children, copy),
            };
            if linked.is_null() {
                c::xmlFreeNode(copy);
                return None;
            }
        }
        Some(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insertion {
    After,
    FirstChild,
}

/// Whether a node is the apex or below it. libxml2 gives attributes and namespaces
/// with their element as `parent`.
unsafe extern "C" fn is_below(apex: *mut c_void, node: c::xmlNodePtr, parent: c::xmlNodePtr) -> c_int {
    unsafe {
        let apex = *apex.cast::<*mut c::_xmlNode>();
        if node == apex {
            return 1;
        }
        let mut above = parent;
        while !above.is_null() {
            if above == apex {
                return 1;
            }
            above = (*above).parent;
        }
        0
    }
}

unsafe fn copy_octets(data: *const u8, length: usize) -> Option<Vec<u8>> {
    if data.is_null() || length == 0 {
        return None;
    }
    Some(unsafe { std::slice::from_raw_parts(data, length) }.to_vec())
}

// ---------------------------------------------------------------- signatures

/// A public key in xmlsec's form.
pub(super) struct XmlsecKey(*mut c::_xmlSecKey);

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
    pub(super) fn from_public_key_der(der: &[u8]) -> Option<Self> {
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
pub(super) enum Outcome {
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
pub(super) struct SignedPart<'a> {
    pub(super) signature: usize,
    pub(super) target: usize,
    pub(super) id: &'a str,
    pub(super) method: SignatureMethod,
    pub(super) digest: DigestMethod,
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
    pub(super) fn verify(&self, part: &SignedPart<'_>, key: &XmlsecKey) -> Outcome {
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
    pub(super) fn would_run(&self, index: usize) -> bool {
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
