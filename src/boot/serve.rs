//! The server: from settings to listeners, and a graceful stop.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use fedbridge_hub::run::{Hub, Recorder};
use fedbridge_store::SystemStore;
use fedbridge_web::{Limits, Management, Readiness, Site, Tls, WebConfig, serve, serve_management};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use url::Url;

use super::background::Background;
use super::documents::gauges;
use super::foundation::Foundation;
use super::front::Front;
use super::ldap::Ldap;
use super::metrics::Metrics;
use super::reload::Follower;
use super::settings::Settings;
use super::sightings::Notes;
use super::watch::{Calls, Watcher};
use super::wiring::{Wired, wire};
use super::{janitor, logging, metrics, provisioning, radar, registry, restate, rollover, sync};

/// How often the metrics' samples are summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs every listener until SIGTERM or SIGINT.
///
/// # Errors
/// When something can't be opened, or a listener fails.
pub async fn run(settings: Settings, schema: Schema) -> anyhow::Result<()> {
    logging::start(&settings);
    // Before anything listens: who sees the server ready may stop it at once.
    let termination = Termination::listen()?;
    let server = Server::open(settings, schema).await?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        termination.come().await;
        tracing::info!("stopping: no new requests, those under way may finish");
        let _ = stop.send(true);
    });
    server.run(stopped).await
}

/// What the server does about the database's schema when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Bring it up to date.
    UpToDate,
    /// Somebody else does.
    AsItIs,
}

/// A server whose listeners are bound.
pub struct Server {
    settings: Settings,
    hub: Arc<Hub>,
    foundation: Foundation,
    recorder: Recorder,
    follower: Arc<Follower>,
    notes: Notes,
    prometheus: PrometheusHandle,
    public: TcpListener,
    management: TcpListener,
    ldap: Option<Ldap>,
    /// What runs beside the listeners; it ends with them.
    background: Background,
}

impl Server {
    /// Opens the store, loads the configuration and binds.
    ///
    /// # Errors
    /// When any of these fails; nothing listens then.
    pub async fn open(settings: Settings, schema: Schema) -> anyhow::Result<Self> {
        registry::init().map_err(anyhow::Error::msg).context("the XML security library is not safe to use")?;
        let mut foundation = match schema {
            Schema::UpToDate => Foundation::open(&settings).await?,
            Schema::AsItIs => Foundation::open_as_is(&settings).await?,
        };
        let notes = Notes::start(Arc::clone(&foundation.system) as _);
        foundation.sightings = Arc::new(notes.clone());
        let prometheus = metrics::install().context("the metrics can't be recorded")?;
        let Wired { hub, snapshots, recorder, follower, keeper, push_desk, .. } =
            wire(&foundation, registry::upstreams(), Arc::new(Metrics)).await?;
        push_desk.serve(&hub);
        let system = Arc::clone(&foundation.system);
        let public = bind("http.listen", settings.http.listen)?;
        let management = bind("management.listen", settings.management_listen)?;
        let ldap = Ldap::open(&settings.ldap, &hub, &foundation, &snapshots)?;
        let rollovers = rollover::Worker {
            config: Arc::clone(&system) as _,
            store: Arc::clone(&system) as _,
            sealer: Arc::clone(&foundation.sealer),
            clock: Arc::clone(&foundation.clock),
            snapshots: Arc::clone(&snapshots),
            downstreams: hub.downstreams.clone(),
            reminded: Default::default(),
            shown: Default::default(),
        };
        let mut background = Background::default();
        if let Some(ldap) = &ldap {
            background.spawn("LDAP directories", Arc::clone(ldap.directories()).run());
        }
        let (downstreams, clock) = (hub.downstreams.clone(), Arc::clone(&foundation.clock));
        let syncs = sync::Worker {
            hub: Arc::clone(&hub),
            snapshots: Arc::clone(&snapshots),
            clock: Arc::clone(&foundation.clock),
        };
        background.spawn("directory syncs", syncs.run());
        background.spawn("provisioning of apps", provisioning::worker::Worker::new(&hub, &foundation).run());
        background.spawn("restatement of pushed people", restate::run(Arc::clone(&hub)));
        background.spawn("gauges of documents", gauges::watch(Arc::clone(&keeper)));
        background.spawn("expiry radar", radar::watch(snapshots, Arc::clone(&system), downstreams, clock));
        foundation.epochs.watched(settings.revocation.lease, foundation.clock.steady());
        let watcher = Watcher {
            store: Arc::clone(&system) as _,
            epochs: Arc::clone(&foundation.epochs),
            clock: Arc::clone(&foundation.clock),
            follower: Arc::clone(&follower),
            settings: settings.revocation,
            calls: Calls::default(),
        };
        background.spawn("kills and changes of the configuration", watcher.run());
        let sharing = foundation.sharing();
        background.spawn("wrong passwords of other nodes", async move { sharing.run().await });
        background.spawn("documents of partners", keeper.run());
        background.spawn("rollovers", rollovers.run());
        background.spawn("upkeep of metrics", upkeep(prometheus.clone()));
        background.spawn("logout outbox", outbox(Arc::clone(&hub), Arc::clone(&system)));
        background.spawn("shared signals", signals(Arc::clone(&hub), Arc::clone(&system)));
        background.spawn("janitor", janitor::run(system, Arc::clone(&foundation.clock), settings.traces_keep));
        Ok(Self {
            settings,
            hub,
            foundation,
            recorder,
            follower,
            notes,
            prometheus,
            public,
            management,
            ldap,
            background,
        })
    }

