//! What goes on beside the logins: servers that failed are looked at until they are back, those that nobody has heard
//! of are looked at before somebody has to wait for them, and connections that grew idle are closed.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connect::within;
use super::error::Stage;
use super::servers::Server;
use super::upstream::Upstream;

/// How often it looks around: while a server is down, and otherwise.
const BUSY: Duration = Duration::from_millis(100);
const CALM: Duration = Duration::from_secs(5);

/// A server that nobody has heard of for so long is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(30);

/// A directory that nobody has used for so long is left alone.
const UNUSED: Duration = Duration::from_secs(300);

/// The keeper of one directory.
#[derive(Default)]
pub(super) struct Keeper {
    call: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    task: Option<JoinHandle<()>>,
    used: Duration,
}

impl Keeper {
    /// Something has failed.
    pub fn wake(&self) {
        self.call.notify_one();
    }

    fn used(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).used
    }
}

/// Starts the keeper where there is none. It ends with its directory, or with the runtime that it was started on; then
/// the next use starts another.
pub(super) fn keep(upstream: &Arc<Upstream>) {
    let mut state = upstream.keeper.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.used = upstream.now();
    if state.task.as_ref().is_none_or(JoinHandle::is_finished) {
        let call = Arc::clone(&upstream.keeper.call);
        state.task = Some(tokio::spawn(run(Arc::downgrade(upstream), call)));
    }
}

async fn run(upstream: Weak<Upstream>, call: Arc<Notify>) {
    let mut pause = CALM;
    loop {
        let _ = timeout(pause, call.notified()).await;
        let Some(upstream) = upstream.upgrade() else { return };
        pause = look_around(&upstream).await;
    }
}

async fn look_around(upstream: &Arc<Upstream>) -> Duration {
    let now = upstream.now();
    let in_use = now.saturating_sub(upstream.keeper.used()) < UNUSED;
    if let Some(records) = &upstream.records
        && in_use
        && records.are_due(now)
    {
        // Where that fails, the servers that are known stay.
        let _ = records.read(upstream).await;
    }
    let all = upstream.servers.all();
    let mut looks = Vec::new();
    for server in all.iter() {
        server.service.sweep(now);
        server.users.sweep(now);
        if in_use && server.is_due(now, SILENCE) {
            looks.push(look(upstream, server));
        }
    }
    // One that is silent keeps nobody else waiting.
    futures_util::future::join_all(looks).await;
    if in_use && all.iter().any(|server| server.is_down()) { BUSY } else { CALM }
}

async fn look(upstream: &Upstream, server: &Server) {
    // As long as a login would wait for it, and no longer: another server may be back.
    let asked = within(&server.label, Stage::Search, upstream.timeouts.bind, upstream.is_there(server));
    match asked.await {
        Ok(()) => server.heard(upstream.now()),
        Err(error) => server.failed(&error, upstream.now()),
    }
}
