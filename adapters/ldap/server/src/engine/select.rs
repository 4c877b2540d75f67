//! What of an entry goes out (RFC 4511 section 4.5.1.8, RFC 3673).

use bytes::{Bytes, BytesMut};

use super::node::{Node, is_at_hand};
use crate::access::{Kind, Reader};
use crate::catalogue::{AttributeId, Catalogue, Meaning};
use crate::entry::{partial_attribute, search_result_entry};

/// The attributes that a search wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// `*`, or nothing named at all.
    user: bool,
    /// `+`
    operational: bool,
    named: Vec<AttributeId>,
    types_only: bool,
}

impl Selection {
    /// Names that nobody knows are left out, and so is `1.1`, which stands for nothing.
    pub fn of(wanted: &[String], types_only: bool, catalogue: &Catalogue) -> Self {
        let has = |word: &str| wanted.iter().any(|wanted| wanted == word);
        let mut named = Vec::new();
        for description in wanted {
            if let Meaning::These(ids) = catalogue.meaning(description) {
                named.extend(ids);
            }
        }
        // However often a client names one.
        named.sort_unstable();
        named.dedup();
        Self { user: wanted.is_empty() || has("*"), operational: has("+"), named, types_only }
    }

    /// Whether of a person more goes out than is kept of everybody.
    pub fn needs_the_whole(&self, reader: &Reader<'_>) -> bool {
        let catalogue = &*reader.index.catalogue;
        let goes_out = |id| self.wants(id, catalogue) && reader.may_read(id, Kind::Person);
        catalogue.all().any(|id| !is_at_hand(id) && goes_out(id))
    }

    /// The SearchResultEntry.
    pub fn entry(&self, node: Node<'_>, reader: &Reader<'_>) -> Bytes {
        let (kind, catalogue) = (node.kind(), &*reader.index.catalogue);
        let wanted = |id| self.wants(id, catalogue) && reader.may_read(id, kind);
        let mut attributes = BytesMut::with_capacity(512);
        let mut made = BytesMut::new();
        for id in node.made().filter(|id| wanted(*id)) {
            if self.types_only {
                self.name_alone(id, node.has(id, reader), catalogue, &mut attributes);
            } else if id == AttributeId::OBJECT_CLASS {
                let classes = node.classes(&reader.index.layout).iter().map(|class| class.as_bytes());
                partial_attribute(catalogue.name(id), classes, &mut attributes);
            } else if node.held(id).is_none() {
                node.write(id, reader, &mut made);
            }
        }
        for held in node.kept().filter(|held| wanted(held.id)) {
            if self.types_only {
                let is_named = node.made().any(|id| id == held.id);
                self.name_alone(held.id, !is_named, catalogue, &mut attributes);
            } else {
                attributes.extend_from_slice(held.element);
            }
        }
        attributes.extend_from_slice(&made);
        search_result_entry(&node.dn(&reader.index.layout), &attributes)
    }

    fn name_alone(&self, id: AttributeId, has: bool, catalogue: &Catalogue, into: &mut BytesMut) {
        if has {
            partial_attribute(catalogue.name(id), [], into);
        }
    }

    fn wants(&self, id: AttributeId, catalogue: &Catalogue) -> bool {
        self.named.contains(&id) || if catalogue.is_operational(id) { self.operational } else { self.user }
    }
}
