//! A person who has one of everything.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::directory::SyncCookie;
use fedbridge_contract::downstream::NewNameId;
use fedbridge_contract::identity::UpstreamTokens;
use fedbridge_contract::ids::{ConnectionId, GroupId, LinkProofId, LogoutId, PersonId, SessionId};
use fedbridge_contract::logout::Participant;
use fedbridge_contract::services::{Grants as _, RefreshLifetimes};
use fedbridge_hub::ports::{
    Command, ConfigStore as _, Consent, DeviceStore as _, FactorKind, FailureStore as _, KeptTokens, LogoutStore as _,
    NewAppPassword, NewFactor, NewLink, NewLogout, NewProfile, NewProof, PosixOwner, Profile, ProfileBy,
    ShapeStore as _, SyncState, SyncStore as _, TombstoneReason,
};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;
use serde_json::json;

use super::{Login, World, at, hash, made, seconds};

pub struct Full {
    pub login: Login,
    /// The person's other login.
    pub second: ConnectionId,
    /// Bound to [`Full::SUBJECT`].
    pub proof: LinkProofId,
    /// Of a session before this one.
    pub logout: LogoutId,
    pub logged_out: SessionId,
    pub group: GroupId,
    pub factor: NewFactor,
    pub app_password: NewAppPassword,
}

impl Full {
    pub const SUBJECT: [u8; 32] = [9; 32];
    pub const SECRET: [u8; 32] = [8; 32];
    pub const EMAIL: [u8; 32] = [7; 32];

    pub async fn new(world: &World) -> Self {
        Self::of(world, world.another_connection("second").await).await
    }

    pub async fn of(world: &World, second: ConnectionId) -> Self {
        let (login, before) = (world.plan(), world.plan());
        let proof = LinkProofId::at(at(0), &OpensslRng);
        let logout = LogoutId::at(at(0), &OpensslRng);
        let participant = || Participant { app: world.app, key: "ada".into(), index: None, memory: json!(1) };
        let join = |session| Command::Join { session, expires: at(3600), participant: participant() };
        let link = NewLink { email: Some(Self::EMAIL), ..world.link(login.person, "ada") };
        let mut commands = vec![
            Command::CreatePerson(NewLink { scope: Some("https://idp.example".into()), ..link }),
            Command::StartSession(world.session(&login)),
            Command::InsertGrant(world.grant(&login, &["openid", "offline_access"])),
            Command::StartSession(world.session(&Login { person: login.person, ..before.clone() })),
            Command::KeepNameId(NewNameId { person: login.person, qualifier: "app".into(), value: "name-1".into() }),
        ];
        commands.extend([join(login.session), join(before.session)]);
        world.commit(commands).await.unwrap();
        let also = |connection| Command::AlsoUpstream {
            session: login.session,
            connection,
            key: Some("ada@second".into()),
            index: Some("sid-2".into()),
            expires: at(3600),
        };
        let kept = |connection| kept_tokens(login.person, connection, "refresh-0", 100);
        let tokens =
            |connection| Command::KeepUpstreamTokens { session: login.session, kept: Box::new(kept(connection)) };
        world
            .commit(vec![
                Command::LinkIdentity(NewLink { connection: second, ..world.link(login.person, "ada@second") }),
                Command::LinkIdentity(NewLink { connection: second, ..world.link(login.person, "left") }),
                also(second),
                tokens(world.connection),
                tokens(second),
                Command::KeepConsent {
                    person: login.person,
                    consent: Consent { app: world.app, items: vec!["email".into(), "openid".into()], at: at(0) },
                },
            ])
            .await
            .unwrap();
        let unlink = Command::UnlinkIdentity {
            person: login.person,
            connection: second,
            subject_key: "left".into(),
            reason: TombstoneReason::Unlinked,
        };
        world.commit(vec![unlink]).await.unwrap();
        let bind = Command::BindLinkProof { proof, subject: Self::SUBJECT, sealed: b"shown".to_vec() };
        world.commit(vec![Command::OpenLinkProof(new_proof(proof, &login, second))]).await.unwrap();
        world.commit(vec![bind]).await.unwrap();
        let refresh = RefreshLifetimes { idle: seconds(1000), absolute_expires: at(5000) };
        world.store.redeem(world.tenant, login.grant, Some(refresh), at(1)).await.unwrap();
        let open = NewLogout { id: logout, sessions: vec![before.session], expires: at(900), sealed: vec![] };
        world.commit(vec![Command::EndSession(before.session), Command::OpenLogout(open)]).await.unwrap();
        world.store.spread(world.tenant, logout, None, at(1)).await.unwrap();
        let group = world.directory(login.person, second).await;
        let (factor, app_password) = world.passwords(login.person).await;
        Self { login, second, proof, logout, logged_out: before.session, group, factor, app_password }
    }
}

