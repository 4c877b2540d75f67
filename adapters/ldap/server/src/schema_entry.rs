//! The subschema entry (RFC 4512 section 4.2): what the entries here obey.

use std::sync::{Arc, LazyLock};

use fedbridge_ldap_core::schema::{self, PosixGroups};
use openssl::sha::sha256;

use crate::catalogue::Catalogue;
use crate::fixed::Fixed;

/// Its DN.
pub const SUBSCHEMA: &str = "cn=Subschema";

/// Classes that differ here from how the RFCs have them. A group is called by every name that old apps look for, so
/// all but one of its classes stand beside it; and it is there before somebody is in it.
const GROUP_CLASSES: &[(&str, &str)] = &[
    (
        "( 2.5.6.9 ",
        "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST cn \
         MAY ( member $ businessCategory $ seeAlso $ owner $ ou $ o $ description ) )",
    ),
    (
        "( 2.5.6.17 ",
        "( 2.5.6.17 NAME 'groupOfUniqueNames' SUP top AUXILIARY MUST cn \
         MAY ( uniqueMember $ businessCategory $ seeAlso $ owner $ ou $ o $ description ) )",
    ),
];

/// `catalogue`: attributes of a tenant's own are described, too. It is made once for each state of them.
pub fn entry(catalogue: Option<&Catalogue>) -> Arc<Fixed> {
    static BARE: LazyLock<Arc<Fixed>> = LazyLock::new(|| Arc::new(made(None)));
    Arc::clone(match catalogue {
        None => &BARE,
        Some(catalogue) => catalogue.subschema(|catalogue| made(Some(catalogue))),
    })
}

fn made(catalogue: Option<&Catalogue>) -> Fixed {
    let mut classes = schema::object_classes(PosixGroups::Rfc2307bis);
    for class in &mut classes {
        if let Some((_, own)) = GROUP_CLASSES.iter().find(|(start, _)| class.starts_with(start)) {
            *class = (*own).to_owned();
        }
    }
    let mut types = schema::attribute_types();
    if let Some(catalogue) = catalogue {
        types.extend(catalogue.own().filter(|id| catalogue.kind(*id).is_none()).map(|id| own_type(catalogue.name(id))));
    }
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Fixed::new(
        SUBSCHEMA,
        vec![
            ("objectClass", texts(&["top", "subentry", "subschema", "extensibleObject"])),
            ("cn", texts(&["Subschema"])),
            ("structuralObjectClass", texts(&["subentry"])),
            ("subschemaSubentry", texts(&[SUBSCHEMA])),
            ("entryDN", texts(&[SUBSCHEMA])),
            ("attributeTypes", types),
            ("objectClasses", classes),
            ("matchingRules", schema::matching_rules()),
            ("ldapSyntaxes", schema::ldap_syntaxes()),
        ],
    )
}

/// A claim of a tenant's own is a text that is compared without case.
fn own_type(name: &str) -> String {
    format!(
        "( {} NAME '{name}' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        own_oid(name)
    )
}

/// An OID below the arc of UUIDs (ITU-T X.667), the same for a name everywhere.
fn own_oid(name: &str) -> String {
    let digest = sha256(name.to_ascii_lowercase().as_bytes());
    let mut octets = [0; 16];
    octets.copy_from_slice(&digest[..16]);
    format!("2.25.{}", uuid::Builder::from_custom_bytes(octets).into_uuid().as_u128())
}
