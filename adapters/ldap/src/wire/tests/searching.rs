//! Numbers 26, 32 and 34 as far as they are of the wire: pages, references, and answers that are long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fedbridge_ldap_core::control::{PAGED_RESULTS, PagedResults};
use fedbridge_ldap_core::{Code, Control, Filter, LdapResult, Op, Scope, Substrings};
use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::super::*;
use super::support::*;

fn page_of(controls: &[Control]) -> Option<PagedResults> {
    PagedResults::read(controls.iter().find(|control| control.oid == PAGED_RESULTS)?).ok()
}

/// A directory with so many entries, which gives at most `most` in a page.
fn pages(entries: usize, most: usize) -> Behaviour {
    but(move |talk, message| {
        let Op::Search(search) = &message.op else { return None };
        let page = page_of(&message.controls)?;
        assert!(!search.base.is_empty());
        if page.size == 0 {
            talk.cookies = 0;
            return Some(vec![Act::Say(found(Code::SUCCESS))]);
        }
        // A cookie is good on its own connection, and once.
        let first = match &page.cookie[..] {
            [] => 0,
            cookie if cookie == talk.cookies.to_be_bytes() => talk.cookies,
            _ => return Some(vec![Act::Say(found(Code::UNWILLING))]),
        };
        let last = (first + most.min(page.size as usize)).min(entries);
        talk.cookies = last;
        let cookie = if last < entries { last.to_be_bytes().to_vec() } else { Vec::new() };
        let control = PagedResults { size: 0, cookie: Bytes::from(cookie) }.control(false);
        let mut acts: Vec<_> = (first..last).map(|at| Act::Say(entry(&format!("uid={at}"), "cn", b"x"))).collect();
        acts.push(Act::SayWith(found(Code::SUCCESS), vec![control]));
        Some(acts)
    })
}

fn paged(size: u32) -> Search {
    Search { page: Some(size), ..search() }
}

/// 26: all pages, also where the server gives less in each.
#[tokio::test]
async fn pages_follow_each_other_on_one_connection() {
    for most in [1000, 7] {
        let directory = Directory::clear(pages(100, most)).await;
        let upstream = open(settings(&[directory.port]));
        let found = upstream.search_all(&paged(30)).await.unwrap();
        let names: Vec<_> = found.entries.iter().map(|entry| entry.dn.clone()).collect();
        assert_eq!(names, (0..100).map(|at| format!("uid={at}")).collect::<Vec<_>>());
        assert!(found.is_success());
        let streamed = upstream.search(paged(30)).await.unwrap().into_stream();
        assert_eq!(streamed.filter(|item| std::future::ready(item.is_ok())).count().await, 100);
        assert_eq!(directory.connections(), 1);
    }
}

/// 26: a search that is ended early frees what the server keeps, or closes the connection.
#[tokio::test]
async fn a_search_that_ends_early_leaves_nothing_behind() {
    let directory = Directory::clear(pages(100, 10)).await;
    let upstream = open(settings(&[directory.port]));
    for taken in [10, 15] {
        let mut entries = upstream.search(paged(10)).await.unwrap();
        for _ in 0..taken {
            assert!(entries.next().await.unwrap().is_some());
        }
        entries.stop().await.unwrap();
        let freed = page_of(&directory.log.lock().unwrap().requests.last().unwrap().controls).unwrap();
        assert_eq!((freed.size, freed.cookie.is_empty()), (0, false));
    }
    assert_eq!((directory.connections(), directory.log.lock().unwrap().ended), (1, 0));
    let mut dropped = upstream.search(paged(10)).await.unwrap();
    assert!(dropped.next().await.unwrap().is_some());
    drop(dropped);
    directory.until(|log| log.ended == 1).await;
    assert_eq!(upstream.search_all(&paged(50)).await.unwrap().entries.len(), 100);
}

