//! All that requests ask the store for, and what each node asks every second.

use std::time::Duration;

use fedbridge_contract::downstream::NewNameId;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::ids::{ConnectionId, GroupId, TraceId, TransactionId};
use fedbridge_contract::logout::Told;
use fedbridge_contract::services::{Grants, Handles as _, NameIds, RefreshLifetimes, Rotation};
use fedbridge_contract::trace::Outcome;
use fedbridge_hub::ports::{
    Command, EpochStore as _, IdentityNews, KeptOut, LoginStore as _, LogoutOutbox as _, LogoutStore as _, NewProfile,
    NewTransaction, PeopleStore, PosixOwner, Profile, ProfileBy, ProfileNews as _, ProfileStore, ProvisionedKind,
    ProvisionedLink, ProvisionedStore as _, RecordedTrace, Sweep, SyncState, SyncStore as _, TraceStore as _,
    TraceSummary, Turn, Unit, UpstreamTokenStore as _, Which,
};
use fedbridge_keys::OpensslRng;

use crate::heard::{self, Heard};
use crate::support::{Full, World, at, hash, seconds};

/// `round` keeps what is new apart from an earlier call.
pub async fn all(world: &World, heard_of: Heard, round: u32) {
    let second = world.another_connection(&format!("second-{round}")).await;
    // A change of the configuration is no request.
    heard::take(heard_of);
    let full = Full::of(world, second).await;
    logins(world, &full, round).await;
    tokens(world, &full).await;
    people(world, &full).await;
    directory(world, &full, round).await;
    provisioned(world, &full).await;
    logouts(world, &full, second).await;
    ends(world, &full).await;
}

async fn logins(world: &World, full: &Full, round: u32) {
    let (store, tenant, login) = (&world.store, world.tenant, &full.login);
    let id = TransactionId::at(at(1), &OpensslRng);
    let open = NewTransaction { id, handle_hash: hash("h"), expires: at(600), sealed: vec![1] };
    world.commit(vec![Command::OpenTransaction(open)]).await.unwrap();
    assert!(store.transaction(tenant, id, &hash("h"), at(1)).await.unwrap().is_some());
    let held = |email, display: Option<&str>| Command::HoldIdentity {
        person: login.person,
        connection: world.connection,
        subject_key: "ada".into(),
        news: IdentityNews { email, display: display.map(str::to_owned) },
    };
    for display in [None, Some("ada")] {
        world.commit(vec![held(Some(Full::EMAIL), display)]).await.unwrap();
        world.commit(vec![held(None, display)]).await.unwrap();
    }
    let again = world.plan();
    let commands = vec![
        Command::FinishTransaction(id),
        Command::Once { purpose: "saml".into(), key: id.to_string(), expires: at(300) },
        held(None, None),
        Command::RenewSession(world.session(login)),
        Command::InsertGrant(world.grant(&again, &["openid"])),
    ];
    world.commit(commands).await.unwrap();
    assert!(store.linked_person(tenant, world.connection, "ada").await.unwrap().is_some());
    assert!(store.session(tenant, login.session, &login.cookie, at(1)).await.unwrap().is_some());
    world.commit(vec![Command::TouchSession { session: login.session, idle_expires: at(1900) }]).await.unwrap();
    assert!(store.remember_once(tenant, "jwt", &id.to_string(), at(90)).await.unwrap());
    store.put(tenant, "saml", "handle", b"value", at(90)).await.unwrap();
    assert!(store.take(tenant, "saml", "handle", at(1)).await.unwrap().is_some());
    assert!(NameIds::find(store, tenant, "app", login.person).await.unwrap().is_some());
    let new = NewNameId { person: login.person, qualifier: format!("other {round}"), value: "n".into() };
    world.commit(vec![Command::KeepNameId(new)]).await.unwrap();
    store.system().append(&[trace(world)]).await.unwrap();
    store.system().ping().await.unwrap();
    store.system().versions().await.unwrap();
    store.system().epochs_since(Epoch(0)).await.unwrap();
}

