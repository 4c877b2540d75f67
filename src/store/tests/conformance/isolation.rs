//! Two tenants, each id of one tried on the other, over every method.

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::grant::{Redeemed, Rotated, Standing};
use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::logout::Told;
use fedbridge_contract::services::{Grants as _, RefreshLifetimes, Rotation};
use fedbridge_hub::ports::{
    AppPasswordStore as _, Command, ConfigStore as _, Consent, DeviceStore as _, FactorStore as _, FactorUse,
    GuardFailed, IdentityNews, KeptOut, LoginStore as _, LogoutStore as _, NewAppPassword, NewProfile, NewTransaction,
    PeopleStore, PosixOwner, ProfileBy, ProfileNews as _, ProfileStore as _, ShapeStore as _, Sweep, SyncState,
    SyncStore as _, TombstoneReason, Turn, Unit, UnitError, UpstreamTokenStore as _,
};
use fedbridge_hub::spec::{ConfigChange, SecretOwner, SecretValue, StoredSecret};
use fedbridge_keys::OpensslRng;

use crate::support::{Database, Full, World, at, hash, seconds};

pub async fn tenants_never_see_each_other(database: Database) {
    let store = database.open().await;
    let ours = World::new(&store, "ours").await;
    let theirs = World::new(&store, "theirs").await;
    let login = ours.login("ada", &["openid"]).await;
    let id = TransactionId::random(&OpensslRng);
    let open = NewTransaction { id, handle_hash: hash("h"), expires: at(600), sealed: vec![1] };
    ours.commit(vec![Command::OpenTransaction(open)]).await.unwrap();

    // Reading.
    let them = theirs.tenant;
    assert_eq!(store.transaction(them, id, &hash("h"), at(1)).await.unwrap(), None);
    assert_eq!(store.linked_person(them, ours.connection, "ada").await.unwrap(), None);
    assert_eq!(store.session(them, login.session, &login.cookie, at(1)).await.unwrap(), None);
    assert_eq!(store.by_code(them, login.grant, &login.code, at(1)).await.unwrap(), None);
    assert_eq!(store.find(them, login.grant, None, at(1)).await.unwrap(), None);
    assert_eq!(store.system().people(them, None).await.unwrap(), 0);
    assert_eq!(store.system().people(them, Some(ours.connection)).await.unwrap(), 0);

    // Changing: each command with our id in their tenant.
    let finish = store.commit(them, unit(Command::FinishTransaction(id))).await;
    assert!(matches!(finish, Err(UnitError::Guard(GuardFailed::TransactionGone))));
    let touch = Command::TouchSession { session: login.session, idle_expires: at(9) };
    let touch = store.commit(them, unit(touch)).await;
    assert!(matches!(touch, Err(UnitError::Guard(GuardFailed::SessionEnded))));
    let renew = store.commit(them, unit(Command::RenewSession(ours.session(&login)))).await;
    assert!(matches!(renew, Err(UnitError::Guard(GuardFailed::SessionEnded))));
    store.commit(them, unit(Command::EndSession(login.session))).await.unwrap();
    assert_eq!(store.redeem(them, login.grant, None, at(1)).await.unwrap(), Redeemed::Gone);
    store.revoke(them, login.grant, at(1)).await.unwrap();
    assert!(!store.set_person_disabled(them, login.person, true, at(1)).await.unwrap());
    store.revoke_token(them, "t1", at(500)).await.unwrap();
    assert!(!store.token_revoked(ours.tenant, "t1").await.unwrap());
    assert!(store.remember_once(them, "p", "k", at(9)).await.unwrap());
    assert!(store.remember_once(ours.tenant, "p", "k", at(9)).await.unwrap(), "each tenant has its own keys");

    // Rows that would point across tenants.
    let plan = theirs.plan();
    let mut across = theirs.link(plan.person, "ada");
    across.connection = ours.connection;
    let linked = store.commit(them, unit(Command::CreatePerson(across))).await;
    assert!(matches!(linked, Err(UnitError::Store(_))), "{linked:?}");
    // No foreign key refuses these; whoever reads them finds nobody behind them.
    store.commit(them, unit(Command::StartSession(ours.session(&login)))).await.unwrap();
    assert_eq!(store.session(them, login.session, &login.cookie, at(1)).await.unwrap(), None);
    assert_eq!(store.session_by_id(them, login.session, at(1)).await.unwrap(), None);
    store.commit(them, unit(Command::InsertGrant(ours.grant(&plan, &[])))).await.unwrap();
    assert!(store.find(them, plan.grant, None, at(1)).await.unwrap().unwrap().standing.person_disabled);
    let system = store.system();
    let version = system.version().await.unwrap();
    let secret = StoredSecret {
        tenant: them,
        owner: SecretOwner::App(ours.app),
        name: "client_secret/0".into(),
        value: SecretValue::Hashed([1; 32]),
    };
    assert!(system.apply(version, &[ConfigChange::PutSecret(secret)]).await.is_err());
    let deletions = [
        ConfigChange::DeleteApp { tenant: them, id: ours.app },
        ConfigChange::DeleteConnection { tenant: them, id: ours.connection, with_people: true },
    ];
    system.apply(version, &deletions).await.unwrap();

    // The same subject is another person there.
    let other = theirs.login("ada", &["openid"]).await;
    assert_ne!(other.person, login.person);

    // And ours is as it was.
    let grant = store.find(ours.tenant, login.grant, Some("t1"), at(1)).await.unwrap().unwrap();
    assert_eq!(grant.standing, Standing::default());
    assert!(store.transaction(ours.tenant, id, &hash("h"), at(1)).await.unwrap().is_some());
    assert_eq!(
        store.session(ours.tenant, login.session, &login.cookie, at(1)).await.unwrap().unwrap().idle_expires,
        at(1800)
    );
    let refresh = RefreshLifetimes { idle: seconds(100), absolute_expires: at(1000) };
    assert_eq!(store.redeem(ours.tenant, login.grant, Some(refresh), at(1)).await.unwrap(), Redeemed::Now);
    let rotation = Rotation {
        grant: login.grant,
        presented: 1,
        rotate: true,
        grace: seconds(1),
        idle: seconds(9),
        changed: None,
        now: at(2),
    };
    assert_eq!(store.rotate(them, rotation.clone()).await.unwrap(), Rotated::Gone);
    assert_eq!(store.rotate(ours.tenant, rotation).await.unwrap(), Rotated::To { generation: 2 });
}