/// 26: a server could go on for ever.
#[tokio::test]
async fn empty_pages_come_to_an_end() {
    let directory = Directory::clear(but(|_, message| {
        page_of(&message.controls)?;
        let page = PagedResults { size: 0, cookie: Bytes::from_static(b"more") };
        Some(vec![Act::SayWith(found(Code::SUCCESS), vec![page.control(false)])])
    }))
    .await;
    let upstream = open(settings(&[directory.port]));
    let error = upstream.search_all(&paged(10)).await.err().unwrap();
    assert!(error.to_string().contains("empty page"), "{error}");
    assert!(directory.log.lock().unwrap().requests.len() < 400);
}

/// 26: what can't be read is not the end: it would leave people out.
#[tokio::test]
async fn a_page_whose_control_is_broken_is_an_error() {
    let directory = Directory::clear(but(|_, message| {
        page_of(&message.controls)?;
        let broken =
            Control { oid: PAGED_RESULTS.to_owned(), critical: false, value: Some(Bytes::from_static(b"\x30\x05")) };
        Some(vec![Act::Say(entry("uid=0", "cn", b"x")), Act::SayWith(found(Code::SUCCESS), vec![broken])])
    }))
    .await;
    let upstream = open(settings(&[directory.port]));
    let error = upstream.search_all(&paged(10)).await.err().unwrap();
    assert!(error.to_string().contains("no LDAP message"), "{error}");
}

/// 26: a server may give smaller pages than are asked for, and say so by an error.
#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_again_smaller() {
    for code in [Code::SIZE_LIMIT, Code::ADMIN_LIMIT] {
        let directory = Directory::clear(but(move |_, message| {
            let page = page_of(&message.controls)?;
            if page.size > 100 {
                return Some(vec![Act::Say(found(code))]);
            }
            let next = if page.cookie.is_empty() { "more" } else { "" };
            let control = PagedResults { size: 0, cookie: next.into() }.control(false);
            Some(vec![Act::Say(entry("uid=0", "cn", b"x")), Act::SayWith(found(Code::SUCCESS), vec![control])])
        }))
        .await;
        let upstream = open(settings(&[directory.port]));
        let answers = upstream.search_all(&paged(500)).await.unwrap();
        assert_eq!((answers.entries.len(), answers.result.code), (2, Code::SUCCESS));
        // Whoever says how many entries at most has an answer.
        let limited = upstream.search_all(&Search { size: 7, ..paged(500) }).await.unwrap();
        assert_eq!((limited.entries.len(), limited.result.code), (0, code));
        // A server that gives no page of any size is believed after a few.
        let none = Directory::clear(but(move |_, message| {
            page_of(&message.controls)?;
            Some(vec![Act::Say(found(code))])
        }))
        .await;
        let answers = open(settings(&[none.port])).search_all(&paged(500)).await.unwrap();
        assert_eq!((answers.entries.len(), answers.result.code), (0, code));
    }
}

/// 26: a limit is an answer, with what was found so far.
#[tokio::test]
async fn a_limit_comes_with_what_was_found() {
    let directory = Directory::clear(but(|_, message| match &message.op {
        Op::Search(search) if !search.base.is_empty() => {
            let mut acts: Vec<_> = (0..5).map(|at| Act::Say(entry(&format!("uid={at}"), "cn", b"x"))).collect();
            acts.push(Act::Say(found(Code::SIZE_LIMIT)));
            Some(acts)
        }
        _ => None,
    }))
    .await;
    let upstream = open(settings(&[directory.port]));
    let answers = upstream.search_all(&search()).await.unwrap();
    assert_eq!((answers.entries.len(), answers.result.code), (5, Code::SIZE_LIMIT));
    // A server that gives more than was asked for does not fill our memory.
    let two = upstream.search_all(&Search { size: 2, ..search() }).await.unwrap();
    assert_eq!((two.entries.len(), two.result.code), (2, Code::SIZE_LIMIT));
}

