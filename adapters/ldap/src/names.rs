//! What was typed as a name, as the connection's style understands it. A backslash, an `@` or a DN in it means something
//! only where the style says so.

use fedbridge_ldap_core::Filter;

use crate::settings::{BindStyle, Users};

/// The longest name that is looked for, in octets.
const MAX_NAME: usize = 256;

/// Who is meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed {
    /// Whoever the filter finds.
    Found(Filter),
    /// Whoever is there: the DN of a template.
    At(String),
}

/// Reads a name.
///
/// # Errors
/// Why it can't be one of this connection, for the trace.
pub fn read(users: &Users, name: &str) -> Result<Typed, String> {
    if name.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if name.len() > MAX_NAME {
        return Err(format!("it has {} octets, and {MAX_NAME} at most are looked for", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err("it has a control character".to_owned());
    }
    let parts = match &users.bind {
        BindStyle::Search | BindStyle::Template(_) => Parts::plain(name, users.domain.as_deref()),
        BindStyle::Principal => Parts::principal(name, users.domain.as_deref())?,
        BindStyle::DownLevel => Parts::down_level(name, users.domain.as_deref())?,
    };
    let value = |place: &str| match place {
        "local" => parts.local.clone(),
        "domain" => parts.domain.clone(),
        _ => parts.username.clone(),
    };
    match &users.bind {
        BindStyle::Template(template) => Ok(Typed::At(template.fill(value))),
        _ => Ok(Typed::Found(users.filter.fill(&[
            ("username", parts.username.as_str()),
            ("local", parts.local.as_str()),
            ("domain", parts.domain.as_str()),
        ]))),
    }
}

/// What the placeholders of templates stand for.
struct Parts {
    username: String,
    local: String,
    domain: String,
}

impl Parts {
    /// As it was typed; an `@` divides it for `{local}` and `{domain}` alone.
    fn plain(name: &str, configured: Option<&str>) -> Self {
        let (local, domain) = name.rsplit_once('@').unwrap_or((name, configured.unwrap_or_default()));
        Self { username: name.to_owned(), local: local.to_owned(), domain: domain.to_owned() }
    }

    /// `user@domain`, or the user alone where the connection has a domain.
    fn principal(name: &str, configured: Option<&str>) -> Result<Self, String> {
        let (local, domain) = match name.rsplit_once('@') {
            Some((local, domain)) => (local, same_domain(domain, configured)?),
            None => (name, configured.unwrap_or_default()),
        };
        if local.is_empty() || local.contains(['@', '\\']) {
            return Err(format!("`{local}` is no user name in front of @{domain}"));
        }
        Ok(Self { username: format!("{local}@{domain}"), local: local.to_owned(), domain: domain.to_owned() })
    }

    /// `DOMAIN\user`, or the user alone where the connection has a domain.
    fn down_level(name: &str, configured: Option<&str>) -> Result<Self, String> {
        let (domain, user) = match name.split_once('\\') {
            Some((domain, user)) => (same_domain(domain, configured)?, user),
            None => (configured.unwrap_or_default(), name),
        };
        if user.is_empty() || user.contains(['@', '\\']) {
            return Err(format!("`{user}` is no user name behind {domain}\\"));
        }
        Ok(Self { username: user.to_owned(), local: user.to_owned(), domain: domain.to_owned() })
    }
}

fn same_domain<'a>(typed: &str, configured: Option<&'a str>) -> Result<&'a str, String> {
    let same = configured.filter(|domain| domain.eq_ignore_ascii_case(typed));
    same.ok_or_else(|| format!("the domain `{typed}` is not that of the connection, {}", configured.unwrap_or("none")))
}