pub async fn nothing_of_a_person_is_seen_by_another_tenant(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let full = Full::new(&ours).await;
    let (us, them, person, session) = (ours.tenant, theirs.tenant, full.login.person, full.login.session);

    // Reading: each is there for us, and not for them.
    for (tenant, there) in [(us, true), (them, false)] {
        let proof = store.link_proof(tenant, full.proof, &Full::SECRET, at(1)).await.unwrap();
        let seen = [
            !store.identities(tenant, person).await.unwrap().is_empty(),
            !store.by_email(tenant, &Full::EMAIL).await.unwrap().is_empty(),
            !store.people_by_email(tenant, ours.connection, &Full::EMAIL).await.unwrap().is_empty(),
            !store.by_display(tenant, ours.connection, "ada").await.unwrap().is_empty(),
            store.tombstone(tenant, full.second, "left").await.unwrap().is_some(),
            !store.scopes(tenant, ours.connection).await.unwrap().is_empty(),
            proof.is_some(),
            !PeopleStore::sessions(&store, tenant, person, at(1)).await.unwrap().is_empty(),
            !PeopleStore::grants(&store, tenant, person, at(1)).await.unwrap().is_empty(),
            store.consent(tenant, person, ours.app).await.unwrap().is_some(),
            !store.consents(tenant, person).await.unwrap().is_empty(),
            !store.sessions_of_upstream(tenant, full.second, "ada@second", &[], at(1)).await.unwrap().is_empty(),
            !store.sessions_of_upstream_index(tenant, full.second, "sid-2", at(1)).await.unwrap().is_empty(),
        ];
        assert_eq!(seen, [there; 13]);
    }

    // Changing: each with our ids in their tenant, even from a session of the same id.
    store.commit(them, unit(Command::StartSession(ours.session(&full.login)))).await.unwrap();
    let subject = Full::SUBJECT;
    let refused = [
        (
            Command::UnlinkIdentity {
                person,
                connection: ours.connection,
                subject_key: "ada".into(),
                reason: TombstoneReason::Blocked,
            },
            GuardFailed::LastLink,
        ),
        (
            Command::HoldIdentity {
                person,
                connection: ours.connection,
                subject_key: "ada".into(),
                news: IdentityNews { email: Some(hash("theirs")), display: Some("theirs".into()) },
            },
            GuardFailed::LinkGone,
        ),
        (Command::HoldConsent { person, app: ours.app, at: at(0) }, GuardFailed::ConsentChanged),
        (Command::UseLinkProof { proof: full.proof, person, session, subject }, GuardFailed::ProofGone),
        (Command::BindLinkProof { proof: full.proof, subject, sealed: vec![] }, GuardFailed::ProofGone),
    ];
    for (command, refusal) in refused {
        let done = store.commit(them, unit(command)).await;
        assert!(matches!(&done, Err(UnitError::Guard(found)) if *found == refusal), "{refusal:?}: {done:?}");
    }
    let consent = Consent { app: ours.app, items: vec![], at: at(0) };
    let across = [
        Command::KeepConsent { person, consent },
        Command::LinkIdentity(ours.link(person, "ada")),
        Command::LinkIdentity(theirs.link(person, "ada")),
    ];
    for command in across {
        let done = store.commit(them, unit(command.clone())).await;
        assert!(matches!(done, Err(UnitError::Store(_))), "{command:?}: {done:?}");
    }
    store.commit(them, unit(Command::ForgetConsent { person, app: ours.app })).await.unwrap();
    store.commit(them, unit(Command::EndSession(session))).await.unwrap();
    assert_eq!(store.revoke_app(them, person, ours.app, at(1)).await.unwrap(), 0);
    assert!(!store.delete(them, person, at(1)).await.unwrap());
    store.note_upstream(them, full.logout, ours.connection, Told::Done, at(1)).await.unwrap();
    assert_eq!(store.logout(us, full.logout).await.unwrap().unwrap().upstreams, []);
    let turn = store.take_turn(them, session, ours.connection, at(200), at(300)).await.unwrap();
    assert_eq!(turn, Turn::Nothing);
    let mine = store.take_turn(us, session, ours.connection, at(200), at(300)).await.unwrap();
    let Turn::Yours(kept) = mine else { panic!("{mine:?}") };
    assert!(!store.keep(them, session, at(300), &kept).await.unwrap());
    assert_eq!(store.give_up(them, session, at(9000)).await.unwrap(), []);
    assert_eq!(store.give_up_all(them, person).await.unwrap(), []);

    // And ours is as it was.
    assert!(store.keep(us, session, at(300), &kept).await.unwrap());
    assert!(store.consent(us, person, ours.app).await.unwrap().is_some());
    assert_eq!(store.identities(us, person).await.unwrap().len(), 2);
    assert_eq!(PeopleStore::grants(&store, us, person, at(1)).await.unwrap().len(), 1);
    let used = Command::UseLinkProof { proof: full.proof, person, session, subject };
    store.commit(us, unit(used)).await.unwrap();
}

