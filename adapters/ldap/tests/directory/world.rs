//! A directory with people, and a connection to it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory as _, Open};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::ids::{ConnectionId, TenantId, TransactionId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::password::{Attempt, Change, Changed, Known, Password, PasswordOutcome, Prove, Proved, Why};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Clock as _, DialTarget, Dialed, Dialer, Services};
use fedbridge_contract::testkit::{Distinct, Hands, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Step, TraceLog};
use fedbridge_contract::upstream::{Adapter, LoginWish};
use fedbridge_ldap::LdapFactory;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::server::{SERVICE, SERVICE_PASSWORD, Server};

pub struct World {
    pub server: Server,
    pub clock: Arc<Hands>,
    pub tenant: Tenant,
    pub connection: ConnectionId,
    pub adapter: Adapter,
    settings: Value,
}

/// 2026-03-01.
pub const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

pub const ALICE: &str = "uid=alice,ou=people,dc=acme";
pub const ALICES_KEY: &str = "entryuuid=597ae2f6-16a6-1027-98f4-d28b5365dc14";
pub const PASSWORD: &str = "alice-password";

impl World {
    /// OpenLDAP with two people.
    pub async fn openldap(more: Value) -> Self {
        let world = Self::open("openldap", more).await;
        {
            let mut state = world.server.state();
            state.add("ou=people,dc=acme", &[]);
            state.add("ou=groups,dc=acme", &[]);
            for (uid, uuid) in
                [("alice", "597ae2f6-16a6-1027-98f4-d28b5365dc14"), ("bob", "597ae2f6-16a6-1027-98f4-d28b5365dc15")]
            {
                let (dn, mail) = (format!("uid={uid},ou=people,dc=acme"), format!("{uid}@acme.example"));
                state.add(&dn, &[("uid", &[uid]), ("mail", &[&mail]), ("entryUUID", &[uuid])]);
                state.password(&dn, &format!("{uid}-password"));
            }
        }
        world
    }

    pub async fn open(flavor: &str, more: Value) -> Self {
        let server = Server::start().await;
        server.state().password(SERVICE, SERVICE_PASSWORD);
        let mut settings = json!({
            "flavor": flavor,
            "urls": [format!("ldap://127.0.0.1:{}", server.port)],
            "allow_plaintext": true,
            "bind_dn": SERVICE,
            "users": { "base": "ou=people,dc=acme" },
        });
        for (key, value) in more.as_object().unwrap() {
            match (settings[key.as_str()].as_object_mut(), value.as_object()) {
                (Some(there), Some(more)) => there.extend(more.clone()),
                _ => settings[key] = value.clone(),
            }
        }
        let clock = Hands::at(NOW);
        let connection = ConnectionId::random(&Distinct);
        let id = TenantId::random(&Distinct);
        let keys = Arc::new(KeyRing::default());
        let tenant =
            Tenant::new(id, "acme".into(), "Acme".into(), true, "https://bridge.example", vec![], vec![], keys);
        let adapter = match adapter(&settings, &tenant, connection, &clock) {
            Ok(adapter) => adapter,
            Err(complaints) => panic!("{complaints:?}"),
        };
        Self { server, clock, tenant, connection, adapter, settings }
    }

    /// The same connection in another process: it remembers nothing.
    pub fn reopen(&mut self) {
        self.adapter = adapter(&self.settings, &self.tenant, self.connection, &self.clock).ok().unwrap();
    }

    pub async fn login(&self, name: &str, password: &str) -> (PasswordOutcome, TraceLog) {
        let transaction = TransactionId::random(&Distinct);
        let minter = Minter::for_transaction(self.tenant.id, self.connection, transaction);
        let (password, wish) = (Password::new(password).unwrap(), LoginWish::default());
        let attempt = Attempt {
            tenant: &self.tenant,
            name,
            password: &password,
            wish: &wish,
            transaction,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            now: self.clock.now(),
        };
        let mut trace = TraceLog::new();
        let outcome = self.adapter.password.as_ref().unwrap().verify(attempt, minter, &mut trace).await;
        if let PasswordOutcome::Accepted { identity, .. } = &outcome {
            assert!(identity.proof.covers(self.tenant.id, self.connection, transaction));
            assert_eq!(trace.cause(), None, "a good login has no failed check");
        } else if !matches!(outcome, PasswordOutcome::MustChange { .. }) {
            assert!(trace.cause().is_some(), "the trace says why: {:?}", trace.steps());
        }
        let told = format!("{:?}", trace.steps());
        assert!(!told.contains(std::str::from_utf8(password.octets()).unwrap()), "no password in a trace: {told}");
        (outcome, trace)
    }

