//! The port of logins.

use fedbridge_contract::ids::{ConnectionId, LinkProofId, SessionId, TransactionId};
use fedbridge_contract::services::Grants as _;
use fedbridge_hub::ports::{
    Command, GuardFailed, LoginStore as _, NewSession, NewTransaction, TombstoneReason, Unit, UnitError,
};
use fedbridge_keys::OpensslRng;

use crate::support::{Database, World, at, hash, new_proof};

pub async fn a_login_is_stored_and_read_back(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (id, handle) = (TransactionId::random(&OpensslRng), hash("handle"));
    let open = NewTransaction { id, handle_hash: handle, expires: at(600), sealed: vec![0, 1, 255] };
    world.commit(vec![Command::OpenTransaction(open)]).await.unwrap();

    let find = async |id, handle, now| store.transaction(world.tenant, id, &handle, now).await.unwrap();
    assert_eq!(find(id, handle, at(599)).await, Some(vec![0, 1, 255]));
    assert_eq!(find(id, handle, at(600)).await, None, "it has expired");
    assert_eq!(find(id, hash("a guess"), at(1)).await, None, "knowing its id is not enough");
    assert_eq!(find(TransactionId::random(&OpensslRng), handle, at(1)).await, None, "nor knowing its handle's hash");
    assert_eq!(store.linked_person(world.tenant, world.connection, "ada").await.unwrap(), None);

    let login = world.plan();
    let mut commands = vec![Command::FinishTransaction(id), once("a1")];
    commands.extend(world.commands(&login, "ada", &["openid"]));
    world.commit(commands).await.unwrap();

    assert_eq!(find(id, handle, at(1)).await, None, "it is finished");
    let person = store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap();
    assert_eq!((person.person, person.disabled), (login.person, false));
    let session = store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap().unwrap();
    assert_eq!((session.id, session.person, session.connection), (login.session, login.person, world.connection));
    assert_eq!((session.idle_expires, session.absolute_expires), (at(1800), at(3600)));
    assert_eq!((session.person_disabled, session.sealed.as_slice()), (false, &b"sealed session"[..]));
    let grant = store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap().unwrap();
    assert_eq!(grant.record, world.grant(&login, &["openid"]).record_with_trace(grant.record.trace));
}

pub async fn a_failed_guard_undoes_the_whole_unit(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let first = world.login("ada", &["openid"]).await;
    world.commit(vec![once("used")]).await.unwrap();

    let missing = Command::FinishTransaction(TransactionId::random(&OpensslRng));
    let ended = Command::TouchSession { session: SessionId::random(&OpensslRng), idle_expires: at(1) };
    let mut renewed = world.session(&world.plan());
    renewed.person = first.person;
    let taken = Command::CreatePerson(world.link(world.plan().person, "ada"));
    let proof = LinkProofId::random(&OpensslRng);
    let unbound = LinkProofId::random(&OpensslRng);
    let open = |id| Command::OpenLinkProof(new_proof(id, &first, world.connection));
    let bound = Command::BindLinkProof { proof, subject: hash("subject"), sealed: vec![] };
    world.commit(vec![open(proof), open(unbound)]).await.unwrap();
    world.commit(vec![bound.clone()]).await.unwrap();
    let (person, session) = (first.person, first.session);
    let use_proof = |proof, subject| Command::UseLinkProof { proof, person, session, subject: hash(subject) };
    let last = Command::UnlinkIdentity {
        person,
        connection: world.connection,
        subject_key: "ada".into(),
        reason: TombstoneReason::Unlinked,
    };
    let cases = [
        (Command::LinkIdentity(world.link(first.person, "ada")), GuardFailed::LinkExists),
        (bound, GuardFailed::ProofGone),
        (use_proof(proof, "another"), GuardFailed::ProofGone),
        (use_proof(unbound, "subject"), GuardFailed::ProofGone),
        (last, GuardFailed::LastLink),
        (missing, GuardFailed::TransactionGone),
        (once("used"), GuardFailed::SeenBefore { purpose: "saml.assertion".into() }),
        (taken, GuardFailed::LinkExists),
        (ended, GuardFailed::SessionEnded),
        (Command::RenewSession(renewed), GuardFailed::SessionEnded),
    ];
    for (guarded, refusal) in cases {
        for place in 0..=4 {
            let login = world.plan();
            let mut commands = world.commands(&login, "grace", &["openid"]);
            commands.push(once("fresh"));
            commands.insert(place, guarded.clone());
            let done = world.commit(commands).await;
            assert!(matches!(&done, Err(UnitError::Guard(found)) if *found == refusal), "{refusal:?}: {done:?}");
            assert_eq!(store.linked_person(world.tenant, world.connection, "grace").await.unwrap(), None);
            assert_eq!(store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap(), None);
            assert_eq!(store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap(), None);
        }
    }
    // The same key twice in one unit is a replay as well.
    let twice = world.commit(vec![once("fresh"), once("fresh")]).await;
    assert!(matches!(twice, Err(UnitError::Guard(GuardFailed::SeenBefore { .. }))));
    world.commit(vec![once("fresh")]).await.expect("no failed unit has used the key up");
    assert_eq!((database.count("people").await, database.count("tombstones").await), (1, 0));
    assert_eq!(database.count("link_proofs").await, 2);
}

