//! libxml2: from octets to a tree, and back to canonical octets.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use super::super::element::{Attribute, Element, Node};
use super::super::limits::{Comments, Limits, ParseRefusal};
use super::{c, copy_octets, quiet_thread, text};

/// libxml2's tree of one document.
pub(in crate::seam) struct Dom {
    pub(super) document: *mut c::_xmlDoc,
    /// The elements in document order; [`Element::index`] is a position in here.
    pub(super) elements: Vec<*mut c::_xmlNode>,
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
    pub(in crate::seam) fn parse(octets: &[u8], limits: Limits) -> Result<(Self, Element), ParseRefusal> {
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

    pub(in crate::seam) fn element_count(&self) -> usize {
        self.elements.len()
    }

    fn read_tree(&mut self) -> Option<Element> {
        // SAFETY: the document is alive and this thread's own.
        unsafe {
            let root = c::xmlDocGetRootElement(self.document);
            let mut reader = TreeReader {
                elements: &mut self.elements,
                namespaces: vec![Arc::from("")],
                names: Vec::new(),
                latest: (null(), Arc::from("")),
            };
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

/// Notes the first reason and stops the parser. Stopping frees the octets that are being read: a callback
/// must return without another look at its arguments.
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
///
/// It complains in the middle of its work, and reads on in the octets afterwards: of an `xml:id` that is no
/// name, for one, before it copies the attributes behind it. So nothing may be freed here, as `xmlStopParser`
/// does; it is only told that it is at the end, and calls none of the callbacks that build a tree.
unsafe extern "C" fn on_error(context: *mut c_void, error: c::xmlErrorPtr) {
    unsafe {
        let code = error.as_ref().map_or(0, |error| error.code);
        let reason = refusal_of(c_uint::try_from(code).unwrap_or(0));
        if let Some(guard) = guard(context) {
            guard.refusal.get_or_insert(reason);
        }
        if let Some(parser) = context.cast::<c::_xmlParserCtxt>().as_mut() {
            parser.disableSAX = 1;
            parser.instate = c::xmlParserInputState_XML_PARSER_EOF;
        }
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
    /// The declaration that was read last, while the tree lives at one place: an element mostly has
    /// its parent's namespace.
    latest: (*const c::_xmlNs, Arc<str>),
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
            attributes: Vec::with_capacity(unsafe { count(node.properties, |attribute| attribute.next) }),
            nodes: Vec::with_capacity(unsafe { count(node.children, |child| child.next) }),
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
        if self.latest.0 != namespace {
            self.latest = (namespace, unsafe { self.namespace_name(namespace) });
        }
        Arc::clone(&self.latest.1)
    }

    unsafe fn namespace_name(&mut self, namespace: *const c::_xmlNs) -> Arc<str> {
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

/// The length of one of libxml2's lists.
unsafe fn count<T>(first: *const T, next: impl Fn(&T) -> *mut T) -> usize {
    let mut number = 0;
    let mut at = first;
    while let Some(item) = unsafe { at.as_ref() } {
        number += 1;
        at = next(item);
    }
    number
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

// ---------------------------------------------------------------- canonicalization

impl Dom {
    /// Exclusive canonicalization without comments of the element at `index`. `None`
    /// when libxml2 fails or gives nothing.
    pub(in crate::seam) fn canonicalize(&self, index: usize) -> Option<Vec<u8>> {
        let apex = *self.elements.get(index)?;
        // Nothing of the document is outside its root: no need to ask for each node.
        let apex = (index != 0).then_some(apex);
        self.write(apex, c::xmlC14NMode_XML_C14N_EXCLUSIVE_1_0)
    }

    /// The whole document in canonical form 1.0, which keeps every namespace declaration:
    /// values such as `xs:string` may need them.
    pub(in crate::seam) fn serialize(&self) -> Option<Vec<u8>> {
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
    pub(in crate::seam) fn insert(&mut self, anchor: usize, place: Insertion, fragment: &Dom) -> Option<()> {
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
pub(in crate::seam) enum Insertion {
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
