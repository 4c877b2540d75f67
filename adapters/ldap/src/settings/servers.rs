//! Where the servers are, how they are reached, and as whom.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::password::Password;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::text::expected;
use fedbridge_ldap_core::Dn;
use serde_json::{Map, Value};
use url::Url;

use super::values::{decimal, no_dn, within};
use super::{BIND_PASSWORD, CLIENT_KEY};
use crate::flavors::Flavor;
use crate::wire::{Account, Encryption, Order, Pool, ServerAddress, Timeouts, TlsSettings, Where};

/// The most servers that are listed.
const MOST_SERVERS: usize = 16;

/// What an address looks like, for complaints.
const EXAMPLE: &str = "an address such as ldaps://dc1.acme.example";

pub(super) fn servers(
    reader: &mut Reader,
    object: &Map<String, Value>,
    flavor: &Flavor,
) -> (Option<Where>, Encryption) {
    let start_tls = reader.boolean(object, "", "start_tls").unwrap_or(false);
    let clear = reader.boolean(object, "", "allow_plaintext").unwrap_or(false);
    if start_tls && clear {
        reader.complain("allow_plaintext", "start_tls is there too; keep one of the two");
    }
    let listed = listed(reader, object);
    let srv = reader.text(object, "", "srv");
    let absent = |key: &str| object.get(key).is_none_or(Value::is_null);
    match (listed, srv) {
        (Some(_), Some(_)) => {
            reader.complain("srv", "urls is there too; keep one of the two");
            (None, Encryption::Tls)
        }
        (None, Some(domain)) => {
            if clear {
                reader.complain("allow_plaintext", "servers that a name server lists are elsewhere, so TLS is needed");
            }
            let encryption = if start_tls { Encryption::StartTls } else { Encryption::Tls };
            (srv_records(reader, &domain, flavor), encryption)
        }
        (Some(servers), None) => addresses(reader, servers, start_tls, clear),
        (None, None) => {
            if absent("urls") && absent("srv") {
                reader.complain("urls", format!("is missing; give one or more, {EXAMPLE}, or srv"));
            }
            (None, Encryption::Tls)
        }
    }
}

/// An address of the list, with its place in it.
struct Listed {
    place: String,
    url: Url,
    weight: Option<u16>,
}

fn listed(reader: &mut Reader, object: &Map<String, Value>) -> Option<Vec<Listed>> {
    const KEY: &str = "urls";
    let value = object.get(KEY).filter(|value| !value.is_null())?;
    let Some(items) = value.as_array() else {
        reader.complain(KEY, expected("a list of addresses", value));
        return None;
    };
    if items.is_empty() || items.len() > MOST_SERVERS {
        reader.complain(KEY, format!("expected 1 to {MOST_SERVERS} addresses, found {}", items.len()));
    }
    let mut servers = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let place = format!("{KEY}[{at}]");
        let (text, weight) = match item {
            Value::Object(inner) => {
                reader.only_keys(inner, &place, &["url", "weight"]);
                let weight = decimal(reader, inner, &place, "weight", 1..=65_535).and_then(|n| u16::try_from(n).ok());
                if inner.get("url").is_none_or(Value::is_null) {
                    reader.complain(&place, "names no url");
                }
                (reader.text(inner, &place, "url"), weight)
            }
            Value::String(text) => (Some(text.clone()), None),
            other => {
                reader.complain(&place, expected(EXAMPLE, other));
                (None, None)
            }
        };
        match text.map(|text| Url::parse(&text).ok().filter(plain)) {
            Some(Some(url)) => servers.push(Listed { place, url, weight }),
            Some(None) => reader.complain(&place, format!("expected {EXAMPLE}, with nothing behind the host and port")),
            None => {}
        }
    }
    Some(servers)
}

