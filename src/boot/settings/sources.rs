//! Where settings come from: one table of keys, three sources.

use std::collections::BTreeMap;
use std::path::Path;

use fedbridge_contract::text::{nearest, nearest_within};
use toml::de::{DeTable, DeValue};

use super::complaints::{Complaints, Place};

/// A variable that differs in so many letters from a known one is a slip of the pen.
const SLIP: usize = 2;

/// A setting with its names.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// In the file: `http.listen`. The flag is `--http-listen`.
    pub name: &'static str,
    pub environment: &'static str,
    /// A path, a list and so on, for `--help`.
    pub help: &'static str,
}

/// All keys. `FEDBRIDGE_MASTER_KEY` has a row of its own: it is the key itself, and has no place in a file.
pub const KEYS: &[Key] = &[
    Key { name: "base_url", environment: "FEDBRIDGE_BASE_URL", help: "public address" },
    Key { name: "http.listen", environment: "FEDBRIDGE_HTTP_LISTEN", help: "IP:PORT" },
    Key { name: "http.tls_cert", environment: "FEDBRIDGE_HTTP_TLS_CERT", help: "PEM file" },
    Key { name: "http.tls_key", environment: "FEDBRIDGE_HTTP_TLS_KEY", help: "PEM file" },
    Key { name: "http.trusted_proxies", environment: "FEDBRIDGE_HTTP_TRUSTED_PROXIES", help: "networks" },
    Key { name: "ldap.listen", environment: "FEDBRIDGE_LDAP_LISTEN", help: "IP:PORT" },
    Key { name: "ldap.tls_listen", environment: "FEDBRIDGE_LDAP_TLS_LISTEN", help: "IP:PORT" },
    Key { name: "ldap.tls_cert", environment: "FEDBRIDGE_LDAP_TLS_CERT", help: "PEM file" },
    Key { name: "ldap.tls_key", environment: "FEDBRIDGE_LDAP_TLS_KEY", help: "PEM file" },
    Key { name: "ldap.require_tls", environment: "FEDBRIDGE_LDAP_REQUIRE_TLS", help: "true or false" },
    Key {
        name: "ldap.trusted_proxies",
        environment: "FEDBRIDGE_LDAP_TRUSTED_PROXIES",
        help: "addresses or networks that send PROXY headers (version 2)",
    },
    Key {
        name: "ldap.client_ca",
        environment: "FEDBRIDGE_LDAP_CLIENT_CA",
        help: "PEM file: CAs of client certificates",
    },
    Key { name: "ldap.max_connections", environment: "FEDBRIDGE_LDAP_MAX_CONNECTIONS", help: "a number" },
    Key { name: "ldap.max_per_address", environment: "FEDBRIDGE_LDAP_MAX_PER_ADDRESS", help: "a number" },
    Key {
        name: "ldap.idle",
        environment: "FEDBRIDGE_LDAP_IDLE",
        help: "a duration; then a connection without an operation is closed",
    },
    Key { name: "management.listen", environment: "FEDBRIDGE_MANAGEMENT_LISTEN", help: "IP:PORT" },
    Key { name: "database.url", environment: "FEDBRIDGE_DATABASE_URL", help: "sqlite:// or postgres://" },
    Key { name: "master_key_file", environment: "FEDBRIDGE_MASTER_KEY_FILE", help: "file" },
    Key { name: "egress.allow_loopback", environment: "FEDBRIDGE_EGRESS_ALLOW_LOOPBACK", help: "true or false" },
    Key { name: "egress.max_per_partner", environment: "FEDBRIDGE_EGRESS_MAX_PER_PARTNER", help: "number" },
    Key { name: "egress.max", environment: "FEDBRIDGE_EGRESS_MAX", help: "number" },
    Key { name: "revocation.poll", environment: "FEDBRIDGE_REVOCATION_POLL", help: "duration" },
    Key { name: "revocation.lease", environment: "FEDBRIDGE_REVOCATION_LEASE", help: "duration" },
    Key { name: "revocation.notify", environment: "FEDBRIDGE_REVOCATION_NOTIFY", help: "true or false" },
    Key { name: "limits.failures_per_ip", environment: "FEDBRIDGE_LIMITS_FAILURES_PER_IP", help: "N/min" },
    Key { name: "limits.failures_per_account", environment: "FEDBRIDGE_LIMITS_FAILURES_PER_ACCOUNT", help: "N/min" },
    Key { name: "traces.keep", environment: "FEDBRIDGE_TRACES_KEEP", help: "duration" },
    Key { name: "log.format", environment: "FEDBRIDGE_LOG_FORMAT", help: "text or json" },
    Key { name: "log.level", environment: "FEDBRIDGE_LOG", help: "level or filter" },
];

