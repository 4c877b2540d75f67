//! A PostgreSQL of this run's own, started by the script of `tests/peers`.

use std::path::Path;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::peer::Peer;

/// It ends when it is dropped.
pub struct Postgres {
    _peer: Peer,
    pub url: String,
    /// The process above all of its processes.
    pub root: u32,
}

impl Postgres {
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("peer");
        let (peer, url) = Peer::start("postgres", &folder, &[])?;
        let pid = std::fs::read_to_string(folder.join("data/postmaster.pid"))?;
        let root = pid.lines().next().and_then(|line| line.trim().parse().ok()).context("postmaster.pid")?;
        Ok(Self { _peer: peer, url, root })
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
