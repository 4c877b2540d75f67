//! Tenants, connections, apps, their secrets and keys.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, cascade, flag, index, int, octets, octets_null, primary_key, text, uuid, uuid_null};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_configuration"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [installation(), tenants(), domains(), connections(), apps(), secrets(), keys()] {
            manager.create_table(table).await?;
        }
        for index in [
            index("tenants_slug", "tenants", &["slug"]).unique().take(),
            index("domains_name", "domains", &["name"]).unique().take(),
            index("connections_slug", "connections", &[TENANT, "slug"]).unique().take(),
            index("apps_name", "apps", &[TENANT, "kind", "name"]).unique().take(),
            index("secrets_connection", "secrets", &[TENANT, "connection_id"]),
            index("secrets_app", "secrets", &[TENANT, "app_id"]),
        ] {
            manager.create_index(index).await?;
        }
        let first = Query::insert()
            .into_table("installation")
            .columns(["id", "version"])
            .values_panic([1.into(), 0.into()])
            .take();
        manager.execute(first).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// The one row that no tenant owns: the version that every change of the configuration raises.
fn installation() -> TableCreateStatement {
    Table::create().table("installation").col(int("id").primary_key()).col(int("version")).take()
}

fn tenants() -> TableCreateStatement {
    Table::create()
        .table("tenants")
        .col(uuid(TENANT).primary_key())
        .col(text("slug"))
        .col(text("display_name"))
        .col(uuid_null("parent_id"))
        .col(flag("enabled"))
        .col(text("managed"))
        .col(int("version"))
        .take()
}

fn domains() -> TableCreateStatement {
    Table::create()
        .table("domains")
        .col(uuid(TENANT))
        .col(text("name"))
        .col(int("position"))
        .primary_key(&mut primary_key(&[TENANT, "name"]))
        .foreign_key(&mut cascade("domains_of_tenant", "domains", &[TENANT], "tenants", &[TENANT]))
        .take()
}

fn connections() -> TableCreateStatement {
    Table::create()
        .table("connections")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(text("slug"))
        .col(text("managed"))
        .col(text("spec"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("connections_of_tenant", "connections", &[TENANT], "tenants", &[TENANT]))
        .take()
}

fn apps() -> TableCreateStatement {
    Table::create()
        .table("apps")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(text("kind"))
        .col(text("name"))
        .col(text("managed"))
        .col(text("spec"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("apps_of_tenant", "apps", &[TENANT], "tenants", &[TENANT]))
        .take()
}

/// `owner_id` is the connection's or the app's id again, as a part of the key.
fn secrets() -> TableCreateStatement {
    Table::create()
        .table("secrets")
        .col(uuid(TENANT))
        .col(uuid("owner_id"))
        .col(text("name"))
        .col(uuid_null("connection_id"))
        .col(uuid_null("app_id"))
        .col(octets_null("hash"))
        .col(octets_null("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "owner_id", "name"]))
        .foreign_key(&mut cascade("secrets_of_tenant", "secrets", &[TENANT], "tenants", &[TENANT]))
        .foreign_key(&mut cascade(
            "secrets_of_connection",
            "secrets",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .foreign_key(&mut cascade("secrets_of_app", "secrets", &[TENANT, "app_id"], "apps", &[TENANT, "id"]))
        .take()
}

fn keys() -> TableCreateStatement {
    Table::create()
        .table("signing_keys")
        .col(uuid(TENANT))
        .col(text("kid"))
        .col(text("purpose"))
        .col(text("algorithm"))
        .col(text("state"))
        .col(int("created_at"))
        .col(int("changed_at"))
        .col(octets("sealed"))
        .col(text("public_jwk"))
        .col(octets_null("certificate"))
        .primary_key(&mut primary_key(&[TENANT, "kid"]))
        .foreign_key(&mut cascade("keys_of_tenant", "signing_keys", &[TENANT], "tenants", &[TENANT]))
        .take()
}