const MASTER_KEY: (&str, &str) = ("master_key", "FEDBRIDGE_MASTER_KEY");

/// The path of the settings file, read by the command line itself.
const CONFIG: &str = "FEDBRIDGE_CONFIG";

/// A setting given as a flag.
#[derive(Debug, Clone)]
pub struct FlagValue {
    /// As in [`Key::name`].
    pub key: &'static str,
    pub value: String,
}

#[derive(Debug, Clone)]
pub(super) struct Given {
    pub value: Raw,
    pub place: Place,
    /// It came from a file that has types.
    pub typed: bool,
    pub from_flag: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Raw {
    Text(String),
    Flag(bool),
    List(Vec<String>),
    Number(i64),
    Other(&'static str),
}

impl Raw {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Number(_) => "a number",
            Self::Other(kind) => kind,
        }
    }
}

/// What was given, by key; a later source replaces an earlier one.
#[derive(Default)]
pub(super) struct Values {
    given: BTreeMap<String, Given>,
}

impl Values {
    pub(super) fn get(&self, key: &str) -> Option<Given> {
        self.given.get(key).cloned()
    }

    pub(super) fn add_file(&mut self, path: &Path, complaints: &mut Complaints) {
        let source = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                complaints.add(&Place::whole(source), "", format!("the settings file can't be read: {error}"));
                return;
            }
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            complaints.add(&Place::new(source.as_str(), line), "", one_line(error.message()));
        }
        self.add_table("", table.get_ref(), &text, &source, complaints);
    }

    fn add_table(&mut self, prefix: &str, table: &DeTable<'_>, text: &str, source: &str, complaints: &mut Complaints) {
        for (key, value) in table {
            let name =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            let place = Place::new(source, line_of(text, key.span().start));
            let known = KEYS.iter().any(|key| key.name == name);
            let group = KEYS.iter().any(|key| key.name.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('.')));
            match value.get_ref() {
                DeValue::Table(inner) if group || !known && !inner.is_empty() => {
                    self.add_table(&name, inner, text, source, complaints);
                }
                _ if !known => {
                    let hint = nearest(&name, KEYS.iter().map(|key| key.name));
                    let hint = hint.map_or_else(String::new, |near| format!("; the nearest known one is `{near}`"));
                    complaints.add(&place, &name, format!("unknown setting{hint}"));
                }
                value => {
                    let given = Given { value: raw(value), place, typed: true, from_flag: false };
                    self.given.insert(name, given);
                }
            }
        }
    }

    /// An empty variable counts as absent. Other programs set variables of this prefix too (a
    /// Kubernetes service named fedbridge does), so an unknown one only warns where it looks like a slip.
    pub(super) fn add_environment(&mut self, env: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
        let names = || KEYS.iter().map(|key| (key.name, key.environment)).chain([MASTER_KEY]);
        let mut warnings = Vec::new();
        for (variable, value) in env {
            if !variable.starts_with("FEDBRIDGE_") || variable == CONFIG {
                continue;
            }
            if let Some((name, _)) = names().find(|(_, known)| *known == variable) {
                if !value.is_empty() {
                    let place = Place::whole(format!("environment variable {variable}"));
                    let given = Given { value: Raw::Text(value), place, typed: false, from_flag: false };
                    self.given.insert(name.to_owned(), given);
                }
            } else if let Some(near) = nearest_within(&variable, SLIP, names().map(|(_, known)| known)) {
                warnings.push(format!("the environment variable {variable} is unknown and ignored; is it {near}?"));
            }
        }
        warnings.sort();
        warnings
    }

    pub(super) fn add_flags(&mut self, flags: &[FlagValue]) {
        for flag in flags {
            let place = Place::whole(format!("--{}", flag.key.replace(['.', '_'], "-")));
            let given = Given { value: Raw::Text(flag.value.clone()), place, typed: false, from_flag: true };
            self.given.insert(flag.key.to_owned(), given);
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(value) => Raw::Flag(*value),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Raw::Other("a list with something else than text"), Raw::List)
        }
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other("a number"), Raw::Number)
        }
        DeValue::Float(_) => Raw::Other("a number"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}
