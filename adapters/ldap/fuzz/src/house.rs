//! A tenant with an app, a dozen people and a few groups, behind a server of ours. The secret is in what the app
//! may not see: people's numbers, and who is in a group that is hidden from it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, Tenant, TenantSettings};
use fedbridge_contract::directory::{
    BindAnswer, BindDesk, BoundBy, Changes, DirectoryFeed, DirectoryGroup, DirectoryPerson, DirectoryServices, Mark,
    PassThrough, Peer, PersonBind, PosixNumbers, Shape, ShapeSink,
};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::{AppId, ConnectionId, GroupId, PersonId, TenantId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::ldap_directory::LdapDirectory;
use fedbridge_contract::password::Password;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Bound, Gate, GateRefusal, Services};
use fedbridge_contract::testkit::{Counting, Hands, Quiet, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_server::{Held, LdapServer, Rules};
use serde_json::json;
use uuid::Uuid;

pub const BASE: &str = "dc=acme,dc=example";
pub const APP: &str = "cn=wiki,ou=apps,dc=acme,dc=example";
/// The one person whose password is right.
pub const ALICE: &str = "uid=alice,ou=people,dc=acme,dc=example";
pub const PASSWORD: &str = "right";

/// 2026-11-22T02:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);

/// A server whose secrets hold `mark`. It must be spoken with in the runtime that it was opened in.
pub async fn open(mark: &str) -> Arc<LdapServer> {
    let house = Arc::new(House { tenant: tenant(), people: people(mark) });
    let services = Services {
        rng: Arc::new(Counting::new()),
        gate: Arc::clone(&house) as _,
        traces: Arc::new(Quiet),
        ..bare_services(Hands::at(NOW))
    };
    let desk = Arc::clone(&house) as Arc<dyn BindDesk>;
    let directory = DirectoryServices { feed: Arc::clone(&house) as _, desk: Arc::clone(&desk), shapes: house };
    let held = Held::new(services.clone(), directory);
    tokio::select! {
        () = Arc::clone(&held).run() => {}
        () = held.ready() => {}
    }
    Arc::new(LdapServer::new(services, desk, held, Rules::default()))
}

struct House {
    tenant: Arc<Tenant>,
    people: Vec<DirectoryPerson>,
}

fn tenant() -> Arc<Tenant> {
    let settings = json!({
        "attributes": ["uid", "cn", "sn", "mail", "memberOf", "member", "uidNumber", "modifyTimestamp"],
        "visible_groups": ["staff", "all"],
    });
    let id = AppId::from_uuid(Uuid::from_u128(1));
    let name = || "wiki".to_owned();
    let app = App::new(id, AppKind::LdapApp, name(), None, name(), true, None, settings, Vec::new());
    let directory =
        LdapDirectory { base_dn: BASE.to_owned(), password_modify: true, size_limit: 10, ..LdapDirectory::default() };
    let (id, keys) = (TenantId::from_uuid(Uuid::from_u128(1)), Arc::new(KeyRing::default()));
    let (slug, url) = ("acme".to_owned(), "https://bridge.example");
    let tenant = Tenant::new(id, slug.clone(), slug, true, url, Vec::new(), vec![Arc::new(app)], keys);
    Arc::new(tenant.with_settings(TenantSettings { ldap: Some(Arc::new(directory)), ..TenantSettings::default() }))
}

/// Twelve, of whom alice is the first and has no secret.
fn people(mark: &str) -> Vec<DirectoryPerson> {
    let names = ["alice", "bob", "\u{c4}lice", "o'neil", "a,b", "star*"];
    let names = names.into_iter().map(str::to_owned).chain((6..12).map(|at| format!("person{at}")));
    let one = |(at, name): (u32, String)| {
        let is_secret = at > 0;
        let mut groups = vec!["staff"];
        groups.extend((at % 2 == 0).then_some("all"));
        groups.extend((is_secret && mark.len() % 2 == at as usize % 2).then_some("hidden"));
        let mut claims = Claims::default();
        claims.set("preferred_username", name.clone().into());
        claims.set("name", format!("{name} Smith").into());
        claims.set("family_name", "Smith".into());
        claims.set("email", format!("person{at}@acme.example").into());
        claims.set("groups", json!(groups));
        if is_secret {
            claims.set("employee_number", format!("{mark}{at}").into());
            claims.set("phone_number", format!("{}{at}", mark.len()).into());
        }
        let id = PersonId::from_uuid(Uuid::from_u128(0x100 + u128::from(at)));
        DirectoryPerson {
            id,
            claims,
            logins: Vec::new(),
            disabled: at == 7,
            epoch: Epoch(0),
            posix: Some(PosixNumbers { uid: 1000 + at, gid: 100 }),
            created: NOW,
            changed: NOW,
        }
    };
    (0..).zip(names).map(one).collect()
}

#[async_trait]
impl DirectoryFeed for House {
    fn tenants(&self) -> Vec<Arc<Tenant>> {
        vec![Arc::clone(&self.tenant)]
    }

    async fn page(&self, _: TenantId, after: Option<PersonId>, most: u32) -> Result<Vec<DirectoryPerson>, StoreError> {
        let rest = self.people.iter().filter(|person| after.is_none_or(|after| person.id > after));
        Ok(rest.take(most as usize).cloned().collect())
    }

    async fn people(&self, _: TenantId, ids: &[PersonId]) -> Result<Vec<DirectoryPerson>, StoreError> {
        Ok(self.people.iter().filter(|person| ids.contains(&person.id)).cloned().collect())
    }

    async fn groups(&self, _: TenantId) -> Result<Vec<DirectoryGroup>, StoreError> {
        let one = |(at, name): (u32, &str)| {
            let id = GroupId::from_uuid(Uuid::from_u128(0x200 + u128::from(at)));
            DirectoryGroup { id, name: name.to_owned(), gid: Some(500 + at), created: NOW }
        };
        Ok((0..).zip(["staff", "all", "hidden"]).map(one).collect())
    }

    async fn changed(&self, _: TenantId, since: Mark) -> Result<Changes, StoreError> {
        Ok(Changes { mark: since, ..Changes::default() })
    }

    async fn wake(&self, _: Duration) {
        std::future::pending().await
    }

    fn sure(&self) -> bool {
        true
    }
}

#[async_trait]
impl BindDesk for House {
    async fn app(&self, _: &Tenant, _: &App, password: &Password, _: Peer) -> BindAnswer {
        answer(password.octets() == PASSWORD.as_bytes(), None, BoundBy::AppSecret)
    }

    async fn person(&self, ask: PersonBind<'_>, _: &mut TraceLog) -> BindAnswer {
        let is_right = ask.name == "alice" && ask.password.octets() == PASSWORD.as_bytes();
        answer(is_right, ask.person.map(|person| person.id), BoundBy::LocalPassword)
    }

    async fn still(&self, _: &PersonBind<'_>) -> Result<Permit, GateRefusal> {
        Ok(Permit::assertion_of_the_gate())
    }

    async fn change(&self, ask: PersonBind<'_>, _: &Password, trace: &mut TraceLog) -> BindAnswer {
        self.person(ask, trace).await
    }

    fn pass_through(&self, _: TenantId, _: ConnectionId) -> Option<Arc<dyn PassThrough>> {
        None
    }
}

fn answer(is_right: bool, person: Option<PersonId>, by: BoundBy) -> BindAnswer {
    if is_right {
        BindAnswer::Yes {
            permit: Permit::assertion_of_the_gate(),
            person,
            by,
            cached_until: Some(NOW + Duration::from_secs(30)),
            warning: None,
        }
    } else {
        BindAnswer::No("the password is wrong".to_owned())
    }
}

#[async_trait]
impl Gate for House {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        Ok(Permit::assertion_of_the_gate())
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::GrantRevoked)
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        Ok(Permit::assertion_of_the_gate())
    }

    async fn bind(&self, bound: &Bound<'_>) -> Result<Permit, GateRefusal> {
        if bound.person_disabled { Err(GateRefusal::PersonDisabled) } else { Ok(Permit::assertion_of_the_gate()) }
    }

    fn epoch(&self) -> Epoch {
        Epoch(0)
    }
}

impl ShapeSink for House {
    fn saw(&self, _: TenantId, _: &App, _: Shape, _: Timestamp) {}
}
