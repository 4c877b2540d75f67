//! The attributes: RFC 4512, 4519, 4524, 4523, 2798, 2307, 3045, 4530, 5020, and the membership of products.

use super::{AttributeType, Syntax, Usage};

/// Sorted by where they come from.
pub static ATTRIBUTES: &[AttributeType] = &[
    // RFC 4512
    user("2.5.4.0", &["objectClass"], "what kind of entry it is", Syntax::Oid),
    user("2.5.4.1", &["aliasedObjectName", "aliasedEntryName"], "the entry that an alias stands for", Syntax::Name)
        .single(),
    operational("2.5.18.1", &["createTimestamp"], "when the entry was made", Syntax::Time),
    operational("2.5.18.2", &["modifyTimestamp"], "when it was last changed", Syntax::Time),
    operational("2.5.18.3", &["creatorsName"], "who made it", Syntax::Name),
    operational("2.5.18.4", &["modifiersName"], "who changed it last", Syntax::Name),
    operational("2.5.18.9", &["hasSubordinates"], "whether entries lie below it (X.501)", Syntax::Truth),
    operational("2.5.18.10", &["subschemaSubentry"], "where the schema is described", Syntax::Name),
    operational("2.5.21.9", &["structuralObjectClass"], "the class that the entry is of", Syntax::Oid),
    operational(
        "2.5.21.5",
        &["attributeTypes"],
        "attributes of the schema",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.3"),
    )
    .several(),
    operational(
        "2.5.21.6",
        &["objectClasses"],
        "classes of the schema",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.37"),
    )
    .several(),
    operational("2.5.21.4", &["matchingRules"], "rules of the schema", Syntax::Other("1.3.6.1.4.1.1466.115.121.1.30"))
        .several(),
    operational(
        "2.5.21.8",
        &["matchingRuleUse"],
        "what the rules can be used for",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.31"),
    )
    .several(),
    operational(
        "1.3.6.1.4.1.1466.101.120.16",
        &["ldapSyntaxes"],
        "syntaxes of the schema",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.54"),
    )
    .several(),
    server("1.3.6.1.4.1.1466.101.120.5", &["namingContexts"], "the topmost entries of the server", Syntax::Name),
    server("1.3.6.1.4.1.1466.101.120.6", &["altServer"], "other servers", Syntax::Ia5Alone),
    server("1.3.6.1.4.1.1466.101.120.7", &["supportedExtension"], "extended operations of the server", Syntax::Oid),
    server("1.3.6.1.4.1.1466.101.120.13", &["supportedControl"], "controls of the server", Syntax::Oid),
    server(
        "1.3.6.1.4.1.1466.101.120.14",
        &["supportedSASLMechanisms"],
        "SASL mechanisms of the server",
        Syntax::ExactText,
    ),
    server("1.3.6.1.4.1.1466.101.120.15", &["supportedLDAPVersion"], "versions of the protocol", Syntax::Number),
    server("1.3.6.1.4.1.4203.1.3.5", &["supportedFeatures"], "features of the server", Syntax::Oid),
    server("1.3.6.1.1.4", &["vendorName"], "who made the server (RFC 3045)", Syntax::ExactText).single(),
    server("1.3.6.1.1.5", &["vendorVersion"], "which server it is (RFC 3045)", Syntax::ExactText).single(),
    operational("1.3.6.1.1.16.4", &["entryUUID"], "what the entry keeps for its life (RFC 4530)", Syntax::Uuid),
    operational("1.3.6.1.1.20", &["entryDN"], "the name of the entry (RFC 5020)", Syntax::Name),
    server("1.2.840.113556.1.2.102", &["memberOf"], "groups that the entry is a member of", Syntax::Name).fixed(),
    // RFC 4519
    user("2.5.4.41", &["name"], "what others are kinds of", Syntax::Text),
    user("2.5.4.49", &["distinguishedName"], "what others are kinds of", Syntax::Name),
    user("2.5.4.15", &["businessCategory"], "what an organization does", Syntax::Text),
    user("2.5.4.6", &["c", "countryName"], "the two letters of a country", Syntax::Country).sup("name").single(),
    user("2.5.4.3", &["cn", "commonName"], "what an entry is called", Syntax::Text).sup("name"),
    user("0.9.2342.19200300.100.1.25", &["dc", "domainComponent"], "a part of a domain", Syntax::Ia5).single(),
    user("2.5.4.13", &["description"], "words about the entry", Syntax::Text),
    user("2.5.4.27", &["destinationIndicator"], "a destination of telegrams", Syntax::Text),
    user(
        "2.5.4.23",
        &["facsimileTelephoneNumber", "fax"],
        "a number of a fax",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.22"),
    ),
    user("2.5.4.42", &["givenName", "gn"], "a first name", Syntax::Text).sup("name"),
    user("2.5.4.44", &["generationQualifier"], "what stands behind a name", Syntax::Text).sup("name"),
    user("2.5.4.51", &["houseIdentifier"], "a building", Syntax::Text),
    user("2.5.4.43", &["initials"], "the first letters of names", Syntax::Text).sup("name"),
    user("2.5.4.25", &["internationalISDNNumber"], "a number of ISDN", Syntax::Numeric),
    user("2.5.4.7", &["l", "localityName"], "a town", Syntax::Text).sup("name"),
    user("2.5.4.31", &["member"], "a member of a group", Syntax::Name).sup("distinguishedName"),
    user("2.5.4.10", &["o", "organizationName"], "an organization", Syntax::Text).sup("name"),
    user("2.5.4.11", &["ou", "organizationalUnitName"], "a part of an organization", Syntax::Text).sup("name"),
    user("2.5.4.32", &["owner"], "whom it belongs to", Syntax::Name).sup("distinguishedName"),
    user("2.5.4.19", &["physicalDeliveryOfficeName"], "where mail is delivered", Syntax::Text),
    user("2.5.4.16", &["postalAddress"], "an address", Syntax::Postal),
    user("2.5.4.17", &["postalCode"], "the code of a place", Syntax::Text),
    user("2.5.4.18", &["postOfficeBox"], "a box for mail", Syntax::Text),
    user(
        "2.5.4.28",
        &["preferredDeliveryMethod"],
        "how to reach somebody",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.14"),
    )
    .single(),
    user("2.5.4.26", &["registeredAddress"], "an address for mail that is signed for", Syntax::Postal)
        .sup("postalAddress"),
    user("2.5.4.14", &["searchGuide"], "how to search", Syntax::Other("1.3.6.1.4.1.1466.115.121.1.25")),
    user("2.5.4.33", &["roleOccupant"], "who has a role", Syntax::Name).sup("distinguishedName"),
    user("2.5.4.34", &["seeAlso"], "another entry", Syntax::Name).sup("distinguishedName"),
    user("2.5.4.5", &["serialNumber"], "a number of a device", Syntax::Text),
    user("2.5.4.4", &["sn", "surname"], "a family name", Syntax::Text).sup("name"),
    user("2.5.4.8", &["st", "stateOrProvinceName"], "a state or province", Syntax::Text).sup("name"),
    user("2.5.4.9", &["street", "streetAddress"], "a street", Syntax::Text),
    user("2.5.4.20", &["telephoneNumber"], "a number of a telephone", Syntax::Telephone),
    user("2.5.4.22", &["teletexTerminalIdentifier"], "a terminal", Syntax::Other("1.3.6.1.4.1.1466.115.121.1.51")),
    user("2.5.4.21", &["telexNumber"], "a number of telex", Syntax::Other("1.3.6.1.4.1.1466.115.121.1.52")),
    user("2.5.4.12", &["title"], "a position", Syntax::Text).sup("name"),
    user("0.9.2342.19200300.100.1.1", &["uid", "userid"], "the name to log in with", Syntax::Text),
    user("2.5.4.50", &["uniqueMember"], "a member of a group", Syntax::NameAndUid),
    user("2.5.4.35", &["userPassword"], "passwords, which are never shown", Syntax::Octets),
    user("2.5.4.24", &["x121Address"], "an address of X.121", Syntax::Numeric),
    user(
        "2.5.4.45",
        &["x500UniqueIdentifier"],
        "what tells names apart",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.6"),
    ),
    // RFC 4523
    user("2.5.4.36", &["userCertificate"], "a certificate", Syntax::Certificate),
    // RFC 4524
    user("0.9.2342.19200300.100.1.3", &["mail", "rfc822Mailbox"], "an e-mail address", Syntax::Ia5),
    user("0.9.2342.19200300.100.1.6", &["roomNumber"], "a room", Syntax::Text),
    user("0.9.2342.19200300.100.1.10", &["manager"], "whom somebody reports to", Syntax::Name),
    user("0.9.2342.19200300.100.1.9", &["host"], "a computer", Syntax::Text),
    user("0.9.2342.19200300.100.1.20", &["homePhone", "homeTelephoneNumber"], "a telephone at home", Syntax::Telephone),
    user("0.9.2342.19200300.100.1.21", &["secretary"], "who helps somebody", Syntax::Name),
    user("0.9.2342.19200300.100.1.37", &["associatedDomain"], "a domain", Syntax::Ia5),
    user("0.9.2342.19200300.100.1.39", &["homePostalAddress"], "an address at home", Syntax::Postal),
    user(
        "0.9.2342.19200300.100.1.41",
        &["mobile", "mobileTelephoneNumber"],
        "a telephone that is carried",
        Syntax::Telephone,
    ),
    user("0.9.2342.19200300.100.1.42", &["pager", "pagerTelephoneNumber"], "a pager", Syntax::Telephone),
    // RFC 2798
    user("0.9.2342.19200300.100.1.55", &["audio"], "a sound", Syntax::OpaqueOctets),
    user("0.9.2342.19200300.100.1.60", &["jpegPhoto"], "a picture", Syntax::Other("1.3.6.1.4.1.1466.115.121.1.28")),
    user(
        "0.9.2342.19200300.100.1.7",
        &["photo"],
        "a picture of G3 fax",
        Syntax::Other("1.3.6.1.4.1.1466.115.121.1.23"),
    ),
    user("2.16.840.1.113730.3.1.1", &["carLicense"], "the plate of a car", Syntax::Text),
    user("2.16.840.1.113730.3.1.2", &["departmentNumber"], "a department", Syntax::Text),
    user("2.16.840.1.113730.3.1.241", &["displayName"], "the name to show", Syntax::Text).single(),
    user("2.16.840.1.113730.3.1.3", &["employeeNumber"], "a number of an employee", Syntax::Text).single(),
    user("2.16.840.1.113730.3.1.4", &["employeeType"], "a kind of employee", Syntax::Text),
    user("2.16.840.1.113730.3.1.39", &["preferredLanguage"], "a language", Syntax::Text).single(),
    user("2.16.840.1.113730.3.1.40", &["userSMIMECertificate"], "a certificate for mail", Syntax::OpaqueOctets),
    user("2.16.840.1.113730.3.1.216", &["userPKCS12"], "keys of a person", Syntax::OpaqueOctets),
    user("1.3.6.1.4.1.250.1.57", &["labeledURI"], "a page (RFC 2079)", Syntax::ExactText),
    // RFC 2307
    user("1.3.6.1.1.1.1.0", &["uidNumber"], "a number of a user", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.1", &["gidNumber"], "a number of a group", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.2", &["gecos"], "a name without letters of other scripts", Syntax::Ia5).single(),
    user("1.3.6.1.1.1.1.3", &["homeDirectory"], "where files are", Syntax::WholeExactIa5).single(),
    user("1.3.6.1.1.1.1.4", &["loginShell"], "the shell", Syntax::WholeExactIa5).single(),
    user("1.3.6.1.1.1.1.5", &["shadowLastChange"], "the day of the last new password", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.6", &["shadowMin"], "days before a new password", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.7", &["shadowMax"], "days that a password is good", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.8", &["shadowWarning"], "days of warning", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.9", &["shadowInactive"], "days of grace", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.10", &["shadowExpire"], "the day that the account ends", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.11", &["shadowFlag"], "kept for later", Syntax::Number).single(),
    user("1.3.6.1.1.1.1.12", &["memberUid"], "a member of a group, by the name to log in with", Syntax::ExactIa5),
];

