//! A tenant's directory: read from the bridge file's `ldap_directory`, and written back.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::ldap_directory::{
    GroupSchema, LdapDirectory, PassThroughRule, PeopleMayRead, PersonRdn, Posix,
};
use fedbridge_contract::reader::Reader;
use fedbridge_contract::text::written_duration;
use fedbridge_ldap_core::Dn;
use serde_json::{Map, Value, json};

use super::DIRECTORY_FIELDS;

/// The longest that a right password may be remembered.
const LONGEST_CACHE: Duration = Duration::from_secs(60);

/// RFC 2307 numbers are signed 32-bit integers at most clients; the highest are `nobody` at some.
const HIGHEST_NUMBER: u64 = 2_147_483_000;

const MOST_ENTRIES: u64 = 1_000_000;

/// Octets of entries in memory: a TiB is no limit any more.
const MOST_MEMORY: u64 = 1 << 40;

/// What a tenant's directory says of itself. One that shows nothing has the defaults.
pub(crate) fn directory_of(tenant: &Tenant) -> Arc<LdapDirectory> {
    tenant.settings.ldap.clone().unwrap_or_default()
}

/// Reads the directory of the tenant with this slug.
///
/// # Errors
/// Everything that is wrong; paths are relative to `ldap_directory`.
pub fn read_directory(value: &Value, slug: &str) -> Result<LdapDirectory, Vec<Complaint>> {
    let mut reader = Reader::new();
    let empty = Map::new();
    let object = value.as_object().unwrap_or_else(|| {
        reader.complain("", "expected a map");
        &empty
    });
    let names: Vec<_> = DIRECTORY_FIELDS.iter().map(|field| field.name).collect();
    reader.only_keys(object, "", &names);
    let usual = LdapDirectory::default();
    let posix = [("off", Posix::Off), ("allocate", Posix::Allocate), ("upstream", Posix::Upstream)];
    let readers = [("self", PeopleMayRead::Themselves), ("all", PeopleMayRead::All)];
    let schemas = [("rfc2307bis", GroupSchema::Rfc2307bis), ("rfc2307", GroupSchema::Rfc2307)];
    let rdns = [("uid", PersonRdn::Uid), ("entryUUID", PersonRdn::EntryUuid)];
    let (size_limit, time_limit, max_connections, memory) = limits(&mut reader, object, &usual);
    let directory = LdapDirectory {
        base_dn: base_dn(&mut reader, object).unwrap_or_else(|| format!("dc={slug},dc=fedbridge")),
        password_connections: reader.texts(object, "", "password_connections").unwrap_or_default(),
        posix: reader.choice(object, "", "posix", &posix).unwrap_or_default(),
        people_may_read: reader.choice(object, "", "people_may_read", &readers).unwrap_or_default(),
        password_modify: reader.boolean(object, "", "password_modify").unwrap_or(usual.password_modify),
        pass_through: pass_through(&mut reader, object),
        schema: reader.choice(object, "", "schema", &schemas).unwrap_or_default(),
        uid_range: uid_range(&mut reader, object).unwrap_or(usual.uid_range),
        private_groups: reader.boolean(object, "", "private_groups").unwrap_or(usual.private_groups),
        rdn: reader.choice(object, "", "rdn", &rdns).unwrap_or_default(),
        server_names: server_names(&mut reader, object),
        failure_deadline: failure_deadline(&mut reader, object).unwrap_or(usual.failure_deadline),
        bind_cache: bind_cache(&mut reader, object).unwrap_or(usual.bind_cache),
        size_limit,
        time_limit,
        max_connections,
        memory,
    };
    reader.finish(directory)
}

/// The keys of the bridge file that make this directory; what is usual is left out, but for the base DN.
pub fn write_directory(directory: &LdapDirectory) -> Map<String, Value> {
    let usual = LdapDirectory::default();
    let mut out = Map::new();
    let mut put = |key: &str, value: Value, is_usual: bool| {
        if !is_usual {
            out.insert(key.to_owned(), value);
        }
    };
    let word = |value: Result<Value, serde_json::Error>| value.unwrap_or_default();
    let LdapDirectory { uid_range: (first, last), failure_deadline, bind_cache, time_limit, .. } = directory;
    put("base_dn", json!(directory.base_dn), false);
    put("password_connections", json!(directory.password_connections), directory.password_connections.is_empty());
    put("posix", word(serde_json::to_value(directory.posix)), directory.posix == usual.posix);
    let may_read = word(serde_json::to_value(directory.people_may_read));
    put("people_may_read", may_read, directory.people_may_read == usual.people_may_read);
    put("password_modify", json!(directory.password_modify), directory.password_modify == usual.password_modify);
    put("pass_through", word(serde_json::to_value(&directory.pass_through)), directory.pass_through.is_empty());
    put("schema", word(serde_json::to_value(directory.schema)), directory.schema == usual.schema);
    put("uid_range", json!([first, last]), directory.uid_range == usual.uid_range);
    put("private_groups", json!(directory.private_groups), directory.private_groups == usual.private_groups);
    put("rdn", word(serde_json::to_value(directory.rdn)), directory.rdn == usual.rdn);
    put("server_names", json!(directory.server_names), directory.server_names.is_empty());
    let deadline = json!(written_duration(*failure_deadline));
    put("failure_deadline", deadline, *failure_deadline == usual.failure_deadline);
    let cache = if bind_cache.is_zero() { json!("off") } else { json!(written_duration(*bind_cache)) };
    put("bind_cache", cache, *bind_cache == usual.bind_cache);
    let limits = json!({
        "size": directory.size_limit, "time": written_duration(*time_limit), "connections": directory.max_connections,
        "memory": directory.memory,
    });
    let theirs = |directory: &LdapDirectory| {
        (directory.size_limit, directory.time_limit, directory.max_connections, directory.memory)
    };
    put("limits", limits, theirs(directory) == theirs(&usual));
    out
}

