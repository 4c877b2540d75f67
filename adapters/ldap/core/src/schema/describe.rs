//! The schema as a subschema entry shows it (RFC 4512 section 4.1).

use std::fmt::Write as _;

use super::{ATTRIBUTES, AttributeType, CLASSES, Kind, MATCHING_RULES, ObjectClass, PosixGroups, SYNTAXES, Usage};

/// Values of `attributeTypes`.
pub fn attribute_types() -> Vec<String> {
    ATTRIBUTES.iter().map(attribute_type).collect()
}

/// Values of `objectClasses`.
pub fn object_classes(groups: PosixGroups) -> Vec<String> {
    CLASSES.iter().map(|class| object_class(class, groups)).collect()
}

/// Values of `matchingRules`.
pub fn matching_rules() -> Vec<String> {
    let one = |rule: &super::MatchingRule| format!("( {} NAME '{}' SYNTAX {} )", rule.oid, rule.name, rule.syntax);
    MATCHING_RULES.iter().map(one).collect()
}

/// Values of `ldapSyntaxes`.
pub fn ldap_syntaxes() -> Vec<String> {
    SYNTAXES.iter().map(|(oid, description)| format!("( {oid} DESC '{description}' )")).collect()
}

fn attribute_type(of: &AttributeType) -> String {
    let mut text = head(of.oid, of.names, of.description);
    if let Some(sup) = of.sup {
        let _ = write!(text, " SUP {sup}");
    }
    for (word, rule) in ["EQUALITY", "ORDERING", "SUBSTR"].into_iter().zip(of.syntax.rules()) {
        if let Some(rule) = rule {
            let _ = write!(text, " {word} {rule}");
        }
    }
    let _ = write!(text, " SYNTAX {}", of.syntax.oid());
    if of.is_single {
        text.push_str(" SINGLE-VALUE");
    }
    if of.is_fixed {
        text.push_str(" NO-USER-MODIFICATION");
    }
    match of.usage {
        Usage::User => {}
        Usage::Operational => text.push_str(" USAGE directoryOperation"),
        Usage::OfServer => text.push_str(" USAGE dSAOperation"),
    }
    text.push_str(" )");
    text
}

fn object_class(of: &ObjectClass, groups: PosixGroups) -> String {
    let is_alone = of.name() == "posixGroup" && groups == PosixGroups::Rfc2307;
    let kind = if is_alone { Kind::Structural } else { of.kind };
    let must: Vec<_> = is_alone.then_some("cn").into_iter().chain(of.must.iter().copied()).collect();
    let mut text = head(of.oid, of.names, of.description);
    if !of.sup.is_empty() {
        let _ = write!(text, " SUP {}", of.sup);
    }
    text.push_str(match kind {
        Kind::Abstract => " ABSTRACT",
        Kind::Structural => " STRUCTURAL",
        Kind::Auxiliary => " AUXILIARY",
    });
    names(" MUST", &must, &mut text);
    names(" MAY", of.may, &mut text);
    text.push_str(" )");
    text
}

fn head(oid: &str, names: &[&str], description: &str) -> String {
    let mut text = format!("( {oid} NAME ");
    match names {
        [name] => {
            let _ = write!(text, "'{name}'");
        }
        names => {
            let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
            let _ = write!(text, "( {} )", quoted.join(" "));
        }
    }
    if !description.is_empty() {
        let _ = write!(text, " DESC '{description}'");
    }
    text
}

fn names(word: &str, names: &[&str], text: &mut String) {
    match names {
        [] => {}
        [name] => {
            let _ = write!(text, "{word} {name}");
        }
        names => {
            let _ = write!(text, "{word} ( {} )", names.join(" $ "));
        }
    }
}
