//! SQLite: one thread that writes, and reads where they are asked for.
//!
//! Both go to SQLite directly: a statement by a key takes a few microseconds, and
//! a walk from thread to thread for each one takes longer. So a read by a key runs
//! on the thread that wants it ([`reader`]), and the statements of a unit run
//! together on the one thread that writes ([`writer`]). sea-orm has connections of
//! its own to the same file, for the schema and the configuration.

mod connection;
mod reader;
mod writer;

use std::path::Path;
use std::sync::Arc;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};

use crate::error::store_error;
use crate::open::{OpenError, StoreOptions};
use crate::stats::Counters;
use connection::BUSY;
pub use reader::Reader;
pub use writer::Writer;

/// Connections of sea-orm: one may change the configuration while another reads it.
const ORM_CONNECTIONS: u32 = 2;

pub struct Opened {
    pub writer: Writer,
    pub reader: Reader,
    pub orm: DatabaseConnection,
}

pub async fn open(path: &Path, options: &StoreOptions, counters: Arc<Counters>) -> Result<Opened, OpenError> {
    make_file(path)?;
    let orm = orm(path);
    if options.migrate {
        fedbridge_migrations::migrate(&orm).await.map_err(|cause| OpenError::Migrate(store_error(&cause)))?;
    }
    let writer = Writer::start(path, orm.clone(), counters)?;
    let reader = Reader::new(path, options.connections)?;
    Ok(Opened { writer, reader, orm })
}

fn orm(path: &Path) -> DatabaseConnection {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(ORM_CONNECTIONS)
        .test_before_acquire(false)
        .max_lifetime(None)
        .connect_lazy_with(connect);
    SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
}

/// The file is made here, for its mode: it holds personal data. Its WAL takes the mode over.
fn make_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}
