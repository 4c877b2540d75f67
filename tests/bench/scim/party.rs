//! Who is measured: a server that speaks SCIM, and how it is asked.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::http::{Answer, Connection};
use crate::load::{Meter, Precision};
use crate::options::Database;
use crate::peer::Peer;
use crate::postgres::Postgres;
use crate::server::{Server, Setup};

const TOKEN: &str = "bench-token-bench-token-bench-token-1";

pub struct Party {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Before `/Users`.
    path: String,
    pub meter: Meter,
    _peer: Option<Peer>,
}

impl Party {
    pub fn scim2_server(folder: &Path) -> anyhow::Result<Self> {
        Self::peer("scim2-server", folder)
    }

    pub fn scimmy(folder: &Path) -> anyhow::Result<Self> {
        Self::peer("scimmy", folder)
    }

    fn peer(name: &'static str, folder: &Path) -> anyhow::Result<Self> {
        let (peer, ready) = Peer::start(name, folder, &[("SCIM_TOKEN", TOKEN)])?;
        let rest = ready.strip_prefix("http://").context("the peer's address")?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        let server = fs::read_to_string(folder.join("peer.pid"))?.trim().parse()?;
        let meter = Meter { server, database: None, precision: Precision::Ticks };
        Ok(Self { name, address: address.parse()?, path, meter, _peer: Some(peer) })
    }

    /// A request as octets; `path` is below the base.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
        let host = self.address;
        let head =
            format!("{method} {}/{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {TOKEN}\r\n", self.path);
        match body {
            None => format!("{head}\r\n").into_bytes(),
            Some(body) => {
                let body = body.to_string();
                let length = body.len();
                format!("{head}content-type: application/scim+json\r\ncontent-length: {length}\r\n\r\n{body}")
                    .into_bytes()
            }
        }
    }

    pub fn ask(
        &self,
        connection: &mut Connection,
        (method, path): (&str, &str),
        body: Option<&Value>,
        status: u16,
    ) -> anyhow::Result<Value> {
        let answer = connection.call(&self.request(method, path, body))?.expect(status)?;
        document(&answer)
    }

    /// Creates a user, and gives their id.
    pub fn create(&self, connection: &mut Connection, name: &str) -> anyhow::Result<String> {
        id(&self.ask(connection, ("POST", "Users"), Some(&user(name)), 201)?)
    }
}

pub fn document(answer: &Answer<'_>) -> anyhow::Result<Value> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(answer.body)?)
}

pub fn id(resource: &Value) -> anyhow::Result<String> {
    Ok(resource["id"].as_str().context("a resource has no id")?.to_owned())
}

/// A user as a directory sends one, with as many attributes as each of the three understands.
pub fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "externalId": format!("x-{name}"),
        "name": { "givenName": "Ada", "familyName": name },
        "displayName": format!("Ada {name}"),
        "title": "Engineer",
        "active": true,
        "emails": [{ "type": "work", "value": format!("{name}@acme.example"), "primary": true }],
    })
}

pub fn patch(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// The bridge, with one connection that is pushed to.
pub struct Ours {
    pub party: Arc<Party>,
    pub url: String,
    setup: Setup,
    server: Server,
    _postgres: Option<Postgres>,
}

impl Ours {
    pub fn start(folder: &Path, database: Database) -> anyhow::Result<Self> {
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start(folder)?),
        };
        let url = match &postgres {
            None => format!("sqlite://{}", folder.join("fedbridge.db").display()),
            Some(postgres) => postgres.url.clone(),
        };
        let setup = Setup::new(folder, &url)?;
        let file = folder.join("scim.yaml");
        fs::write(&file, bridge_file())?;
        setup.apply(&file)?;
        let server = setup.serve()?;
        let root = postgres.as_ref().map(|postgres| postgres.root);
        let party = Party {
            name: "fedbridge",
            address: setup.address,
            path: "/t/bench/connections/hr/scim/v2".into(),
            meter: Meter { server: server.pid(), database: root, precision: Precision::Ticks },
            _peer: None,
        };
        Ok(Self { party: Arc::new(party), url, setup, server, _postgres: postgres })
    }

    pub fn log_tail(&self) -> String {
        self.setup.log_tail()
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.server.stop().context("the bridge")
    }
}

fn bridge_file() -> String {
    format!(
        "version: 1
tenants:
  - slug: bench
    display_name: Bench
    domains: [acme.example]
    connections:
      - slug: hr
        protocol: scim
        bearer_token: {{ value: {TOKEN} }}
        guard: {{ percent: 100 }}
"
    )
}

/// Everybody of a list must be there.
pub fn none_is_missing(wanted: &[String], seen: &std::collections::HashSet<String>) -> anyhow::Result<()> {
    let missing = wanted.iter().filter(|id| !seen.contains(*id)).count();
    ensure!(missing == 0, "{missing} of {} users were skipped", wanted.len());
    Ok(())
}
