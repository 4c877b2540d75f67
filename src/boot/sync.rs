//! Reads the people of every connection that says `sync`, when it is time. Of several nodes one does: whoever takes
//! the turn in the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::directory::SyncSchedule;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::services::Clock;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::SyncState;
use fedbridge_hub::run::{Hub, OpenConnection, Snapshots, SyncFailed, SyncWish, Synced, TenantSnapshot};
use metrics::counter;
use tokio::task::JoinSet;

/// How often it is looked whether it is time for anybody.
const TICK: Duration = Duration::from_millis(250);

/// Connections that are read at the same time by one node.
const AT_ONCE: usize = 4;

/// After a run that failed, and where another node has the turn.
const AGAIN: Duration = Duration::from_secs(30);

pub struct Worker {
    pub hub: Arc<Hub>,
    pub snapshots: Arc<Snapshots>,
    pub clock: Arc<dyn Clock>,
}

type Key = (TenantId, ConnectionId);

/// What is known of one connection.
enum Standing {
    Running,
    /// By the steady clock.
    DueAt(Duration),
}

impl Worker {
    /// Goes on for ever.
    pub async fn run(self) {
        let mut known: HashMap<Key, Standing> = HashMap::new();
        let mut runs: JoinSet<(Key, Duration)> = JoinSet::new();
        loop {
            tokio::time::sleep(TICK).await;
            while let Some(ended) = runs.try_join_next() {
                match ended {
                    Ok((key, rest)) => drop(known.insert(key, Standing::DueAt(self.clock.steady() + rest))),
                    Err(panicked) => {
                        tracing::error!(%panicked, "a sync of a directory broke off");
                        // Nobody says which. Those that still run have their turn in the store.
                        known.retain(|_, standing| !matches!(standing, Standing::Running));
                    }
                }
            }
            let now = self.clock.steady();
            let synced = self.synced();
            known.retain(|key, standing| {
                matches!(standing, Standing::Running) || synced.iter().any(|(tenant, open)| id(tenant, open) == *key)
            });
            for (tenant, open) in synced {
                let key = id(&tenant, &open);
                let due = match known.get(&key) {
                    Some(Standing::Running) => false,
                    Some(Standing::DueAt(at)) => *at <= now,
                    None => true,
                };
                if due && runs.len() < AT_ONCE {
                    known.insert(key, Standing::Running);
                    let hub = Arc::clone(&self.hub);
                    let clock = Arc::clone(&self.clock);
                    runs.spawn(async move { (key, once(&hub, clock.as_ref(), &tenant, &open).await) });
                }
            }
        }
    }

    /// The connections that are switched on and have something to be synchronised with.
    fn synced(&self) -> Vec<(Arc<TenantSnapshot>, Arc<OpenConnection>)> {
        let snapshot = self.snapshots.current();
        let tenants = snapshot.tenants().filter(|tenant| tenant.view.enabled);
        let all = tenants.flat_map(|tenant| tenant.connections.values().map(move |open| (tenant, open)));
        let synced = all.filter(|(_, open)| open.view.enabled && schedule(open).is_some());
        synced.map(|(tenant, open)| (Arc::clone(tenant), Arc::clone(open))).collect()
    }
}

fn id(tenant: &TenantSnapshot, open: &OpenConnection) -> Key {
    (tenant.view.id, open.view.id)
}

fn schedule(open: &OpenConnection) -> Option<SyncSchedule> {
    let directory = open.state.as_ref().ok()?.adapter.directory.as_deref()?;
    Some(directory.schedule())
}

/// Gives back how long the connection rests.
async fn once(hub: &Hub, clock: &dyn Clock, tenant: &Arc<TenantSnapshot>, open: &Arc<OpenConnection>) -> Duration {
    let Some(schedule) = schedule(open) else { return AGAIN };
    // Another node may have read it since.
    match hub.profile_syncs.sync_state(tenant.view.id, open.view.id).await {
        Ok(state) => {
            let rest = rest(&state, schedule, clock.now());
            if !rest.is_zero() {
                return rest;
            }
        }
        Err(error) => {
            tracing::warn!(%error, "whether a directory is to be read is not known");
            return AGAIN;
        }
    }
    let done = hub.sync(tenant, open, SyncWish::default()).await;
    tell(tenant, open, &done);
    match done {
        Ok(_) => schedule.delta.unwrap_or(schedule.full),
        Err(_) => AGAIN.min(schedule.delta.unwrap_or(AGAIN)),
    }
}

/// How long it is until the next run is due.
fn rest(state: &SyncState, schedule: SyncSchedule, now: Timestamp) -> Duration {
    let until =
        |last: Option<Timestamp>, every: Duration| last.map_or(Duration::ZERO, |last| (last + every).since(now));
    let full = until(state.full_at, schedule.full);
    schedule.delta.map_or(full, |delta| full.min(until(state.delta_at, delta)))
}

fn tell(tenant: &TenantSnapshot, open: &OpenConnection, done: &Result<Synced, SyncFailed>) {
    let (tenant, connection) = (&tenant.view.slug, &open.view.slug);
    let result = match done {
        Ok(Synced { stopped: Some(why), .. }) => {
            tracing::error!(
                %tenant, %connection, %why,
                "nobody was ended by a sync; look at the directory, then run `fedbridge connections sync --allow-missing`"
            );
            "stopped"
        }
        Ok(Synced { full, seen, created, changed, ended, .. }) => {
            tracing::debug!(%tenant, %connection, full, seen, created, changed, ended, "a directory was read");
            "done"
        }
        Err(SyncFailed::Taken) => "taken",
        Err(error) => {
            tracing::warn!(%tenant, %connection, %error, "a directory could not be read; it is tried again");
            "failed"
        }
    };
    counter!("fedbridge_directory_syncs_total", "tenant" => tenant.clone(), "connection" => connection.clone(), "result" => result)
        .increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_is_due_by_what_comes_first() {
        let seconds = Duration::from_secs;
        let schedule = SyncSchedule { full: seconds(3600), delta: Some(seconds(60)), most_missing: 10 };
        let at = Timestamp::from_seconds;
        assert_eq!(rest(&SyncState::default(), schedule, at(9000)), Duration::ZERO, "it never ran");
        let state = SyncState { full_at: Some(at(9000)), delta_at: Some(at(9000)), ..SyncState::default() };
        assert_eq!(rest(&state, schedule, at(9000)), seconds(60));
        assert_eq!(rest(&state, schedule, at(9059)), seconds(1));
        assert_eq!(rest(&state, schedule, at(9060)), Duration::ZERO);
        let late = SyncState { delta_at: Some(at(12_590)), ..state.clone() };
        assert_eq!(rest(&late, schedule, at(12_595)), seconds(5), "everybody is read");
        let alone = SyncSchedule { delta: None, ..schedule };
        assert_eq!(rest(&state, alone, at(9060)), seconds(3540));
    }
}
