//! Numbers 9 and 10: connections that are kept.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_ldap_core::{Code, LdapResult, Op};
use tokio::time::sleep;

use super::super::*;
use super::support::*;

const LIMIT: Duration = Duration::from_secs(5);

async fn bind(upstream: &Arc<Upstream>, octets: &[u8]) -> Result<BindResult, WireError> {
    upstream.bind("uid=u", &password(octets), None, LIMIT).await
}

fn notice() -> Vec<u8> {
    let result = LdapResult::new(Code::UNAVAILABLE, "shutting down");
    octets(0, Op::ExtendedDone { result, oid: Some("1.3.6.1.4.1.1466.20036".to_owned()), value: None }, Vec::new())
}

/// 9: connections are used again, and closed when nobody uses them.
#[tokio::test]
async fn connections_are_kept_and_closed() {
    let directory = Directory::clear(ordinary()).await;
    let pool = Pool { idle: Duration::from_secs(1), ..Pool::default() };
    let upstream = open(Settings { pool, ..settings(&[directory.port]) });
    for _ in 0..10 {
        upstream.search_all(&search()).await.unwrap();
        bind(&upstream, b"right").await.unwrap();
        bind(&upstream, b"wrong").await.unwrap();
    }
    assert_eq!(directory.connections(), 2, "one for searches and one for people");
    sleep(Duration::from_millis(1100)).await;
    upstream.search_all(&search()).await.unwrap();
    assert_eq!(directory.connections(), 3);
    directory.until(|log| log.ended == 1).await;
}

/// 9: none is used again when it is old.
#[tokio::test]
async fn an_old_connection_is_replaced() {
    let directory = Directory::clear(ordinary()).await;
    let pool = Pool { age: Duration::from_millis(150), ..Pool::default() };
    let upstream = open(Settings { pool, ..settings(&[directory.port]) });
    let mut rounds = 0;
    while directory.connections() < 6 {
        rounds += 1;
        assert!(rounds < 1000, "none is replaced");
        upstream.search_all(&search()).await.unwrap();
        bind(&upstream, b"right").await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    assert!(rounds > 6, "each serves more than once");
}

/// 9: a server that closes what is idle, or says that it ends, is no error to anybody.
#[tokio::test]
async fn a_connection_that_the_server_ends_is_no_error() {
    type Ending = fn() -> Vec<Act>;
    let endings: [Ending; 3] = [
        || vec![Act::Close],
        || vec![Act::Raw(notice()), Act::Close],
        // The notice alone: the connection stays open, and is worth nothing.
        || vec![Act::Raw(notice()), Act::Stall],
    ];
    for ending in endings {
        let behaviour: Behaviour = Arc::new(move |talk, message| {
            let mut acts = answer(talk, message);
            let last = matches!(&message.op, Op::Search(_)) || talk.who == "uid=u";
            if last {
                acts.extend(ending());
            }
            acts
        });
        let directory = Directory::clear(behaviour).await;
        let upstream = open(settings(&[directory.port]));
        for _ in 0..5 {
            assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
            assert_eq!(bind(&upstream, b"right").await.unwrap().code, Code::SUCCESS);
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(directory.connections(), 10);
    }
}

/// 9: also where the end comes with the next request.
#[tokio::test]
async fn a_connection_that_ends_under_a_request_is_tried_again() {
    let behaviour: Behaviour = Arc::new(|talk, message| {
        talk.cookies += 1;
        if talk.cookies > 2 { vec![Act::Close] } else { answer(talk, message) }
    });
    let directory = Directory::clear(behaviour).await;
    let upstream = open(settings(&[directory.port]));
    for _ in 0..6 {
        assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
        assert_eq!(bind(&upstream, b"right").await.unwrap().code, Code::SUCCESS);
    }
}

/// 10: what has carried a person's bind never searches for the service.
#[tokio::test]
async fn a_search_is_never_made_as_a_person() {
    let directory = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[directory.port]));
    for round in 0..10 {
        let octets: &[u8] = if round % 3 == 0 { b"wrong" } else { b"right" };
        let code = if round % 3 == 0 { Code::INVALID_CREDENTIALS } else { Code::SUCCESS };
        assert_eq!(bind(&upstream, octets).await.unwrap().code, code);
        assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
        let (_, person) = upstream.as_user("uid=u", &password(b"right"), LIMIT).await.unwrap();
        let mut person = person.unwrap();
        assert_eq!(asked_by(&person.all(&search()).await.unwrap()), "uid=u", "it is the person's");
    }
    assert_eq!(directory.connections(), 12, "the person's own are used once");
    let binds = directory.count(|op| matches!(op, Op::Bind { name, .. } if name == SERVICE));
    assert_eq!(binds, 1);
}