/// Whether one base DN is the other, or lies below it: then it could not be told whose directory is meant.
pub fn bases_clash(one: &str, other: &str) -> bool {
    match (Dn::parse(one), Dn::parse(other)) {
        (Ok(one), Ok(other)) => one.is_under(&other) || other.is_under(&one),
        _ => false,
    }
}

fn base_dn(reader: &mut Reader, object: &Map<String, Value>) -> Option<String> {
    let text = reader.text(object, "", "base_dn")?;
    match dn(&text) {
        Ok(base) if base.rdns.is_empty() => reader.complain("base_dn", "is empty; every directory has a base"),
        Ok(_) => {}
        Err(message) => reader.complain("base_dn", message),
    }
    Some(text)
}

/// What is wrong with a DN, in the words of a complaint.
pub(super) fn dn(text: &str) -> Result<Dn, String> {
    Dn::parse(text).map_err(|at| format!("`{text}` is not a DN: see character {}", at + 1))
}

fn pass_through(reader: &mut Reader, object: &Map<String, Value>) -> Vec<PassThroughRule> {
    let Some(list) = object.get("pass_through").filter(|value| !value.is_null()) else { return Vec::new() };
    let Some(items) = list.as_array() else {
        reader.complain("pass_through", fedbridge_contract::text::expected("a list", list));
        return Vec::new();
    };
    let mut rules = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("pass_through[{index}]");
        let Some(item) = item.as_object() else {
            reader.complain(&path, fedbridge_contract::text::expected("a map", item));
            continue;
        };
        reader.only_keys(item, &path, &["connection", "base", "at"]);
        let mut required = |key: &str| {
            let there = item.get(key).is_some_and(|value| !value.is_null());
            if !there {
                reader.complain(&format!("{path}.{key}"), "missing; it is required");
            }
            reader.text(item, &path, key)
        };
        let (connection, base, at) = (required("connection"), required("base"), required("at"));
        if let Some(Err(message)) = base.as_deref().map(dn) {
            reader.complain(&format!("{path}.base"), message);
        }
        match at.as_deref().map(dn) {
            Some(Err(message)) => reader.complain(&format!("{path}.at"), message),
            Some(Ok(at)) if is_ours(&at) => {
                reader.complain(&format!("{path}.at"), "the directory has entries of its own there");
            }
            _ => {}
        }
        if let (Some(connection), Some(base), Some(at)) = (connection, base, at) {
            rules.push(PassThroughRule { connection, base, at });
        }
    }
    rules
}

/// The containers that the directory makes itself.
fn is_ours(at: &Dn) -> bool {
    let topmost = at.rdns.last().and_then(|rdn| rdn.first());
    let own = |value: &[u8]| ["people", "groups", "apps"].iter().any(|own| value == own.as_bytes());
    topmost.is_none_or(|ava| ava.attribute == "ou" && own(&ava.value))
}

fn uid_range(reader: &mut Reader, object: &Map<String, Value>) -> Option<(u32, u32)> {
    let value = object.get("uid_range").filter(|value| !value.is_null())?;
    let number = |value: &Value| {
        let number = value.as_u64().filter(|number| (1..=HIGHEST_NUMBER).contains(number))?;
        u32::try_from(number).ok()
    };
    let range = match value.as_array().map(Vec::as_slice) {
        Some([first, last]) => number(first).zip(number(last)).filter(|(first, last)| first <= last),
        _ => None,
    };
    if range.is_none() {
        let message = format!("expected two numbers from 1 to {HIGHEST_NUMBER}, the lower first: [100000, 999999]");
        reader.complain("uid_range", message);
    }
    range
}