async fn tokens(world: &World, full: &Full) {
    let (store, tenant) = (&world.store, world.tenant);
    let login = world.login("bob", &["openid", "offline_access"]).await;
    assert!(store.by_code(tenant, login.grant, &login.code, at(1)).await.unwrap().is_some());
    let refresh = RefreshLifetimes { idle: seconds(100), absolute_expires: at(1000) };
    store.redeem(tenant, login.grant, Some(refresh), at(1)).await.unwrap();
    store.redeem(tenant, login.grant, Some(refresh), at(1)).await.unwrap();
    for (presented, rotate) in [(1, true), (2, false), (1, true), (9, true)] {
        let rotation = Rotation {
            grant: login.grant,
            presented,
            rotate,
            grace: seconds(1),
            idle: seconds(9),
            changed: None,
            now: at(2),
        };
        store.rotate(tenant, rotation).await.unwrap();
    }
    store.revoke_token(tenant, "jti", at(90)).await.unwrap();
    assert!(store.token_revoked(tenant, "jti").await.unwrap());
    assert!(Grants::find(store, tenant, login.grant, Some("jti"), at(1)).await.unwrap().is_some());
    store.revoke(tenant, login.grant, at(1)).await.unwrap();
    let session = full.login.session;
    store.take_turn(tenant, session, world.connection, at(1), at(2)).await.unwrap();
    let turn = store.take_turn(tenant, session, world.connection, at(100), at(110)).await.unwrap();
    let Turn::Yours(kept) = turn else { panic!("{turn:?}") };
    assert!(store.keep(tenant, session, at(110), &kept).await.unwrap());
}

async fn people(world: &World, full: &Full) {
    let (store, tenant, person) = (&world.store, world.tenant, full.login.person);
    assert_eq!(store.identities(tenant, person).await.unwrap().len(), 2);
    assert!(!store.by_email(tenant, &Full::EMAIL).await.unwrap().is_empty());
    assert_eq!(store.by_display(tenant, world.connection, "ada").await.unwrap().len(), 1);
    assert_eq!(store.people_by_email(tenant, world.connection, &Full::EMAIL).await.unwrap(), [person]);
    assert!(!store.unrevoked(tenant, person, at(1)).await.unwrap().is_empty());
    assert!(store.tombstone(tenant, full.second, "left").await.unwrap().is_some());
    assert_eq!(store.scopes(tenant, world.connection).await.unwrap().len(), 1);
    assert!(store.link_proof(tenant, full.proof, &Full::SECRET, at(1)).await.unwrap().is_some());
    assert_eq!(PeopleStore::sessions(store, tenant, person, at(1)).await.unwrap().len(), 1);
    assert!(!PeopleStore::grants(store, tenant, person, at(1)).await.unwrap().is_empty());
    assert!(store.consent(tenant, person, world.app).await.unwrap().is_some());
    assert_eq!(store.consents(tenant, person).await.unwrap().len(), 1);
    let hold = Command::HoldConsent { person, app: world.app, at: at(0) };
    let again = world.plan();
    world.commit(vec![hold, Command::InsertGrant(world.grant(&again, &["openid"]))]).await.unwrap();
    let used = Command::UseLinkProof { proof: full.proof, person, session: full.login.session, subject: Full::SUBJECT };
    world.commit(vec![used, Command::ForgetConsent { person, app: world.app }]).await.unwrap();
    assert!(store.set_person_disabled(tenant, person, false, at(1)).await.unwrap());
}

/// What logins write of a directory, and what nodes ask all the time.
async fn directory(world: &World, full: &Full, round: u32) {
    let (store, tenant, person, connection) = (&world.store, world.tenant, full.login.person, world.connection);
    assert!(store.known(tenant, connection, "ada").await.unwrap().is_some());
    let profile = Profile::default();
    for by in [ProfileBy::Login { synced: true }, ProfileBy::Login { synced: false }, ProfileBy::Push] {
        let (subject_key, digest) = ("ada".to_owned(), hash(format!("{by:?}")));
        let new = NewProfile { person, connection, subject_key, profile: profile.clone(), digest, disabled: None, by };
        world.commit(vec![Command::KeepProfile(Box::new(new))]).await.unwrap();
    }
    let group = GroupId::random(&OpensslRng);
    let commands = vec![
        Command::SeeProfile { connection, subject_key: "ada".into(), sweep: 2 },
        Command::EnsureGroup { id: group, name: format!("new {round}") },
        Command::GiveNumber { owner: PosixOwner::Group(group), range: (1000, 9_999_999) },
        Command::GiveNumber { owner: PosixOwner::Person(person), range: (1000, 9_999_999) },
    ];
    store.provision(tenant, Unit { commands, now: at(3) }).await.unwrap();
    assert_eq!(store.profiles_of(tenant, person).await.unwrap().len(), 2);
    assert_eq!(store.profiled(tenant, &[person; 9]).await.unwrap().len(), 1);
    assert!(!store.changed(tenant, at(2), Epoch(i64::MAX - 1)).await.unwrap().is_empty());
    assert_eq!(store.system().news(at(2), Epoch(i64::MAX - 1)).await.unwrap(), [tenant]);
    assert_eq!(store.groups_changed(tenant, at(2)).await.unwrap(), Some(at(3)));
    assert!(store.page(tenant, None, 5).await.is_err(), "what fills the table is not sealed");
    let sweep = Sweep { number: 3, began: at(9) };
    assert_eq!(store.not_seen(tenant, connection, sweep, None, 5).await.unwrap().len(), 5);
    store.take_sync_turn(tenant, full.second, at(100), at(200)).await.unwrap().unwrap();
    assert!(store.extend_sync_turn(tenant, full.second, at(200), at(300)).await.unwrap());
    assert!(store.end_sync_turn(tenant, full.second, at(300), &SyncState::default()).await.unwrap());
    let name = format!("dora {round}");
    world.login(&name, &["openid"]).await;
    let out = KeptOut { tenant, connection, subject_key: &name, reason: "gone" };
    assert!(store.system().keep_out(&out, at(4)).await.unwrap().is_some());
}