/// 34, and what is sent besides.
#[tokio::test]
async fn a_search_says_what_was_asked() {
    let directory = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[directory.port]));
    let substrings = Substrings {
        first: Some(Bytes::from_static(b"a*")),
        any: vec![Bytes::from_static(b"\xff")],
        last: Some(Bytes::from_static(b")(")),
    };
    let filter = Filter::And(vec![
        Filter::Or(Vec::new()),
        Filter::Not(Box::new(Filter::Present("mail;lang-en".to_owned()))),
        Filter::Substrings("cn".to_owned(), substrings),
        Filter::AtLeast("uidNumber".to_owned(), Bytes::from_static(b"5")),
        Filter::AtMost("uidNumber".to_owned(), Bytes::from_static(b"")),
        Filter::Approximately("sn".to_owned(), Bytes::from_static(b"\\2a")),
        Filter::Extensible {
            rule: Some("1.2.840.113556.1.4.1941".to_owned()),
            attribute: Some("memberOf".to_owned()),
            value: Bytes::from_static(b"cn=g,dc=a"),
            dn_attributes: false,
        },
    ]);
    let control = Control { oid: "1.2.840.113556.1.4.417".to_owned(), critical: true, value: None };
    let asked = Search {
        base: "ou=\u{fc},dc=a".to_owned(),
        scope: Scope::One,
        filter: filter.clone(),
        attributes: vec!["member;range=0-*".to_owned(), "+".to_owned()],
        size: 3,
        time: Duration::from_millis(2500),
        types_only: true,
        page: None,
        controls: vec![control.clone()],
    };
    upstream.search_all(&asked).await.unwrap();
    let log = directory.log.lock().unwrap();
    let message = &log.requests[1];
    let Op::Search(sent) = &message.op else { panic!("{message:?}") };
    assert_eq!((sent.base.as_str(), sent.scope, sent.aliases), (asked.base.as_str(), Scope::One, 0));
    assert_eq!((sent.size, sent.time, sent.types_only), (3, 3, true));
    assert_eq!((&sent.filter, &sent.attributes), (&filter, &asked.attributes));
    assert_eq!(message.controls, [control]);
}

#[tokio::test]
async fn other_operations_say_what_was_asked() {
    let directory = Directory::clear(ordinary()).await;
    let upstream = open(settings(&[directory.port]));
    assert_eq!(upstream.compare("uid=u", "cn", b"yes").await.unwrap().code, Code::COMPARE_TRUE);
    assert_eq!(upstream.compare("uid=u", "cn", b"\xff").await.unwrap().code, Code::COMPARE_FALSE);
    let mut lease = upstream.service().await.unwrap();
    let done = lease.extended("1.3.6.1.4.1.4203.1.11.1", Some(vec![0xff, 0]), Vec::new()).await.unwrap();
    assert_eq!((done.result.code, done.value.as_deref()), (Code::SUCCESS, Some(&[0xff, 0][..])));
    let changes = [Change::Delete("unicodePwd", &[b"\xff\x00"]), Change::Add("unicodePwd", &[b"n\x00"])];
    let (result, _) = lease.modify("cn=u", &changes, Vec::new()).await.unwrap();
    assert_eq!(result.code, Code::SUCCESS);
    let log = directory.log.lock().unwrap();
    let modify = log.requests.iter().find(|message| matches!(message.op, Op::Write { .. }));
    assert_eq!(modify.map(|it| it.op.octets()), Some(Op::modify("cn=u", &changes).octets()));
}