    /// What records logins, and the store to read them from.
    pub fn traces(&self) -> (Recorder, Arc<SystemStore>) {
        (self.recorder.clone(), Arc::clone(&self.foundation.system))
    }

    /// What takes changes of the configuration over.
    pub fn follower(&self) -> Arc<Follower> {
        Arc::clone(&self.follower)
    }

    /// Serves until `stopped` turns true, then lets requests finish and writes what is waiting.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(mut self, stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
        let base_url = Url::parse(&self.settings.base_url).context("base_url")?;
        let tls = match &self.settings.http.tls {
            Some(files) => Some(Tls::from_files(&files.cert, &files.key)?),
            None => None,
        };
        let web = WebConfig {
            site: Site::new(&base_url, Arc::clone(&self.foundation.rng))?,
            tls,
            trusted_proxies: self.settings.http.trusted_proxies.clone(),
            workers: 0,
            limits: Limits::default(),
            observer: Arc::new(Metrics),
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let management = management(&self, Arc::clone(&stopping));
        let (end_management, management_ended) = watch::channel(false);
        let dispatch = Arc::new(Front(Arc::clone(&self.hub)));
        let (ldap, ldap_stopped) = (self.ldap.take(), stopped.clone());
        let directories = async {
            match ldap {
                Some(ldap) => ldap.run(ldap_stopped).await,
                None => Ok(()),
            }
        };
        let shutdown = async move {
            until(stopped).await;
            stopping.store(true, Ordering::Relaxed);
        };
        tracing::info!(base_url = %self.settings.base_url, listen = %self.settings.http.listen, "ready");
        let front = async {
            let pages = async { anyhow::Ok(serve(web, self.public, dispatch, shutdown).await?) };
            tokio::try_join!(pages, directories)?;
            // Nothing comes in any more: what is recorded until now is all there will be.
            self.background.shutdown().await;
            self.recorder.flush().await;
            self.notes.flush().await;
            self.foundation.store.close().await?;
            let _ = end_management.send(true);
            anyhow::Ok(())
        };
        let beside = async {
            serve_management(self.management, management, until(management_ended))
                .await
                .context("the management listener")
        };
        tokio::try_join!(front, beside)?;
        Ok(())
    }
}

fn bind(setting: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("{setting}: can't listen on {address}; is another server running there?"))
}

fn management(server: &Server, stopping: Arc<AtomicBool>) -> Management {
    let prometheus = server.prometheus.clone();
    let traces = Arc::clone(&server.recorder.stats);
    let store = Arc::clone(&server.foundation.store);
    let (epochs, clock) = (Arc::clone(&server.foundation.epochs), Arc::clone(&server.foundation.clock));
    let directories = server.ldap.as_ref().map(|ldap| Arc::clone(ldap.directories()));
    let lost = server.background.lost();
    Management {
        ready: Box::new(move || {
            if stopping.load(Ordering::Relaxed) {
                Readiness::NotReady("stopping".into())
            } else if let Some(name) = lost.name() {
                Readiness::NotReady(format!("a background task has panicked: {name}"))
            } else if !epochs.sure(clock.steady()) {
                Readiness::NotReady("the database does not answer".into())
            } else if directories.as_ref().is_some_and(|directories| !directories.is_ready()) {
                Readiness::NotReady("the LDAP directories are being read".into())
            } else {
                Readiness::Ready
            }
        }),
        metrics: Box::new(move || {
            metrics::publish(&traces, &store.stats());
            prometheus.render()
        }),
    }
}

/// Tells apps of logouts where a call had no answer, or another node died.
async fn outbox(hub: Arc<Hub>, system: Arc<SystemStore>) {
    hub.run_outbox(system.as_ref()).await;
}

/// Pushes to receivers of signals.
async fn signals(hub: Arc<Hub>, system: Arc<SystemStore>) {
    hub.run_signals(system.as_ref()).await;
}

/// Drains the samples of the histograms, which otherwise wait in memory for the next scrape.
async fn upkeep(prometheus: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        prometheus.run_upkeep();
    }
}

async fn until(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone, which ends it too.
    let _ = flag.wait_for(|stop| *stop).await;
}

/// SIGTERM and SIGINT, listened for from the moment that this is made.
pub struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// # Errors
    /// When the process can't have signal handlers.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals can't be listened for");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the first of them.
    pub async fn come(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
