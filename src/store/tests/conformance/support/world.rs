//! A tenant with a connection and an app, and short ways to log people in.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::grant::{GrantRecord, NewGrant};
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, PersonId, SessionId, TenantId, TraceId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Command, ConfigStore as _, LoginStore as _, NewLink, NewSession, Sealer, Unit, UnitError};
use fedbridge_hub::spec::{
    AppSpec, ConfigChange, ConnectionSpec, Managed, MappingSpec, PeopleSpec, StoredApp, StoredConnection, StoredTenant,
    SubjectType, TenantExtras, TenantSpec,
};
use fedbridge_keys::{AesGcmSealer, MasterKey, OpensslRng};
use fedbridge_store::Store;
use serde_json::json;

pub struct World {
    pub store: Store,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub app: AppId,
}

/// One login, as it was stored.
#[derive(Clone)]
pub struct Login {
    pub person: PersonId,
    pub session: SessionId,
    pub cookie: [u8; 32],
    pub grant: GrantId,
    pub code: [u8; 32],
}

impl World {
    /// A tenant of this slug, made with one change.
    pub async fn new(store: &Store, slug: &str) -> Self {
        let world = Self {
            store: store.clone(),
            tenant: TenantId::random(&OpensslRng),
            connection: ConnectionId::random(&OpensslRng),
            app: AppId::random(&OpensslRng),
        };
        let system = store.system();
        let version = system.version().await.unwrap();
        let changes = [
            ConfigChange::PutTenant(world.tenant_named(slug, &[])),
            ConfigChange::PutConnection(world.connection_named("idp")),
            ConfigChange::PutApp(world.app_named("portal")),
        ];
        system.apply(version, &changes).await.unwrap();
        world
    }

    pub fn tenant_named(&self, slug: &str, domains: &[&str]) -> StoredTenant {
        StoredTenant {
            id: self.tenant,
            managed: Managed::File,
            spec: TenantSpec {
                slug: slug.into(),
                display_name: format!("{slug} Ltd"),
                parent: None,
                domains: domains.iter().map(|name| (*name).into()).collect(),
                enabled: true,
                extras: TenantExtras::default(),
            },
        }
    }

    pub fn connection_named(&self, slug: &str) -> StoredConnection {
        StoredConnection {
            tenant: self.tenant,
            id: self.connection,
            managed: Managed::File,
            spec: ConnectionSpec {
                slug: slug.into(),
                protocol: "saml".into(),
                display_name: None,
                enabled: true,
                domains: vec![],
                mapping: MappingSpec { preset: Some("entra".into()), ..MappingSpec::default() },
                people: PeopleSpec::default(),
                settings: json!({"entity_id": "https://idp.example", "list": [1, 2]}),
            },
        }
    }

    pub fn app_named(&self, name: &str) -> StoredApp {
        StoredApp {
            tenant: self.tenant,
            id: self.app,
            managed: Managed::Elsewhere,
            spec: AppSpec {
                kind: AppKind::OidcClient,
                name: name.into(),
                protocol_name: None,
                display_name: "The portal".into(),
                enabled: true,
                connections: Some(vec![self.connection]),
                release: vec!["email".into()],
                claims: serde_json::Map::new(),
                subject_type: SubjectType::Pairwise,
                groups: vec![],
                settings: json!({"redirect_uris": ["https://app.example/cb"]}),
            },
        }
    }

    /// Ids and random values of a login that is not stored yet.
    pub fn plan(&self) -> Login {
        Login {
            person: PersonId::random(&OpensslRng),
            session: SessionId::random(&OpensslRng),
            cookie: hash(SessionId::random(&OpensslRng)),
            grant: GrantId::random(&OpensslRng),
            code: hash(GrantId::random(&OpensslRng)),
        }
    }

    /// Logs a new person in at `at(0)`; the code is good for a minute, the session for an hour.
    pub async fn login(&self, subject: &str, scope: &[&str]) -> Login {
        let login = self.plan();
        self.commit(self.commands(&login, subject, scope)).await.unwrap();
        login
    }

    pub fn commands(&self, login: &Login, subject: &str, scope: &[&str]) -> Vec<Command> {
        vec![
            Command::CreatePerson(self.link(login.person, subject)),
            Command::StartSession(self.session(login)),
            Command::InsertGrant(self.grant(login, scope)),
        ]
    }

    pub async fn commit(&self, commands: Vec<Command>) -> Result<(), UnitError> {
        self.store.commit(self.tenant, Unit { commands, now: at(0) }).await
    }

    pub fn link(&self, person: PersonId, subject: &str) -> NewLink {
        NewLink {
            person,
            connection: self.connection,
            subject_key: subject.into(),
            display: subject.into(),
            email: None,
            scope: None,
        }
    }

    pub fn session(&self, login: &Login) -> NewSession {
        NewSession {
            id: login.session,
            cookie_hash: login.cookie,
            person: login.person,
            connection: self.connection,
            idle_expires: at(1800),
            absolute_expires: at(3600),
            upstream: None,
            sealed: b"sealed session".to_vec(),
        }
    }

    pub fn grant(&self, login: &Login, scope: &[&str]) -> Box<NewGrant> {
        let mut claims = Claims::default();
        claims.set("email", json!("canary-claim@example.org"));
        Box::new(NewGrant {
            id: login.grant,
            code_hash: login.code,
            code_expires: at(60),
            record: GrantRecord {
                app: self.app,
                person: login.person,
                session: login.session,
                connection: self.connection,
                trace: TraceId::random(&OpensslRng),
                sub: login.person.to_string(),
                scope: scope.iter().map(|scope| (*scope).into()).collect(),
                claims,
                auth_time: at(-5),
                acr: Some("urn:example:mfa".into()),
                amr: vec!["otp".into()],
                created: at(0),
                upstream_limit: None,
                basis: None,
                epoch: Epoch::default(),
                protocol: json!({"nonce": "n-1"}),
            },
        })
    }
}

/// Seconds after a fixed moment.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn hash(text: impl ToString) -> [u8; 32] {
    openssl::sha::sha256(text.to_string().as_bytes())
}

pub fn sealer() -> Arc<dyn Sealer> {
    Arc::new(AesGcmSealer::new(MasterKey::from_bytes([7; 32])).unwrap())
}
