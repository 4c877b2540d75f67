//! Filters as people read them.

use std::fmt::Write as _;

use super::parse::is_of_name;
use super::{Filter, Substrings};

pub fn filter(filter: &Filter) -> String {
    let mut into = String::new();
    print(filter, &value, &mut into);
    into
}

pub fn shape(filter: &Filter) -> String {
    let mut into = String::new();
    print(filter, &|_, into: &mut String| into.push('?'), &mut into);
    into
}

fn print(filter: &Filter, value: &dyn Fn(&[u8], &mut String), into: &mut String) {
    let list = |kind, filters: &[Filter], into: &mut String| {
        into.push(kind);
        for filter in filters {
            print(filter, value, into);
        }
    };
    let item = |attribute: &str, kind, octets: &[u8], into: &mut String| {
        name(attribute, into);
        into.push_str(kind);
        value(octets, into);
    };
    into.push('(');
    match filter {
        Filter::And(filters) => list('&', filters, into),
        Filter::Or(filters) => list('|', filters, into),
        Filter::Not(filter) => {
            into.push('!');
            print(filter, value, into);
        }
        Filter::Equal(attribute, octets) => item(attribute, "=", octets, into),
        Filter::AtLeast(attribute, octets) => item(attribute, ">=", octets, into),
        Filter::AtMost(attribute, octets) => item(attribute, "<=", octets, into),
        Filter::Approximately(attribute, octets) => item(attribute, "~=", octets, into),
        Filter::Present(attribute) => {
            name(attribute, into);
            into.push_str("=*");
        }
        Filter::Substrings(attribute, pieces) => {
            name(attribute, into);
            into.push('=');
            substrings(pieces, value, into);
        }
        Filter::Extensible { rule, attribute, value: octets, dn_attributes } => {
            name(attribute.as_deref().unwrap_or_default(), into);
            if *dn_attributes {
                into.push_str(":dn");
            }
            if let Some(rule) = rule {
                into.push(':');
                name(rule, into);
            }
            into.push_str(":=");
            value(octets, into);
        }
    }
    into.push(')');
}

fn substrings(pieces: &Substrings, value: &dyn Fn(&[u8], &mut String), into: &mut String) {
    if let Some(first) = &pieces.first {
        value(first, into);
    }
    into.push('*');
    for any in &pieces.any {
        value(any, into);
        into.push('*');
    }
    if let Some(last) = &pieces.last {
        value(last, into);
    }
}

/// Letters of any script stay as they are; what has a meaning in filters or can't be seen is escaped.
fn value(octets: &[u8], into: &mut String) {
    for chunk in octets.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || matches!(letter, '(' | ')' | '*' | '\\') {
                escape(letter.encode_utf8(&mut [0; 4]).as_bytes(), into);
            } else {
                into.push(letter);
            }
        }
        escape(chunk.invalid(), into);
    }
}

fn name(name: &str, into: &mut String) {
    for octet in name.bytes() {
        if is_of_name(octet) {
            into.push(char::from(octet));
        } else {
            escape(&[octet], into);
        }
    }
}

fn escape(octets: &[u8], into: &mut String) {
    for octet in octets {
        let _ = write!(into, "\\{octet:02x}");
    }
}
