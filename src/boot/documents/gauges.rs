//! How partners' documents stand: how long ago each was confirmed, how many looks have failed since, and whether a
//! changed one waits. In the metrics, and where one has lapsed, for logins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::DocumentStanding;
use fedbridge_hub::run::{Lapsed, Snapshot};
use metrics::gauge;

use super::Keeper;
use crate::survey::app_word;

/// How often the gauges are set: less than a usual alert waits.
const EVERY: Duration = Duration::from_secs(15);

/// Keeps the gauges up to date for ever.
pub async fn watch(keeper: Arc<Keeper>) {
    let mut shown = BTreeSet::new();
    loop {
        match keeper.store.standings().await {
            Ok(standings) => take_over(&keeper, &standings, &mut shown),
            Err(error) => tracing::warn!(%error, "how partners' documents stand could not be read"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Puts what has lapsed out of force, and sets the gauges.
pub(super) fn take_over(keeper: &Keeper, standings: &[DocumentStanding], shown: &mut BTreeSet<Labels>) {
    let now = keeper.services.clock.now();
    let lapsed = keeper.lapsed(standings, now);
    show(&values(standings, &lapsed, &keeper.snapshots.current(), now), shown);
    keeper.snapshots.replace_lapsed(lapsed);
}

/// Tenant and object: `connection okta`, `service_provider wiki`.
pub(super) type Labels = (String, String);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Values {
    age: f64,
    failures: f64,
    held: f64,
    lapsed: f64,
}

/// What no alert compares with.
const GONE: Values = Values { age: f64::NAN, failures: f64::NAN, held: f64::NAN, lapsed: f64::NAN };

/// The gauges of every document whose partner is in force.
fn values(
    standings: &[DocumentStanding],
    lapsed: &Lapsed,
    snapshot: &Snapshot,
    now: Timestamp,
) -> BTreeMap<Labels, Values> {
    let labels = |standing: &DocumentStanding| {
        let open = snapshot.tenant(standing.tenant)?;
        let object = match standing.party {
            Party::Connection(id) => format!("connection {}", open.connections.get(&id)?.view.slug),
            Party::App(id) => {
                let app = &open.apps.get(&id)?.view;
                format!("{} {}", app_word(app.kind), app.name)
            }
        };
        Some((open.view.slug.clone(), object))
    };
    let of = |standing: &DocumentStanding| Values {
        age: now.since(standing.confirmed).as_secs_f64(),
        failures: f64::from(standing.failures),
        held: f64::from(u8::from(standing.held)),
        lapsed: f64::from(u8::from(lapsed.contains_key(&(standing.tenant, standing.party)))),
    };
    standings.iter().filter_map(|standing| Some((labels(standing)?, of(standing)))).collect()
}

fn show(values: &BTreeMap<Labels, Values>, shown: &mut BTreeSet<Labels>) {
    for gone in shown.iter().filter(|labels| !values.contains_key(*labels)) {
        set(gone, GONE);
    }
    for (labels, values) in values {
        set(labels, *values);
    }
    *shown = values.keys().cloned().collect();
}

fn set((tenant, object): &Labels, values: Values) {
    let labels = [("tenant", tenant.clone()), ("object", object.clone())];
    gauge!("fedbridge_metadata_age_seconds", &labels).set(values.age);
    gauge!("fedbridge_metadata_failures", &labels).set(values.failures);
    gauge!("fedbridge_metadata_held", &labels).set(values.held);
    gauge!("fedbridge_metadata_lapsed", &labels).set(values.lapsed);
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
    use uuid::Uuid;

    use super::*;
    use crate::documents::keep::tests::snapshot;

    #[test]
    fn a_document_is_shown_under_the_name_of_its_partner() {
        let tenant = TenantId::from_uuid(Uuid::nil());
        let of = |party| DocumentStanding {
            tenant,
            party,
            confirmed: Timestamp::from_seconds(100),
            failures: 3,
            held: true,
        };
        let there = of(Party::Connection(ConnectionId::from_uuid(Uuid::nil())));
        let gone = of(Party::App(AppId::from_uuid(Uuid::nil())));
        let lapsed = Lapsed::from([((tenant, there.party), there.confirmed)]);
        let found = values(&[there, gone], &lapsed, &snapshot(), Timestamp::from_seconds(160));
        let expected = Values { age: 60.0, failures: 3.0, held: 1.0, lapsed: 1.0 };
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(("acme".into(), "connection okta".into()), expected)]);
    }
}
