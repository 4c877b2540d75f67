//! Looking names up. The system's resolver takes a thread until it has an answer, which may be long after whoever
//! asked has gone: so a name has one thread at most, all names together have a bound, and one tenant's have a lower one.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};

use fedbridge_contract::ids::TenantId;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

/// Threads that may wait for a resolver: few enough to leave most of the runtime's blocking threads (512) to others.
pub const MOST: usize = 128;

/// What one tenant may have of them: whoever answers for its partners' names may be slow on purpose.
pub const PER_TENANT: usize = MOST / 4;

/// What a system's resolver does. It may take as long as it likes.
pub type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

type Answer = Shared<BoxFuture<'static, Result<Vec<SocketAddr>, Unresolved>>>;

/// Why there are no addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// Nobody has asked: the tenant's names, or all together, take too many threads. Says nothing about this name.
    TooMany(&'static str),
    /// The resolver's own words.
    Failed(String),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany(sentence) => sentence,
            Self::Failed(cause) => cause,
        })
    }
}

#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    look_up: Box<LookUp>,
    /// Each name has a thread, which counts for whoever asked first.
    under_way: Mutex<HashMap<String, (Option<TenantId>, Answer)>>,
}

impl Names {
    /// As this machine looks names up.
    pub fn of_the_system() -> Self {
        Self::by(Box::new(|name| Ok((name, 0).to_socket_addrs()?.collect())))
    }

    pub fn by(look_up: Box<LookUp>) -> Self {
        Self(Arc::new(Inner { look_up, under_way: Mutex::default() }))
    }

    /// The addresses of a name, for a tenant or for none. Whoever comes while it is looked up waits for the same answer.
    ///
    /// # Errors
    /// [`Unresolved`].
    pub async fn addresses(&self, name: &str, asker: Option<TenantId>) -> Result<Vec<SocketAddr>, Unresolved> {
        let answer = self.0.ask(name, asker)?;
        answer.await
    }
}

impl Inner {
    fn ask(self: &Arc<Self>, name: &str, asker: Option<TenantId>) -> Result<Answer, Unresolved> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answer)) = under_way.get(name) {
            return Ok(answer.clone());
        }
        if under_way.values().filter(|(first, _)| *first == asker).count() >= PER_TENANT {
            return Err(Unresolved::TooMany(
                "too many names of this tenant are being looked up: whoever answers for them may be slow",
            ));
        }
        if under_way.len() >= MOST {
            return Err(Unresolved::TooMany(
                "too many names are being looked up: the resolver of this machine may not answer",
            ));
        }
        let (inner, asked) = (Arc::clone(self), name.to_owned());
        // It runs to its end even where nobody waits any more, and only then is its place free.
        let thread = tokio::task::spawn_blocking(move || {
            let _place = Place(&inner, &asked);
            (inner.look_up)(&asked).map_err(|error| Unresolved::Failed(error.to_string()))
        });
        let failed = || Unresolved::Failed("the name could not be looked up".to_owned());
        let answer = async move { thread.await.unwrap_or_else(|_| Err(failed())) };
        let answer = answer.boxed().shared();
        under_way.insert(name.to_owned(), (asker, answer.clone()));
        Ok(answer)
    }
}

