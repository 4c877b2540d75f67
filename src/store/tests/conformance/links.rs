//! Several logins of one person, and the proofs that connect them.

use std::sync::Arc;

use fedbridge_contract::epoch::Killed;
use fedbridge_contract::ids::{LinkProofId, TransactionId};
use fedbridge_hub::ports::{
    Command, EpochStore as _, GuardFailed, IdentityNews, LoginStore as _, NewLink, PeopleStore as _, Tombstone,
    TombstoneReason, Unit, UnitError,
};
use fedbridge_keys::OpensslRng;
use sea_orm::ConnectionTrait as _;

use crate::contention::{MANY, race, two};
use crate::support::{Database, Full, Login, World, at, hash, new_proof};

pub async fn a_person_has_several_logins(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let link = NewLink { connection: second, ..world.link(ada.person, "ada@second") };
    store.commit(world.tenant, unit(vec![Command::LinkIdentity(link.clone())], 50)).await.unwrap();
    for (connection, subject) in [(world.connection, "ada"), (second, "ada@second")] {
        let linked = store.linked_person(world.tenant, connection, subject).await.unwrap().unwrap();
        assert_eq!(linked.person, ada.person);
    }
    let found = store.identities(world.tenant, ada.person).await.unwrap();
    let brief: Vec<_> = found.iter().map(|it| (it.connection, it.subject_key.as_str(), it.since)).collect();
    assert_eq!(brief, [(world.connection, "ada", at(0)), (second, "ada@second", at(50))], "the oldest comes first");
    assert!(found.iter().all(|it| it.person == ada.person && it.display == it.subject_key));

    // A subject is one person's.
    let stolen = NewLink { person: bob.person, ..link };
    assert_eq!(refused(&world, Command::LinkIdentity(stolen)).await, GuardFailed::LinkExists);
    let nobody = Command::LinkIdentity(world.link(world.plan().person, "new"));
    let done = world.commit(vec![nobody]).await;
    assert!(matches!(done, Err(UnitError::Store(_))), "{done:?}");
}

pub async fn an_identity_that_was_unlinked_leaves_a_tombstone(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let second = world.another_connection("second").await;
    let link = |person| Command::LinkIdentity(NewLink { connection: second, ..world.link(person, "shared") });
    let unlink = |person, connection, subject: &str, reason| Command::UnlinkIdentity {
        person,
        connection,
        subject_key: subject.into(),
        reason,
    };
    let shared = |person, reason| unlink(person, second, "shared", reason);
    let link_of =
        |subject: &str| Command::LinkIdentity(NewLink { connection: second, ..world.link(ada.person, subject) });
    let tombstone = async || store.tombstone(world.tenant, second, "shared").await.unwrap();
    assert_eq!(tombstone().await, None);
    world.commit(vec![link(ada.person)]).await.unwrap();
    assert_eq!(tombstone().await, None);

    // Only one's own, only what is there, and never the last one.
    for command in [
        shared(bob.person, TombstoneReason::Unlinked),
        unlink(ada.person, second, "other", TombstoneReason::Unlinked),
        unlink(ada.person, world.connection, "shared", TombstoneReason::Unlinked),
        unlink(bob.person, world.connection, "bob", TombstoneReason::Unlinked),
    ] {
        assert_eq!(refused(&world, command).await, GuardFailed::LastLink);
    }
    assert_eq!(database.count("tombstones").await, 0, "a refused unlink leaves nothing");

    store.commit(world.tenant, unit(vec![shared(ada.person, TombstoneReason::Unlinked)], 7)).await.unwrap();
    let left = Tombstone { person: ada.person, reason: TombstoneReason::Unlinked, at: at(7) };
    assert_eq!(tombstone().await, Some(left));
    assert_eq!(store.linked_person(world.tenant, second, "shared").await.unwrap(), None);
    let again = refused(&world, shared(ada.person, TombstoneReason::Unlinked)).await;
    assert_eq!(again, GuardFailed::LastLink);

    // The subject may come again, as another person; the newest tombstone counts, and a closed door stays closed.
    world.commit(vec![link(bob.person)]).await.unwrap();
    world.commit(vec![shared(bob.person, TombstoneReason::Blocked)]).await.unwrap();
    let blocked = Some(Tombstone { person: bob.person, reason: TombstoneReason::Blocked, at: at(0) });
    assert_eq!(tombstone().await, blocked);
    // Nobody is linked behind it, known or new: whatever let them in was read before.
    assert_eq!(refused(&world, link(ada.person)).await, GuardFailed::LinkExists);
    let new = NewLink { connection: second, ..world.link(world.plan().person, "shared") };
    assert_eq!(refused(&world, Command::CreatePerson(new)).await, GuardFailed::LinkExists);
    world.commit(vec![link_of("another subject")]).await.unwrap();
    assert_eq!(tombstone().await, blocked);
}