/// 36 needs this: whoever reads slowly holds the server back, and memory stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_the_server_back() {
    const ENTRIES: usize = 2_500;
    let directory = Directory::clear(but(|_, message| match &message.op {
        Op::Search(search) if search.base == "dc=long" => {
            let one = |at| Act::Say(entry(&format!("uid={at}"), "jpegPhoto", &[7; 8000]));
            Some((0..ENTRIES).map(one).chain([Act::Say(found(Code::SUCCESS))]).collect())
        }
        _ => None,
    }))
    .await;
    let upstream = open(settings(&[directory.port]));
    let mut entries = upstream.search(Search { base: "dc=long".to_owned(), ..search() }).await.unwrap();
    for _ in 0..10 {
        entries.next().await.unwrap().unwrap();
    }
    let written = || directory.log.lock().unwrap().written;
    let mut ahead = 0;
    while ahead < written() {
        ahead = written();
        sleep(Duration::from_millis(300)).await;
    }
    // What is ours is a megabyte; the rest lies in sockets.
    assert!(ahead < 12 * 1024 * 1024, "{ahead} octets were taken though nobody reads");
    let mut count = 10;
    while entries.next().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, ENTRIES);
    assert!(entries.into_lease().is_some());
    sleep(Duration::from_millis(20)).await;
    assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
    assert_eq!(directory.connections(), 1, "the connection is good for more");
}

fn refers_to(uri: String) -> Behaviour {
    but(move |_, message| match &message.op {
        Op::Search(search) if search.base == "dc=a" => {
            let reference = Op::Reference(vec![uri.clone(), "ldaps://other.test/".to_owned()]);
            Some(vec![Act::Say(entry("uid=here", "cn", b"x")), Act::Say(reference), Act::Say(found(Code::SUCCESS))])
        }
        Op::Search(search) if search.base == "dc=referred" => {
            let mut result = LdapResult::new(Code::REFERRAL, "");
            result.referral = vec![uri.clone()];
            Some(vec![Act::Say(Op::Done { of: fedbridge_ldap_core::Done::Search, result })])
        }
        _ => None,
    })
}

/// 32: a reference to a host that nobody has named is left alone.
#[tokio::test]
async fn a_reference_to_a_stranger_is_not_followed() {
    let ca = Authority::new();
    let attacker = Directory::start(Some((ca.acceptor(&["attacker.test"], &[]), true)), ordinary()).await;
    let uri = format!("ldaps://attacker.test:{}/dc=a", attacker.port);
    let acceptor = ca.acceptor(&["dc1.ad.test"], &[]);
    let directory = Directory::start(Some((acceptor, true)), refers_to(uri.clone())).await;
    let names = Arc::new(Names::default());
    for referrals in [vec![], vec!["dc2.ad.test".to_owned()]] {
        let base = secure("dc1.ad.test", directory.port, &ca);
        let upstream = open_with(Settings { referrals: referrals.into(), ..base }, &names);
        let answers = upstream.search_all(&search()).await.unwrap();
        assert_eq!((answers.entries.len(), &answers.references), (1, &vec![uri.clone()]));
        let mut entries = upstream.search(search()).await.unwrap();
        while entries.next().await.unwrap().is_some() {}
        assert_eq!(entries.references(), std::slice::from_ref(&uri));
        let referred = upstream.search_all(&Search { base: "dc=referred".to_owned(), ..search() }).await.unwrap();
        assert_eq!(referred.result.code, Code::REFERRAL);
    }
    assert_eq!(attacker.connections(), 0);
    assert!(names.dialed.lock().unwrap().iter().all(|host| host == "dc1.ad.test"));
}

