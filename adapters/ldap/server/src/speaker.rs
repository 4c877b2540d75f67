//! The server: what all of its connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use fedbridge_contract::directory::BindDesk;
use fedbridge_contract::listener::{Speaker, Stream};
use fedbridge_contract::services::Services;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::backend::Directories;
use crate::cache::BindCache;
use crate::deadline::Deadlines;
use crate::limits::{Patience, Seats};
use crate::mac::MacKey;
use crate::pipe::Pipe;
use crate::session::Session;
use crate::trace::Samples;

/// How many binds there are between two sweeps of the remembered ones.
const SWEEP: u64 = 4096;

#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether a password that comes in clear is answered confidentialityRequired (RFC 4513 section 5.1.3).
    pub require_tls: bool,
    pub patience: Patience,
    /// What the desk and upstreams open belongs to this runtime; `None`: to the connection's own.
    pub runtime: Option<Handle>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { require_tls: true, patience: Patience::default(), runtime: None }
    }
}

/// Speaks LDAP over accepted streams.
pub struct LdapServer {
    pub(crate) services: Services,
    pub(crate) desk: Arc<dyn BindDesk>,
    pub(crate) directories: Arc<dyn Directories>,
    pub(crate) rules: Rules,
    pub(crate) key: MacKey,
    pub(crate) cache: BindCache,
    pub(crate) deadlines: Deadlines,
    pub(crate) seats: Arc<Seats>,
    pub(crate) samples: Samples,
    connections: AtomicU64,
    binds: AtomicU64,
    stop: watch::Sender<bool>,
}

impl LdapServer {
    pub fn new(services: Services, desk: Arc<dyn BindDesk>, directories: Arc<dyn Directories>, rules: Rules) -> Self {
        let key = MacKey::random(services.rng.as_ref());
        Self {
            services,
            desk,
            directories,
            rules,
            key,
            cache: BindCache::default(),
            deadlines: Deadlines::default(),
            seats: Arc::default(),
            samples: Samples::default(),
            connections: AtomicU64::new(0),
            binds: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        }
    }

    /// Tells every connection that the server stops: a notice of disconnection (RFC 4511 section 4.4.1), and the end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Counts a bind; now and then what ran out is thrown away.
    pub(crate) fn bound(&self) {
        if self.binds.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.cache.sweep(self.services.clock.now());
        }
    }
}

#[async_trait]
impl Speaker for LdapServer {
    async fn speak(self: Arc<Self>, stream: Stream) {
        let pipe = Pipe::new(stream, self.rules.patience, self.stop.subscribe());
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        Session::new(self, pipe, number).run().await;
    }
}
