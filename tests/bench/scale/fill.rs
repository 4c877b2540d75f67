//! Stored grants, with their people and sessions, by SQL: they are alive, and of nobody whom the requests name. A
//! tenth of all people has half of the grants.

use std::time::Duration;

use fedbridge_contract::services::Clock as _;
use fedbridge_keys::SystemClock;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::chain::{APP, TENANT};
use crate::upstream::Variety;

const GRANTS_OF_ONE: usize = 10;
/// Octets of what is sealed: about as many as those of a login.
const SEALED: usize = 600;
/// They were given within this time.
const SPREAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// Puts so many in, at the tenant of the bench.
pub fn grants(url: &str, count: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match url.strip_prefix("sqlite://") {
            Some(path) => sqlite(path, count).await,
            None => postgres(url, count).await,
        }
    })
}

async fn sqlite(path: &str, count: usize) -> anyhow::Result<()> {
    // Nobody's data yet, so nothing has to be durable on the way.
    let options = SqliteConnectOptions::new().filename(path).synchronous(SqliteSynchronous::Off);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    for statement in statements(&Sqlite, count) {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    connection.close().await?;
    Ok(())
}

async fn postgres(url: &str, count: usize) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    for statement in statements(&Postgres, count) {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    // What the background would do sooner or later, while something is measured.
    connection.execute("VACUUM ANALYZE").await?;
    connection.execute("CHECKPOINT").await?;
    connection.close().await?;
    Ok(())
}

/// What the two databases write in their own ways.
trait Dialect {
    /// An id that begins with its time, of the row that `number` counts. `kind` tells ids of one time apart.
    fn timed_id(&self, millis: &str, kind: u8, number: &str) -> String;
    /// An id that lies anywhere.
    fn scattered_id(&self, number: &str) -> String;
    fn hash(&self) -> &'static str;
    fn zeros(&self, octets: usize) -> String;
    fn yes_no(&self, value: bool) -> &'static str;
}

struct Sqlite;

struct Postgres;

impl Dialect for Sqlite {
    fn timed_id(&self, millis: &str, kind: u8, number: &str) -> String {
        format!("unhex(printf('%012x700{kind}8%015x', {millis}, {number}))")
    }

    fn scattered_id(&self, number: &str) -> String {
        format!("unhex(printf('%08x%024x', ({number}) * 2654435761 % 4294967296, {number}))")
    }

    fn hash(&self) -> &'static str {
        "randomblob(32)"
    }

    fn zeros(&self, octets: usize) -> String {
        format!("zeroblob({octets})")
    }

    fn yes_no(&self, value: bool) -> &'static str {
        if value { "1" } else { "0" }
    }
}

impl Dialect for Postgres {
    fn timed_id(&self, millis: &str, kind: u8, number: &str) -> String {
        let hex = |number: &str, digits: u8| format!("lpad(to_hex(({number})::bigint), {digits}, '0')");
        format!("({} || '700{kind}8' || {})::uuid", hex(millis, 12), hex(number, 15))
    }

    fn scattered_id(&self, number: &str) -> String {
        let number = format!("({number})::bigint");
        let first = format!("lpad(to_hex({number} * 2654435761 % 4294967296), 8, '0')");
        format!("({first} || lpad(to_hex({number}), 24, '0'))::uuid")
    }

    fn hash(&self) -> &'static str {
        "sha256(int8send(i))"
    }

    fn zeros(&self, octets: usize) -> String {
        format!("decode(repeat('00', {octets}), 'hex')")
    }

    fn yes_no(&self, value: bool) -> &'static str {
        if value { "true" } else { "false" }
    }
}

/// One for each table. `i` counts rows from 1 on.
fn statements(dialect: &impl Dialect, grants: usize) -> Vec<String> {
    let people = grants.div_ceil(GRANTS_OF_ONE);
    let busy = people.div_ceil(10);
    let now = SystemClock.now();
    let (first, late) = ((now - SPREAD).millis(), (now + SPREAD).millis());
    let given = |rows: usize, number: &str| {
        format!("{first} + ({number}) * {} / {rows}", i64::try_from(SPREAD.as_millis()).unwrap_or(i64::MAX))
    };
    let person = |number: &str| dialect.scattered_id(number);
    let session = |number: &str| dialect.timed_id(&given(people, number), 1, number);
    let grant = dialect.timed_id(&given(grants, "i"), 2, "i");
    let (hash, sealed) = (dialect.hash(), dialect.zeros(SEALED));
    let (no, yes) = (dialect.yes_no(false), dialect.yes_no(true));
    // A step that has no common divisor with the number of people reaches all of them.
    let owner = format!("1 + i / 2 * 7919 % CASE WHEN i % 2 = 0 THEN {people} ELSE {busy} END");
    let tenant = format!("(SELECT tenant_id FROM tenants WHERE slug = '{TENANT}')");
    let of = |table: &str, column: &str, name: &str| {
        format!("(SELECT id FROM {table} WHERE tenant_id = {tenant} AND {column} = '{name}')")
    };
    let connection = of("connections", "slug", Variety::Unsigned.slug());
    let app = of("apps", "name", APP);
    let fill = |rows: usize, table: &str, columns: &str, values: &str| {
        format!(
            "INSERT INTO {table} (tenant_id, {columns}) \
             WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
             SELECT {tenant}, {values} FROM n"
        )
    };
    vec![
        fill(people, "people", "id, disabled, created_at", &format!("{}, {no}, {first}", person("i"))),
        fill(
            people,
            "identities",
            "connection_id, subject_hash, subject_key, display, person_id, created_at, email_hash",
            &format!("{connection}, {hash}, 'subject', 'display', {}, {first}, {hash}", person("i")),
        ),
        fill(
            people,
            "sessions",
            "id, cookie_hash, person_id, connection_id, idle_expires_at, absolute_expires_at, upstream_hash, \
             upstream_index_hash, sealed",
            &format!(
                "{}, {hash}, {}, {connection}, {late}, {late}, {hash}, {hash}, {sealed}",
                session("i"),
                person("i")
            ),
        ),
        fill(
            grants,
            "grants",
            "id, app_id, person_id, session_id, offline, code_hash, code_expires_at, redeemed_at, generation, \
             rotated_at, idle_expires_at, absolute_expires_at, expires_at, sealed",
            &format!(
                "{grant}, {app}, {}, {}, {yes}, {hash}, {first}, {first}, 1, {first}, {late}, {late}, {late}, {sealed}",
                person(&owner),
                session(&owner)
            ),
        ),
    ]
}