pub async fn sessions_live_and_end(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let alive =
        async |when| store.session(world.tenant, login.session, &login.cookie, at(when)).await.unwrap().is_some();
    let touch = |now, until| Unit {
        commands: vec![Command::TouchSession { session: login.session, idle_expires: at(until) }],
        now: at(now),
    };
    assert!(alive(1799).await && !alive(1800).await);
    store.commit(world.tenant, touch(1000, 2800)).await.unwrap();
    assert!(alive(2799).await && !alive(2800).await);
    let late = store.commit(world.tenant, touch(2800, 9000)).await;
    assert!(matches!(late, Err(UnitError::Guard(GuardFailed::SessionEnded))), "an idle session stays ended");
    store.commit(world.tenant, touch(2799, 9000)).await.unwrap();
    assert!(alive(3599).await && !alive(3600).await, "the absolute limit holds");

    assert!(store.set_person_disabled(world.tenant, login.person, true, at(1)).await.unwrap());
    assert!(store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap().unwrap().person_disabled);
    assert!(store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap().disabled);
    assert!(store.set_person_disabled(world.tenant, login.person, false, at(1)).await.unwrap());
    assert!(!store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap().unwrap().person_disabled);

    world.commit(vec![Command::EndSession(login.session)]).await.unwrap();
    assert!(!alive(1).await);
    let touched = store.commit(world.tenant, touch(1, 100)).await;
    assert!(matches!(touched, Err(UnitError::Guard(GuardFailed::SessionEnded))));
}

pub async fn a_session_is_renewed_in_place(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let renewed = NewSession {
        cookie_hash: hash("new cookie"),
        idle_expires: at(5000),
        absolute_expires: at(6000),
        sealed: b"new".to_vec(),
        ..world.session(&login)
    };
    world.commit(vec![Command::RenewSession(renewed.clone())]).await.unwrap();
    assert_eq!(
        store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap(),
        None,
        "the old cookie is void"
    );
    let session = store.session(world.tenant, login.session, &hash("new cookie"), at(4999)).await.unwrap().unwrap();
    assert_eq!((session.id, session.absolute_expires, session.sealed), (login.session, at(6000), b"new".to_vec()));

    let other = world.login("grace", &["openid"]).await;
    let stolen = NewSession { person: other.person, cookie_hash: hash("third"), ..renewed };
    let done = world.commit(vec![Command::RenewSession(stolen)]).await;
    assert!(matches!(done, Err(UnitError::Guard(GuardFailed::SessionEnded))), "a session keeps its person");
}

pub async fn a_one_time_key_counts_until_it_expires(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let use_at = async |now, purpose: &str, key: &str| {
        let command = Command::Once { purpose: purpose.into(), key: key.into(), expires: at(100) };
        store.commit(world.tenant, Unit { commands: vec![command], now: at(now) }).await.is_ok()
    };
    assert!(use_at(0, "p", "k").await);
    assert!(!use_at(99, "p", "k").await);
    assert!(use_at(99, "pk", "").await, "purpose and key don't run together");
    assert!(use_at(100, "p", "k").await, "after its time the row means nothing");

    assert!(store.remember_once(world.tenant, "jwt", "j1", at(100)).await.unwrap());
    assert!(!store.remember_once(world.tenant, "jwt", "j1", at(100)).await.unwrap());
    assert!(store.remember_once(world.tenant, "other", "j1", at(100)).await.unwrap());
}

/// Units that wait together; one of them names a connection that is not there and must fail alone.
pub async fn many_units_commit_together(database: Database) {
    let store = database.open().await;
    let world = std::sync::Arc::new(World::new(&store, "acme").await);
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                let login = world.plan();
                let mut commands = world.commands(&login, &format!("person {n}"), &["openid"]);
                if n % 10 == 3
                    && let Command::CreatePerson(link) = &mut commands[0]
                {
                    link.connection = ConnectionId::random(&OpensslRng);
                }
                if n % 10 == 7 {
                    commands.push(once("one for all"));
                }
                (n, login, world.commit(commands).await)
            })
        })
        .collect();
    let mut first_once = 0;
    for task in tasks {
        let (n, login, done) = task.await.unwrap();
        let stored = store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap().is_some();
        assert_eq!(stored, done.is_ok());
        match n % 10 {
            3 => assert!(matches!(done, Err(UnitError::Store(_))), "{done:?}"),
            7 => first_once += u32::from(done.is_ok()),
            _ => done.unwrap(),
        }
    }
    assert_eq!(first_once, 1);
    assert_eq!((database.count("people").await, database.count("grants").await), (161, 161));
    if let Database::Sqlite(_) = database {
        let stats = store.stats();
        assert!(stats.commits < stats.units, "{stats:?}");
    }
}

fn once(key: &str) -> Command {
    Command::Once { purpose: "saml.assertion".into(), key: key.into(), expires: at(300) }
}

trait WithTrace {
    fn record_with_trace(self, trace: fedbridge_contract::ids::TraceId) -> fedbridge_contract::grant::GrantRecord;
}

impl WithTrace for fedbridge_contract::grant::NewGrant {
    fn record_with_trace(self, trace: fedbridge_contract::ids::TraceId) -> fedbridge_contract::grant::GrantRecord {
        fedbridge_contract::grant::GrantRecord { trace, ..self.record }
    }
}
