//! The expiry radar in the metrics: every certificate, document and API key with its date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::Clock;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::admin::{ApiKey, ApiKeyState, Reach};
use fedbridge_hub::ports::{ApiKeyStore as _, RolloverStore as _};
use fedbridge_hub::run::Snapshots;
use fedbridge_hub::spec::Configuration;
use fedbridge_store::SystemStore;
use metrics::gauge;

use super::rollover;
use super::survey::{Expiry, Survey};

/// How often the dates are looked at again. They move with the configuration and with documents.
const EVERY: Duration = Duration::from_secs(60);

/// Keeps the gauges up to date for ever.
pub async fn watch(
    snapshots: Arc<Snapshots>,
    store: Arc<SystemStore>,
    downstreams: Vec<Arc<dyn Downstream>>,
    clock: Arc<dyn Clock>,
) {
    let mut shown = BTreeSet::new();
    loop {
        let now = clock.now();
        let snapshot = snapshots.current();
        let mut survey = Survey::default();
        for tenant in snapshot.tenants() {
            survey.add_tenant(tenant, &downstreams, now).await;
        }
        match store.api_keys().await {
            Ok(keys) => {
                let slug = |id| snapshot.tenant(id).map(|open| open.view.slug.clone());
                survey.expiries.extend(keys.iter().filter_map(|key| expiry(key, now, slug)));
            }
            Err(error) => tracing::warn!(%error, "the API keys' dates could not be read; the last ones are shown"),
        }
        match store.rollovers(None).await {
            Ok(rollovers) => survey.expiries.extend(rollovers.iter().filter_map(|rollover| {
                let open = snapshot.tenant(rollover.tenant)?;
                let (what, at) = rollover::next_date(rollover)?;
                let (tenant, object) = (open.view.slug.clone(), rollover::object(rollover));
                Some(Expiry { at, tenant, object, what: what.to_owned() })
            })),
            Err(error) => tracing::warn!(%error, "the rollovers' dates could not be read; they are shown later"),
        }
        show(&survey.expiries, &mut shown);
        tokio::time::sleep(EVERY).await;
    }
}

/// The date of an API key that is still good, given the configuration that names its tenant.
pub fn api_key(key: &ApiKey, configuration: &Configuration, now: Timestamp) -> Option<Expiry> {
    expiry(key, now, |id| configuration.tenants.get(&id).map(|tenant| tenant.tenant.spec.slug.clone()))
}

fn expiry(key: &ApiKey, now: Timestamp, slug: impl Fn(TenantId) -> Option<String>) -> Option<Expiry> {
    let tenant = match key.reach {
        Reach::Installation => String::new(),
        Reach::Tenant(id) => slug(id)?,
    };
    let good = key.state(now) == ApiKeyState::Active;
    good.then(|| Expiry {
        at: key.expires,
        tenant,
        object: format!("api_key {}", key.name),
        what: "API key".to_owned(),
    })
}

type Labels = (String, String, String);

/// Sets a gauge for each date; of several under one name, such as two certificates of one subject, the
/// nearest counts. A date that is gone becomes NaN, which no alert compares with.
fn show(expiries: &[Expiry], shown: &mut BTreeSet<Labels>) {
    let nearest = nearest(expiries);
    for gone in shown.iter().filter(|labels| !nearest.contains_key(*labels)) {
        set(gone, f64::NAN);
    }
    for (labels, at) in &nearest {
        set(labels, at.seconds() as f64);
    }
    *shown = nearest.into_keys().collect();
}

fn nearest(expiries: &[Expiry]) -> BTreeMap<Labels, Timestamp> {
    let mut nearest = BTreeMap::new();
    for Expiry { at, tenant, object, what } in expiries {
        let known = nearest.entry((tenant.clone(), object.clone(), what.clone())).or_insert(*at);
        *known = (*known).min(*at);
    }
    nearest
}

fn set((tenant, object, what): &Labels, value: f64) {
    let (tenant, object, what) = (tenant.clone(), object.clone(), what.clone());
    gauge!("fedbridge_expiry_timestamp_seconds", "tenant" => tenant, "object" => object, "what" => what).set(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_dates_under_one_name_the_nearest_counts() {
        let expiry = |at, what: &str| Expiry {
            at: Timestamp::from_seconds(at),
            tenant: "acme".into(),
            object: "connection okta".into(),
            what: what.into(),
        };
        let all = [expiry(30, "certificate a"), expiry(10, "certificate a"), expiry(20, "metadata")];
        let seconds: Vec<_> = nearest(&all).into_values().map(Timestamp::seconds).collect();
        assert_eq!(seconds, [10, 20]);
    }
}
