//! A database of its own for each test. SQLite: a file in a temporary folder.
//! PostgreSQL: a database of a server that this process starts for itself.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use fedbridge_store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use uuid::Uuid;

use super::world::sealer;

pub enum Database {
    Sqlite(Folder),
    Postgres(String),
}

impl Database {
    pub fn sqlite() -> Self {
        Self::Sqlite(Folder::new())
    }

    pub async fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server();
        let name = format!("store_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let db = sea_orm::Database::connect(server).await.unwrap();
        db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        db.close().await.unwrap();
        Self::Postgres(format!("{}/{name}", server.rsplit_once('/').unwrap().0))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/data/test.db", folder.0.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url(), sealer(), StoreOptions { connections: 6, migrate: true }).await.unwrap()
    }

    /// The database itself, for counting rows past the store.
    pub async fn raw(&self) -> DatabaseConnection {
        sea_orm::Database::connect(self.url()).await.unwrap()
    }

    pub async fn count(&self, table: &str) -> i64 {
        let db = self.raw().await;
        let sql = format!("SELECT count(*) FROM {table}");
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let count = db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        db.close().await.unwrap();
        count
    }
}

impl Database {
    /// Each table and column that holds this id.
    pub async fn mentions(&self, id: Uuid) -> Vec<String> {
        let db = self.raw().await;
        let columns = match self {
            Self::Sqlite(_) => {
                "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
                 ORDER BY 1, 2"
            }
            Self::Postgres(_) => {
                "SELECT table_name::text, column_name::text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND data_type = 'uuid' ORDER BY 1, 2"
            }
        };
        let backend = db.get_database_backend();
        let mut found = Vec::new();
        for row in db.query_all_raw(Statement::from_string(backend, columns)).await.unwrap() {
            let (table, column): (String, String) =
                (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
            let sql = format!("SELECT count(*) FROM {table} WHERE {column} = $1");
            let statement = Statement::from_sql_and_values(backend, sql, [id.into()]);
            let count: i64 = db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
            if count > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
        db.close().await.unwrap();
        found
    }
}

/// A temporary folder that goes when the test ends.
pub struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{TEST_FOLDER}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts the peer, and ends it with its folder as soon as its own input ends: that is with this process, however
/// it ends. The peer is killed by TERM alone, for it then waits until the server is gone.
const KEEPER: &str = r#""$0" & peer=$!; cat >/dev/null; kill "$peer"; wait "$peer"; rm -rf "$1""#;

/// How the names of all folders begin. The number of the process that made one follows.
pub const SERVER_FOLDER: &str = "fedbridge-store-pg-";
const TEST_FOLDER: &str = "fedbridge-store-";

/// The server's address. It ends by itself soon after this process.
#[allow(clippy::zombie_processes)] // It outlives every test, and nobody could wait for it.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, ChildStdin)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        sweep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/postgres/start.sh");
        let folder = std::env::temp_dir().join(format!("{SERVER_FOLDER}{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("start.log");
        let mut peer = Command::new("sh")
            .arg("-c")
            .arg(KEEPER)
            .args([&script, &folder])
            .env("PEER_DIR", folder.join("peer"))
            .env_remove("PEER_PORT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            // Ctrl-C is for this process.
            .process_group(0)
            .spawn()
            .expect("sh can't be run");
        let mut line = String::new();
        BufReader::new(peer.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().strip_prefix("ready ") {
            Some(url) => (url.to_owned(), peer.stdin.take().unwrap()),
            None => panic!(
                "PostgreSQL did not start; scripts/install-deps.sh test installs it.\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            ),
        }
    });
    url
}

/// Removes what earlier runs left that were killed together with their keeper.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let made = name.strip_prefix(SERVER_FOLDER).or_else(|| name.strip_prefix(TEST_FOLDER));
        let process = made.and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
        if process.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Another run may sweep too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
