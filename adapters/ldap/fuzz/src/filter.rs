//! Reads filters both ways, fills templates, and compares values with what filters say.

use fedbridge_ldap_core::matching::Rule;
use fedbridge_ldap_core::{Filter, FilterTemplate, Substrings, schema};

/// The name of the placeholder.
const NAME: &str = "username";

/// The first line is a filter, the rest what somebody typed. The octets are a filter too, perhaps.
///
/// # Panics
/// A filter changes on its way, or what was typed has become more than a value.
pub fn check(octets: &[u8]) {
    if let Ok(filter) = Filter::decode(octets) {
        assert_eq!(Filter::decode(&filter.encode()).as_ref(), Ok(&filter), "other octets");
        let _ = (filter.print(), filter.shape());
        evaluate(&filter, octets);
    }
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let (text, typed) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(filter) = Filter::parse(text) {
        assert_eq!(Filter::parse(&filter.print()).as_ref(), Ok(&filter), "another text: {}", filter.print());
        // An empty value of a piece can't be written in text, so there is none.
        assert_eq!(Filter::decode(&filter.encode()).as_ref(), Ok(&filter), "other octets");
        evaluate(&filter, typed.as_bytes());
    }
    if let Ok(template) = FilterTemplate::parse(text, &[NAME]) {
        let filled = template.fill(&[(NAME, typed)]);
        let other = template.fill(&[(NAME, "somebody")]);
        assert_eq!(filled.shape(), other.shape(), "what was typed is more than a value");
        if !template.uses(NAME) {
            assert_eq!(filled, other);
        }
        if !typed.is_empty() {
            assert_eq!(Filter::parse(&filled.print()), Ok(filled), "another text");
        }
    }
}

/// Asks of a value whatever the filter asks, by the rules of its attributes.
fn evaluate(filter: &Filter, value: &[u8]) {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().for_each(|filter| evaluate(filter, value)),
        Filter::Not(filter) => evaluate(filter, value),
        Filter::Present(_) => {}
        Filter::Equal(name, assertion) | Filter::Approximately(name, assertion) => {
            compare(schema::attribute(name).and_then(|known| known.equality()), value, assertion);
        }
        Filter::AtLeast(name, assertion) | Filter::AtMost(name, assertion) => {
            compare(schema::attribute(name).and_then(|known| known.ordering()), value, assertion);
        }
        Filter::Substrings(name, pieces) => substrings(name, pieces, value),
        Filter::Extensible { rule, value: assertion, .. } => {
            compare(rule.as_deref().and_then(Rule::named), value, assertion);
        }
    }
}

fn compare(rule: Option<Rule>, value: &[u8], assertion: &[u8]) {
    let Some(rule) = rule else { return };
    let Some(prepared) = rule.prepare(assertion) else { return };
    assert_ne!(rule.holds(&prepared, &prepared), Some(false).filter(|_| rule != Rule::BitOr), "unlike itself");
    if let Some(value) = rule.prepare(value) {
        let order = rule.order(&value, &prepared);
        assert_eq!(order, rule.order(&prepared, &value).map(std::cmp::Ordering::reverse), "both come first");
        let _ = rule.holds(&value, &prepared);
    }
}

fn substrings(name: &str, pieces: &Substrings, value: &[u8]) {
    let Some(rule) = schema::attribute(name).and_then(|known| known.substrings()) else { return };
    if let (Some(pieces), Some(value)) = (rule.prepare_pieces(pieces), rule.prepare(value)) {
        let _ = pieces.are_in(&value);
    }
}