fn server_names(reader: &mut Reader, object: &Map<String, Value>) -> Vec<String> {
    let names = reader.texts(object, "", "server_names").unwrap_or_default();
    names.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect()
}

fn failure_deadline(reader: &mut Reader, object: &Map<String, Value>) -> Option<Duration> {
    let deadline = reader.duration(object, "", "failure_deadline")?;
    if !(Duration::from_millis(10)..=Duration::from_secs(10)).contains(&deadline) {
        reader.complain("failure_deadline", "expected a duration from 10ms to 10s");
    }
    Some(deadline)
}

fn bind_cache(reader: &mut Reader, object: &Map<String, Value>) -> Option<Duration> {
    if object.get("bind_cache").is_some_and(|value| value == "off" || value == false) {
        return Some(Duration::ZERO);
    }
    let cache = reader.duration(object, "", "bind_cache")?;
    if cache > LONGEST_CACHE {
        reader.complain("bind_cache", "a right password is remembered for 60s at most");
    }
    Some(cache)
}

fn limits(reader: &mut Reader, object: &Map<String, Value>, usual: &LdapDirectory) -> (u32, Duration, u32, u64) {
    let usual = (usual.size_limit, usual.time_limit, usual.max_connections, usual.memory);
    let Some(limits) = reader.map(object, "", "limits") else { return usual };
    reader.only_keys(limits, "limits", &["size", "time", "connections", "memory"]);
    let mut number = |key: &str, usual: u32| {
        let number = reader.number(limits, "limits", key, (1, MOST_ENTRIES));
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(usual)
    };
    let (size, connections) = (number("size", usual.0), number("connections", usual.2));
    let memory = reader.number(limits, "limits", "memory", (0, MOST_MEMORY)).unwrap_or(usual.3);
    (size, reader.duration(limits, "limits", "time").unwrap_or(usual.1), connections, memory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_directory_has_a_base_by_its_tenant() {
        let directory = read_directory(&json!({}), "acme").unwrap();
        let want = LdapDirectory { base_dn: "dc=acme,dc=fedbridge".into(), ..LdapDirectory::default() };
        assert_eq!(directory, want);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let whole = json!({
            "base_dn": "dc=acme,dc=example", "password_connections": ["corp-ad"], "posix": "allocate",
            "people_may_read": "all", "password_modify": true,
            "pass_through": [{ "connection": "corp-ad", "base": "ou=printers,dc=ad", "at": "ou=printers" }],
            "schema": "rfc2307", "uid_range": [5000, 6000], "private_groups": true,
            "rdn": "entryUUID", "server_names": ["ldap.acme.example"], "failure_deadline": "40ms",
            "bind_cache": "off", "limits": { "size": 10, "time": "5s", "connections": 7, "memory": 0 },
        });
        let directory = read_directory(&whole, "acme").unwrap();
        assert_eq!(Value::Object(write_directory(&directory)), whole);
        let usual = read_directory(&json!({}), "acme").unwrap();
        assert_eq!(Value::Object(write_directory(&usual)), json!({ "base_dn": "dc=acme,dc=fedbridge" }));
    }

    #[test]
    fn every_mistake_is_named() {
        let found = read_directory(
            &json!({
                "base_dn": "acme", "bas_dn": 1, "posix": "alocate",
                "pass_through": [{ "connection": "ad", "base": "x", "at": "ou=people" }, { "base": "dc=a" }, 7],
                "uid_range": [10, 5], "bind_cache": "61s", "failure_deadline": "0s", "limits": { "size": 0, "memory": "1GB" },
            }),
            "acme",
        );
        let found: Vec<_> = found.unwrap_err().iter().map(ToString::to_string).collect();
        for want in [
            "bas_dn: unknown key; the nearest known one is `base_dn`",
            "base_dn: `acme` is not a DN",
            "posix: expected off, allocate or upstream, found `alocate`",
            "pass_through[0].base: `x` is not a DN",
            "pass_through[0].at: the directory has entries of its own there",
            "pass_through[1].connection: missing",
            "pass_through[1].at: missing",
            "pass_through[2]: expected a map",
            "uid_range: expected two numbers",
            "bind_cache: a right password is remembered for 60s at most",
            "failure_deadline: expected a duration from 10ms to 10s",
            "limits.size: expected a number from 1 to 1000000, found 0",
            "limits.memory: expected a number from 0 to 1099511627776, found",
        ] {
            assert!(found.iter().any(|found| found.starts_with(want)), "{want}: {found:#?}");
        }
        assert_eq!(found.len(), 13, "{found:#?}");
    }

    #[test]
    fn bases_that_hold_each_other_clash() {
        assert!(bases_clash("dc=acme,dc=example", "DC=Acme, dc=example"));
        assert!(bases_clash("dc=example", "dc=acme,dc=example"));
        assert!(!bases_clash("dc=acme,dc=example", "dc=globex,dc=example"));
    }
}
