//! What directories keep: what upstreams say of people, groups, POSIX numbers, how far a sync has got, second factors,
//! passwords for single apps, wrong passwords, and what LDAP apps ask for.
//!
//! A login writes a profile only where the tenant has a directory or the connection is synchronised.

use sea_orm_migration::prelude::*;

use crate::column::{
    TENANT, cascade, clustered, index, int, int_null, octets, octets_null, primary_key, text, text_null, uuid,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0008_directory"
    }
}

/// Both databases take these as they stand; the builder has no partial index for SQLite. What nodes look for all the
/// time has an index that does not begin with the tenant: they look for all tenants at once.
const INDEXES: [&str; 5] = [
    "CREATE INDEX people_epoch ON people (epoch) WHERE epoch IS NOT NULL",
    "CREATE INDEX tombstones_at ON tombstones (at)",
    "CREATE INDEX profiles_changed ON profiles (changed_at)",
    "CREATE INDEX directory_groups_changed ON directory_groups (changed_at)",
    "CREATE INDEX failures_changed ON failures (changed_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            profiles(),
            directory_groups(),
            clustered(manager, posix_numbers()),
            clustered(manager, sync_states()),
            factors(),
            app_passwords(),
            clustered(manager, failures()),
            clustered(manager, known_devices()),
            clustered(manager, ldap_shapes()),
        ] {
            manager.create_table(table).await?;
        }
        for index in [
            index("profiles_person", "profiles", &[TENANT, "person_id"]),
            index("directory_groups_name", "directory_groups", &[TENANT, "name_hash"]).unique().take(),
            index("posix_numbers_owner", "posix_numbers", &[TENANT, "owner_id"]).unique().take(),
            index("factors_person", "factors", &[TENANT, "person_id"]),
            index("app_passwords_person", "app_passwords", &[TENANT, "person_id", "app_id"]),
        ] {
            manager.create_index(index).await?;
        }
        for sql in INDEXES {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// What an upstream says of somebody, beside the identity by which they come. `sweep` is the last sync that saw them,
/// `digest` tells whether anything is new, `disabled` why the upstream keeps them out.
fn profiles() -> TableCreateStatement {
    Table::create()
        .table("profiles")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(octets("subject_hash"))
        .col(uuid("person_id"))
        .col(text("source"))
        .col(octets("digest"))
        .col(text_null("disabled"))
        .col(int("sweep"))
        .col(int("created_at"))
        .col(int("changed_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id", "subject_hash"]))
        .foreign_key(&mut cascade(
            "profiles_of_identity",
            "profiles",
            &[TENANT, "connection_id", "subject_hash"],
            "identities",
            &[TENANT, "connection_id", "subject_hash"],
        ))
        .take()
}

/// Groups that people of a directory are in, by a hash of the folded name.
fn directory_groups() -> TableCreateStatement {
    Table::create()
        .table("directory_groups")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(octets("name_hash"))
        .col(text("name"))
        .col(int("created_at"))
        .col(int("changed_at"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("groups_of_tenant", "directory_groups", &[TENANT], "tenants", &[TENANT]))
        .take()
}

/// Numbers of RFC 2307, of people and of groups in one row of numbers. Without a foreign key to their owners: a number
/// outlives its owner, so that nobody is given the files of somebody who is gone.
fn posix_numbers() -> TableCreateStatement {
    Table::create()
        .table("posix_numbers")
        .col(uuid(TENANT))
        .col(int("number"))
        .col(text("kind"))
        .col(uuid("owner_id"))
        .col(int("at"))
        .primary_key(&mut primary_key(&[TENANT, "number"]))
        .foreign_key(&mut cascade("posix_numbers_of_tenant", "posix_numbers", &[TENANT], "tenants", &[TENANT]))
        .take()
}

/// `turn_until` is set while one node reads the upstream. `sealed` is where a delta goes on.
fn sync_states() -> TableCreateStatement {
    Table::create()
        .table("sync_states")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(int_null("turn_until"))
        .col(int_null("full_at"))
        .col(int_null("delta_at"))
        .col(int("sweep"))
        .col(text_null("stopped"))
        .col(octets_null("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id"]))
        .foreign_key(&mut cascade(
            "sync_states_of_connection",
            "sync_states",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .take()
}

/// `last_step` is the newest time step of a TOTP that was used (RFC 6238 section 5.2), or a passkey's counter.
fn factors() -> TableCreateStatement {
    Table::create()
        .table("factors")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(uuid("person_id"))
        .col(text("kind"))
        .col(text("label"))
        .col(int("last_step"))
        .col(int("created_at"))
        .col(int_null("used_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("factors_of_person", "factors", &[TENANT, "person_id"], "people", &[TENANT, "id"]))
        .take()
}

fn app_passwords() -> TableCreateStatement {
    Table::create()
        .table("app_passwords")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(uuid("person_id"))
        .col(uuid("app_id"))
        .col(text("label"))
        .col(text("hash"))
        .col(int("created_at"))
        .col(int_null("expires_at"))
        .col(int_null("used_at"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade(
            "app_passwords_of_person",
            "app_passwords",
            &[TENANT, "person_id"],
            "people",
            &[TENANT, "id"],
        ))
        .foreign_key(&mut cascade(
            "app_passwords_of_app",
            "app_passwords",
            &[TENANT, "app_id"],
            "apps",
            &[TENANT, "id"],
        ))
        .take()
}

/// Wrong passwords in one window of time, by a keyed hash of whose they are. Written in batches over all tenants, so
/// without a foreign key: one tenant that is gone must not undo the batch.
fn failures() -> TableCreateStatement {
    Table::create()
        .table("failures")
        .col(uuid(TENANT))
        .col(octets("key_hash"))
        .col(int("window_at"))
        .col(int("count"))
        .col(int("changed_at"))
        .primary_key(&mut primary_key(&[TENANT, "key_hash", "window_at"]))
        .take()
}

/// Browsers and apps that somebody has logged in from, by a keyed hash of both.
fn known_devices() -> TableCreateStatement {
    Table::create()
        .table("known_devices")
        .col(uuid(TENANT))
        .col(octets("key_hash"))
        .col(int("expires_at"))
        .primary_key(&mut primary_key(&[TENANT, "key_hash"]))
        .take()
}

/// What an LDAP app asks for, without any value, while it is watched.
fn ldap_shapes() -> TableCreateStatement {
    Table::create()
        .table("ldap_shapes")
        .col(uuid(TENANT))
        .col(uuid("app_id"))
        .col(octets("shape_hash"))
        .col(text("shape"))
        .col(int("count"))
        .col(int("first_at"))
        .col(int("last_at"))
        .primary_key(&mut primary_key(&[TENANT, "app_id", "shape_hash"]))
        .foreign_key(&mut cascade("ldap_shapes_of_app", "ldap_shapes", &[TENANT, "app_id"], "apps", &[TENANT, "id"]))
        .take()
}
