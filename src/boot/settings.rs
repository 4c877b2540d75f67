//! Process settings: a `fedbridge.toml`, the environment, then flags; the later wins.
//!
//! Every key is listed in [`sources::KEYS`]. All mistakes of all sources come back together.

pub mod complaints;
mod ldap;
mod sources;
pub mod values;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use url::Url;

use complaints::Complaints;
use fedbridge_contract::loopback::is_loopback_site;
use fedbridge_web::Network;
pub use ldap::LdapSettings;
pub use sources::{FlagValue, KEYS, Key};
use sources::{Raw, Values};
use values::Rate;

use crate::egress::Bounds;

/// The settings of one process, all of them valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The public address, without a path and without a trailing slash.
    pub base_url: String,
    pub http: HttpSettings,
    pub ldap: LdapSettings,
    /// `/livez`, `/readyz`, `/metrics`.
    pub management_listen: SocketAddr,
    pub database_url: DatabaseUrl,
    pub master_key: MasterKeySource,
    /// Plain http and loopback targets are allowed for fetches.
    pub egress_allow_loopback: bool,
    /// How many calls to partners may be under way.
    pub egress_bounds: Bounds,
    pub revocation: RevocationSettings,
    pub failures_per_ip: Rate,
    pub failures_per_account: Rate,
    /// How long recorded logins are kept.
    pub traces_keep: Duration,
    /// `None`: text on a terminal, else JSON.
    pub log_format: Option<LogFormat>,
    /// A filter of `tracing`, such as `info` or `fedbridge=debug`.
    pub log_level: String,
    /// Sentences for standard error: likely typing mistakes that change nothing.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    pub tls: Option<TlsFiles>,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: Vec<Network>,
}

/// PEM files of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// How a node hears of kills and of new configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationSettings {
    /// How often the database is asked without a signal.
    pub poll: Duration,
    /// How long a node that hears nothing goes on. After that it refuses.
    pub lease: Duration,
    /// Whether it listens for signals, where the database has them.
    pub notify: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A database address. It may carry a password, so it never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of an SQLite file; `None` for a server.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").map(|rest| Path::new(rest.split('?').next().unwrap_or(rest)))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split("://").next().unwrap_or_default())?;
        f.write_str("://…")
    }
}

/// Where the master key comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    /// A file, made at first start.
    File(PathBuf),
    /// The key itself, from `FEDBRIDGE_MASTER_KEY`.
    Given([u8; 32]),
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Given(_) => f.write_str("Given(…)"),
        }
    }
}

impl Settings {
    /// Reads the settings. `env` gives all environment variables.
    pub fn read(
        config: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: &[FlagValue],
    ) -> Result<Self, Complaints> {
        let mut complaints = Complaints::new();
        let mut values = Values::default();
        if let Some(path) = config {
            values.add_file(path, &mut complaints);
        }
        let warnings = values.add_environment(env);
        values.add_flags(flags);
        let mut reader = Reader { values, complaints };
        let settings = reader.settings(warnings);
        reader.complaints.or(settings)
    }
}

struct Reader {
    values: Values,
    complaints: Complaints,
}

impl Reader {
    /// `None` where a value is wrong; what is wrong is then among the complaints.
    fn settings(&mut self, warnings: Vec<String>) -> Option<Settings> {
        let base_url = self.value("base_url", "http://127.0.0.1:8080", base_url);
        let listen = self.value("http.listen", "127.0.0.1:8080", address);
        let tls = self.tls_files("http.tls_cert", "http.tls_key");
        let trusted_proxies = self.networks("http.trusted_proxies");
        let ldap = self.ldap();
        let management_listen = self.value("management.listen", "127.0.0.1:9090", address);
        let database_url = self.value("database.url", "sqlite://data/fedbridge.db", database_url);
        let master_key = self.master_key();
        let egress_allow_loopback = self.flag("egress.allow_loopback", false);
        let egress_bounds = self.egress_bounds();
        let revocation = self.revocation();
        let failures_per_ip = self.value("limits.failures_per_ip", "60/min", Rate::parse);
        let failures_per_account = self.value("limits.failures_per_account", "10/min", Rate::parse);
        let traces_keep = self.value("traces.keep", "30d", values::duration);
        let log_format = self.log_format();
        let log_level = self.value("log.level", "info", log_level);
        Some(Settings {
            base_url: base_url?,
            http: HttpSettings { listen: listen?, tls: tls?, trusted_proxies: trusted_proxies? },
            ldap: ldap?,
            management_listen: management_listen?,
            database_url: database_url?,
            master_key: master_key?,
            egress_allow_loopback: egress_allow_loopback?,
            egress_bounds: egress_bounds?,
            revocation: revocation?,
            failures_per_ip: failures_per_ip?,
            failures_per_account: failures_per_account?,
            traces_keep: traces_keep?,
            log_format: log_format?,
            log_level: log_level?,
            warnings,
        })
    }