/// After an answer that is neither a yes nor a wrong password, a connection is closed.
#[tokio::test]
async fn after_a_strange_answer_a_connection_is_closed() {
    let directory = Directory::clear(but(|_, message| match message.op {
        Op::Bind { .. } => Some(vec![Act::Say(bound(Code::UNWILLING, "account locked"))]),
        _ => None,
    }))
    .await;
    let upstream = open(settings(&[directory.port]));
    for _ in 0..3 {
        assert_eq!(bind(&upstream, b"right").await.unwrap().code, Code::UNWILLING);
    }
    directory.until(|log| (log.connections, log.ended) == (3, 3)).await;
}

/// No more connections than the pool has, and whoever waits too long is told.
#[tokio::test]
async fn the_pool_has_an_end() {
    let directory = Directory::clear(but(|_, message| match message.op {
        Op::Bind { .. } => Some(vec![Act::Pause(Duration::from_secs(1)), Act::Say(bound(Code::SUCCESS, ""))]),
        _ => None,
    }))
    .await;
    let pool = Pool { users: 2, ..Pool::default() };
    let patience = Timeouts { bind: Duration::from_millis(1500), ..Timeouts::default() };
    let upstream = open(Settings { pool, timeouts: patience, ..settings(&[directory.port]) });
    let all = futures_util::future::join_all((0..6).map(|_| bind(&upstream, b"right"))).await;
    let busy = all.iter().filter(|result| matches!(result, Err(WireError::Busy))).count();
    let good = all.iter().filter(|result| result.is_ok()).count();
    assert_eq!((good, busy, directory.connections()), (4, 2, 2), "{all:?}");
}

/// 12 holds here too: what proves nothing is not sent.
#[tokio::test]
async fn a_bind_without_a_name_is_not_sent() {
    let directory = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[directory.port]));
    let refused = upstream.bind("", &password(b"right"), None, LIMIT).await.err().unwrap();
    assert!(matches!(refused, WireError::NotSent(_)), "{refused}");
    assert_eq!(directory.binds(), 0);
    assert!(fedbridge_contract::password::Password::new(*b"").is_none());
}

/// Passwords are octets, and so they arrive; the policy's word is asked for.
#[tokio::test]
async fn any_octets_are_a_password() {
    let directory = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[directory.port]));
    let odd = [0xff, 0x00, b'*', 0xc3];
    assert_eq!(bind(&upstream, &odd).await.unwrap().code, Code::INVALID_CREDENTIALS);
    let log = directory.log.lock().unwrap();
    let Op::Bind { auth: fedbridge_ldap_core::Auth::Simple(sent), .. } = &log.requests[0].op else { panic!() };
    assert_eq!(sent[..], odd);
    assert_eq!(log.requests[0].controls[0].oid, "1.3.6.1.4.1.42.2.27.8.5.1");
}

/// On several runtimes at once, as the listener's threads are.
#[test]
fn connections_serve_several_runtimes() {
    let server = tokio::runtime::Runtime::new().unwrap();
    let directory = server.block_on(Directory::clear(ordinary()));
    let upstream = open(settings(&[directory.port]));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    for _ in 0..30 {
                        assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
                        assert_eq!(bind(&upstream, b"right").await.unwrap().code, Code::SUCCESS);
                    }
                });
            });
        }
    });
    // They are gone, with what was kept on them.
    let later = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    later.block_on(async {
        assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
        assert_eq!(bind(&upstream, b"right").await.unwrap().code, Code::SUCCESS);
    });
}

/// 12: what a server may take for an empty password reaches none.
#[tokio::test]
async fn a_password_that_begins_with_a_zero_octet_is_sent_to_nobody() {
    let directory = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[directory.port]));
    for octets in [&b"\0right"[..], b"\0 "] {
        assert_eq!(bind(&upstream, octets).await.unwrap().code, Code::INVALID_CREDENTIALS);
    }
    assert_eq!(directory.binds(), 0);
    assert_eq!(bind(&upstream, b"right").await.unwrap().code, Code::SUCCESS);
}
