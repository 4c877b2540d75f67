//! Matching rules and syntaxes (RFC 4517).

use super::{MatchingRule, Syntax};
use crate::matching::Rule;

const TEXT: &str = "1.3.6.1.4.1.1466.115.121.1.15";
const IA5: &str = "1.3.6.1.4.1.1466.115.121.1.26";
const NUMERIC: &str = "1.3.6.1.4.1.1466.115.121.1.36";
const TELEPHONE: &str = "1.3.6.1.4.1.1466.115.121.1.50";
const NUMBER: &str = "1.3.6.1.4.1.1466.115.121.1.27";
const TRUTH: &str = "1.3.6.1.4.1.1466.115.121.1.7";
const TIME: &str = "1.3.6.1.4.1.1466.115.121.1.24";
const OCTETS: &str = "1.3.6.1.4.1.1466.115.121.1.40";
const NAME: &str = "1.3.6.1.4.1.1466.115.121.1.12";
const NAME_AND_UID: &str = "1.3.6.1.4.1.1466.115.121.1.34";
const OID: &str = "1.3.6.1.4.1.1466.115.121.1.38";
const PIECES: &str = "1.3.6.1.4.1.1466.115.121.1.58";
const POSTAL: &str = "1.3.6.1.4.1.1466.115.121.1.41";
const UUID: &str = "1.3.6.1.1.16.1";

pub static MATCHING_RULES: &[MatchingRule] = &[
    rule("2.5.13.0", "objectIdentifierMatch", OID, Some(Rule::ObjectIdentifier)),
    rule("2.5.13.1", "distinguishedNameMatch", NAME, Some(Rule::DistinguishedName)),
    rule("2.5.13.2", "caseIgnoreMatch", TEXT, Some(Rule::CaseIgnore)),
    rule("2.5.13.3", "caseIgnoreOrderingMatch", TEXT, None),
    rule("2.5.13.4", "caseIgnoreSubstringsMatch", PIECES, None),
    rule("2.5.13.5", "caseExactMatch", TEXT, Some(Rule::CaseExact)),
    rule("2.5.13.6", "caseExactOrderingMatch", TEXT, None),
    rule("2.5.13.7", "caseExactSubstringsMatch", PIECES, None),
    rule("2.5.13.8", "numericStringMatch", NUMERIC, Some(Rule::NumericString)),
    rule("2.5.13.10", "numericStringSubstringsMatch", PIECES, None),
    rule("2.5.13.11", "caseIgnoreListMatch", POSTAL, Some(Rule::CaseIgnore)),
    rule("2.5.13.12", "caseIgnoreListSubstringsMatch", PIECES, None),
    rule("2.5.13.13", "booleanMatch", TRUTH, Some(Rule::Boolean)),
    rule("2.5.13.14", "integerMatch", NUMBER, Some(Rule::Integer)),
    rule("2.5.13.15", "integerOrderingMatch", NUMBER, None),
    rule("2.5.13.17", "octetStringMatch", OCTETS, Some(Rule::OctetString)),
    rule("2.5.13.20", "telephoneNumberMatch", TELEPHONE, Some(Rule::TelephoneNumber)),
    rule("2.5.13.21", "telephoneNumberSubstringsMatch", PIECES, None),
    rule("2.5.13.23", "uniqueMemberMatch", NAME_AND_UID, Some(Rule::UniqueMember)),
    rule("2.5.13.27", "generalizedTimeMatch", TIME, Some(Rule::GeneralizedTime)),
    rule("2.5.13.28", "generalizedTimeOrderingMatch", TIME, None),
    rule("1.3.6.1.4.1.1466.109.114.1", "caseExactIA5Match", IA5, Some(Rule::CaseExactIa5)),
    rule("1.3.6.1.4.1.1466.109.114.2", "caseIgnoreIA5Match", IA5, Some(Rule::CaseIgnoreIa5)),
    rule("1.3.6.1.4.1.1466.109.114.3", "caseIgnoreIA5SubstringsMatch", PIECES, None),
    // Of OpenLDAP: RFC 4517 has none for ASCII that is exact.
    rule("1.3.6.1.4.1.4203.1.2.1", "caseExactIA5SubstringsMatch", PIECES, None),
    rule("1.3.6.1.1.16.2", "UUIDMatch", UUID, Some(Rule::Uuid)),
    rule("1.3.6.1.1.16.3", "UUIDOrderingMatch", UUID, None),
    // Of Active Directory.
    rule("1.2.840.113556.1.4.803", "integerBitAndMatch", NUMBER, Some(Rule::BitAnd)),
    rule("1.2.840.113556.1.4.804", "integerBitOrMatch", NUMBER, Some(Rule::BitOr)),
    rule("1.2.840.113556.1.4.1941", "distinguishedNameInChainMatch", NAME, Some(Rule::InChain)),
];

