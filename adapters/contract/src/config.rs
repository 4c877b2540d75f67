//! Tenants, connections and apps as adapters see them: an immutable snapshot.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Dress;
use crate::ids::{AppId, ConnectionId, TenantId};
use crate::keys::KeyRing;
pub use crate::ldap_directory::LdapDirectory;

/// A tenant at one moment. A change makes a new snapshot.
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub display_name: String,
    pub enabled: bool,
    /// `{base_url}/t/{slug}`, without a trailing slash.
    pub issuer: String,
    pub base_url: String,
    pub connections: Vec<Arc<Connection>>,
    pub apps: Vec<Arc<App>>,
    pub keys: Arc<KeyRing>,
    pub settings: TenantSettings,
    app_names: HashMap<(AppKind, String), usize>,
    protocol_names: HashMap<(AppKind, String), usize>,
}

impl Tenant {
    #[allow(clippy::too_many_arguments)] // A snapshot is made in one place, with all of its parts.
    pub fn new(
        id: TenantId,
        slug: String,
        display_name: String,
        enabled: bool,
        base_url: &str,
        connections: Vec<Arc<Connection>>,
        apps: Vec<Arc<App>>,
        keys: Arc<KeyRing>,
    ) -> Self {
        let issuer = format!("{base_url}/t/{slug}");
        let app_names = apps.iter().enumerate().map(|(at, app)| ((app.kind, app.name.clone()), at)).collect();
        let named = apps.iter().enumerate().filter_map(|(at, app)| Some(((app.kind, app.protocol_name.clone()?), at)));
        let protocol_names = named.collect();
        Self {
            id,
            slug,
            display_name,
            enabled,
            issuer,
            base_url: base_url.to_owned(),
            connections,
            apps,
            keys,
            settings: TenantSettings::default(),
            app_names,
            protocol_names,
        }
    }

    #[must_use]
    pub fn with_settings(mut self, settings: TenantSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The first language that the tenant offers of those that are asked for by tag (RFC 5646), the preferred
    /// one first, as in `ui_locales` (OpenID Connect Core 3.1.2.1).
    pub fn locale(&self, ui_locales: Option<&str>) -> Option<Locale> {
        let offered = &self.settings.locales;
        let mut asked = ui_locales?.split(' ').filter_map(Locale::of_tag);
        asked.find(|locale| offered.is_empty() || offered.contains(locale))
    }

    /// What the tenant's pages wear, in this language.
    pub fn dress(&self, locale: Option<Locale>) -> Dress {
        Dress { look: self.settings.look.clone(), locale, offered: self.settings.locales.clone() }
    }

    /// An app by what messages call it: the client_id, the entity ID.
    pub fn app_by_protocol_name(&self, kind: AppKind, name: &str) -> Option<&Arc<App>> {
        self.protocol_names.get(&(kind, name.to_owned())).map(|&at| &self.apps[at])
    }

    /// An app by its name in the bridge file: the client_id, or a slug.
    pub fn app(&self, kind: AppKind, name: &str) -> Option<&Arc<App>> {
        self.app_names.get(&(kind, name.to_owned())).map(|&at| &self.apps[at])
    }

    pub fn app_by_id(&self, id: AppId) -> Option<&Arc<App>> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// Whether anybody hears of what directories push (RFC 9967).
    pub fn has_scim_events(&self) -> bool {
        let mut receivers = self.apps.iter().filter(|app| app.kind == AppKind::SignalReceiver && app.enabled);
        receivers.any(|app| app.settings.get("scim").is_some())
    }

    pub fn connection(&self, slug: &str) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|connection| connection.slug == slug)
    }

    pub fn connection_by_id(&self, id: ConnectionId) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|connection| connection.id == id)
    }
}

