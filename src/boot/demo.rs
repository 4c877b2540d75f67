//! `fedbridge demo`: one whole login on real HTTP, and then a server to look at.
//!
//! The identity provider and the app of the demo are scripted parts of the demo
//! itself, on a second port. Everything between them is the product: the login
//! goes through the real ACS.

mod app;
mod provider;
mod visitor;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::services::{Rng, random_text};
use fedbridge_hub::ports::{TraceFilter, TraceStore as _};
use fedbridge_keys::{OpensslRng, SystemClock};
use fedbridge_saml::testkit::ScriptedIdp;
use fedbridge_store::SystemStore;
use fedbridge_web::{Dispatch, Found, Limits, Place, Site, WebConfig, serve};
use tokio::sync::watch;
use url::Url;

use super::serve::{Schema, Server, Termination};
use super::settings::Settings;
use super::{cli, logging};
use app::DemoApp;
use provider::DemoProvider;

/// Runs the demo until SIGTERM or SIGINT; `port` is its own, beside the bridge's.
///
/// # Errors
/// When a port is taken, or the login does not end with claims.
pub async fn run(settings: Settings, port: u16) -> anyhow::Result<()> {
    logging::start(&settings);
    let termination = Termination::listen()?;
    super::registry::init().map_err(anyhow::Error::msg)?;
    let rng: Arc<dyn Rng> = Arc::new(OpensslRng);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).with_context(|| {
        format!("the demo's own listener: can't listen on {address}; is another demo running? `--port` moves it")
    })?;
    let address = listener.local_addr()?;
    let here = format!("http://{address}");
    let issuer = format!("{}/t/demo", settings.base_url);
    let idp = ScriptedIdp::new(format!("{here}/t/demo-idp/metadata"), format!("{here}/t/demo-idp/sso"));
    let secret = random_text::<32>(rng.as_ref());
    let app = DemoApp::new(&issuer, &here, &secret)?;

    let folder = std::env::temp_dir().join(format!("fedbridge-demo-{}", std::process::id()));
    let file = write_bridge_file(&folder, &idp, &app, &secret).context("the demo's bridge file can't be written")?;
    let applied = cli::beside(&settings, &file).await;
    let _ = std::fs::remove_dir_all(&folder);
    applied?;

    let base_url = settings.base_url.clone();
    let server = Server::open(settings, Schema::UpToDate).await?;
    let (recorder, store) = server.traces();
    let (stop, stopped) = watch::channel(false);
    let stage = Stage { app: app.clone(), provider: DemoProvider { idp, clock: Arc::new(SystemClock) } };
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
    let beside = async { serve(web, listener, Arc::new(stage), shutdown).await.context("the demo's own listener") };
    let show = async {
        let claims = visitor::log_in(&app.start_url()).await.context("the demo's login did not end with claims")?;
        recorder.flush().await;
        let login = newest(store.as_ref()).await?;
        print(&claims, &addresses(&app.start_url(), &issuer, &base_url), &commands(login))?;
        termination.come().await;
        tracing::info!("stopping");
        let _ = stop.send(true);
        anyhow::Ok(())
    };
    tokio::try_join!(server.run(stopped), beside, show)?;
    Ok(())
}

/// The login that was recorded last.
async fn newest(store: &SystemStore) -> anyhow::Result<TraceId> {
    let filter = TraceFilter { app: Some(app::CLIENT_ID.to_owned()), limit: 1, ..TraceFilter::default() };
    let newest = store.list(&filter).await?.into_iter().next();
    Ok(newest.context("the demo's login was not recorded")?.id)
}

fn print(claims: &serde_json::Value, addresses: &str, commands: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}

That was one login: the demo's scripted identity provider -> SAML -> fedbridge -> OIDC -> the demo's app.

{addresses}
{commands}
Ctrl-C stops the demo.",
        serde_json::to_string_pretty(claims)?
    )?;
    Ok(out.flush()?)
}

fn addresses(start: &str, issuer: &str, base_url: &str) -> String {
    format!(
        "fedbridge is up at {base_url}. To open:

  log in with a browser   {start}
  OpenID configuration    {issuer}/.well-known/openid-configuration
  SAML SP metadata        {issuer}/connections/demo-idp/saml/metadata
"
    )
}

/// Commands as this program was called: it need not be on the PATH, and its store is in a folder.
fn commands(login: TraceId) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "fedbridge".into()));
    // A bare name would be looked for on the PATH.
    let short = called.strip_prefix(&folder).ok().filter(|short| short.components().count() > 1);
    let program = short.unwrap_or(&called).display();
    format!(
        "How that login went, step by step; in another terminal, in {}:

  {program} trace show {login}
  {program} trace replay {login}
  {program} trace list
",
        folder.display()
    )
}

fn write_bridge_file(
    folder: &Path,
    idp: &ScriptedIdp,
    app: &DemoApp,
    secret: &str,
) -> std::io::Result<std::path::PathBuf> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("idp.xml"), idp.metadata())?;
    let file = folder.join("bridge.yaml");
    std::fs::write(
        &file,
        format!(
            r#"version: 1
tenants:
  - slug: demo
    display_name: Demo
    domains: [demo.example]
    connections:
      - slug: demo-idp
        display_name: Scripted identity provider of the demo
        protocol: saml
        domains: [demo.example]
        idp_metadata: {{ file: idp.xml }}
        mapping:
          claims:
            groups: {{ from: [memberOf] }}
            department: {{ from: [department] }}
            admin: {{ cel: "'admins' in groups", type: bool }}
    clients:
      - client_id: {}
        name: The demo's app
        client_secret: {{ value: "{secret}" }}
        redirect_uris: ["{}"]
        scopes: [openid, profile, email, groups]
        release: [department, admin]
"#,
            app::CLIENT_ID,
            app.redirect_uri
        ),
    )?;
    Ok(file)
}

/// What the demo's own port serves.
struct Stage {
    app: DemoApp,
    provider: DemoProvider,
}

impl Dispatch for Stage {
    fn resolve(&self, place: Place<'_>) -> Option<Found> {
        match place {
            Place::Tenant { tenant: "demo-app", route } => self.app.route(route),
            Place::Tenant { tenant: "demo-idp", route } => self.provider.route(route),
            _ => None,
        }
    }
}
