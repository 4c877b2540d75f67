//! One durable commit alone, through the libraries that the store uses.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::floor::Cost;
use crate::load::Meter;
use crate::numbers::each;
use crate::proc;

/// Where commits are measured.
pub enum CommitAt<'a> {
    Sqlite(&'a Path),
    Postgres(&'a str, Meter),
}

/// Time for all of them.
const MOST: Duration = Duration::from_secs(6);

/// About what the rows of a login hold.
const ROW: usize = 2_048;

/// What one takes on average, of so many at most.
pub fn measure(at: &CommitAt<'_>, commits: usize) -> anyhow::Result<Cost> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match at {
            CommitAt::Sqlite(folder) => sqlite(folder, commits).await,
            CommitAt::Postgres(url, meter) => postgres(url, meter, commits).await,
        }
    })
}

async fn sqlite(folder: &Path, commits: usize) -> anyhow::Result<Cost> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        .execute(&mut connection)
        .await?;
    let (cpu, start) = (proc::own_cpu()?, Instant::now());
    let mut count = 0;
    while count < commits && start.elapsed() < MOST {
        let insert = sqlx::query("INSERT INTO floor (body) VALUES (?)").bind(vec![7_u8; ROW]);
        insert.execute(&mut connection).await?;
        count += 1;
    }
    let cost = Cost { cpu: each(proc::own_cpu()? - cpu, count), wall: each(start.elapsed(), count) };
    connection.close().await?;
    Ok(cost)
}

async fn postgres(url: &str, meter: &Meter, commits: usize) -> anyhow::Result<Cost> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS floor (id BIGSERIAL PRIMARY KEY, body BYTEA NOT NULL)")
        .execute(&mut connection)
        .await?;
    let before = meter.read()?;
    let start = Instant::now();
    let mut count = 0;
    while count < commits && start.elapsed() < MOST {
        let insert = sqlx::query("INSERT INTO floor (body) VALUES ($1)").bind(vec![7_u8; ROW]);
        let done = insert.execute(&mut connection).await?;
        ensure!(done.rows_affected() == 1, "the floor's row was not written");
        count += 1;
    }
    let wall = start.elapsed();
    let cpu = meter.read()?.since(before);
    connection.close().await?;
    Ok(Cost { cpu: each(cpu.load + cpu.database, count), wall: each(wall, count) })
}