/// `ldap://` or `ldaps://`, a host, perhaps a port, and nothing more.
fn plain(url: &Url) -> bool {
    matches!(url.scheme(), "ldap" | "ldaps")
        && is_host(&host(url))
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

fn addresses(reader: &mut Reader, listed: Vec<Listed>, start_tls: bool, clear: bool) -> (Option<Where>, Encryption) {
    let over_tls = |server: &Listed| server.url.scheme() == "ldaps";
    let mixed = listed.iter().any(over_tls) && !listed.iter().all(over_tls);
    let encryption = match (listed.iter().all(over_tls), start_tls, clear) {
        (true, ..) => Encryption::Tls,
        (false, true, _) => Encryption::StartTls,
        (false, false, _) => Encryption::Clear,
    };
    if mixed {
        reader.complain("urls", "ldap:// and ldaps:// are mixed; use one of the two for all servers");
    } else if encryption == Encryption::Tls && start_tls {
        reader.complain("start_tls", "begins TLS on ldap:// addresses; ldaps:// has it from the first octet on");
    }
    for server in listed.iter().filter(|server| !over_tls(server) && !start_tls && !mixed) {
        if !clear {
            let why = "sends passwords in clear; write ldaps://, or set start_tls";
            reader.complain(&server.place, why);
        } else if !at_this_machine(&server.url) {
            let why = "allow_plaintext is for addresses of this machine, such as ldap://127.0.0.1, and no others";
            reader.complain(&server.place, why);
        }
    }
    let weighted = listed.iter().any(|server| server.weight.is_some());
    let order = if weighted { Order::Weighted } else { Order::AsListed };
    let usual = if encryption == Encryption::Tls { 636 } else { 389 };
    let servers: Vec<_> = listed
        .iter()
        .map(|server| ServerAddress {
            host: host(&server.url),
            port: server.url.port().unwrap_or(usual),
            weight: server.weight.unwrap_or(1),
        })
        .collect();
    for (at, server) in servers.iter().enumerate() {
        if servers[..at].iter().any(|before| before.host == server.host && before.port == server.port) {
            reader.complain(&listed[at].place, "is there twice");
        }
    }
    ((!servers.is_empty()).then_some(Where::Listed { servers, order }), encryption)
}

/// A name or an address. Of other schemes than the web's, the library takes almost anything for a host.
fn is_host(text: &str) -> bool {
    let of_name = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    text.parse::<std::net::IpAddr>().is_ok() || (!text.is_empty() && text.bytes().all(of_name))
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

/// An address alone: what a name leads to, even `localhost`, is for a name server to say.
fn at_this_machine(url: &Url) -> bool {
    host(url).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn srv_records(reader: &mut Reader, domain: &str, flavor: &Flavor) -> Option<Where> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    if !domain.contains('.') || !domain.split('.').all(label) {
        reader.complain("srv", "expected a domain such as ad.acme.example");
        return None;
    }
    // Active Directory's own record lists domain controllers alone (MS-ADTS section 6.3.2.3).
    let below = if flavor.is_active_directory() { "_ldap._tcp.dc._msdcs" } else { "_ldap._tcp" };
    Some(Where::Srv { name: format!("{below}.{domain}"), domain })
}

pub(super) fn tls(
    reader: &mut Reader,
    object: &Map<String, Value>,
    secrets: &BTreeMap<String, Vec<u8>>,
    encryption: Encryption,
) -> TlsSettings {
    let ca = reader.text(object, "", "ca_file");
    let certificate = reader.text(object, "", "client_cert");
    let key = secrets.get(CLIENT_KEY).map(|octets| String::from_utf8_lossy(octets).into_owned());
    let mut pins = Vec::new();
    for (at, text) in reader.texts(object, "", "pins").unwrap_or_default().iter().enumerate() {
        let octets = STANDARD.decode(text.strip_prefix("sha256/").unwrap_or(text)).ok();
        match octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok()) {
            Some(pin) => pins.push(pin),
            None => reader.complain(
                &format!("pins[{at}]"),
                "expected the SHA-256 of a public key in base64, as `openssl pkey -pubin -outform DER | openssl dgst \
                 -sha256 -binary | base64` prints it",
            ),
        }
    }
    if encryption == Encryption::Clear {
        let settings = [("ca_file", ca.is_some()), ("client_cert", certificate.is_some()), ("pins", !pins.is_empty())];
        for (key, _) in settings.iter().filter(|(_, there)| *there) {
            reader.complain(key, "is of no use without TLS");
        }
    }
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (Some(_), None) => {
            reader.complain("client_key", "is missing; it belongs to client_cert");
            None
        }
        (None, Some(_)) => {
            reader.complain("client_cert", "is missing; it belongs to client_key");
            None
        }
        (None, None) => None,
    };
    TlsSettings { ca, pins, client }
}

