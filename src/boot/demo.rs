//! `fedbridge demo`: one whole login and one whole logout on real HTTP, and then a server to look at.
//!
//! Both go through two tenants: `demo` takes the company `demo-corp` for its identity provider, and the
//! company asks its directory. The directory and the app are scripted parts of the demo itself, on a
//! second port. Everything between them is the product.

mod app;
mod print;
mod provider;
mod recorded;
mod tenants;
mod visitor;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use fedbridge_contract::services::{Clock, Rng, random_text};
use fedbridge_keys::{OpensslRng, SystemClock};
use fedbridge_web::{Dispatch, Found, Limits, Place, Site, WebConfig, serve};
use tokio::sync::watch;
use url::Url;

use super::logging;
use super::serve::{Schema, Server, Termination};
use super::settings::Settings;
use app::DemoApp;
use print::Addresses;
use provider::DemoProvider;
use recorded::Recorded;
use tenants::{CORP, DEMO, DIRECTORY, Tenants};
use visitor::Visitor;

/// Runs the demo until SIGTERM or SIGINT; `port` is its own, beside the bridge's.
///
/// # Errors
/// When a port is taken, or the login does not end with claims.
pub async fn run(mut settings: Settings, port: u16) -> anyhow::Result<()> {
    logging::start(&settings);
    let termination = Termination::listen()?;
    super::registry::init().map_err(anyhow::Error::msg)?;
    let (rng, clock): (Arc<dyn Rng>, Arc<dyn Clock>) = (Arc::new(OpensslRng), Arc::new(SystemClock));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).with_context(|| {
        format!("the demo's own listener: can't listen on {address}; is another demo running? `--port` moves it")
    })?;
    let here = format!("http://{}", listener.local_addr()?);
    let base_url = settings.base_url.clone();
    let secret = random_text::<32>(rng.as_ref());
    let app = DemoApp::new(&format!("{base_url}/t/{DEMO}"), &format!("{here}/t/{APP}"), &secret)?;
    let connection = format!("{base_url}/t/{CORP}/connections/{DIRECTORY}");
    let provider = DemoProvider::new(&format!("{here}/t/{DIRECTORY}"), &connection, Arc::clone(&clock));

    // All partners of the demo are on this machine, and told of the logout by calls.
    settings.egress_allow_loopback = true;
    let tenants = Tenants::new(settings.clone())?;
    tenants.found(&provider).await?;
    let server = Server::open(settings, Schema::UpToDate).await?;
    let (recorder, store) = server.traces();
    let follower = server.follower();
    let (stop, stopped) = watch::channel(false);
    let web = WebConfig {
        site: Site::new(&Url::parse(&here)?, rng)?,
        tls: None,
        trusted_proxies: Vec::new(),
        workers: 1,
        limits: Limits::default(),
        observer: Arc::new(()),
    };
    let mut gone = stopped.clone();
    let shutdown = async move {
        let _ = gone.wait_for(|stop| *stop).await;
    };
    let stage = Arc::new(Stage { app: app.clone(), provider });
    let beside = async { serve(web, listener, stage, shutdown).await.context("the demo's own listener") };
    let show = async {
        tenants.introduce(&app, &follower).await.context("the demo's two tenants could not be connected")?;
        drop(tenants);
        let begun = clock.now();
        let mut visitor = Visitor::new()?;
        let claims = visitor.open(&app.start_url()).await.context("the demo's login did not end with claims")?;
        visitor.open(&app.logout_url()).await.context("the demo's logout did not end at its app")?;
        recorder.flush().await;
        let recorded = Recorded::since(begun, store.as_ref()).await?;
        let addresses = Addresses { base_url: &base_url, start: &app.start_url(), logout: &app.logout_url() };
        print::print(&claims, &addresses, &recorded)?;
        termination.come().await;
        tracing::info!("stopping");
        let _ = stop.send(true);
        anyhow::Ok(())
    };
    tokio::try_join!(server.run(stopped), beside, show)?;
    Ok(())
}

/// The app's place on the demo's own port; the directory's is named as its connection.
const APP: &str = "demo-app";

/// What the demo's own port serves.
struct Stage {
    app: DemoApp,
    provider: DemoProvider,
}

impl Dispatch for Stage {
    fn resolve(&self, place: Place<'_>) -> Option<Found> {
        match place {
            Place::Tenant { tenant: APP, route } => self.app.route(route),
            Place::Tenant { tenant: DIRECTORY, route } => self.provider.route(route),
            _ => None,
        }
    }
}
