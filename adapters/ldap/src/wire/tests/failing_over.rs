//! Numbers 7 and 8, and what of 72 is here: several servers, and limits of time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedbridge_contract::egress::SrvRecord;
use fedbridge_ldap_core::{Code, Op};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::super::*;
use super::support::*;

const LIMIT: Duration = Duration::from_secs(5);
const BRIEF: Duration = Duration::from_millis(150);
/// What is over at once, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(2);

fn brief() -> Timeouts {
    Timeouts { connect: BRIEF, tls: BRIEF, bind: BRIEF, search: BRIEF }
}

/// Logins, one after the other on each of several tasks.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    errors: Arc<Mutex<Vec<WireError>>>,
    /// The longest time in which no login came to its end.
    gap: Arc<Mutex<Duration>>,
    tasks: JoinSet<()>,
}

impl Load {
    fn start(upstream: &Arc<Upstream>, clients: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (errors, gap) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Duration::ZERO)));
        let last = Arc::new(Mutex::new(Instant::now()));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (upstream, stop, done) = (Arc::clone(upstream), Arc::clone(&stop), Arc::clone(&done));
            let (errors, gap, last) = (Arc::clone(&errors), Arc::clone(&gap), Arc::clone(&last));
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    match login(&upstream).await {
                        Ok(()) => {
                            let mut last = last.lock().unwrap();
                            let mut gap = gap.lock().unwrap();
                            *gap = (*gap).max(last.elapsed());
                            *last = Instant::now();
                        }
                        Err(error) => errors.lock().unwrap().push(error),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { stop, done, errors, gap, tasks }
    }

    async fn until(&self, more: usize) {
        let goal = self.done.load(Ordering::Relaxed) + more;
        let begun = Instant::now();
        while self.done.load(Ordering::Relaxed) < goal {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", self.errors.lock().unwrap().last());
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn end(mut self) -> (usize, Vec<WireError>, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        let errors = std::mem::take(&mut *self.errors.lock().unwrap());
        (self.done.load(Ordering::Relaxed), errors, *self.gap.lock().unwrap())
    }
}

async fn login(upstream: &Arc<Upstream>) -> Result<(), WireError> {
    let found = upstream.search_all(&search()).await?;
    assert_eq!(asked_by(&found), SERVICE);
    let result = upstream.bind(&found.entries[0].dn, &password(b"right"), None, LIMIT).await?;
    assert_eq!(result.code, Code::SUCCESS);
    Ok(())
}

/// 7: the first of two servers is killed under load, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_is_hardly_noticed() {
    let (mut one, two) = (Directory::clear(ordinary()).await, Directory::clear(ordinary()).await);
    let upstream = open(settings(&[one.port, two.port]));
    let load = Load::start(&upstream, 16);
    load.until(300).await;
    assert_eq!(two.binds(), 0, "the first in the list answers");
    one.kill().await;
    load.until(600).await;
    assert!(two.binds() > 0);
    one.revive().await;
    one.until(|log| log.connections > 0).await;
    let back = Instant::now();
    let before = one.binds();
    while one.binds() < before + 50 {
        assert!(back.elapsed() < Duration::from_secs(5), "the first is not used again");
        sleep(Duration::from_millis(5)).await;
    }
    let (done, errors, gap) = load.end().await;
    assert!(errors.len() * 100 < done, "{} errors of {done}: {:?}", errors.len(), errors.first());
    assert!(gap < Duration::from_secs(2), "nobody came in for {gap:?}");
}

/// A directory that says nothing more once it is told so.
async fn falls_silent() -> (Directory, Arc<AtomicBool>) {
    let silent = Arc::new(AtomicBool::new(false));
    let turned = Arc::clone(&silent);
    (Directory::clear(but(move |_, _| turned.load(Ordering::Relaxed).then(|| vec![Act::Stall]))).await, silent)
}

/// 7: a server that takes connections and says nothing is left out too, before somebody has waited often.
#[tokio::test]
async fn a_server_that_grows_silent_is_left_out() {
    let (one, silent) = falls_silent().await;
    let two = Directory::clear(ordinary()).await;
    let upstream = open(Settings { timeouts: brief(), ..settings(&[one.port, two.port]) });
    assert_eq!(
        upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap().server,
        upstream.server_names()[0]
    );
    silent.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    assert_eq!(
        upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap().server,
        upstream.server_names()[1]
    );
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let begun = Instant::now();
    for _ in 0..40 {
        upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap();
    }
    assert!(begun.elapsed() < SOON, "the first is asked no more: {:?}", begun.elapsed());
}