pub(super) fn account(
    reader: &mut Reader,
    object: &Map<String, Value>,
    secrets: &BTreeMap<String, Vec<u8>>,
    flavor: &Flavor,
    tls: &TlsSettings,
) -> Account {
    let dn = reader.text(object, "", "bind_dn");
    let stored = secrets.get(BIND_PASSWORD);
    let password = stored.and_then(|octets| Password::new(octets.clone()));
    if stored.is_some() && password.is_none() {
        reader.complain(BIND_PASSWORD, "is empty: a bind with it would prove nothing, and succeed");
    }
    if let Some(dn) = &dn
        && !flavor.is_active_directory()
        && let Err(place) = Dn::parse(dn)
    {
        reader.complain("bind_dn", no_dn(place));
    }
    match (dn, password) {
        (Some(dn), Some(password)) => Account::Simple { dn, password },
        (Some(dn), None) => {
            if stored.is_none() && tls.client.is_none() {
                reader.complain(BIND_PASSWORD, format!("is missing; it belongs to bind_dn {dn}"));
            } else if tls.client.is_some() {
                reader.complain("bind_dn", "client_cert says who binds; keep one of the two");
            }
            Account::Anonymous
        }
        (None, Some(_)) => {
            reader.complain("bind_dn", "is missing; it belongs to bind_password");
            Account::Anonymous
        }
        (None, None) if tls.client.is_some() => Account::External,
        (None, None) => {
            if flavor.needs_an_account && stored.is_none() {
                let why = format!("is missing; {} shows nothing to whoever is not bound", flavor.product);
                reader.complain("bind_dn", why);
            }
            Account::Anonymous
        }
    }
}

pub(super) fn timeouts(reader: &mut Reader, object: &Map<String, Value>) -> Timeouts {
    const KEY: &str = "timeouts";
    let usual = Timeouts::default();
    let Some(inner) = reader.map(object, "", KEY) else { return usual };
    reader.only_keys(inner, KEY, &["connect", "tls", "bind", "search"]);
    let mut read = |key: &str, usual: Duration| {
        let range = Duration::from_millis(100)..=Duration::from_secs(120);
        within(reader, inner, KEY, key, range).unwrap_or(usual)
    };
    Timeouts {
        connect: read("connect", usual.connect),
        tls: read("tls", usual.tls),
        bind: read("bind", usual.bind),
        search: read("search", usual.search),
    }
}

pub(super) fn pool(reader: &mut Reader, object: &Map<String, Value>) -> Pool {
    const KEY: &str = "pool";
    let usual = Pool::default();
    let Some(inner) = reader.map(object, "", KEY) else { return usual };
    reader.only_keys(inner, KEY, &["service", "users", "idle", "age"]);
    let count = |number: Option<u64>, usual: usize| number.and_then(|n| usize::try_from(n).ok()).unwrap_or(usual);
    let service = decimal(reader, inner, KEY, "service", 1..=64);
    let users = decimal(reader, inner, KEY, "users", 1..=256);
    let seconds = Duration::from_secs;
    let idle = within(reader, inner, KEY, "idle", seconds(1)..=seconds(840)).unwrap_or(usual.idle);
    let age = within(reader, inner, KEY, "age", seconds(5)..=seconds(840)).unwrap_or(usual.age);
    Pool { service: count(service, usual.service), users: count(users, usual.users), idle, age }
}

pub(super) fn referrals(reader: &mut Reader, object: &Map<String, Value>, encryption: Encryption) -> Vec<String> {
    let hosts = reader.texts(object, "", "referrals").unwrap_or_default();
    for (at, host) in hosts.iter().enumerate() {
        if host.contains(['/', ':', '@', '*']) || host.chars().any(char::is_whitespace) {
            reader.complain(&format!("referrals[{at}]"), "expected a host alone, such as dc3.acme.example");
        }
    }
    if !hosts.is_empty() && encryption == Encryption::Clear {
        reader.complain("referrals", "are followed over TLS alone, and this connection has none");
    }
    hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
}
