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
    /// Whether LDAP is measured beside slapd (`BENCH_LDAP`; 0: not).
    pub ldap: bool,
    /// Turns that each has in every comparison of LDAP (`BENCH_LDAP_ROUNDS`).
    pub ldap_rounds: usize,
    /// People of the directories, the first of which binds too (`BENCH_LDAP_PEOPLE`, with commas).
    pub ldap_people: Vec<usize>,
    /// Where SCIM is measured beside scim2-server and SCIMMY (`BENCH_SCIM`: as `BENCH_DATABASES`).
    pub scim: Vec<Database>,
    /// Turns that each has in every comparison of SCIM (`BENCH_SCIM_ROUNDS`).
    pub scim_rounds: usize,
    /// Users of a first sync (`BENCH_SCIM_USERS`; 0: none).
    pub scim_users: usize,
    /// `BENCH_DATABASES`: `sqlite`, `postgres`, both with a comma, or `none`.
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
            ldap: number("BENCH_LDAP", 1)? != 0,
            ldap_rounds: number("BENCH_LDAP_ROUNDS", 5)?,
            ldap_people: ldap_people()?,
            scim: databases("BENCH_SCIM")?,
            scim_rounds: number("BENCH_SCIM_ROUNDS", 3)?,
            scim_users: number("BENCH_SCIM_USERS", 100_000)?,
            databases: databases("BENCH_DATABASES")?,
        };
        if options.logins < 200
            || options.flows == 0
            || options.connections == 0
            || options.lasting.is_zero()
            || options.ldap_rounds == 0
        {
            bail!("the bench needs 200 logins at least, and one flow, one connection, one second and one round");
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

fn ldap_people() -> anyhow::Result<Vec<usize>> {
    let text = std::env::var("BENCH_LDAP_PEOPLE").unwrap_or_else(|_| "10000,100000".into());
    let numbers =
        text.split(',').map(|number| number.trim().parse().context("BENCH_LDAP_PEOPLE must be whole numbers"));
    numbers.collect()
}

fn databases(name: &str) -> anyhow::Result<Vec<Database>> {
    let text = std::env::var(name).unwrap_or_else(|_| "sqlite,postgres".into());
    text.split(',')
        .filter(|word| word.trim() != "none")
        .map(|word| match word.trim() {
            "sqlite" => Ok(Database::Sqlite),
            "postgres" => Ok(Database::Postgres),
            other => bail!("{name}: {other} is none of sqlite, postgres and none"),
        })
        .collect()
}
