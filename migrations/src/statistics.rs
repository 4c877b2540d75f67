//! What SQLite's planner is told of the tables.
//!
//! Without statistics it takes any column for a good one to search by: then a primary key that begins with the
//! tenant looks as good as an index of people, and all rows of the tenant are read to find one person's. Counting
//! what is there (`ANALYZE`) would take long in a large database and mislead in a new one, so it is told what the
//! columns are like in a large one (<https://www.sqlite.org/lang_analyze.html>, section 4).

use std::collections::BTreeMap;

use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

/// Rows of every table.
const ROWS: u32 = 1_000_000;

/// Each column of each index, with the index's name (a primary key goes by its table's) and whether it is unique.
const INDEXES: &str = "SELECT m.name, CASE l.origin WHEN 'pk' THEN m.name ELSE l.name END, l.\"unique\", c.name \
    FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) c \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 2, c.seqno";

/// Whoever opens the database from now on plans with this.
pub async fn tell(db: &DatabaseTransaction) -> Result<(), DbErr> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, INDEXES)).await?;
    let mut indexes = BTreeMap::<(String, String), (bool, Vec<String>)>::new();
    for row in rows {
        let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let index = indexes.entry(key).or_insert((row.try_get_by_index(2)?, Vec::new()));
        index.1.push(row.try_get_by_index(3)?);
    }
    // This makes the table that is written then. Nobody else may make one of its name.
    db.execute_unprepared("ANALYZE installation").await?;
    db.execute_unprepared("DELETE FROM sqlite_stat1").await?;
    for ((table, index), (unique, columns)) in indexes {
        let told = alike(&columns, unique);
        let insert = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)";
        let values = [table.into(), index.into(), told.into()];
        db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, insert, values)).await?;
    }
    Ok(())
}

/// The rows of a table, then how many of them are alike in the first column, in the first two, and so on.
fn alike(columns: &[String], unique: bool) -> String {
    let mut told = ROWS.to_string();
    let mut rows = ROWS;
    for (at, column) in columns.iter().enumerate() {
        rows = rows.min(match column.as_str() {
            "tenant_id" => ROWS / 10,
            "connection_id" | "app_id" | "kind" => ROWS / 50,
            "group_id" => 1_000,
            "person_id" | "logout_id" | "member_id" => 10,
            "session_id" => 4,
            _ => 2,
        });
        if unique && at + 1 == columns.len() {
            rows = 1;
        }
        told.push_str(&format!(" {rows}"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn a_person_is_found_by_the_index_of_people() {
        let of =
            |columns: &[&str], unique| alike(&columns.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(), unique);
        assert_eq!(of(&["tenant_id", "id"], true), "1000000 100000 1");
        assert_eq!(of(&["tenant_id", "person_id"], false), "1000000 100000 10");
        assert_eq!(of(&["tenant_id", "session_id", "app_id"], true), "1000000 100000 4 1");
        assert_eq!(of(&["tenant_id", "connection_id", "upstream_hash"], false), "1000000 100000 20000 2");
    }
}
