//! Secrets of a bridge file: `{ env: NAME }`, `{ file: PATH }`, `{ value: TEXT }` or `{ stored: PATH }`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fedbridge_contract::config::AppKind;
use fedbridge_hub::spec::{Configuration, SecretOwner, SecretValue, TenantConfiguration};
use openssl::sha::sha256;

use crate::settings::complaints::Complaints;

use super::desired::Secrets;
use super::fields::Fields;
use super::node::{Node, NodeValue};

/// The fewest characters of a secret that is only ever compared.
pub const SHORTEST: usize = 32;

/// Reads an environment variable.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

/// How a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Compared only: [`SHORTEST`] characters at least, kept as a hash.
    Hash,
    /// Used towards an upstream: kept sealed, of any length.
    Clear,
}

/// Secrets that the store has already, by their path below the tenant.
#[derive(Default)]
pub struct StoredPaths {
    paths: BTreeMap<String, SecretValue>,
}

impl StoredPaths {
    /// Paths of the tenant that is called `slug` now, or was called `was`.
    pub fn of(configuration: &Configuration, slug: &str, was: Option<&str>) -> Self {
        let find = |name: &str| configuration.tenants.values().find(|tenant| tenant.tenant.spec.slug == name);
        let Some(tenant) = find(slug).or_else(|| was.and_then(find)) else { return Self::default() };
        let paths = tenant
            .secrets
            .iter()
            .filter_map(|secret| Some((stored_path(tenant, secret.owner, &secret.name)?, secret.value.clone())));
        Self { paths: paths.collect() }
    }

    /// A single secret may be named without its index.
    fn find(&self, path: &str) -> Option<&SecretValue> {
        self.paths.get(path).or_else(|| self.paths.get(&format!("{path}/0")))
    }
}

/// `clients/portal/client_secret/0`: how a stored secret is named in a bridge file.
pub fn stored_path(tenant: &TenantConfiguration, owner: SecretOwner, name: &str) -> Option<String> {
    match owner {
        SecretOwner::Connection(id) => {
            let connection = tenant.connections.iter().find(|connection| connection.id == id)?;
            Some(format!("connections/{}/{name}", connection.spec.slug))
        }
        SecretOwner::App(id) => {
            let app = tenant.apps.iter().find(|app| app.id == id)?;
            let list = match app.spec.kind {
                AppKind::LdapApp => "ldap_directory/apps",
                AppKind::ScimApp => "scim_apps",
                AppKind::SignalReceiver => super::signal_receivers::LIST,
                AppKind::OidcClient | AppKind::SamlSp => "clients",
            };
            Some(format!("{list}/{}/{name}", app.spec.name))
        }
    }
}

/// The object that a secret belongs to, as a stored path names it.
pub struct Owner<'a> {
    /// `clients`, `connections`, `scim_apps`, `signal_receivers` or `ldap_directory/apps`.
    pub kind: &'static str,
    pub name: &'a str,
    pub was: Option<&'a str>,
}

/// What secrets are read from.
pub struct Reader<'a> {
    pub env: Environment<'a>,
    pub stored: &'a StoredPaths,
    pub keep: Keep,
    pub owner: Owner<'a>,
}

