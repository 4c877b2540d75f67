//! What the database alone can do: as many rows, of the same size, as one write leaves in ours, and as many such writes
//! in one commit as the load has connections.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::options::Options;

use super::Ask;

/// Rows that a PATCH of one attribute writes: the record's, the profile's of its person, and the trace.
const OF_A_PATCH: f64 = 3.0;

#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Of one write.
    pub rows: f64,
    /// Of one row.
    pub octets: usize,
    /// Writes in a second.
    pub rate: f64,
}

/// What is in a database, over all of its tables.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    rows: i64,
    octets: i64,
}

impl Stored {
    pub fn read(url: &str) -> anyhow::Result<Self> {
        runtime()?.block_on(async {
            match url.strip_prefix("sqlite://") {
                Some(path) => of_sqlite(path).await,
                None => of_postgres(url).await,
            }
        })
    }
}

pub fn measure(url: &str, (ask, before, writes): (Ask, Stored, usize), options: &Options) -> anyhow::Result<Floor> {
    let after = Stored::read(url)?;
    let made = (after.rows - before.rows).max(1) as f64;
    let rows = if ask == Ask::Create { made / writes.max(1) as f64 } else { OF_A_PATCH };
    // Over everything that is stored, so that a PATCH has it too.
    let octets = usize::try_from(after.octets / after.rows.max(1))?.clamp(64, 4_096);
    let each = rows.round().max(1.0) as usize;
    let rate = match url.strip_prefix("sqlite://") {
        Some(path) => sqlite(&format!("{path}.floor"), (each, octets), options)?,
        None => runtime()?.block_on(postgres(url, (each, octets), options))?,
    };
    Ok(Floor { rows, octets, rate })
}

async fn of_sqlite(path: &str) -> anyhow::Result<Stored> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let names = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let mut rows = 0;
    for name in names.fetch_all(&mut connection).await? {
        let count = format!("SELECT count(*) FROM \"{}\"", name.get::<String, _>(0));
        rows += sqlx::query(AssertSqlSafe(count)).fetch_one(&mut connection).await?.get::<i64, _>(0);
    }
    let pages = sqlx::query("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
    let octets = pages.fetch_one(&mut connection).await?.get(0);
    connection.close().await?;
    Ok(Stored { rows, octets })
}

async fn of_postgres(url: &str) -> anyhow::Result<Stored> {
    let mut connection = PgConnection::connect(url).await?;
    let names = sqlx::query("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'");
    let mut rows = 0;
    for name in names.fetch_all(&mut connection).await? {
        let name = name.get::<String, _>(0);
        if name != "scim_floor" {
            let count = format!("SELECT count(*) FROM {name}");
            rows += sqlx::query(AssertSqlSafe(count)).fetch_one(&mut connection).await?.get::<i64, _>(0);
        }
    }
    let size = sqlx::query("SELECT pg_database_size(current_database())").fetch_one(&mut connection).await?;
    let octets = size.get(0);
    connection.close().await?;
    Ok(Stored { rows, octets })
}

/// One writer, and all that wait in one commit: by the library that the store writes with.
fn sqlite(path: &str, (rows, octets): (usize, usize), options: &Options) -> anyhow::Result<f64> {
    let mut connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; DROP TABLE IF EXISTS scim_floor;
         CREATE TABLE scim_floor (id BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    )?;
    let (start, mut writes, mut ids, body) = (Instant::now(), 0_usize, Ids::default(), vec![7_u8; octets]);
    while start.elapsed() < options.lasting {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO scim_floor (id, body) VALUES (?, ?)")?;
            for _ in 0..options.connections {
                for _ in 0..rows {
                    insert.execute((ids.next(), &body))?;
                }
                writes += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(writes as f64 / start.elapsed().as_secs_f64())
}

/// As many connections as the load has, each of which commits: the server flushes for all that wait.
async fn postgres(url: &str, unit: (usize, usize), options: &Options) -> anyhow::Result<f64> {
    let mut first = PgConnection::connect(url).await?;
    sqlx::query("CREATE TABLE scim_floor (id BYTEA PRIMARY KEY, body BYTEA NOT NULL)").execute(&mut first).await?;
    let insert = insert(unit.0, |at| format!("(${}, ${})", 2 * at + 1, 2 * at + 2));
    let start = Instant::now();
    let writer = |number: usize| {
        let (insert, url, lasting) = (insert.clone(), url.to_owned(), options.lasting);
        async move {
            let mut connection = PgConnection::connect(&url).await?;
            let (mut writes, mut ids) = (0_usize, Ids::of(number));
            while start.elapsed() < lasting {
                let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
                for _ in 0..unit.0 {
                    query = query.bind(ids.next()).bind(vec![7_u8; unit.1]);
                }
                query.execute(&mut connection).await?;
                writes += 1;
            }
            connection.close().await?;
            anyhow::Ok(writes)
        }
    };
    let writers = (1..=options.connections).map(|number| tokio::spawn(writer(number))).collect::<Vec<_>>();
    let mut writes = 0;
    for writer in writers {
        writes += writer.await.context("a writer died")??;
    }
    let rate = writes as f64 / start.elapsed().as_secs_f64();
    sqlx::query("DROP TABLE scim_floor").execute(&mut first).await?;
    first.close().await?;
    Ok(rate)
}

fn insert(rows: usize, row: impl Fn(usize) -> String) -> String {
    let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO scim_floor (id, body) VALUES {rows}")
}

/// Ids of 16 octets that lie anywhere.
#[derive(Default)]
struct Ids(u64, u64);

impl Ids {
    fn of(writer: usize) -> Self {
        Self(0, writer as u64)
    }

    fn next(&mut self) -> Vec<u8> {
        self.0 += 1;
        let scattered = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [scattered.to_be_bytes(), self.1.to_be_bytes()].concat()
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder
        .enable_all()
        .event_interval(8)
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .build()?)
}
