//! How a node on PostgreSQL hears of changes: on connections of its own, so that neither a burst of logins
//! nor a pool that is used up makes it deaf.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_hub::ports::Signals;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};

use crate::error::sqlx_error;
use crate::postgres::CHANNEL;
use crate::row::Row;

const CONNECT: Duration = Duration::from_secs(1);

/// Opened when it is first used: a command that watches nothing has none of these connections.
pub struct Ear {
    connect: PgConnectOptions,
    /// The connection of the last question. No pool: one that keeps a connection whose other end is gone
    /// without a word would wait for it longer than anybody may be deaf.
    line: Mutex<Option<PgConnection>>,
}

impl Ear {
    pub fn new(connect: PgConnectOptions) -> Self {
        Self { connect, line: Mutex::default() }
    }

    /// Asks. Where the caller gives up on the way, or it fails, the connection is closed, and the next
    /// question has a new one.
    pub async fn ask(&self, sql: &'static str, args: &[i64]) -> Result<Vec<Row>, StoreError> {
        let asked = async {
            let mut line = match self.take() {
                Some(line) => line,
                None => PgConnection::connect_with(&self.connect).await?,
            };
            let query = args.iter().fold(sqlx::query(sql), |query, arg| query.bind(*arg));
            let rows = query.fetch_all(&mut line).await?;
            *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
            Ok(rows)
        };
        let rows = asked.await.map_err(|cause: sqlx::Error| sqlx_error(&cause))?;
        Ok(rows.into_iter().map(|row| Row::Postgres(row.into())).collect())
    }

    pub async fn listen(&self) -> Result<Listener, StoreError> {
        // A listener wants a pool; with one for each, a broken one leaves nothing behind.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT)
            .test_before_acquire(false)
            .connect_lazy_with(self.connect.clone());
        let mut listener = PgListener::connect_with(&pool).await.map_err(|cause| sqlx_error(&cause))?;
        listener.listen(CHANNEL).await.map_err(|cause| sqlx_error(&cause))?;
        Ok(Listener(listener))
    }

    /// A new connection, for reading what has changed. The caller closes it.
    pub async fn reader(&self) -> Result<DatabaseConnection, StoreError> {
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT).test_before_acquire(false);
        let pool = options.connect_with(self.connect.clone()).await.map_err(|cause| sqlx_error(&cause))?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    pub async fn close(&self) {
        if let Some(line) = self.take() {
            // The database notices without it too.
            let _ = line.close().await;
        }
    }

    fn take(&self) -> Option<PgConnection> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub struct Listener(PgListener);

#[async_trait]
impl Signals for Listener {
    async fn next(&mut self) -> Result<(), StoreError> {
        // `recv` would connect again in silence, and what came meanwhile would be lost.
        match self.0.try_recv().await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(StoreError("the connection that listens for changes was lost".into())),
            Err(cause) => Err(sqlx_error(&cause)),
        }
    }
}