pub async fn a_proof_is_bound_once_and_used_once(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let proof = LinkProofId::at(at(0), &OpensslRng);
    world.commit(vec![Command::OpenLinkProof(new_proof(proof, &ada, second))]).await.unwrap();
    let guess = hash("a guess");
    let read = async |secret: &[u8; 32], now| store.link_proof(world.tenant, proof, secret, at(now)).await.unwrap();
    let opened = read(&Full::SECRET, 599).await.unwrap();
    assert_eq!((opened.id, opened.person, opened.connection, opened.session), (proof, ada.person, second, ada.session));
    assert_eq!((opened.subject, opened.sealed.as_slice()), (None, b"opened".as_slice()));
    assert_eq!(read(&Full::SECRET, 600).await, None, "ten minutes are over");
    assert_eq!(read(&guess, 1).await, None, "knowing its id is not enough");

    let (right, wrong) = (hash("right"), hash("wrong"));
    let used = |proof, login: &Login, subject| Command::UseLinkProof {
        proof,
        person: login.person,
        session: login.session,
        subject,
    };
    let bind = |subject| Command::BindLinkProof { proof, subject, sealed: b"shown".to_vec() };
    assert_eq!(refused(&world, used(proof, &ada, right)).await, GuardFailed::ProofGone, "not bound yet");
    let late = store.commit(world.tenant, unit(vec![bind(right)], 600)).await;
    assert!(matches!(late, Err(UnitError::Guard(GuardFailed::ProofGone))), "{late:?}");
    world.commit(vec![bind(right)]).await.unwrap();
    for subject in [wrong, right] {
        assert_eq!(refused(&world, bind(subject)).await, GuardFailed::ProofGone, "bound before");
    }
    let bound = read(&Full::SECRET, 1).await.unwrap();
    assert_eq!((bound.subject, bound.sealed.as_slice()), (Some(right), b"shown".as_slice()));

    let other_session = Login { person: ada.person, ..world.plan() };
    world.commit(vec![Command::StartSession(world.session(&other_session))]).await.unwrap();
    let other_person = Login { person: bob.person, ..ada.clone() };
    let random = LinkProofId::random(&OpensslRng);
    for stolen in [
        used(proof, &ada, wrong),
        used(proof, &bob, right),
        used(proof, &other_session, right),
        used(proof, &other_person, right),
        used(random, &ada, right),
    ] {
        assert_eq!(refused(&world, stolen.clone()).await, GuardFailed::ProofGone, "{stolen:?}");
    }
    let late = store.commit(world.tenant, unit(vec![used(proof, &ada, right)], 600)).await;
    assert!(matches!(late, Err(UnitError::Guard(GuardFailed::ProofGone))), "{late:?}");

    let link = Command::LinkIdentity(NewLink { connection: second, ..world.link(ada.person, "ada@second") });
    world.commit(vec![used(proof, &ada, right), link]).await.unwrap();
    assert_eq!(read(&Full::SECRET, 1).await, None);
    assert_eq!(refused(&world, used(proof, &ada, right)).await, GuardFailed::ProofGone, "used before");
    assert_eq!(store.identities(world.tenant, ada.person).await.unwrap().len(), 2);
}

