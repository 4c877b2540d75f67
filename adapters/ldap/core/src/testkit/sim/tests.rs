use super::super::{Authority, Client, Expected, Names, Script, Validity, say};
use super::*;
use crate::extended::{START_TLS, WHO_AM_I, notice_of_disconnection};
use crate::filter::Filter;
use crate::message::{Done, Scope, Search};
use crate::result::LdapResult;

fn search() -> Op {
    let filter = Filter::Present("objectClass".to_owned());
    let base = "dc=acme".to_owned();
    Op::Search(Search {
        base,
        scope: Scope::Sub,
        aliases: 0,
        size: 0,
        time: 0,
        types_only: false,
        filter,
        attributes: Vec::new(),
    })
}

fn extended(oid: &str) -> Op {
    Op::Extended { oid: oid.to_owned(), value: None }
}

fn directory(asked: &Asked<'_>) -> Vec<Step> {
    match &asked.message.op {
        Op::Bind { name, .. } if name == "uid=a" => vec![say::bound()],
        Op::Bind { .. } => vec![say::refused_bind(Code::INVALID_CREDENTIALS, "no")],
        Op::Search(_) => {
            vec![say::entry("uid=a", &[("mail", &[b"a@b"])]), say::reference(&["ldap://x/"]), say::found()]
        }
        Op::Extended { oid, .. } if oid == START_TLS => say::start_tls(),
        Op::Extended { oid, .. } if oid == WHO_AM_I => vec![say::who_am_i(asked)],
        _ => vec![Step::Close],
    }
}

#[tokio::test]
async fn answers_and_remembers_who_asked() {
    let sim = Sim::start(directory).await.unwrap();
    let mut client = Client::connect(sim.address()).await.unwrap();
    assert_eq!(client.ask(search()).await.unwrap().len(), 3);
    client.bind("uid=a", b"right").await.unwrap();
    let Op::ExtendedDone { value, .. } = client.ask(extended(WHO_AM_I)).await.unwrap().remove(0).op else { panic!() };
    assert_eq!(value.as_deref(), Some(&b"dn:uid=a"[..]));
    let refused = client.bind("uid=b", b"wrong").await.unwrap();
    assert_eq!(refused, Op::BindDone { result: LdapResult::new(Code::INVALID_CREDENTIALS, "no"), sasl: None });
    client.ask(search()).await.unwrap();
    let seen: Vec<_> = sim.seen().into_iter().map(|seen| (seen.message.id, seen.bound_as)).collect();
    let expected = [(1, ""), (2, ""), (3, "uid=a"), (4, "uid=a"), (5, "")];
    assert_eq!(seen, expected.map(|(id, name)| (id, name.to_owned())), "a bind that fails leaves nobody bound");
    client.send(Op::Unbind).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), None);
}

#[tokio::test]
async fn tls_at_once_and_in_the_middle() {
    let authority = Authority::new().unwrap();
    let identity = authority.issue(&Names::local()).unwrap();
    let sim = Sim::start_with(Tls::at_once(identity.clone()), directory).await.unwrap();
    let mut client = Client::connect(sim.address()).await.unwrap();
    client.begin_tls(authority.certificate(), Some("localhost"), None).await.unwrap();
    client.ask(search()).await.unwrap();
    assert!(sim.seen()[0].is_encrypted);

    let sim = Sim::start_with(Tls::when_asked(identity), directory).await.unwrap();
    let mut client = Client::connect(sim.address()).await.unwrap();
    client.ask(extended(START_TLS)).await.unwrap();
    client.begin_tls(authority.certificate(), None, None).await.unwrap();
    client.ask(search()).await.unwrap();
    assert_eq!(sim.seen().iter().map(|seen| seen.is_encrypted).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn certificates_that_nobody_trusts() {
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let over = authority.issue_for(&Names::local(), Validity::Over).unwrap();
    let sim = Sim::start_with(Tls::at_once(over), directory).await.unwrap();
    let mut client = Client::connect(sim.address()).await.unwrap();
    assert!(client.begin_tls(authority.certificate(), None, None).await.is_err(), "over");

    let identity = authority.issue(&Names::local()).unwrap();
    let tls = Tls { clients: Some(authority.certificate().clone()), ..Tls::at_once(identity) };
    let sim = Sim::start_with(tls, directory).await.unwrap();
    let mut client = Client::connect(sim.address()).await.unwrap();
    assert!(client.begin_tls(other.certificate(), None, None).await.is_err(), "of another authority");
    for (issuer, is_let_in) in [(&authority, true), (&other, false)] {
        let me = issuer.issue(&Names::common_alone("me")).unwrap();
        let mut client = Client::connect(sim.address()).await.unwrap();
        // A client hears of a refusal when it reads.
        let begun = client.begin_tls(authority.certificate(), None, Some(&me)).await;
        let asked = begun.is_ok() && client.ask(search()).await.is_ok();
        assert_eq!(asked, is_let_in);
    }
}

#[tokio::test]
async fn scripts_are_followed_line_by_line() {
    let script = Script::new()
        .unasked(vec![Step::Raw(vec![0x30, 0])])
        .then(Expected::Bind, vec![say::bound()])
        .then(Expected::Search, vec![say::done(Done::Search, Code::BUSY), Step::Close]);
    let sim = Sim::start(script).await.unwrap();
    let mut client = Client::connect(sim.address()).await.unwrap();
    assert!(client.receive().await.is_err(), "no message");
    client.bind("", b"").await.unwrap();
    client.ask(search()).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), None);
    let mut client = Client::connect(sim.address()).await.unwrap();
    assert!(client.receive().await.is_err());
    assert!(client.ask(search()).await.is_err(), "a bind was expected");
    assert_eq!(sim.connections(), 2);
}

#[tokio::test]
async fn all_connections_hear_of_the_end() {
    let sim = Sim::start(|_: &Asked<'_>| vec![Step::Stall]).await.unwrap();
    let mut idle = Client::connect(sim.address()).await.unwrap();
    let mut waiting = Client::connect(sim.address()).await.unwrap();
    waiting.send(search()).await.unwrap();
    while sim.seen().is_empty() || sim.connections() < 2 {
        tokio::task::yield_now().await;
    }
    let notice = notice_of_disconnection(Code::UNAVAILABLE, "bye");
    sim.say_to_all(&notice);
    assert_eq!(idle.receive().await.unwrap(), Some(notice));
    sim.close_all();
    assert_eq!(idle.receive().await.unwrap(), None);
    assert_eq!(waiting.receive().await.unwrap(), None);
    let address = sim.address();
    drop(sim);
    let gone = async { while Client::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("nobody listens any more");
}