/// What a tenant has besides its connections and apps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// `None`: pages look as they come.
    pub look: Option<Arc<Look>>,
    /// Languages of its pages, the preferred one first; empty: all that there are.
    pub locales: Vec<Locale>,
    /// Hosts that may be fetched from for this tenant; `None`: all public ones.
    pub egress_hosts: Option<Arc<[String]>>,
    /// What the LDAP server shows; `None`: nothing.
    pub ldap: Option<Arc<LdapDirectory>>,
    /// For logins by password.
    pub second_factor: SecondFactorPolicy,
}

/// Whether a password alone is enough at connections where passwords are typed on our page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactorPolicy {
    /// It is, and nobody is offered more.
    #[default]
    Off,
    /// Who has a second factor is asked for it.
    Offered,
    /// Who has none sets one up at the next login.
    Required,
}

/// How a tenant's pages look. Checked when it is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// A `data:` address of a PNG, JPEG or WebP picture.
    pub logo: Option<String>,
    /// `#rrggbb`, on light ground and on dark.
    pub accent: Option<String>,
    pub accent_dark: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    #[default]
    En,
    De,
}

impl Locale {
    /// The language of a tag such as `de-AT` (RFC 5646), where pages speak it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "de" => Some(Self::De),
            _ => None,
        }
    }

    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }
}

/// An upstream connection, without its secrets.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub slug: String,
    pub display_name: String,
    /// The adapter's kind: `saml`, `oidc`, `ldap`, `scim`.
    pub protocol: String,
    pub enabled: bool,
    /// Mail domains that this connection owns.
    pub domains: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    OidcClient,
    SamlSp,
    /// What an old app binds as.
    LdapApp,
    /// A SCIM server of an app that the tenant's people are kept in step at. Nobody logs in to it.
    ScimApp,
    /// Who hears of what happens to people (Shared Signals Framework 1.0).
    SignalReceiver,
}

/// A downstream app.
pub struct App {
    pub id: AppId,
    pub kind: AppKind,
    /// Its name in the bridge file: the client_id, or a slug.
    pub name: String,
    /// What messages call it: the client_id, the entity ID.
    pub protocol_name: Option<String>,
    /// What a person reads.
    pub display_name: String,
    pub enabled: bool,
    /// Connections that may log people in to it; `None` means all of the tenant.
    pub connections: Option<Vec<ConnectionId>>,
    /// Scopes, or what stands for them, that the app may ever be given.
    pub settings: Value,
    /// SHA-256 of each active client secret, oldest first; two at most.
    pub secret_hashes: Vec<[u8; 32]>,
    parsed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl App {
    #[allow(clippy::too_many_arguments)] // As with `Tenant::new`.
    pub fn new(
        id: AppId,
        kind: AppKind,
        name: String,
        protocol_name: Option<String>,
        display_name: String,
        enabled: bool,
        connections: Option<Vec<ConnectionId>>,
        settings: Value,
        secret_hashes: Vec<[u8; 32]>,
    ) -> Self {
        let parsed = OnceLock::new();
        Self { id, kind, name, protocol_name, display_name, enabled, connections, settings, secret_hashes, parsed }
    }

    pub fn allows(&self, connection: ConnectionId) -> bool {
        self.connections.as_ref().is_none_or(|allowed| allowed.contains(&connection))
    }

    /// The settings in the adapter's own type, parsed once for this snapshot.
    ///
    /// The settings were checked when they were saved, so `parse` is expected to
    /// work; where it does not, its error comes back each time.
    pub fn parsed<T: Any + Send + Sync, E>(&self, parse: impl FnOnce(&Value) -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(there) = self.parsed.get()
            && let Ok(typed) = Arc::clone(there).downcast::<T>()
        {
            return Ok(typed);
        }
        let fresh = Arc::new(parse(&self.settings)?);
        let _ = self.parsed.set(Arc::clone(&fresh) as Arc<dyn Any + Send + Sync>);
        Ok(fresh)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).field("slug", &self.slug).finish_non_exhaustive()
    }
}
