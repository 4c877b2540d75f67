//! One tenant with very many rows, which share all that rows can share.

use sea_orm::ConnectionTrait as _;

use crate::support::{Database, World, at};

pub fn grants() -> u64 {
    std::env::var("PLAN_ROWS").map_or(20_000, |rows| rows.parse().unwrap())
}

/// The rows are alive, and of nobody whom the requests name.
pub async fn world(database: &Database) -> World {
    let grants = grants();
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let db = database.raw().await;
    let sqlite = matches!(database, Database::Sqlite(_));
    let id = |kind: u8, number: &str| match sqlite {
        true => format!("CAST(printf('{kind}%015d', {number}) AS BLOB)"),
        false => format!("('{kind}' || lpad(to_hex({number}), 31, '0'))::uuid"),
    };
    let hash = |number: &str| match sqlite {
        true => format!("CAST(printf('%032d', {number}) AS BLOB)"),
        false => format!("convert_to(lpad(({number})::text, 32, '0'), 'UTF8')"),
    };
    let fixed = |id: uuid::Uuid| match sqlite {
        true => format!("X'{}'", id.simple()),
        false => format!("'{id}'::uuid"),
    };
    let flag = |value: bool| match (sqlite, value) {
        (true, value) => i32::from(value).to_string(),
        (false, value) => value.to_string(),
    };
    let sealed = if sqlite { "zeroblob(600)" } else { "decode(repeat('00', 600), 'hex')" };
    let (tenant, connection, app) =
        (fixed(world.tenant.uuid()), fixed(world.connection.uuid()), fixed(world.app.uuid()));
    let (soon, late) = (at(1800).millis(), at(900_000).millis());
    let people = grants / 10;
    let (person, session, own) = (id(1, "i"), id(2, "i"), id(3, "i"));
    let (person_of_ten, session_of_ten) = (id(1, &format!("i % {people}")), id(2, &format!("i % {people}")));
    let (no, yes) = (flag(false), flag(true));
    let h = hash("i");
    let tables = [
        ("people", "id, disabled, created_at", format!("{person}, {no}, 1")),
        (
            "identities",
            "connection_id, subject_hash, subject_key, display, person_id, created_at, email_hash",
            format!("{connection}, {h}, 'subject', 'display ' || i, {person}, 1, {h}"),
        ),
        (
            "sessions",
            "id, cookie_hash, person_id, connection_id, idle_expires_at, absolute_expires_at, upstream_hash, \
             upstream_index_hash, sealed",
            format!("{session}, {h}, {person}, {connection}, {late}, {late}, {h}, {h}, {sealed}"),
        ),
        ("transactions", "id, handle_hash, expires_at, sealed", format!("{own}, {h}, {late}, {sealed}")),
        ("one_time_keys", "key_hash, expires_at", format!("{h}, {late}")),
        ("revoked_tokens", "jti_hash, expires_at", format!("{h}, {late}")),
        ("handles", "handle_hash, expires_at, sealed", format!("{h}, {late}, {sealed}")),
        (
            "participants",
            "session_id, app_id, key_hash, index_hash, expires_at, sealed",
            format!("{session}, {app}, {h}, {h}, {late}, {sealed}"),
        ),
        (
            "logouts",
            "id, created_at, expires_at, spread, sessions, sealed",
            format!("{own}, 1, {late}, {yes}, '[]', {sealed}"),
        ),
        (
            "logout_notices",
            "logout_id, app_id, session_id, told, attempts, next_attempt_at, expires_at, sealed",
            format!("{own}, {app}, {session}, 'done', 1, 1, {late}, {sealed}"),
        ),
        (
            "name_ids",
            "qualifier_hash, person_id, qualifier, value, created_at",
            format!("{}, {person}, 'app', 'value', 1", hash("1")),
        ),
        (
            "link_proofs",
            "id, secret_hash, person_id, connection_id, session_id, expires_at, sealed",
            format!("{own}, {h}, {person}, {connection}, {session}, {late}, {sealed}"),
        ),
        (
            "session_upstreams",
            "session_id, connection_id, upstream_hash, upstream_index_hash, expires_at",
            format!("{session}, {connection}, {h}, {h}, {late}"),
        ),
        (
            "upstream_tokens",
            "session_id, connection_id, person_id, due_at, expires_at, sealed",
            format!("{session}, {connection}, {person}, {soon}, {late}, {sealed}"),
        ),
        ("consents", "person_id, app_id, items, at", format!("{person}, {app}, '[]', 1")),
        (
            "tombstones",
            "connection_id, subject_hash, person_id, reason, at",
            format!("{connection}, {}, {person}, 'unlinked', 1", hash("i + 1000000000")),
        ),
        (
            "profiles",
            "connection_id, subject_hash, person_id, source, digest, sweep, created_at, changed_at, sealed",
            format!("{connection}, {h}, {person}, 'sync', {h}, 1, 1, 1, {sealed}"),
        ),
        (
            "directory_groups",
            "id, name_hash, name, created_at, changed_at",
            format!("{}, {h}, 'group', 1, 1", id(4, "i")),
        ),
        ("posix_numbers", "number, kind, owner_id, at", format!("i, 'user', {person}, 1")),
        (
            "factors",
            "id, person_id, kind, label, last_step, created_at, sealed",
            format!("{own}, {person}, 'totp', '', 1, 1, {sealed}"),
        ),
        (
            "app_passwords",
            "id, person_id, app_id, label, hash, created_at",
            format!("{own}, {person}, {app}, '', '', 1"),
        ),
        ("failures", "key_hash, window_at, count, changed_at", format!("{h}, 1, 1, {late}")),
        ("known_devices", "key_hash, expires_at", format!("{h}, {late}")),
        ("ldap_shapes", "app_id, shape_hash, shape, count, first_at, last_at", format!("{app}, {h}, '', 1, 1, 1")),
        (
            "provisioned",
            "app_id, kind, subject_id, remote_id, on_there, digest, in_groups, changed_at",
            format!("{app}, 'user', {person}, 'r' || i, {yes}, {h}, '[]', 1"),
        ),
        ("traces", "id, at, kind, outcome, cause, sealed", format!("{own}, {late}, 'login', 'success', '', {sealed}")),
    ];
    let fill = |rows: u64, table: &str, columns: &str, values: &str| {
        format!(
            "INSERT INTO {table} (tenant_id, {columns}) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
             SELECT {tenant}, {values} FROM n"
        )
    };
    for (table, columns, values) in tables {
        db.execute_unprepared(&fill(people, table, columns, &values)).await.unwrap();
    }
    let columns = "id, app_id, person_id, session_id, offline, code_hash, code_expires_at, redeemed_at, generation, \
                   rotated_at, idle_expires_at, absolute_expires_at, expires_at, sealed";
    let values = format!(
        "{own}, {app}, {person_of_ten}, {session_of_ten}, {yes}, {h}, 1, 1, 1, 1, {late}, {late}, {late}, {sealed}"
    );
    db.execute_unprepared(&fill(grants, "grants", columns, &values)).await.unwrap();
    if !sqlite {
        db.execute_unprepared("VACUUM ANALYZE").await.unwrap();
    }
    db.close().await.unwrap();
    world
}
