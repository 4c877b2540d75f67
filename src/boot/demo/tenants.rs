//! The demo's two tenants: the company `demo-corp`, and `demo`, whose app the company's people use.
//! Each needs the other's metadata, so they come in three steps, as an admin would take them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::super::cli;
use super::super::reload::Follower;
use super::super::settings::Settings;
use super::app::{self, DemoApp};
use super::provider::DemoProvider;

/// The company. Its people log in at its own directory, which the demo plays.
pub const CORP: &str = "demo-corp";
/// The connection from the company to its directory.
pub const DIRECTORY: &str = "directory";
/// What the company calls the other tenant, as a service provider.
pub const SERVICE_PROVIDER: &str = "demo";

/// The tenant with the app.
pub const DEMO: &str = "demo";
/// The connection from there to the company.
pub const CONNECTION: &str = "corp";

/// Makes the tenants beside those that are there.
pub struct Tenants {
    settings: Settings,
    folder: Folder,
}

impl Tenants {
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self { settings, folder: Folder::new().context("the demo has no place for its bridge files")? })
    }

    /// Step 1, before the server is there: both tenants, and the company's connection to its directory.
    ///
    /// # Errors
    /// When the store can't be changed, or a tenant of that name is somebody else's.
    pub async fn found(&self, provider: &DemoProvider) -> anyhow::Result<()> {
        tracing::info!("making the demo's two tenants and their keys");
        self.folder.write("directory.xml", &provider.idp.metadata())?;
        self.apply(&format!("{}{}", corp(), demo())).await
    }

    /// Steps 2 and 3, while the server runs: the company's metadata goes to `demo`, and then that of
    /// `demo` to the company.
    ///
    /// # Errors
    /// When the store can't be changed, or a metadata address does not answer.
    pub async fn introduce(&self, app: &DemoApp, follower: &Arc<Follower>) -> anyhow::Result<()> {
        self.fetch(&format!("/t/{CORP}/saml/metadata"), "corp.xml").await?;
        self.apply(&format!("{}{}", demo(), connected(app))).await?;
        follower.step().await?;
        self.fetch(&format!("/t/{DEMO}/connections/{CONNECTION}/saml/metadata"), "demo.xml").await?;
        self.apply(&format!("{}{}", corp(), service_provider())).await?;
        follower.step().await
    }

    /// Applies a bridge file with these tenants.
    async fn apply(&self, tenants: &str) -> anyhow::Result<()> {
        let file = self.folder.write("bridge.yaml", &format!("version: 1\ntenants:\n{tenants}"))?;
        Ok(cli::beside(&self.settings, &file).await?)
    }

    /// Keeps the document at an address of ours beside the bridge file.
    async fn fetch(&self, path: &str, file: &str) -> anyhow::Result<()> {
        let address = format!("{}{path}", self.settings.base_url);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.get(&address).send().await.with_context(|| format!("{address} can't be fetched"))?;
        ensure!(answer.status() == 200, "{address} answered {}", answer.status());
        self.folder.write(file, &answer.text().await?)?;
        Ok(())
    }
}

fn corp() -> String {
    format!(
        r"  - slug: {CORP}
    display_name: Demo Corp
    connections:
      - slug: {DIRECTORY}
        display_name: The company's directory
        protocol: saml
        idp_metadata: {{ file: directory.xml }}
        mapping:
          claims:
            groups: {{ from: [memberOf] }}
            department: {{ from: [department] }}
"
    )
}

/// More of the company: an app of it that speaks SAML.
fn service_provider() -> String {
    format!(
        r"    service_providers:
      - slug: {SERVICE_PROVIDER}
        name: The tenant demo
        sp_metadata: {{ file: demo.xml }}
        name_id: {{ format: persistent }}
        attributes: {{ mail: email, groups: groups, department: department }}
        sign: both
        encrypt: true
"
    )
}

fn demo() -> String {
    format!(
        r"  - slug: {DEMO}
    display_name: Demo
    domains: [demo.example]
"
    )
}

/// More of `demo`: the connection to the company, and the app.
fn connected(app: &DemoApp) -> String {
    format!(
        r#"    connections:
      - slug: {CONNECTION}
        display_name: Demo Corp
        protocol: saml
        domains: [demo.example]
        idp_metadata: {{ file: corp.xml }}
        mapping:
          claims:
            groups: {{ from: [groups] }}
            department: {{ from: [department] }}
            admin: {{ cel: "'admins' in groups", type: bool }}
    clients:
      - client_id: {}
        name: The demo's app
        client_secret: {{ value: "{}" }}
        redirect_uris: ["{}"]
        post_logout_redirect_uris: ["{}"]
        connections: [{CONNECTION}]
        scopes: [openid, profile, email, groups]
        release: [department, admin]
"#,
        app::CLIENT_ID,
        app.secret,
        app.redirect_uri,
        app.logged_out_uri,
    )
}

/// A folder for the time of the demo's start; it goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("fedbridge-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
