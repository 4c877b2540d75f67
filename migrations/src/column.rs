//! The few column types that the schema uses, and its tenant keys.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

pub const TENANT: &str = "tenant_id";

pub fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().take()
}

pub fn uuid_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().null().take()
}

pub fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

pub fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().null().take()
}

pub fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

/// A number, or a time in milliseconds.
pub fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

pub fn int_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

/// A hash, or a sealed value.
pub fn octets(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary().not_null().take()
}

pub fn octets_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary().null().take()
}

pub fn primary_key(columns: &[&'static str]) -> IndexCreateStatement {
    let mut key = Index::create();
    for column in columns {
        key.col(*column);
    }
    key.primary().take()
}

/// A reference whose rows go when the row that it points to goes.
pub fn cascade(
    name: &'static str,
    table: &'static str,
    from: &[&'static str],
    to_table: &'static str,
    to: &[&'static str],
) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(name).from_tbl(table).to_tbl(to_table);
    for column in from {
        key.from_col(*column);
    }
    for column in to {
        key.to_col(*column);
    }
    key.on_delete(ForeignKeyAction::Cascade).take()
}

pub fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index.take()
}

/// SQLite keeps a small table inside its primary key's tree, which halves the work of a write.
pub fn clustered(manager: &SchemaManager<'_>, mut table: TableCreateStatement) -> TableCreateStatement {
    if manager.get_database_backend() == DbBackend::Sqlite {
        table.extra("WITHOUT ROWID");
    }
    table
}