pub async fn nothing_of_a_directory_is_seen_by_another_tenant(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let full = Full::new(&ours).await;
    let (us, them, person, connection) = (ours.tenant, theirs.tenant, full.login.person, ours.connection);
    let sweep = Sweep { number: 2, began: at(9) };

    // Reading.
    for (tenant, there) in [(us, true), (them, false)] {
        let seen = [
            store.known(tenant, connection, "ada").await.unwrap().is_some(),
            !store.profiles_of(tenant, person).await.unwrap().is_empty(),
            !store.profiled(tenant, &[person]).await.unwrap().is_empty(),
            !store.page(tenant, None, 10).await.unwrap().is_empty(),
            !store.changed(tenant, at(-9), Epoch(0)).await.unwrap().is_empty(),
            !store.groups(tenant).await.unwrap().is_empty(),
            store.groups_changed(tenant, at(-9)).await.unwrap().is_some(),
            !store.not_seen(tenant, connection, sweep, None, 9).await.unwrap().is_empty(),
            store.count(tenant, connection, sweep).await.unwrap().all > 0,
            store.sync_state(tenant, connection).await.unwrap() != SyncState::default(),
        ];
        assert_eq!(seen, [there; 10]);
    }
    assert_eq!(store.system().news(at(-9), Epoch(0)).await.unwrap(), [us]);

    // Changing: each with our ids in their tenant.
    let before = store.page(us, None, 10).await.unwrap();
    let new = crate::profiles::said(&ours, person, "ada", "theirs", ProfileBy::Push);
    let theirs_of_ours = NewProfile { connection: theirs.connection, ..new.clone() };
    for stray in [new, theirs_of_ours] {
        let kept = store.commit(them, unit(Command::KeepProfile(Box::new(stray)))).await;
        assert!(matches!(kept, Err(UnitError::Store(_))), "{kept:?}");
    }
    let see = Command::SeeProfile { connection, subject_key: "ada".into(), sweep: 9 };
    let give = |owner| Command::GiveNumber { owner, range: (1, 9) };
    for command in [see, give(PosixOwner::Person(person)), give(PosixOwner::Group(full.group))] {
        store.commit(them, unit(command)).await.unwrap();
    }
    let out = KeptOut { tenant: them, connection, subject_key: "ada", reason: "theirs" };
    assert_eq!(store.system().keep_out(&out, at(1)).await.unwrap(), None);
    assert!(store.take_sync_turn(them, connection, at(1), at(2)).await.is_err(), "it is no connection of theirs");
    assert!(!store.extend_sync_turn(them, connection, at(60), at(99)).await.unwrap());
    assert!(!store.end_sync_turn(them, connection, at(60), &SyncState::default()).await.unwrap());
    assert!(!store.set_person_disabled(them, person, true, at(9)).await.unwrap());

    // And ours is as it was.
    assert_eq!(store.page(us, None, 10).await.unwrap(), before);
    assert_eq!(store.count(us, connection, sweep).await.unwrap().unseen, 1);
    assert_eq!(store.page(them, None, 10).await.unwrap(), []);
    assert_eq!(database.count("posix_numbers").await, 2);
}

