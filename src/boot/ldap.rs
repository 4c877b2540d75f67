//! The LDAP listeners, the server that speaks on them, and the directories that it shows.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use fedbridge_contract::directory::DirectoryServices;
use fedbridge_hub::run::{Hub, HubDesk, HubFeed, Shapes, Snapshots};
use fedbridge_listen::{Bounds, Listen, Tls};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::foundation::Foundation;
use super::registry::{LdapDirectories, LdapPatience, LdapRules, LdapServer};
use super::settings::LdapSettings;

/// A server whose listeners are bound.
pub struct Ldap {
    server: Arc<LdapServer>,
    directories: Arc<LdapDirectories>,
    shapes: Shapes,
    listen: Listen,
}

impl Ldap {
    /// Binds the listeners that the settings name; `None` where they name none.
    ///
    /// # Errors
    /// When one can't be bound, or the certificate can't be used.
    pub fn open(
        settings: &LdapSettings,
        hub: &Arc<Hub>,
        foundation: &Foundation,
        snapshots: &Arc<Snapshots>,
    ) -> anyhow::Result<Option<Self>> {
        if !settings.listens() {
            return Ok(None);
        }
        let feed = HubFeed::new(
            Arc::clone(snapshots),
            Arc::clone(&foundation.store) as _,
            Arc::clone(&foundation.system) as _,
            Arc::clone(&foundation.epochs),
            Arc::clone(&foundation.clock),
        );
        let shapes = Shapes::start(Arc::clone(&foundation.system) as _);
        let desk = Arc::new(HubDesk { hub: Arc::clone(hub) });
        let services =
            DirectoryServices { feed: Arc::new(feed), desk: Arc::clone(&desk) as _, shapes: Arc::new(shapes.clone()) };
        let directories = LdapDirectories::new(hub.services.clone(), services);
        let rules = LdapRules {
            require_tls: settings.require_tls,
            patience: LdapPatience { idle: settings.idle, ..LdapPatience::default() },
            runtime: Some(Handle::current()),
        };
        let server = LdapServer::new(hub.services.clone(), desk, Arc::clone(&directories) as _, rules);
        let listen = listeners(settings)?;
        Ok(Some(Self { server: Arc::new(server), directories, shapes, listen }))
    }

    /// What the listeners show; somebody has to [run](LdapDirectories::run) it.
    pub fn directories(&self) -> &Arc<LdapDirectories> {
        &self.directories
    }

    /// Speaks until `stopped` turns true; then every connection is told, and may finish what is under way.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
        let server = Arc::clone(&self.server);
        let stop = async move {
            // An error means that the sender is gone, which ends it too.
            let _ = stopped.wait_for(|stop| *stop).await;
            server.stop();
        };
        self.listen.serve(self.server, stop).await.context("the LDAP listener")?;
        self.shapes.flush().await;
        Ok(())
    }
}

fn listeners(settings: &LdapSettings) -> anyhow::Result<Listen> {
    let tls = match &settings.tls {
        Some(files) => Some(Tls::from_files(&files.cert, &files.key, settings.client_ca.as_deref())?),
        None => None,
    };
    let proxies = settings.trusted_proxies.clone();
    Ok(Listen {
        clear: bind("ldap.listen", settings.listen)?,
        encrypted: bind("ldap.tls_listen", settings.tls_listen)?,
        tls,
        is_proxy: Arc::new(move |address: IpAddr| proxies.iter().any(|network| network.contains(address))),
        bounds: Bounds {
            connections: settings.max_connections,
            per_address: settings.max_per_address,
            ..Bounds::default()
        },
        threads: 0,
    })
}

fn bind(setting: &str, address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .with_context(|| format!("{setting}: can't listen on {address}; is another server running there?"))?;
    tracing::info!(listen = %listener.local_addr()?, "{setting}");
    Ok(Some(listener))
}