impl World {
    /// What a sync of both connections leaves of the person.
    async fn directory(&self, person: PersonId, second: ConnectionId) -> GroupId {
        let group = GroupId::random(&OpensslRng);
        let number = |owner| Command::GiveNumber { owner, range: (1000, 9_999_999) };
        let mut commands = vec![
            Command::EnsureGroup { id: group, name: format!("group {group}") },
            number(PosixOwner::Group(group)),
            number(PosixOwner::Person(person)),
        ];
        for (connection, subject) in [(self.connection, "ada"), (second, "ada@second")] {
            let mut claims = Claims::default();
            claims.set("email", json!("canary-claim@example.org"));
            let profile = Profile { claims, place: Some("uid=canary-place,dc=example".into()), ..Profile::default() };
            let (subject_key, digest) = (subject.to_owned(), hash(subject));
            let by = ProfileBy::Sync { sweep: 1 };
            let new = NewProfile { person, connection, subject_key, profile, digest, disabled: None, by };
            commands.push(Command::KeepProfile(Box::new(new)));
            let state = self.store.take_sync_turn(self.tenant, connection, at(0), at(60)).await.unwrap();
            let cookie = Some(SyncCookie(json!("canary-cookie")));
            let done = SyncState { cookie, full_at: Some(at(0)), ..state.unwrap_or_default() };
            self.store.end_sync_turn(self.tenant, connection, at(60), &done).await.unwrap();
        }
        self.commit(commands).await.unwrap();
        group
    }

    /// What logins by passwords leave of the person, and of others who tried.
    async fn passwords(&self, person: PersonId) -> (NewFactor, NewAppPassword) {
        let factor = made::factor(FactorKind::Totp, b"canary-factor");
        let app_password = made::app_password(person, self.app);
        let keep = Command::KeepFactor { person, factor: Box::new(factor.clone()) };
        self.commit(vec![keep, Command::KeepAppPassword(Box::new(app_password.clone()))]).await.unwrap();
        let system = self.store.system();
        system.add(&[made::count(self.tenant, "ada", 0, 2)], at(0)).await.unwrap();
        system.know(&[made::device(self.tenant, "laptop", at(3600))]).await.unwrap();
        let shape = made::compare("mail");
        system.note_shapes(&[made::seen(self, shape, 1, (0, 0))]).await.unwrap();
        (factor, app_password)
    }

    pub async fn another_connection(&self, slug: &str) -> ConnectionId {
        let mut connection = self.connection_named(slug);
        connection.id = ConnectionId::random(&OpensslRng);
        let (system, id) = (self.store.system(), connection.id);
        let version = system.version().await.unwrap();
        system.apply(version, &[ConfigChange::PutConnection(connection)]).await.unwrap();
        id
    }
}

/// Good for ten minutes.
pub fn new_proof(id: LinkProofId, login: &Login, connection: ConnectionId) -> NewProof {
    NewProof {
        id,
        secret: Full::SECRET,
        person: login.person,
        connection,
        session: login.session,
        expires: at(600),
        sealed: b"opened".to_vec(),
    }
}

pub fn kept_tokens(person: PersonId, connection: ConnectionId, refresh: &str, due: i64) -> KeptTokens {
    KeptTokens {
        person,
        connection,
        tokens: UpstreamTokens {
            refresh_token: Some(refresh.into()),
            access_token: Some("canary-access-token".into()),
            access_expires: Some(at(60)),
            memory: json!({"iss": "https://idp.example", "of": hash(refresh)}),
        },
        due: at(due),
        expires: at(5000),
    }
}
