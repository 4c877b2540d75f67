//! A parsed document that nobody has vouched for yet.

use std::collections::HashSet;

use super::element::Element;
use super::ffi;
use super::limits::{Limits, ParseRefusal, RepeatedIds, gate};
use super::{SeamError, init};

/// A document as libxml2 read it. Its content is a claim, good for routing and for
/// the audit trail; trusted data comes from [`super::VerifiedElement`] alone.
///
/// Not `Send`: it holds libxml2's tree.
pub struct UnverifiedDocument {
    pub(super) dom: ffi::Dom,
    pub(super) root: Element,
    pub(super) limits: Limits,
}

impl UnverifiedDocument {
    /// Parses without recovery, network, DTD or entities, within `limits`.
    pub fn parse(octets: &[u8], limits: Limits) -> Result<Self, ParseRefusal> {
        init().map_err(|_| ParseRefusal::Library)?;
        let (dom, root) = ffi::Dom::parse(gate(octets, limits)?, limits)?;
        let document = Self { dom, root, limits };
        if limits.repeated_ids == RepeatedIds::Refused {
            document.check_ids()?;
        }
        Ok(document)
    }

    /// The root element, unverified.
    pub fn unverified_root(&self) -> &Element {
        &self.root
    }

    /// Exclusive canonicalization without comments of one element and all in it
    /// (xml-exc-c14n section 3).
    pub fn canonicalize(&self, element: &Element) -> Result<Vec<u8>, SeamError> {
        if !self.holds(element) {
            return Err(SeamError::NotInDocument);
        }
        self.dom.canonicalize(element.index).ok_or(SeamError::Canonicalization)
    }

    /// Whether `element` belongs to this document's tree. Elements of another
    /// document must not be looked up by their position in this one.
    pub(super) fn holds(&self, element: &Element) -> bool {
        self.root.holds(element)
    }

    /// An ID is an un-namespaced attribute, and no two are alike in the whole
    /// document, whatever element carries them (XML 1.0 section 3.3.1, validity constraint ID).
    pub(super) fn check_ids(&self) -> Result<(), ParseRefusal> {
        let mut seen = HashSet::new();
        for attribute in self.root.descendants().flat_map(Element::attributes) {
            if !attribute.name.eq_ignore_ascii_case("id") {
                continue;
            }
            if !attribute.namespace.is_empty() {
                return Err(ParseRefusal::NamespacedId);
            }
            if !seen.insert(&*attribute.value) {
                return Err(ParseRefusal::DuplicateId);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for UnverifiedDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedDocument").field("root", &self.root.name).finish_non_exhaustive()
    }
}