/// With its session, however that ends; with any unlink and a kill of the person.
pub async fn a_proof_dies_with_what_it_hangs_on(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let bound = async |login: &Login| {
        let proof = LinkProofId::at(at(0), &OpensslRng);
        let bind = Command::BindLinkProof { proof, subject: Full::SUBJECT, sealed: vec![] };
        let mut new = new_proof(proof, login, second);
        new.expires = at(90_000);
        world.commit(vec![Command::OpenLinkProof(new)]).await.unwrap();
        world.commit(vec![bind]).await.unwrap();
        Command::UseLinkProof { proof, person: login.person, session: login.session, subject: Full::SUBJECT }
    };
    let kept_login = world.login("kept", &[]).await;
    let kept = bound(&kept_login).await;

    let ended = world.login("ended", &[]).await;
    let proof = bound(&ended).await;
    world.commit(vec![Command::EndSession(ended.session)]).await.unwrap();
    assert_eq!(refused(&world, proof).await, GuardFailed::ProofGone);
    assert_eq!(database.count("link_proofs").await, 1);

    let expired = world.login("expired", &[]).await;
    let proof = bound(&expired).await;
    for now in [1800, 3600] {
        let touch = Command::TouchSession { session: expired.session, idle_expires: at(9000) };
        let done = store.commit(world.tenant, unit(vec![proof.clone()], now)).await;
        assert!(matches!(done, Err(UnitError::Guard(GuardFailed::ProofGone))), "{now}: {done:?}");
        world.commit(vec![touch]).await.unwrap();
    }

    let unlinked = world.login("unlinked", &[]).await;
    world.commit(vec![Command::LinkIdentity(world.link(unlinked.person, "another"))]).await.unwrap();
    let proof = bound(&unlinked).await;
    let unlink = Command::UnlinkIdentity {
        person: unlinked.person,
        connection: world.connection,
        subject_key: "another".into(),
        reason: TombstoneReason::Unlinked,
    };
    world.commit(vec![unlink]).await.unwrap();
    assert_eq!(refused(&world, proof).await, GuardFailed::ProofGone);

    let killed = world.login("killed", &[]).await;
    let proof = bound(&killed).await;
    let kill = Killed::Person(world.tenant, killed.person);
    store.system().kill(kill, at(0)).await.unwrap().unwrap();
    assert_eq!(refused(&world, proof).await, GuardFailed::ProofGone);

    world.commit(vec![kept]).await.expect("other people's proofs live");
}

pub async fn one_of_many_uses_of_a_proof_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let second = world.another_connection("second").await;
    let ada = world.login("ada", &[]).await;
    let proof = LinkProofId::at(at(0), &OpensslRng);
    let bind = Command::BindLinkProof { proof, subject: Full::SUBJECT, sealed: vec![] };
    world.commit(vec![Command::OpenLinkProof(new_proof(proof, &ada, second))]).await.unwrap();
    let bound = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let (world, bind) = (Arc::clone(&world), bind.clone());
            async move { store.commit(world.tenant, unit(vec![bind], 1)).await }
        }
    })
    .await;
    assert_eq!(winners(&bound, |refusal| matches!(refusal, GuardFailed::ProofGone)), 1);
    let all = race(&stores, {
        let (world, ada) = (Arc::clone(&world), ada.clone());
        move |store| {
            let (world, ada) = (Arc::clone(&world), ada.clone());
            // Each confirms another subject's link, as if the proof could be shared.
            let subject = TransactionId::random(&OpensslRng).to_string();
            async move {
                let used =
                    Command::UseLinkProof { proof, person: ada.person, session: ada.session, subject: Full::SUBJECT };
                let link = NewLink { connection: second, ..world.link(ada.person, &subject) };
                store.commit(world.tenant, unit(vec![used, Command::LinkIdentity(link)], 1)).await
            }
        }
    })
    .await;
    assert_eq!(winners(&all, |refusal| matches!(refusal, GuardFailed::ProofGone)), 1);
    assert_eq!(all.len(), MANY);
    assert_eq!(database.count("identities").await, 2, "the losers left nothing");
    assert_eq!(database.count("link_proofs").await, 0);
}

