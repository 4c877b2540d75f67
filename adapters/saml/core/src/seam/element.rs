//! A plain, owned XML tree: what libxml2 read, without libxml2's types.

use std::sync::Arc;

/// One element. Comments and processing instructions are never in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) nodes: Vec<Node>,
    /// Position among the document's elements, in document order from 0.
    pub(super) index: usize,
}

/// One attribute; namespace declarations are not attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Namespace URI, empty for an attribute without a prefix.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub value: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Element(Element),
    Text(Box<str>),
}

/// An element does not hold the kind of content that was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    #[error("an element is where only text may be")]
    ElementInText,
    #[error("text is where only elements may be")]
    TextBetweenElements,
}

impl Element {
    /// Namespace URI, empty when the element is in no namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is(&self, namespace: &str, name: &str) -> bool {
        &*self.name == name && &*self.namespace == namespace
    }

    /// Value of an attribute that is in no namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_ns("", name)
    }

    pub fn attribute_ns(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| &*attribute.name == name && &*attribute.namespace == namespace)
            .map(|attribute| &*attribute.value)
    }

    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Child elements, in order. Text between them is passed over.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child element of that name.
    pub fn child(&self, namespace: &str, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.is(namespace, name))
    }

    /// The text of an element that has no child elements. Empty when it has no
    /// content. The text is one piece: libxml2 joins character data, and nothing
    /// else can stand inside it.
    pub fn only_text(&self) -> Result<&str, ContentError> {
        match self.nodes.as_slice() {
            [] => Ok(""),
            [Node::Text(text)] => Ok(text),
            _ => Err(ContentError::ElementInText),
        }
    }

    /// Child elements of an element that holds nothing else but white space.
    pub fn only_elements(&self) -> Result<Vec<&Element>, ContentError> {
        self.nodes
            .iter()
            .filter_map(|node| match node {
                Node::Element(element) => Some(Ok(element)),
                Node::Text(text) if text.bytes().all(is_xml_space) => None,
                Node::Text(_) => Some(Err(ContentError::TextBetweenElements)),
            })
            .collect()
    }

    /// This element and all below it, in document order.
    pub fn descendants(&self) -> impl Iterator<Item = &Element> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            let first_child = waiting.len();
            waiting.extend(next.elements());
            waiting[first_child..].reverse();
            Some(next)
        })
    }

    /// The only child element of that name.
    pub(super) fn only_child(&self, namespace: &str, name: &str) -> Option<&Element> {
        let mut found = self.elements().filter(|element| element.is(namespace, name));
        let only = found.next()?;
        found.next().is_none().then_some(only)
    }

    /// Whether `other` is this very element or one below it (by identity).
    pub(super) fn holds(&self, other: &Element) -> bool {
        self.descendants().any(|element| std::ptr::eq(element, other))
    }
}

/// White space as XML 1.0 section 2.3 has it.
pub(super) fn is_xml_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