/// What is asked for whoever changes, where an app is told of people.
async fn provisioned(world: &World, full: &Full) {
    let (store, tenant, app, kind) = (&world.store, world.tenant, world.app, ProvisionedKind::User);
    let subject = full.login.person.uuid();
    let remote = format!("app's {subject}");
    let link =
        ProvisionedLink { subject, remote: remote.clone(), on: true, digest: None, groups: vec![], changed: at(1) };
    store.keep_provisioned(tenant, app, kind, std::slice::from_ref(&link)).await.unwrap();
    let (subjects, remotes) = ([subject, full.factor.id.uuid()], [remote]);
    for which in [Which::Subjects(&subjects), Which::Remotes(&remotes)] {
        assert_eq!(store.provisioned(tenant, app, kind, which).await.unwrap(), std::slice::from_ref(&link));
    }
    let state = store.take_provisioning_turn(tenant, app, at(1), at(60)).await.unwrap().unwrap();
    assert!(store.extend_provisioning_turn(tenant, app, at(60), at(90)).await.unwrap());
    assert!(store.end_provisioning_turn(tenant, app, at(90), &state).await.unwrap());
    store.forget_provisioned(tenant, app, kind, subject).await.unwrap();
}

async fn logouts(world: &World, full: &Full, second: ConnectionId) {
    let (store, tenant, login) = (&world.store, world.tenant, &full.login);
    assert!(store.session_by_id(tenant, login.session, at(1)).await.unwrap().is_some());
    assert_eq!(store.sessions_of_participant(tenant, world.app, "ada", &[], at(1)).await.unwrap().len(), 1);
    assert_eq!(store.sessions_of_upstream(tenant, second, "ada@second", &[], at(1)).await.unwrap().len(), 1);
    assert_eq!(store.sessions_of_upstream_index(tenant, second, "sid-2", at(1)).await.unwrap().len(), 1);
    store.note_upstream(tenant, full.logout, second, Told::Done, at(2)).await.unwrap();
    store.put_off(tenant, full.logout, world.app, at(3)).await.unwrap();
    assert!(!store.system().claim(at(20), Duration::from_secs(5), 10).await.unwrap().is_empty());
    assert!(store.settle(tenant, full.logout, world.app, Told::Done, at(4)).await.unwrap());
    assert!(store.logout(tenant, full.logout).await.unwrap().is_some());
}

async fn ends(world: &World, full: &Full) {
    let (store, tenant, login) = (&world.store, world.tenant, &full.login);
    assert!(store.revoke_app(tenant, login.person, world.app, at(1)).await.unwrap() > 0);
    world.commit(vec![Command::EndSession(login.session)]).await.unwrap();
    assert_eq!(store.give_up(tenant, login.session, at(2)).await.unwrap().len(), 2);
    let other = world.login("carol", &["openid"]).await;
    store.system().kill(Killed::Person(tenant, other.person), at(2)).await.unwrap().unwrap();
    store.system().kill(Killed::App(tenant, world.app), at(2)).await.unwrap().unwrap();
    store.give_up_all(tenant, other.person).await.unwrap();
    let bob = store.linked_person(tenant, world.connection, "bob").await.unwrap().unwrap().person;
    for person in [login.person, other.person, bob] {
        assert!(store.delete(tenant, person, at(2)).await.unwrap());
    }
}

fn trace(world: &World) -> RecordedTrace {
    RecordedTrace {
        summary: TraceSummary {
            tenant: world.tenant,
            id: TraceId::at(at(1), &OpensslRng),
            at: at(1),
            kind: "login".into(),
            connection: None,
            app: None,
            person: None,
            outcome: Outcome::Success,
            cause: String::new(),
        },
        sealed: vec![1],
    }
}