    pub async fn enter(&self, name: &str, password: &str) -> Box<AuthenticatedIdentity> {
        match self.login(name, password).await {
            (PasswordOutcome::Accepted { identity, .. }, _) => identity,
            (other, trace) => panic!("{other:?}: {:?}", trace.cause()),
        }
    }

    /// Why somebody does not come in.
    pub async fn refused(&self, name: &str, password: &str) -> (Why, String) {
        match self.login(name, password).await {
            (PasswordOutcome::Rejected(refusal), _) => (refusal.reason, refusal.upstream_code),
            (other, trace) => panic!("{other:?}: {:?}", trace.cause()),
        }
    }

    /// The cause of a login that nobody can judge.
    pub async fn unavailable(&self, name: &str, password: &str) -> String {
        match self.login(name, password).await {
            (PasswordOutcome::Unavailable(error), _) => error.cause,
            (other, trace) => panic!("{other:?}: {:?}", trace.cause()),
        }
    }

    pub async fn groups_of(&self, name: &str) -> Vec<String> {
        self.enter(name, &format!("{name}-password")).await.attributes.get("groupName").to_vec()
    }

    pub async fn prove(&self, key: &str, place: Option<&str>, password: &str) -> Proved {
        let password = Password::new(password).unwrap();
        let check = self.adapter.password.as_ref().unwrap();
        let known = Known { key, place };
        let asked = Prove { known, password: &password, thread: None, now: self.clock.now() };
        check.prove(asked, &mut TraceLog::new()).await
    }

    pub async fn change(&self, key: &str, old: &str, new: &str) -> Changed {
        let (old, new) = (Password::new(old).unwrap(), Password::new(new).unwrap());
        let change = Change { known: Known { key, place: None }, old: &old, new: &new, now: self.clock.now() };
        let mut trace = TraceLog::new();
        let changed = self.adapter.password.as_ref().unwrap().change(change, &mut trace).await;
        let told = format!("{:?}", trace.steps());
        for password in [&old, &new] {
            assert!(!told.contains(std::str::from_utf8(password.octets()).unwrap()), "no password in a trace: {told}");
        }
        changed
    }

    pub fn later(&self, time: Duration) {
        self.clock.pass(time);
    }
}

pub fn adapter(
    settings: &Value,
    tenant: &Tenant,
    connection: ConnectionId,
    clock: &Arc<Hands>,
) -> Result<Adapter, Vec<Complaint>> {
    let services = Services { dialer: Arc::new(Direct), ..bare_services(Arc::clone(clock) as _) };
    let secrets = BTreeMap::from([("bind_password".to_owned(), SERVICE_PASSWORD.as_bytes().to_vec())]);
    let secrets = if settings["bind_dn"].is_null() { BTreeMap::new() } else { secrets };
    LdapFactory.open(Open {
        tenant: tenant.id,
        connection,
        slug: "corp",
        address: "https://bridge.example/t/acme/connections/corp".into(),
        settings,
        secrets: &secrets,
        services: &services,
        now: NOW,
    })
}

/// The checks that failed, by name.
pub fn failed(trace: &TraceLog) -> Vec<String> {
    let failed = trace.steps().iter().filter_map(|step| match step {
        Step::Check { name, passed: false, .. } => Some(name.clone()),
        _ => None,
    });
    failed.collect()
}

struct Direct;

#[async_trait]
impl Dialer for Direct {
    async fn dial(&self, target: DialTarget<'_>, _: Duration) -> io::Result<Box<dyn Dialed>> {
        Ok(Box::new(TcpStream::connect((target.host, target.port)).await?))
    }
}
