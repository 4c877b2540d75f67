//! A PostgreSQL of this run's own, started by the script of `tests/peers`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// It ends when it is dropped.
pub struct Postgres {
    peer: Child,
    pub url: String,
    /// The process above all of its processes.
    pub root: u32,
}

impl Postgres {
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/postgres/start.sh");
        let folder = folder.join("peer");
        let mut peer = Command::new(script)
            .env("PEER_DIR", &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{script} could not be run"))?;
        let mut line = String::new();
        if let Some(out) = peer.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Some(url) = line.trim().strip_prefix("ready ").map(str::to_owned) else {
            let mut said = String::new();
            if let Some(mut err) = peer.stderr.take() {
                err.read_to_string(&mut said)?;
            }
            bail!("PostgreSQL did not start: {}", said.trim());
        };
        let mut started = Self { peer, url, root: 0 };
        let pid = std::fs::read_to_string(folder.join("data/postmaster.pid"))?;
        started.root = pid.lines().next().and_then(|line| line.trim().parse().ok()).context("postmaster.pid")?;
        Ok(started)
    }

    /// Makes a database besides, and gives back its address.
    pub fn database(&self, name: &str) -> anyhow::Result<String> {
        let (server, _) = self.url.rsplit_once('/').context("the address has no database")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.url).await?;
            connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
            connection.close().await
        })?;
        Ok(format!("{server}/{name}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The script ends its server on TERM; after KILL it would take seconds.
        let _ = Command::new("kill").arg(self.peer.id().to_string()).status();
        let _ = self.peer.wait();
    }
}
