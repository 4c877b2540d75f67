//! The port of traces. Writing them goes behind everything that a login waits for.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{TenantId, TraceId};
use fedbridge_contract::trace::Outcome;
use fedbridge_hub::ports::{RecordedTrace, TraceFilter, TraceStore, TraceSummary};

use crate::error::damaged;
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::millis;
use crate::work::{Arg, Change, WorkError};

/// Rows of one statement. Few sizes, because each is a statement of its own in the connection's cache.
const ROWS: [usize; 3] = [16, 4, 1];

const COLUMNS: &str = "tenant_id, id, at, kind, connection, app, person, outcome, cause";

#[async_trait]
impl TraceStore for SystemStore {
    async fn append(&self, batch: &[RecordedTrace]) -> Result<(), StoreError> {
        let changes: Vec<_> = pieces(batch).map(insert).collect();
        if changes.is_empty() {
            return Ok(());
        }
        match self.0.background(changes).await {
            Ok(rows) => {
                // The first record of an id stays: a batch may come again after a lost answer.
                let known = (batch.len() as u64).saturating_sub(rows.iter().sum());
                if known > 0 {
                    tracing::warn!(known, "traces were recorded before under the same ids; the first ones stay");
                }
                Ok(())
            }
            Err(WorkError::Guard(_)) => Ok(()),
            Err(WorkError::Store(cause)) => Err(cause),
        }
    }

    async fn list(&self, filter: &TraceFilter) -> Result<Vec<TraceSummary>, StoreError> {
        let (sql, args) = select(filter);
        self.0.all(&sql, args).await?.iter().map(summary).collect()
    }

    async fn find(&self, id: TraceId) -> Result<Option<RecordedTrace>, StoreError> {
        // Asking for each tenant's row of this id uses the primary key; there is no second index.
        let sql = format!(
            "SELECT {COLUMNS}, sealed FROM traces WHERE tenant_id IN (SELECT tenant_id FROM tenants) AND id = ?"
        );
        let row = self.0.one(&sql, vec![Arg::Uuid(id.uuid())]).await?;
        row.map(|row| Ok(RecordedTrace { summary: summary(&row)?, sealed: get(&row, 9)? })).transpose()
    }
}

/// A batch in pieces of the sizes in [`ROWS`], the largest first.
fn pieces<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= rest.len())?;
        let (piece, left) = rest.split_at(size);
        rest = left;
        Some(piece)
    })
}

fn insert(rows: &[RecordedTrace]) -> Change {
    let mut sql = format!("INSERT INTO traces ({COLUMNS}, person_folded, sealed) VALUES ");
    let mut args = Vec::with_capacity(rows.len() * 11);
    for (at, row) in rows.iter().enumerate() {
        sql.push_str(if at == 0 { "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" });
        let summary = &row.summary;
        args.extend([
            Arg::Uuid(summary.tenant.uuid()),
            Arg::Uuid(summary.id.uuid()),
            millis(summary.at),
            Arg::Text(summary.kind.clone()),
            Arg::OptText(summary.connection.clone()),
            Arg::OptText(summary.app.clone()),
            Arg::OptText(summary.person.clone()),
            Arg::Text(outcome_name(summary.outcome).to_owned()),
            Arg::Text(summary.cause.clone()),
            Arg::OptText(summary.person.as_ref().map(|name| name.to_lowercase())),
            Arg::Octets(row.sealed.clone()),
        ]);
    }
    sql.push_str(" ON CONFLICT (tenant_id, id) DO NOTHING");
    Change::new(sql, args)
}

fn select(filter: &TraceFilter) -> (String, Vec<Arg>) {
    let mut sql = format!("SELECT {COLUMNS} FROM traces WHERE 1 = 1");
    let mut args = Vec::new();
    let mut narrow = |condition: &str, arg: Option<Arg>| {
        if let Some(arg) = arg {
            sql.push_str(" AND ");
            sql.push_str(condition);
            args.push(arg);
        }
    };
    narrow("tenant_id = ?", filter.tenant.map(|tenant| Arg::Uuid(tenant.uuid())));
    narrow("kind = ?", filter.kind.clone().map(Arg::Text));
    narrow("connection = ?", filter.connection.clone().map(Arg::Text));
    narrow("app = ?", filter.app.clone().map(Arg::Text));
    narrow("person_folded LIKE ? ESCAPE '\\'", filter.person.as_deref().map(|part| Arg::Text(pattern(part))));
    narrow("outcome = ?", filter.outcome.map(|outcome| Arg::Text(outcome_name(outcome).to_owned())));
    narrow("at >= ?", filter.since.map(millis));
    narrow("at < ?", filter.until.map(millis));
    // Ids begin with their time, and the primary key begins with the tenant.
    sql.push_str(if filter.tenant.is_some() {
        " ORDER BY id DESC LIMIT ?"
    } else {
        " ORDER BY at DESC, id DESC LIMIT ?"
    });
    args.push(Arg::Int(i64::from(filter.limit)));
    (sql, args)
}

/// A part of a name as a pattern in which nothing else is special.
fn pattern(part: &str) -> String {
    let mut out = String::from("%");
    for c in part.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('%');
    out
}

fn summary(row: &Row) -> Result<TraceSummary, StoreError> {
    let outcome: String = get(row, 7)?;
    Ok(TraceSummary {
        tenant: TenantId::from_uuid(read_uuid(row, 0)?),
        id: TraceId::from_uuid(read_uuid(row, 1)?),
        at: time(row, 2)?,
        kind: get(row, 3)?,
        connection: get(row, 4)?,
        app: get(row, 5)?,
        person: get(row, 6)?,
        outcome: outcome_from(&outcome).ok_or_else(|| damaged("a trace"))?,
        cause: get(row, 8)?,
    })
}

const OUTCOMES: [(Outcome, &str); 3] =
    [(Outcome::Success, "success"), (Outcome::Refused, "refused"), (Outcome::Error, "error")];

fn outcome_name(outcome: Outcome) -> &'static str {
    OUTCOMES.iter().find(|(it, _)| *it == outcome).map_or("error", |(_, name)| name)
}

fn outcome_from(name: &str) -> Option<Outcome> {
    OUTCOMES.iter().find(|(_, it)| *it == name).map(|(outcome, _)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_any_length_is_cut_into_few_sizes() {
        for length in 0..300_usize {
            let batch: Vec<_> = (0..length).collect();
            assert_eq!(pieces(&batch).collect::<Vec<_>>().concat(), batch);
            assert!(pieces(&batch).all(|piece| ROWS.contains(&piece.len())));
        }
    }
}
