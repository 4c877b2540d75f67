//! What to measure, from the environment.

use std::time::Duration;

use anyhow::{Context as _, bail};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Options {
    /// Complete logins on each database, a third of each variety (`BENCH_LOGINS`).
    pub logins: usize,
    /// Logins or browsers at single sign-on at a time (`BENCH_FLOWS`).
    pub flows: usize,
    /// Keep-alive connections of the request loads (`BENCH_CONNECTIONS`).
    pub connections: usize,
    /// Time of each request load, single sign-on included (`BENCH_SECONDS`).
    pub lasting: Duration,
    /// Stored grants of the large installation, which is compared with one of a thousand (`BENCH_GRANTS`; 0: not).
    pub grants: usize,
    /// Tenants of the large installation, which is compared with one of one (`BENCH_TENANTS`; 0: not).
    pub tenants: usize,
    /// `BENCH_DATABASES`: `sqlite`, `postgres`, or both with a comma.
    pub databases: Vec<Database>,
}

impl Options {
    pub fn from_environment() -> anyhow::Result<Self> {
        let options = Self {
            logins: number("BENCH_LOGINS", 5_000)?,
            flows: number("BENCH_FLOWS", 8)?,
            connections: number("BENCH_CONNECTIONS", 16)?,
            lasting: Duration::from_secs(number("BENCH_SECONDS", 4)? as u64),
            grants: number("BENCH_GRANTS", 1_000_000)?,
            tenants: number("BENCH_TENANTS", 10_000)?,
            databases: databases()?,
        };
        if options.logins < 200 || options.flows == 0 || options.connections == 0 || options.lasting.is_zero() {
            bail!("the bench needs 200 logins at least, and one flow, one connection and one second");
        }
        Ok(options)
    }
}

fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} must be a whole number")),
        Err(_) => Ok(default),
    }
}

fn databases() -> anyhow::Result<Vec<Database>> {
    let text = std::env::var("BENCH_DATABASES").unwrap_or_else(|_| "sqlite,postgres".into());
    text.split(',')
        .map(|name| match name.trim() {
            "sqlite" => Ok(Database::Sqlite),
            "postgres" => Ok(Database::Postgres),
            other => bail!("BENCH_DATABASES: {other} is neither sqlite nor postgres"),
        })
        .collect()
}