impl Reader<'_> {
    /// Reads the one secret of a setting into its name.
    pub fn read_one(&self, fields: &mut Fields<'_>, key: &str, secrets: &mut Secrets, complaints: &mut Complaints) {
        if let Some(node) = fields.take(key)
            && let Some(value) = self.secret(node, &fields.path(key), complaints)
        {
            secrets.0.insert(key.to_owned(), value);
        }
    }

    /// Reads `key: SECRET`, or `keys: [SECRET, SECRET]` for rotation, into `key/0` and `key/1`.
    pub fn read(&self, fields: &mut Fields<'_>, key: &str, secrets: &mut Secrets, complaints: &mut Complaints) {
        let plural = format!("{key}s");
        let (one, many) = (fields.take(key), fields.take(&plural));
        let items: Vec<(&Node, String)> = match (one, many) {
            (None, None) => return,
            (Some(one), None) => vec![(one, fields.path(key))],
            (Some(_), Some(many)) => {
                complaints.add(&many.place, fields.path(&plural), format!("`{key}` is there too; keep one of the two"));
                return;
            }
            (None, Some(many)) => match &many.value {
                NodeValue::List(items) if matches!(items.len(), 1 | 2) => items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| (item, format!("{}[{at}]", fields.path(&plural))))
                    .collect(),
                _ => {
                    complaints.add(
                        &many.place,
                        fields.path(&plural),
                        "expected a list of one or two secrets, the older first",
                    );
                    return;
                }
            },
        };
        for (index, (node, path)) in items.into_iter().enumerate() {
            if let Some(value) = self.secret(node, &path, complaints) {
                secrets.0.insert(format!("{key}/{index}"), value);
            }
        }
    }

    fn secret(&self, node: &Node, path: &str, complaints: &mut Complaints) -> Option<SecretValue> {
        let expected = "expected one of { env: NAME }, { file: PATH }, { value: TEXT } or { stored: PATH }";
        let NodeValue::Map(entries) = &node.value else {
            complaints.add(&node.place, path, expected);
            return None;
        };
        let ([entry], Some(text)) = (entries.as_slice(), entries.first().and_then(|entry| entry.node.text())) else {
            complaints.add(&node.place, path, expected);
            return None;
        };
        let secret = match entry.key.as_str() {
            "value" => Ok(text.to_owned()),
            "env" => match (self.env)(text) {
                Some(value) if !value.is_empty() => Ok(value),
                _ => Err(format!("the environment variable {text} is not set")),
            },
            "file" => read_beside(node, text).map(|content| content.trim_end_matches(['\r', '\n']).to_owned()),
            "stored" => return self.stored_secret(node, text, path, complaints),
            _ => Err(expected.to_owned()),
        };
        let secret = secret.map_err(|message| complaints.add(&node.place, path, message)).ok()?;
        match self.keep {
            Keep::Clear if secret.is_empty() => {
                complaints.add(&node.place, path, "the secret is empty");
                None
            }
            Keep::Clear => Some(SecretValue::Clear(secret.into_bytes())),
            Keep::Hash if secret.chars().count() < SHORTEST => {
                let message = format!(
                    "the secret has {} characters and needs at least {SHORTEST}; make one with `openssl rand -hex 32`",
                    secret.chars().count()
                );
                complaints.add(&node.place, path, message);
                None
            }
            Keep::Hash => Some(SecretValue::Hashed(sha256(secret.as_bytes()))),
        }
    }

    fn stored_secret(&self, node: &Node, wanted: &str, path: &str, complaints: &mut Complaints) -> Option<SecretValue> {
        let Owner { kind, name, was } = &self.owner;
        // After a rename the file may still name the old path, or already the new one.
        let renamed = |from: &str, to: &str| {
            wanted.strip_prefix(&format!("{kind}/{from}/")).map(|rest| format!("{kind}/{to}/{rest}"))
        };
        let other = was.and_then(|was| renamed(was, name).or_else(|| renamed(name, was)));
        let found = self.stored.find(wanted).or_else(|| other.as_deref().and_then(|path| self.stored.find(path)));
        match found {
            Some(value) if matches!(value, SecretValue::Hashed(_)) == (self.keep == Keep::Hash) => Some(value.clone()),
            Some(_) => {
                complaints.add(&node.place, path, format!("the stored secret `{wanted}` is of another kind"));
                None
            }
            None => {
                let message =
                    format!("the store has no secret `{wanted}` for this tenant; give it by env, file or value");
                complaints.add(&node.place, path, message);
                None
            }
        }
    }
}

/// Reads a file that the bridge file names, relative to it.
pub fn read_beside(node: &Node, name: &str) -> Result<String, String> {
    let path = beside(node, name);
    std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))
}

/// The same for a file that is no text, up to one octet more than `most`.
pub fn octets_beside(node: &Node, name: &str, most: usize) -> Result<Vec<u8>, String> {
    let path = beside(node, name);
    let mut octets = Vec::new();
    let file = std::fs::File::open(&path);
    let read = file.and_then(|file| file.take(most as u64 + 1).read_to_end(&mut octets));
    read.map(|_| octets).map_err(|error| unreadable(&path, &error))
}

fn beside(node: &Node, name: &str) -> PathBuf {
    Path::new(&*node.place.source).parent().unwrap_or(Path::new("")).join(name)
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("the file {} can't be read: {error}", path.display())
}