const fn rule(oid: &'static str, name: &'static str, syntax: &'static str, rule: Option<Rule>) -> MatchingRule {
    MatchingRule { oid, name, syntax, rule }
}

/// OIDs of syntaxes with their descriptions.
pub static SYNTAXES: &[(&str, &str)] = &[
    ("1.3.6.1.4.1.1466.115.121.1.3", "Attribute Type Description"),
    ("1.3.6.1.4.1.1466.115.121.1.6", "Bit String"),
    (TRUTH, "Boolean"),
    ("1.3.6.1.4.1.1466.115.121.1.8", "Certificate"),
    ("1.3.6.1.4.1.1466.115.121.1.11", "Country String"),
    (NAME, "DN"),
    ("1.3.6.1.4.1.1466.115.121.1.14", "Delivery Method"),
    (TEXT, "Directory String"),
    ("1.3.6.1.4.1.1466.115.121.1.22", "Facsimile Telephone Number"),
    ("1.3.6.1.4.1.1466.115.121.1.23", "Fax"),
    (TIME, "Generalized Time"),
    ("1.3.6.1.4.1.1466.115.121.1.25", "Guide"),
    (IA5, "IA5 String"),
    (NUMBER, "INTEGER"),
    ("1.3.6.1.4.1.1466.115.121.1.28", "JPEG"),
    ("1.3.6.1.4.1.1466.115.121.1.30", "Matching Rule Description"),
    ("1.3.6.1.4.1.1466.115.121.1.31", "Matching Rule Use Description"),
    (NAME_AND_UID, "Name And Optional UID"),
    (NUMERIC, "Numeric String"),
    ("1.3.6.1.4.1.1466.115.121.1.37", "Object Class Description"),
    (OID, "OID"),
    (OCTETS, "Octet String"),
    (POSTAL, "Postal Address"),
    (TELEPHONE, "Telephone Number"),
    ("1.3.6.1.4.1.1466.115.121.1.51", "Teletex Terminal Identifier"),
    ("1.3.6.1.4.1.1466.115.121.1.52", "Telex Number"),
    ("1.3.6.1.4.1.1466.115.121.1.54", "LDAP Syntax Description"),
    (PIECES, "Substring Assertion"),
    (UUID, "UUID"),
];

impl Syntax {
    pub fn oid(self) -> &'static str {
        match self {
            Self::Text | Self::ExactText => TEXT,
            Self::Ia5 | Self::ExactIa5 | Self::WholeExactIa5 | Self::Ia5Alone => IA5,
            Self::Telephone => TELEPHONE,
            Self::Numeric => NUMERIC,
            Self::Number => NUMBER,
            Self::Truth => TRUTH,
            Self::Time => TIME,
            Self::Name => NAME,
            Self::NameAndUid => NAME_AND_UID,
            Self::Uuid => UUID,
            Self::Oid => OID,
            Self::Octets | Self::OpaqueOctets => OCTETS,
            Self::Certificate => "1.3.6.1.4.1.1466.115.121.1.8",
            Self::Postal => POSTAL,
            Self::Country => "1.3.6.1.4.1.1466.115.121.1.11",
            Self::Other(oid) => oid,
        }
    }

    /// Names of the rules for equality, order and pieces.
    pub(super) fn rules(self) -> [Option<&'static str>; 3] {
        match self {
            Self::Text | Self::Country => [Some("caseIgnoreMatch"), None, Some("caseIgnoreSubstringsMatch")],
            Self::ExactText => [Some("caseExactMatch"), None, None],
            Self::Ia5 => [Some("caseIgnoreIA5Match"), None, Some("caseIgnoreIA5SubstringsMatch")],
            Self::ExactIa5 => [Some("caseExactIA5Match"), None, Some("caseExactIA5SubstringsMatch")],
            Self::WholeExactIa5 => [Some("caseExactIA5Match"), None, None],
            Self::Telephone => [Some("telephoneNumberMatch"), None, Some("telephoneNumberSubstringsMatch")],
            Self::Numeric => [Some("numericStringMatch"), None, Some("numericStringSubstringsMatch")],
            Self::Number => [Some("integerMatch"), Some("integerOrderingMatch"), None],
            Self::Truth => [Some("booleanMatch"), None, None],
            Self::Time => [Some("generalizedTimeMatch"), Some("generalizedTimeOrderingMatch"), None],
            Self::Name => [Some("distinguishedNameMatch"), None, None],
            Self::NameAndUid => [Some("uniqueMemberMatch"), None, None],
            Self::Uuid => [Some("UUIDMatch"), Some("UUIDOrderingMatch"), None],
            Self::Oid => [Some("objectIdentifierMatch"), None, None],
            Self::Octets => [Some("octetStringMatch"), None, None],
            Self::Postal => [Some("caseIgnoreListMatch"), None, Some("caseIgnoreListSubstringsMatch")],
            Self::Ia5Alone | Self::OpaqueOctets | Self::Certificate | Self::Other(_) => [None; 3],
        }
    }
}