const fn user(
    oid: &'static str,
    names: &'static [&'static str],
    description: &'static str,
    syntax: Syntax,
) -> AttributeType {
    AttributeType { oid, names, description, syntax, sup: None, is_single: false, usage: Usage::User, is_fixed: false }
}

/// Of one value that the server makes.
const fn operational(
    oid: &'static str,
    names: &'static [&'static str],
    description: &'static str,
    syntax: Syntax,
) -> AttributeType {
    AttributeType {
        is_single: true,
        usage: Usage::Operational,
        is_fixed: true,
        ..user(oid, names, description, syntax)
    }
}

const fn server(
    oid: &'static str,
    names: &'static [&'static str],
    description: &'static str,
    syntax: Syntax,
) -> AttributeType {
    AttributeType { usage: Usage::OfServer, ..user(oid, names, description, syntax) }
}

impl AttributeType {
    const fn single(mut self) -> Self {
        self.is_single = true;
        self
    }

    /// Of those that clients may change in other servers, too.
    const fn several(mut self) -> Self {
        self.is_single = false;
        self.is_fixed = false;
        self
    }

    const fn fixed(mut self) -> Self {
        self.is_fixed = true;
        self
    }

    const fn sup(mut self, sup: &'static str) -> Self {
        self.sup = Some(sup);
        self
    }
}