    fn value<T>(&mut self, key: &str, default: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let Some(raw) = self.values.get(key) else {
            return parse(default).ok();
        };
        let parsed = match &raw.value {
            Raw::Text(text) => parse(text.trim()),
            other => Err(format!("expected text in quotes, found {}", other.kind())),
        };
        parsed.map_err(|message| self.complaints.add(&raw.place, key, message)).ok()
    }

    fn flag(&mut self, key: &str, default: bool) -> Option<bool> {
        let Some(raw) = self.values.get(key) else {
            return Some(default);
        };
        match &raw.value {
            Raw::Flag(value) => Some(*value),
            Raw::Text(text) if !raw.typed && text == "true" => Some(true),
            Raw::Text(text) if !raw.typed && text == "false" => Some(false),
            _ => {
                self.complaints.add(&raw.place, key, "expected true or false");
                None
            }
        }
    }

    fn egress_bounds(&mut self) -> Option<Bounds> {
        let per_partner = self.count("egress.max_per_partner", 8, 1000);
        let whole = self.count("egress.max", 256, 10_000);
        let (per_partner, whole) = (per_partner?, whole?);
        if whole < per_partner {
            let given = self.values.get("egress.max").or_else(|| self.values.get("egress.max_per_partner"));
            let message = format!("one partner may have {per_partner} calls, so all of them need as many at least");
            given.iter().for_each(|given| self.complaints.add(&given.place, "egress.max", &message));
            return None;
        }
        Some(Bounds { per_partner, whole })
    }

    /// A number of things, one at least.
    fn count(&mut self, key: &str, default: usize, most: usize) -> Option<usize> {
        let Some(raw) = self.values.get(key) else {
            return Some(default);
        };
        let number = match &raw.value {
            Raw::Number(number) => usize::try_from(*number).ok(),
            Raw::Text(text) if !raw.typed => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.complaints.add(&raw.place, key, format!("expected a number from 1 to {most}"));
        }
        number
    }

    fn revocation(&mut self) -> Option<RevocationSettings> {
        let between = |text: &str, least: Duration, most: Duration| {
            let time = values::duration(text)?;
            let wrong = || format!("`{text}` is out of bounds; write a duration from {least:?} to {most:?}");
            if (least..=most).contains(&time) { Ok(time) } else { Err(wrong()) }
        };
        let (ten_ms, second, minute) = (Duration::from_millis(10), Duration::from_secs(1), Duration::from_secs(60));
        let poll = self.value("revocation.poll", "50ms", |text| between(text, ten_ms, second));
        let lease = self.value("revocation.lease", "1s", |text| between(text, ten_ms * 4, minute));
        let notify = self.flag("revocation.notify", true);
        let (poll, lease) = (poll?, lease?);
        if lease < poll * 4 {
            let given = self.values.get("revocation.lease").or_else(|| self.values.get("revocation.poll"));
            let message = format!("the lease of {lease:?} is shorter than four polls of {poll:?} each");
            given.iter().for_each(|given| self.complaints.add(&given.place, "revocation.lease", &message));
            return None;
        }
        Some(RevocationSettings { poll, lease, notify: notify? })
    }

