//! Settings of the LDAP listeners.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fedbridge_web::Network;

use super::{Reader, TlsFiles, address, pem_file, values};

/// The LDAP listeners. Without an address nothing listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapSettings {
    /// In clear, where TLS may be begun (RFC 4511 section 4.14).
    pub listen: Option<SocketAddr>,
    /// TLS from the first octet on.
    pub tls_listen: Option<SocketAddr>,
    /// Also what a connection in clear begins TLS with.
    pub tls: Option<TlsFiles>,
    /// Whether a password in clear is answered confidentialityRequired.
    pub require_tls: bool,
    /// Whose PROXY headers (version 2) are believed. A connection from one of them begins with such a header.
    pub trusted_proxies: Vec<Network>,
    /// CA certificates (PEM) of clients that prove themselves by SASL EXTERNAL.
    pub client_ca: Option<PathBuf>,
    /// Connections of all clients together.
    pub max_connections: usize,
    /// Connections of one address.
    pub max_per_address: usize,
    /// A connection without an operation is closed after this time.
    pub idle: Duration,
}

impl LdapSettings {
    pub fn listens(&self) -> bool {
        self.listen.is_some() || self.tls_listen.is_some()
    }
}

impl Reader {
    pub(super) fn ldap(&mut self) -> Option<LdapSettings> {
        let listen = self.optional("ldap.listen", address);
        let tls_listen = self.optional("ldap.tls_listen", address);
        let tls = self.tls_files("ldap.tls_cert", "ldap.tls_key");
        let require_tls = self.flag("ldap.require_tls", true);
        let trusted_proxies = self.networks("ldap.trusted_proxies");
        let client_ca = self.optional("ldap.client_ca", pem_file);
        let max_connections = self.count("ldap.max_connections", 10_000, 1_000_000);
        let max_per_address = self.count("ldap.max_per_address", 200, 1_000_000);
        let idle = self.value("ldap.idle", "15m", values::duration);
        let settings = LdapSettings {
            listen: listen?,
            tls_listen: tls_listen?,
            tls: tls?,
            require_tls: require_tls?,
            trusted_proxies: trusted_proxies?,
            client_ca: client_ca?,
            max_connections: max_connections?,
            max_per_address: max_per_address?,
            idle: idle?,
        };
        self.ldap_hangs_together(&settings).then_some(settings)
    }

    fn ldap_hangs_together(&mut self, settings: &LdapSettings) -> bool {
        let mut wrong = Vec::new();
        if settings.tls_listen.is_some() && settings.tls.is_none() {
            wrong.push(("ldap.tls_listen", "a TLS listener needs `ldap.tls_cert` and `ldap.tls_key`"));
        }
        if !settings.require_tls && settings.listen.is_some_and(|listen| !listen.ip().is_loopback()) {
            wrong.push((
                "ldap.require_tls",
                "passwords in clear are taken on a loopback listener only; listen on 127.0.0.1, or leave this true",
            ));
        }
        if settings.client_ca.is_some() && settings.tls.is_none() {
            wrong.push(("ldap.client_ca", "client certificates need TLS: `ldap.tls_cert` and `ldap.tls_key`"));
        }
        for (key, message) in wrong.iter().copied() {
            if let Some(given) = self.values.get(key) {
                self.complaints.add(&given.place, key, message);
            }
        }
        wrong.is_empty()
    }

    fn optional<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Option<T>> {
        match self.values.get(key) {
            None => Some(None),
            Some(_) => self.value(key, "", parse).map(Some),
        }
    }
}