/// 7: long before its limits of time are over, one that hangs is found out and another is asked.
#[tokio::test]
async fn a_server_that_hangs_is_given_up_within_two_seconds() {
    let (one, silent) = falls_silent().await;
    let two = Directory::clear(ordinary()).await;
    for search_first in [true, false] {
        silent.store(false, Ordering::Relaxed);
        let upstream = open(settings(&[one.port, two.port]));
        login(&upstream).await.unwrap();
        silent.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        if search_first {
            upstream.search_all(&search()).await.unwrap();
        } else {
            let result = upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap();
            assert_eq!(result.server, upstream.server_names()[1]);
        }
        assert!(begun.elapsed() < SOON, "{search_first}: {:?}", begun.elapsed());
    }
}

/// 7 and 20: one that is slow but there keeps the question: a wrong password would count at two.
#[tokio::test]
async fn a_password_goes_to_no_second_server_while_the_first_is_there() {
    let one = Directory::clear(but(|_, message| match message.op {
        Op::Bind { .. } => Some(vec![Act::Pause(Duration::from_millis(1500)), Act::Say(bound(Code(49), "no"))]),
        _ => None,
    }))
    .await;
    let two = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[one.port, two.port]));
    let result = upstream.bind("uid=u", &password(b"wrong"), None, LIMIT).await.unwrap();
    assert_eq!((result.code, one.binds(), two.binds()), (Code::INVALID_CREDENTIALS, 1, 0));
}

/// 7: whoever waited for a connection to it does not try it again.
#[tokio::test]
async fn nobody_stands_in_line_for_a_server_that_has_failed() {
    let one = Directory::clear(but(|_, _| Some(vec![Act::Stall]))).await;
    let two = Directory::clear(ordinary()).await;
    let pool = Pool { users: 2, ..Pool::default() };
    let upstream = open(Settings { timeouts: brief(), pool, ..settings(&[one.port, two.port]) });
    let (right, limit) = (password(b"right"), LIMIT);
    let all = futures_util::future::join_all((0..6).map(|_| upstream.bind("uid=u", &right, None, limit))).await;
    assert!(all.iter().all(|result| result.as_ref().is_ok_and(|it| it.code == Code::SUCCESS)), "{all:?}");
    assert_eq!((one.binds(), two.binds()), (2, 6));
}

/// 7: a deadline shorter than any timeout of ours leaves a silent server out all the same, after a few.
#[tokio::test]
async fn short_deadlines_find_a_silent_server_too() {
    let one = Directory::clear(but(|_, _| Some(vec![Act::Stall]))).await;
    let two = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[one.port, two.port]));
    for _ in 0..3 {
        let late = upstream.bind("uid=u", &password(b"right"), None, Duration::from_millis(30)).await.err().unwrap();
        assert!(matches!(late, WireError::TimedOut { stage: Stage::Bind, .. }), "{late}");
    }
    assert!(upstream.bind("uid=u", &password(b"right"), None, Duration::from_secs(1)).await.is_ok());
}

/// 7: one that says itself that it can't is passed over.
#[tokio::test]
async fn a_server_that_is_busy_is_passed_over() {
    for code in [Code::BUSY, Code::UNAVAILABLE] {
        let one = Directory::clear(but(move |_, message| match message.op {
            Op::Bind { .. } => Some(vec![Act::Say(bound(code, "not now"))]),
            _ => None,
        }))
        .await;
        let two = Directory::clear(ordinary()).await;
        let upstream = open(settings(&[one.port, two.port]));
        assert_eq!(upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap().code, Code::SUCCESS);
        assert_eq!(one.binds(), 1);
        login(&upstream).await.unwrap();
        let alone = open(settings(&[one.port]));
        assert_eq!(alone.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap().code, code);
    }
}

/// 72: when all are down, whoever asks is told at once.
#[tokio::test]
async fn when_all_are_down_nobody_waits() {
    let mut one = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[one.port]));
    login(&upstream).await.unwrap();
    one.kill().await;
    assert!(matches!(login(&upstream).await.err(), Some(WireError::Unreachable { .. } | WireError::AllDown(_))));
    let begun = Instant::now();
    for _ in 0..100 {
        let down = login(&upstream).await.err().unwrap();
        assert!(matches!(&down, WireError::AllDown(_)), "{down}");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    one.revive().await;
    let begun = Instant::now();
    while login(&upstream).await.is_err() {
        assert!(begun.elapsed() < LIMIT, "it is back, and nobody has looked");
        sleep(Duration::from_millis(10)).await;
    }
}