pub async fn nothing_of_a_password_is_seen_by_another_tenant(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let full = Full::new(&ours).await;
    let (us, them, person, system) = (ours.tenant, theirs.tenant, full.login.person, store.system());
    let Full { factor, app_password, .. } = full;

    // Reading.
    for (tenant, there) in [(us, true), (them, false)] {
        let seen = [
            !store.factors(tenant, person).await.unwrap().is_empty(),
            !store.app_passwords(tenant, person, None).await.unwrap().is_empty(),
            !store.app_passwords(tenant, person, Some(ours.app)).await.unwrap().is_empty(),
            system.knows(tenant, &hash("laptop"), at(1)).await.unwrap(),
            !system.shapes(tenant, ours.app).await.unwrap().is_empty(),
        ];
        assert_eq!(seen, [there; 5]);
    }

    // Changing: each with our ids in their tenant.
    let (factors, passwords) =
        (store.factors(us, person).await.unwrap(), store.app_passwords(us, person, None).await.unwrap());
    for used in [FactorUse::Step(9), FactorUse::Counter(9), FactorUse::Up] {
        assert!(!store.use_factor(them, factor.id, used, at(1)).await.unwrap(), "{used:?}");
    }
    store.app_password_used(them, app_password.id, at(1)).await.unwrap();
    store.commit(them, unit(Command::DropFactor { person, id: factor.id })).await.unwrap();
    store.commit(them, unit(Command::DropAppPassword { person, id: app_password.id })).await.unwrap();
    let of_theirs = NewAppPassword { person: crate::profiles::person(&theirs, "eve").await, ..app_password.clone() };
    for stray in [
        Command::KeepFactor { person, factor: Box::new(factor) },
        Command::KeepAppPassword(Box::new(of_theirs)),
        Command::KeepAppPassword(Box::new(NewAppPassword { app: theirs.app, ..app_password })),
    ] {
        let kept = store.commit(them, unit(stray.clone())).await;
        assert!(matches!(kept, Err(UnitError::Store(_))), "{stray:?}: {kept:?}");
    }

    // And ours is as it was.
    assert_eq!(store.factors(us, person).await.unwrap(), factors);
    assert_eq!(store.app_passwords(us, person, None).await.unwrap(), passwords);
}

fn unit(command: Command) -> Unit {
    Unit { commands: vec![command], now: at(1) }
}