/// Each has a proof of its own, all for one subject: of many people, too.
pub async fn one_of_many_proofs_of_one_subject_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let second = world.another_connection("second").await;
    let mut uses = Vec::new();
    for n in 0..MANY {
        let login = world.login(&format!("person {n}"), &[]).await;
        let proof = LinkProofId::at(at(0), &OpensslRng);
        let bind = Command::BindLinkProof { proof, subject: Full::SUBJECT, sealed: vec![] };
        world.commit(vec![Command::OpenLinkProof(new_proof(proof, &login, second))]).await.unwrap();
        world.commit(vec![bind]).await.unwrap();
        let used =
            Command::UseLinkProof { proof, person: login.person, session: login.session, subject: Full::SUBJECT };
        let link = NewLink { connection: second, ..world.link(login.person, "wanted") };
        uses.push(vec![used, Command::LinkIdentity(link)]);
    }
    let uses = std::sync::Mutex::new(uses);
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let (world, commands) = (Arc::clone(&world), uses.lock().unwrap().pop().unwrap());
            async move { store.commit(world.tenant, unit(commands, 1)).await }
        }
    })
    .await;
    assert_eq!(winners(&all, |refusal| matches!(refusal, GuardFailed::LinkExists)), 1);
    assert_eq!(database.count("identities").await, MANY as i64 + 1);
    assert_eq!(database.count("link_proofs").await, MANY as i64 - 1, "who lost the subject keeps the proof");
}

/// In two browsers at once, each unlinks the other's login: one login stays.
pub async fn two_unlinks_leave_one_login(database: Database) {
    let (world, stores) = two(&database).await;
    for round in 0..25 {
        let (first, second) = (format!("first {round}"), format!("second {round}"));
        let login = world.login(&first, &[]).await;
        world.commit(vec![Command::LinkIdentity(world.link(login.person, &second))]).await.unwrap();
        let start = Arc::new(tokio::sync::Barrier::new(2));
        let tasks = [(0, first), (1, second)].map(|(node, subject_key)| {
            let (store, world, start) = (stores[node].clone(), Arc::clone(&world), Arc::clone(&start));
            let unlink = Command::UnlinkIdentity {
                person: login.person,
                connection: world.connection,
                subject_key,
                reason: TombstoneReason::Unlinked,
            };
            tokio::spawn(async move {
                start.wait().await;
                store.commit(world.tenant, unit(vec![unlink], 1)).await
            })
        });
        let mut done = Vec::new();
        for task in tasks {
            done.push(task.await.unwrap());
        }
        assert_eq!(winners(&done, |refusal| matches!(refusal, GuardFailed::LastLink)), 1);
        assert_eq!(world.store.identities(world.tenant, login.person).await.unwrap().len(), 1);
    }
}

pub async fn scopes_are_noted_once(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let person = |subject: &str, scope: Option<&str>, now| {
        let plan = world.plan();
        let link = NewLink { scope: scope.map(str::to_owned), ..world.link(plan.person, subject) };
        store.commit(world.tenant, unit(vec![Command::CreatePerson(link)], now))
    };
    let scopes = async |connection| store.scopes(world.tenant, connection).await.unwrap();
    person("a", None, 0).await.unwrap();
    assert_eq!(scopes(world.connection).await, Vec::<String>::new());
    person("b", Some("https://old.example"), 1).await.unwrap();
    person("c", Some("https://old.example"), 2).await.unwrap();
    person("d", Some("https://a-new.example"), 3).await.unwrap();
    assert_eq!(scopes(world.connection).await, ["https://old.example", "https://a-new.example"]);
    let refused = person("b", Some("https://third.example"), 4).await;
    assert!(matches!(refused, Err(UnitError::Guard(GuardFailed::LinkExists))), "{refused:?}");
    assert_eq!(scopes(world.connection).await.len(), 2, "who is refused notes nothing");
    let ada = world.login("ada", &[]).await;
    let link = NewLink { connection: second, scope: Some("tenant-1".into()), ..world.link(ada.person, "ada") };
    world.commit(vec![Command::LinkIdentity(link)]).await.unwrap();
    assert_eq!(scopes(second).await, ["tenant-1"]);
}

