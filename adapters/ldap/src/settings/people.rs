//! `users`: where people are, and how one is found by what was typed.

use fedbridge_contract::password::NameIs;
use fedbridge_contract::reader::Reader;
use fedbridge_ldap_core::{FilterTemplate, Scope};
use serde_json::{Map, Value};

use super::values::{at, dn, is_attribute};
use super::{BindStyle, Users};
use crate::dn_template::{DnTemplate, PLACEHOLDERS};
use crate::flavors::Flavor;

const KEY: &str = "users";

/// What a person shares with whoever has it next.
const NO_KEYS: &[&str] = &["dn", "entrydn", "distinguishedname", "mail", "cn", "displayname", "proxyaddresses"];

/// The styles, before the template is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Search,
    Template,
    Principal,
    DownLevel,
}

pub(super) fn users(reader: &mut Reader, object: &Map<String, Value>, flavor: &Flavor) -> Option<Users> {
    let Some(inner) = reader.map(object, "", KEY) else {
        if object.get(KEY).is_none_or(Value::is_null) {
            reader.complain(KEY, "is missing; give { base: \"ou=people,…\" }");
        }
        return None;
    };
    let known = ["base", "filter", "bind", "dn", "domain", "scope", "key", "attributes", "name_is"];
    reader.only_keys(inner, KEY, &known);
    let base = dn(reader, inner, KEY, "base");
    if inner.get("base").is_none_or(Value::is_null) {
        reader.complain("users.base", "is missing; it is the DN below which people are");
    }
    let styles = [
        ("search", Style::Search),
        ("template", Style::Template),
        ("upn", Style::Principal),
        ("down_level", Style::DownLevel),
    ];
    let style = reader.choice(inner, KEY, "bind", &styles).unwrap_or(Style::Search);
    let bind = bind_style(reader, inner, style);
    let domain = domain(reader, inner, style);
    let filter = filter(reader, inner, style, flavor);
    let scopes = [("sub", Scope::Sub), ("one", Scope::One)];
    let names = [("user_name", NameIs::UserName), ("email", NameIs::Email), ("either", NameIs::UserNameOrEmail)];
    let scope = reader.choice(inner, KEY, "scope", &scopes).unwrap_or(Scope::Sub);
    let name_is = reader.choice(inner, KEY, "name_is", &names).unwrap_or(NameIs::UserName);
    let keys = keys(reader, inner, flavor);
    let attributes = attributes(reader, inner);
    let ((base, base_dn), bind, filter) = (base?, bind?, filter?);
    Some(Users { base, base_dn, scope, filter, bind, domain, keys, attributes, name_is })
}

fn bind_style(reader: &mut Reader, inner: &Map<String, Value>, style: Style) -> Option<BindStyle> {
    let text = reader.text(inner, KEY, "dn");
    match (style, text) {
        (Style::Template, Some(text)) => match DnTemplate::parse(&text) {
            Ok(template) => Some(BindStyle::Template(template)),
            Err((place, why)) => {
                reader.complain("users.dn", format!("at character {}: {why}", place + 1));
                None
            }
        },
        (Style::Template, None) => {
            if inner.get("dn").is_none_or(Value::is_null) {
                reader.complain("users.dn", "is missing; bind: template needs one such as uid={username},ou=people,…");
            }
            None
        }
        (_, Some(_)) => {
            reader.complain("users.dn", "is only of use beside bind: template");
            None
        }
        (Style::Search, None) => Some(BindStyle::Search),
        (Style::Principal, None) => Some(BindStyle::Principal),
        (Style::DownLevel, None) => Some(BindStyle::DownLevel),
    }
}

fn domain(reader: &mut Reader, inner: &Map<String, Value>, style: Style) -> Option<String> {
    let domain = reader.text(inner, KEY, "domain");
    let example = match style {
        Style::Principal => "acme.example",
        Style::DownLevel => "ACME",
        Style::Search | Style::Template => return domain,
    };
    match &domain {
        None if inner.get("domain").is_none_or(Value::is_null) => {
            reader.complain("users.domain", format!("is missing; this bind style needs one such as {example}"));
        }
        Some(domain) if domain.contains(['@', '\\']) || domain.chars().any(char::is_whitespace) => {
            reader.complain("users.domain", format!("is a domain alone, such as {example}"));
        }
        _ => {}
    }
    domain
}

fn filter(reader: &mut Reader, inner: &Map<String, Value>, style: Style, flavor: &Flavor) -> Option<FilterTemplate> {
    let usual = match style {
        Style::Search | Style::Template => flavor.filter,
        Style::Principal => flavor.filter_by_principal,
        Style::DownLevel => flavor.filter_by_account,
    };
    let own = reader.text(inner, KEY, "filter");
    if own.is_some() && style == Style::Template {
        reader.complain("users.filter", "is of no use beside bind: template, which searches for nobody");
    }
    let text = own.as_deref().unwrap_or(usual);
    match FilterTemplate::parse(text, PLACEHOLDERS) {
        Ok(template) if template.uses("username") || template.uses("local") => Some(template),
        Ok(_) => {
            reader.complain("users.filter", "has no {username}, so it would find the same people whatever is typed");
            None
        }
        Err((place, why)) => {
            reader.complain("users.filter", format!("at character {}: {why}", place + 1));
            None
        }
    }
}

fn keys(reader: &mut Reader, inner: &Map<String, Value>, flavor: &Flavor) -> Vec<String> {
    let usual = || flavor.keys.iter().map(|key| (*key).to_owned()).collect();
    let Some(key) = reader.text(inner, KEY, "key") else { return usual() };
    if NO_KEYS.contains(&key.to_ascii_lowercase().as_str()) {
        let better = flavor.keys.join(" or ");
        reader.complain("users.key", format!("{key} can go to another person later; use {better}"));
    } else if !is_attribute(&key) || key.contains(';') {
        reader.complain("users.key", "is not the name of an attribute");
    }
    vec![key]
}

fn attributes(reader: &mut Reader, inner: &Map<String, Value>) -> Vec<String> {
    let names = reader.texts(inner, KEY, "attributes").unwrap_or_default();
    for (place, name) in names.iter().enumerate() {
        if !matches!(name.as_str(), "*" | "+") && !is_attribute(name) {
            reader.complain(&at(KEY, &format!("attributes[{place}]")), "is not the name of an attribute");
        }
    }
    names
}