/// A name's thread, given back when it ends.
struct Place<'a>(&'a Inner, &'a str);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(self.1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Condvar;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use fedbridge_contract::ids::{ConnectionId, TenantId};
    use fedbridge_contract::logout::Party;
    use fedbridge_contract::services::{Clock, Egress as _, EgressLimits, Lane};
    use fedbridge_contract::time::Timestamp;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, timeout};
    use uuid::Uuid;

    use super::super::{Bounds, Client, FAIR};
    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(0)
        }
    }

    /// A resolver that knows `good.test`, and is silent about every other name until it is let go.
    #[derive(Default)]
    struct Silent {
        asked: AtomicUsize,
        let_go: (Mutex<bool>, Condvar),
    }

    impl Silent {
        fn names(self: &Arc<Self>) -> Names {
            let silent = Arc::clone(self);
            Names::by(Box::new(move |name| silent.look_up(name)))
        }

        fn look_up(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
            if name != "good.test" {
                self.asked.fetch_add(1, Ordering::SeqCst);
                let (lock, call) = &self.let_go;
                drop(call.wait_while(lock.lock().unwrap(), |go| !*go).unwrap());
            }
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1))])
        }

        async fn until_asked(&self, count: usize) {
            while self.asked.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    impl Drop for LetGo {
        fn drop(&mut self) {
            *self.0.let_go.0.lock().unwrap() = true;
            self.0.let_go.1.notify_all();
        }
    }

    /// Lets go when the test ends, however it does: the runtime waits for its threads.
    struct LetGo(Arc<Silent>);

    /// Threats 64: a call ends in its time and leaves its line, whatever the resolver does.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_silent_resolver_holds_no_line_and_one_thread_for_each_name() {
        let silent = Arc::new(Silent::default());
        let _end = LetGo(Arc::clone(&silent));
        let bounds = Bounds { per_partner: 2, whole: 8 };
        let client = Client::with_names(true, bounds, Arc::new(Still), silent.names(), FAIR).unwrap();
        let call = async |number, name: &str| {
            let party = Party::Connection(ConnectionId::from_uuid(Uuid::from_u128(number)));
            let lane = client.lane(Lane { tenant: TenantId::from_uuid(Uuid::nil()), party, hosts: None }).unwrap();
            let limits = EgressLimits { max_body: 100, timeout: Duration::from_millis(200) };
            let begun = Instant::now();
            let refused = lane.get(&format!("https://{name}/"), limits).await.unwrap_err();
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            refused.cause
        };
        for number in 0..10 {
            assert!(call(number, "stalls.test").await.contains("no complete answer"));
        }
        assert_eq!(silent.asked.load(Ordering::SeqCst), 1, "each call took a thread");
        // Nothing listens there, and so much is found out.
        let refused = call(1, "good.test").await;
        assert!(refused.contains("refused"), "{refused}");
    }

    fn tenant(number: usize) -> Option<TenantId> {
        Some(TenantId::from_uuid(Uuid::from_u128(number as u128)))
    }

    /// Threats 42 and 64: the names of one tenant stall, and neither another tenant nor a good partner pays for it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_stalled_names_of_a_tenant_are_no_other_ones_trouble() {
        let silent = Arc::new(Silent::default());
        let _end = LetGo(Arc::clone(&silent));
        let bounds = Bounds { per_partner: 2, whole: 4 * MOST };
        let client = Client::with_names(true, bounds, Arc::new(Still), silent.names(), Duration::ZERO).unwrap();
        let call = async |asker: usize, number: usize, name: String| {
            let party = Party::Connection(ConnectionId::from_uuid(Uuid::from_u128(number as u128)));
            let lane = client.lane(Lane { tenant: tenant(asker).unwrap(), party, hosts: None }).unwrap();
            let limits = EgressLimits { max_body: 100, timeout: Duration::from_millis(500) };
            lane.get(&format!("https://{name}/"), limits).await.unwrap_err()
        };
        let stalled = (0..MOST).map(|number| call(1, number, format!("{number}.test")));
        let refused = futures_util::future::join_all(stalled).await;
        assert_eq!(silent.asked.load(Ordering::SeqCst), PER_TENANT);
        assert_eq!(refused.iter().filter(|error| error.silent).count(), PER_TENANT, "nobody has asked the others");
        for _ in 0..8 {
            let refused = call(1, MOST, "good.test".to_owned()).await;
            assert!(refused.cause.contains("too many names of this tenant") && !refused.silent, "{refused}");
        }
        // Nothing listens there, and so much is found out.
        let refused = call(2, MOST, "good.test".to_owned()).await;
        assert!(refused.cause.contains("refused"), "{refused}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn however_many_names_stall_threads_are_left() {
        let silent = Arc::new(Silent::default());
        let _end = LetGo(Arc::clone(&silent));
        let names = silent.names();
        let mut calls = JoinSet::new();
        for number in 0..MOST {
            let names = names.clone();
            calls.spawn(async move { names.addresses(&format!("{number}.test"), tenant(number / PER_TENANT)).await });
        }
        silent.until_asked(MOST).await;
        // Whoever gives up leaves the thread behind, and it counts.
        calls.shutdown().await;
        let begun = Instant::now();
        assert!(matches!(names.addresses("one-more.test", tenant(9)).await, Err(Unresolved::TooMany(_))));
        assert!(begun.elapsed() < Duration::from_millis(500), "it is told at once");
        let other = tokio::task::spawn_blocking(|| 7);
        assert_eq!(timeout(Duration::from_secs(2), other).await.unwrap().unwrap(), 7);
        drop(LetGo(Arc::clone(&silent)));
        timeout(Duration::from_secs(5), async {
            while names.addresses("good.test", None).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_resolver_that_panics_gives_its_place_back() {
        let names = Names::by(Box::new(|name| if name == "bad.test" { panic!("oh") } else { Ok(Vec::new()) }));
        for _ in 0..MOST + 1 {
            let failed = names.addresses("bad.test", None).await.unwrap_err();
            assert_eq!(failed.to_string(), "the name could not be looked up");
        }
        assert_eq!(names.addresses("good.test", None).await, Ok(Vec::new()));
    }
}