/// 32: one to a host that is named is followed over TLS, by the service account alone.
#[tokio::test]
async fn a_reference_to_a_named_host_is_followed() {
    let ca = Authority::new();
    let there = Directory::start(Some((ca.acceptor(&["dc2.ad.test"], &[]), true)), ordinary()).await;
    let uri = format!("ldaps://dc2.ad.test:{}/dc=b", there.port);
    let acceptor = ca.acceptor(&["dc1.ad.test"], &[]);
    let here = Directory::start(Some((acceptor, true)), refers_to(uri)).await;
    let referrals = || Arc::new(["dc2.ad.test".to_owned()]) as Arc<[String]>;
    let upstream = open(Settings { referrals: referrals(), ..secure("dc1.ad.test", here.port, &ca) });
    let answers = upstream.search_all(&search()).await.unwrap();
    assert_eq!(answers.entries.iter().map(|entry| entry.dn.as_str()).collect::<Vec<_>>(), ["uid=here", "uid=u"]);
    assert_eq!(answers.entries[1].text("askedBy"), Some(SERVICE));
    let mut entries = upstream.search(search()).await.unwrap();
    let mut names = Vec::new();
    while let Some(Item::Entry(entry, _)) = entries.next().await.unwrap() {
        names.push(entry.dn);
    }
    assert_eq!(names, ["uid=here", "uid=u"]);
    let referred = upstream.search_all(&Search { base: "dc=referred".to_owned(), ..search() }).await.unwrap();
    assert_eq!((referred.result.code, referred.entries.len()), (Code::SUCCESS, 1));
    upstream.bind("uid=u", &password(b"right"), None, Duration::from_secs(5)).await.unwrap();
    assert_eq!(there.count(|op| matches!(op, Op::Bind { name, .. } if name != SERVICE)), 0);
    // Not over the wrong certificate.
    let other = Directory::start(Some((ca.acceptor(&["dc3.ad.test"], &[]), true)), ordinary()).await;
    let uri = format!("ldaps://dc2.ad.test:{}/dc=b", other.port);
    let here = Directory::start(Some((ca.acceptor(&["dc1.ad.test"], &[]), true)), refers_to(uri)).await;
    let upstream = open(Settings { referrals: referrals(), ..secure("dc1.ad.test", here.port, &ca) });
    assert!(matches!(upstream.search_all(&search()).await.err(), Some(WireError::Insecure { .. })));
    assert_eq!(other.binds(), 0);
}

/// A directory that answers each search with so many references to itself: how often it was asked, and the way there.
async fn refers_to_itself(times: usize) -> (Directory, Arc<AtomicUsize>, Arc<Upstream>) {
    let ca = Authority::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, acceptor) = (Arc::clone(&asked), ca.acceptor(&["dc1.ad.test"], &[]));
    let port = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&port);
    let behaviour = but(move |_, message| match &message.op {
        Op::Search(_) => {
            count.fetch_add(1, Ordering::Relaxed);
            let uri = format!("ldaps://dc1.ad.test:{}/", own.load(Ordering::Relaxed));
            let mut acts: Vec<_> = (0..times).map(|_| Act::Say(Op::Reference(vec![uri.clone()]))).collect();
            acts.push(Act::Say(found(Code::SUCCESS)));
            Some(acts)
        }
        _ => None,
    });
    let directory = Directory::start(Some((acceptor, true)), behaviour).await;
    port.store(usize::from(directory.port), Ordering::Relaxed);
    let referrals: Arc<[String]> = Arc::new(["dc1.ad.test".to_owned()]);
    let upstream = open(Settings { referrals, ..secure("dc1.ad.test", directory.port, &ca) });
    (directory, asked, upstream)
}

/// 32: servers that refer to each other end after five.
#[tokio::test]
async fn references_in_a_circle_end() {
    let (_directory, asked, upstream) = refers_to_itself(1).await;
    let answers = upstream.search_all(&search()).await.unwrap();
    assert_eq!((asked.load(Ordering::Relaxed), answers.references.len()), (6, 1));
}

/// 32: nor do servers that refer to each other many times over keep a login busy for ever.
#[tokio::test]
async fn references_that_multiply_end() {
    let (_directory, asked, upstream) = refers_to_itself(20).await;
    let (most, patience) = (65, Duration::from_secs(60));
    let asked_again = search();
    let answers = tokio::time::timeout(patience, upstream.search_all(&asked_again)).await.expect("an end").unwrap();
    assert_eq!((asked.swap(0, Ordering::Relaxed), answers.result.code), (most, Code::SIZE_LIMIT));
    let mut entries = upstream.search(search()).await.unwrap();
    let end = tokio::time::timeout(patience, entries.next()).await.expect("an end");
    assert!(matches!(end, Err(WireError::Lost { .. })), "{end:?}");
    assert_eq!(asked.load(Ordering::Relaxed), most);
}