/// A person disconnects a login, and then looks which sessions came by it, while somebody logs in with it on
/// another node: no session is left.
pub async fn no_login_outruns_its_unlink(database: Database) {
    let (world, stores) = two(&database).await;
    let second = world.another_connection("second").await;
    let ada = world.login("ada", &[]).await;
    for round in 0..20 {
        let subject = format!("ada {round}");
        let link = Command::LinkIdentity(NewLink { connection: second, ..world.link(ada.person, &subject) });
        world.commit(vec![link]).await.unwrap();
        let late = Login { person: ada.person, ..world.plan() };
        let hold = Command::HoldIdentity {
            person: ada.person,
            connection: second,
            subject_key: subject.clone(),
            news: IdentityNews::default(),
        };
        let unlink = Command::UnlinkIdentity {
            person: ada.person,
            connection: second,
            subject_key: subject,
            reason: TombstoneReason::Unlinked,
        };
        let logs_in = async {
            let commands = vec![hold, Command::StartSession(world.session(&late))];
            stores[0].commit(world.tenant, unit(commands, 1)).await
        };
        let unlinks = async {
            stores[1].commit(world.tenant, unit(vec![unlink], 1)).await.unwrap();
            stores[1].sessions(world.tenant, ada.person, at(1)).await.unwrap()
        };
        let (logged_in, seen) = futures_util::future::join(logs_in, unlinks).await;
        match logged_in {
            Ok(()) => assert!(seen.iter().any(|session| session.id == late.session), "round {round}"),
            Err(UnitError::Guard(GuardFailed::LinkGone)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A link that was made while the door closed lets nobody in.
pub async fn a_blocked_subject_that_is_linked_still_is_refused(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let link = NewLink { connection: second, ..world.link(ada.person, "ada") };
    world.commit(vec![Command::LinkIdentity(link)]).await.unwrap();
    let hold = |person, connection, subject: &str, email: Option<&str>, display: Option<&str>| Command::HoldIdentity {
        person,
        connection,
        subject_key: subject.into(),
        news: IdentityNews { email: email.map(hash), display: display.map(str::to_owned) },
    };
    let ours = |email, display| hold(ada.person, world.connection, "ada", email, display);
    let leave = async |reason: &str| {
        let db = database.raw().await;
        db.execute_unprepared("DELETE FROM tombstones").await.unwrap();
        // What no unlink leaves: the identity stays.
        let sql = format!(
            "INSERT INTO tombstones (tenant_id, connection_id, subject_hash, person_id, reason, at) \
             SELECT tenant_id, connection_id, subject_hash, person_id, '{reason}', 1 FROM identities \
             WHERE subject_key = 'ada' AND connection_id = (SELECT id FROM connections WHERE slug = 'idp')"
        );
        db.execute_unprepared(&sql).await.unwrap();
        db.close().await.unwrap();
    };
    for reason in ["unlinked", "deleted"] {
        leave(reason).await;
        world.commit(vec![ours(None, None)]).await.unwrap();
        world.commit(vec![ours(Some("older"), Some("Ada"))]).await.unwrap();
        // Each alone leaves the other as it is.
        world.commit(vec![ours(None, Some("Ada B."))]).await.unwrap();
        world.commit(vec![ours(Some("address"), None)]).await.unwrap();
    }
    leave("blocked").await;
    assert_eq!(database.count("tombstones").await, 1);
    for news in [None, Some("another")] {
        assert_eq!(refused(&world, ours(news, news)).await, GuardFailed::LinkGone);
    }
    let linked = store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap();
    assert_eq!(linked.email, Some(hash("address")), "who is refused changes nothing");
    assert_eq!(linked.display, "Ada B.");
    // It is this subject of this connection alone.
    world.commit(vec![hold(ada.person, second, "ada", None, None)]).await.unwrap();
    world.commit(vec![hold(bob.person, world.connection, "bob", None, None)]).await.unwrap();
}

async fn refused(world: &World, command: Command) -> GuardFailed {
    match world.commit(vec![command]).await {
        Err(UnitError::Guard(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// How many succeeded; all others were refused like this.
fn winners(all: &[Result<(), UnitError>], expected: impl Fn(&GuardFailed) -> bool) -> usize {
    for refused in all.iter().filter_map(|one| one.as_ref().err()) {
        assert!(matches!(refused, UnitError::Guard(refusal) if expected(refusal)), "{refused:?}");
    }
    all.iter().filter(|one| one.is_ok()).count()
}

fn unit(commands: Vec<Command>, now: i64) -> Unit {
    Unit { commands, now: at(now) }
}