/// 8: each stage has its limit, and the connection is closed at its end.
#[tokio::test]
async fn a_stall_at_any_stage_ends_in_its_time() {
    let ca = Authority::new();
    let stall_at = |wanted: Stage| {
        but(move |_, message| match (&message.op, wanted) {
            (Op::Extended { .. }, Stage::StartTls)
            | (Op::Bind { .. }, Stage::Bind)
            | (Op::Search(_), Stage::Search)
            | (Op::Compare { .. }, Stage::Operation) => Some(vec![Act::Stall]),
            _ => None,
        })
    };
    for stage in [Stage::Tls, Stage::StartTls, Stage::Bind, Stage::Search, Stage::Operation] {
        let directory = Directory::clear(stall_at(stage)).await;
        let names = Arc::new(Names::default());
        let clear = Settings { timeouts: brief(), ..settings(&[directory.port]) };
        let base = Settings { timeouts: brief(), ..secure("dc1.ad.test", directory.port, &ca) };
        let settings = match stage {
            Stage::Tls => base,
            Stage::StartTls => Settings { encryption: Encryption::StartTls, ..base },
            _ => clear,
        };
        let upstream = open_with(settings, &names);
        let begun = Instant::now();
        let error = match stage {
            Stage::Operation => upstream.compare("uid=u", "cn", b"yes").await.err(),
            _ => upstream.search_all(&search()).await.err(),
        };
        let error = error.unwrap();
        assert!(matches!(&error, WireError::TimedOut { stage: at, .. } if *at == stage), "{stage:?}: {error}");
        assert!((BRIEF..SOON).contains(&begun.elapsed()), "{stage:?}: {:?}", begun.elapsed());
        directory.until(|log| log.ended == log.connections).await;
    }
}

/// 8: connecting, and binding as a person.
#[tokio::test]
async fn a_stall_before_and_in_a_bind_ends_in_its_time() {
    let names = Arc::new(Names::default());
    names.silent.lock().unwrap().push("127.0.0.1".to_owned());
    let upstream = open_with(Settings { timeouts: brief(), ..settings(&[9]) }, &names);
    let error = upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.err().unwrap();
    assert!(matches!(error, WireError::TimedOut { stage: Stage::Connect, .. }), "{error}");
    let directory = Directory::clear(but(|_, _| Some(vec![Act::Stall]))).await;
    let upstream = open(Settings { timeouts: brief(), ..settings(&[directory.port]) });
    let error = upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.err().unwrap();
    assert!(matches!(error, WireError::TimedOut { stage: Stage::Bind, .. }), "{error}");
    directory.until(|log| log.ended == 1).await;
}

/// 7: servers by SRV records, in their order; and none that lies outside.
#[tokio::test]
async fn srv_records_list_servers_below_the_domain() {
    let ca = Authority::new();
    let acceptor = ca.acceptor(&["*.ad.test", "evil.test"], &[]);
    let (one, two) = (
        Directory::start(Some((acceptor.clone(), true)), ordinary()).await,
        Directory::start(Some((acceptor, true)), ordinary()).await,
    );
    let record = |priority, host: &str, port| {
        let (host, valid_for) = (host.to_owned(), Duration::from_secs(600));
        SrvRecord { priority, weight: 10, port, host, valid_for }
    };
    let names = Arc::new(Names::default());
    let name = "_ldap._tcp.dc._msdcs.ad.test";
    let srv = || Settings {
        servers: Where::Srv { name: name.to_owned(), domain: "ad.test".to_owned() },
        ..secure("unused", 1, &ca)
    };
    let found = vec![
        record(0, "evil.test.", one.port),
        record(0, "notad.test.", one.port),
        record(0, "ad.test.", one.port),
        record(20, "DC2.ad.test.", two.port),
        record(10, "dc1.ad.test.", one.port),
    ];
    names.srv.lock().unwrap().insert(name.to_owned(), found);
    let upstream = open_with(srv(), &names);
    assert_eq!(login(&upstream).await, Ok(()));
    let mut listed = upstream.server_names();
    listed.sort();
    assert_eq!(listed, [format!("dc1.ad.test:{}", one.port), format!("dc2.ad.test:{}", two.port)]);
    assert_eq!((one.binds(), two.binds()), (2, 0));
    assert_eq!(*names.dialed.lock().unwrap(), ["dc1.ad.test", "dc1.ad.test"]);
    names.srv.lock().unwrap().insert(name.to_owned(), vec![record(0, "evil.test.", one.port)]);
    let refused = login(&open_with(srv(), &names)).await.err().unwrap();
    assert!(refused.to_string().contains("no SRV record"), "{refused}");
    let clear = Settings { encryption: Encryption::Clear, ..srv() };
    assert!(Upstream::open(clear, &services(&names)).is_err());
}
