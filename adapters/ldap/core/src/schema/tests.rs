use std::collections::HashSet;

use super::*;

#[test]
fn known_by_any_name_in_any_case() {
    for name in ["cn", "CN", "commonName", "COMMONNAME", "2.5.4.3"] {
        assert_eq!(attribute(name).map(AttributeType::name), Some("cn"), "{name}");
    }
    assert_eq!(attribute("cnn"), None);
    assert_eq!(attribute(""), None);
    assert_eq!(attribute(&"x".repeat(LONGEST)), None);
    assert_eq!(attribute(&"x".repeat(LONGEST + 1)), None);
    assert_eq!(object_class("INETORGPERSON").map(|class| class.oid), Some("2.16.840.1.113730.3.2.2"));
}

#[test]
fn no_name_and_no_oid_is_there_twice() {
    let mut seen = HashSet::new();
    for known in ATTRIBUTES {
        for name in known.names.iter().chain([&known.oid]) {
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
            assert!(name.len() <= LONGEST);
        }
    }
    let mut seen = HashSet::new();
    for known in CLASSES {
        for name in known.names.iter().chain([&known.oid]) {
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
            assert!(name.len() <= LONGEST);
        }
    }
    let mut seen = HashSet::new();
    for known in MATCHING_RULES {
        assert!(seen.insert(known.oid) && seen.insert(known.name), "{}", known.name);
    }
}

#[test]
fn what_is_referred_to_is_there() {
    for known in ATTRIBUTES {
        assert!(known.sup.is_none_or(|sup| attribute(sup).is_some()), "{}", known.name());
        assert!(SYNTAXES.iter().any(|(oid, _)| *oid == known.syntax.oid()), "{}", known.name());
        for rule in known.syntax.rules().into_iter().flatten() {
            assert!(MATCHING_RULES.iter().any(|known| known.name == rule), "{rule}");
        }
        // What is described is what is computed.
        assert_eq!(known.equality().is_some(), known.syntax.rules()[0].is_some(), "{}", known.name());
        assert_eq!(known.equality(), known.syntax.rules()[0].and_then(Rule::named), "{}", known.name());
        assert_eq!(known.ordering().is_some(), known.syntax.rules()[1].is_some(), "{}", known.name());
        assert_eq!(known.substrings().is_some(), known.syntax.rules()[2].is_some(), "{}", known.name());
    }
    for class in CLASSES {
        assert!(class.name() == "top" || object_class(class.sup).is_some(), "{}", class.name());
        for name in class.must.iter().chain(class.may) {
            assert!(attribute(name).is_some(), "{} of {}", name, class.name());
        }
    }
    for rule in MATCHING_RULES {
        assert!(SYNTAXES.iter().any(|(oid, _)| *oid == rule.syntax), "{}", rule.name);
    }
}

#[test]
fn how_values_are_compared() {
    let rule = |name| attribute(name).unwrap().equality();
    for name in ["uid", "cn", "sn", "displayName"] {
        assert_eq!(rule(name), Some(Rule::CaseIgnore), "{name}");
    }
    assert_eq!(rule("mail"), Some(Rule::CaseIgnoreIa5));
    for name in ["homeDirectory", "memberUid", "loginShell"] {
        assert_eq!(rule(name), Some(Rule::CaseExactIa5), "{name}");
    }
    assert_eq!(rule("uidNumber"), Some(Rule::Integer));
    assert_eq!(attribute("uidNumber").unwrap().ordering(), Some(Rule::Integer));
    assert_eq!(rule("jpegPhoto"), None);
    for name in ["member", "homeDirectory", "loginShell", "labeledURI"] {
        assert_eq!(attribute(name).unwrap().substrings(), None, "{name}");
    }
    assert_eq!(attribute("memberUid").unwrap().substrings(), Some(Rule::CaseExactIa5));
}

#[test]
fn subtypes() {
    let a = |name| attribute(name).unwrap();
    assert!(a("cn").is_a(a("name")) && a("sn").is_a(a("name")) && a("cn").is_a(a("cn")));
    assert!(!a("name").is_a(a("cn")) && !a("uid").is_a(a("name")));
    assert!(a("registeredAddress").is_a(a("postalAddress")));
}

#[test]
fn descriptions() {
    let has = |all: Vec<String>, text: &str| {
        assert!(all.iter().any(|one| one == text), "{text}\nis not in\n{}", all.join("\n"))
    };
    has(
        attribute_types(),
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'what an entry is called' SUP name EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    );
    has(
        attribute_types(),
        "( 1.3.6.1.1.16.4 NAME 'entryUUID' DESC 'what the entry keeps for its life (RFC 4530)' EQUALITY UUIDMatch ORDERING UUIDOrderingMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    );
    has(
        object_classes(PosixGroups::Rfc2307bis),
        "( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY MUST gidNumber MAY ( userPassword $ memberUid $ description ) )",
    );
    has(
        object_classes(PosixGroups::Rfc2307),
        "( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top STRUCTURAL MUST ( cn $ gidNumber ) MAY ( userPassword $ memberUid $ description ) )",
    );
    has(
        object_classes(PosixGroups::Rfc2307),
        "( 2.5.6.0 NAME 'top' DESC 'what every class comes from' ABSTRACT MUST objectClass )",
    );
    has(matching_rules(), "( 2.5.13.2 NAME 'caseIgnoreMatch' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )");
    has(ldap_syntaxes(), "( 1.3.6.1.4.1.1466.115.121.1.12 DESC 'DN' )");
    for text in attribute_types().iter().chain(&object_classes(PosixGroups::Rfc2307)) {
        assert_eq!(text.matches('\'').count() % 2, 0, "{text}");
        assert_eq!(text.matches('(').count(), text.matches(')').count(), "{text}");
    }
}