    fn tls_files(&mut self, cert_key: &str, key_key: &str) -> Option<Option<TlsFiles>> {
        let present = |reader: &Self, key: &str| reader.values.get(key).map(|raw| raw.place.clone());
        let missing = |key: &str| format!("`{key}` is missing; a TLS listener needs a certificate and its key");
        match (present(self, cert_key), present(self, key_key)) {
            (None, None) => Some(None),
            (Some(place), None) => {
                self.complaints.add(&place, cert_key, missing(key_key));
                None
            }
            (None, Some(place)) => {
                self.complaints.add(&place, key_key, missing(cert_key));
                None
            }
            (Some(_), Some(_)) => {
                let (cert, key) = (self.value(cert_key, "", pem_file), self.value(key_key, "", pem_file));
                Some(Some(TlsFiles { cert: cert?, key: key? }))
            }
        }
    }

    fn networks(&mut self, key: &str) -> Option<Vec<Network>> {
        let Some(raw) = self.values.get(key) else {
            return Some(Vec::new());
        };
        let items: Vec<String> = match &raw.value {
            Raw::List(items) => items.clone(),
            Raw::Text(text) => text.split(',').map(|item| item.trim().to_owned()).filter(|i| !i.is_empty()).collect(),
            other => {
                let message = format!("expected a list of addresses or networks, found {}", other.kind());
                self.complaints.add(&raw.place, key, message);
                return None;
            }
        };
        let mut networks = Some(Vec::new());
        for item in items {
            match item.parse::<Network>() {
                Ok(network) => networks.iter_mut().for_each(|list| list.push(network)),
                Err(bad) => {
                    self.complaints.add(&raw.place, key, bad.to_string());
                    networks = None;
                }
            }
        }
        networks
    }

    /// The key itself beats the file, unless the file was named by a flag.
    fn master_key(&mut self) -> Option<MasterKeySource> {
        let file = self.values.get("master_key_file");
        match self.values.get("master_key") {
            Some(given) if file.as_ref().is_none_or(|file| !file.from_flag) => {
                let Raw::Text(text) = &given.value else { return None };
                let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
                match decoded.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
                    Some(key) => Some(MasterKeySource::Given(key)),
                    None => {
                        let message = "expected 32 octets in base64; make one with `openssl rand -base64 32`";
                        self.complaints.add(&given.place, "master_key", message);
                        None
                    }
                }
            }
            _ => self
                .value("master_key_file", "data/master.key", |text| {
                    if text.is_empty() { Err("expected the path of a file".to_owned()) } else { Ok(text.into()) }
                })
                .map(MasterKeySource::File),
        }
    }

    fn log_format(&mut self) -> Option<Option<LogFormat>> {
        if self.values.get("log.format").is_none() {
            return Some(None);
        }
        self.value("log.format", "", |text| match text {
            "text" => Ok(Some(LogFormat::Text)),
            "json" => Ok(Some(LogFormat::Json)),
            other => Err(format!("`{other}` is not a log format; write text or json")),
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse()
        .map_err(|_| format!("`{text}` is not an address to listen on; write IP:PORT, for example 127.0.0.1:8080"))
}

fn pem_file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("expected the path of a PEM file".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn database_url(text: &str) -> Result<DatabaseUrl, String> {
    let known = ["sqlite://", "postgres://", "postgresql://"];
    let rest = known.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(DatabaseUrl(text.to_owned())),
        _ => Err("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE".to_owned()),
    }
}

fn log_level(text: &str) -> Result<String, String> {
    match text.parse::<tracing_subscriber::filter::EnvFilter>() {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not a log level; write error, warn, info, debug or trace")),
    }
}

fn base_url(text: &str) -> Result<String, String> {
    let url =
        Url::parse(text).map_err(|_| format!("`{text}` is not an address; write it like https://login.example.com"))?;
    if url.host().is_none() {
        return Err(format!("`{text}` has no host"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback_site(&url) => {}
        "http" => return Err(format!("`{text}` is plain http; https is required unless the host is loopback")),
        other => return Err(format!("`{other}` is not a scheme that browsers log in with; write https")),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` has a path; the base address stands alone, behind it come /t/TENANT addresses"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the base address carries a user name; remove it".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
