//! The store's part of a login: CPU and wall time of each, alone and with many at
//! once. Run with `--release`; set PG_URL to measure PostgreSQL too (its own
//! processes are not counted here), and CONNECTIONS for another size of the pool.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::grant::{GrantRecord, NewGrant};
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, PersonId, SessionId, TenantId, TraceId, TransactionId};
use fedbridge_contract::services::{Clock as _, Grants as _, Rng as _};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Command, ConfigStore as _, LoginStore as _, NewLink, NewSession, NewTransaction, Unit};
use fedbridge_hub::spec::{
    AppSpec, ConfigChange, ConnectionSpec, Managed, MappingSpec, PeopleSpec, StoredApp, StoredConnection, StoredTenant,
    SubjectType, TenantExtras, TenantSpec,
};
use fedbridge_keys::{AesGcmSealer, MasterKey, OpensslRng, SystemClock};
use fedbridge_store::{Store, StoreOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Logins of one measurement, unless LOGINS says another number.
const DEFAULT_LOGINS: usize = 4000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = std::env::temp_dir().join(format!("fedbridge-login-rate-{}", std::process::id()));
    measure("SQLite", &format!("sqlite://{}/bench.db", folder.display())).await;
    std::fs::remove_dir_all(&folder).unwrap();
    if let Ok(url) = std::env::var("PG_URL") {
        measure("PostgreSQL", &url).await;
    }
}

async fn measure(name: &str, url: &str) {
    let sealer = Arc::new(AesGcmSealer::new(MasterKey::from_bytes([1; 32])).unwrap());
    let mut options = StoreOptions::default();
    if let Ok(count) = std::env::var("CONNECTIONS") {
        options.connections = count.parse().unwrap();
    }
    let store = Store::open(url, sealer, options).await.unwrap();
    let count = std::env::var("LOGINS").map_or(DEFAULT_LOGINS, |count| count.parse().unwrap());
    let bench = Arc::new(Bench::new(store).await);
    for parallel in [1, 32] {
        bench.logins(200, parallel).await;
        let (cpu, start) = (process_cpu(), Instant::now());
        bench.logins(count, parallel).await;
        let (cpu, wall) = (process_cpu() - cpu, start.elapsed());
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        println!("{name}, {parallel} at once: {:.0} us CPU, {:.0} us wall a login", each(cpu), each(wall));
    }
    println!("{:?}, resident {}", bench.store.stats(), resident());
    bench.store.close().await.unwrap();
}

struct Bench {
    store: Store,
    tenant: TenantId,
    connection: ConnectionId,
    app: AppId,
}

impl Bench {
    async fn new(store: Store) -> Self {
        let bench = Self {
            store,
            tenant: TenantId::random(&OpensslRng),
            connection: ConnectionId::random(&OpensslRng),
            app: AppId::random(&OpensslRng),
        };
        let system = bench.store.system();
        let version = system.version().await.unwrap();
        system.apply(version, &bench.configuration()).await.unwrap();
        bench
    }

    fn configuration(&self) -> [ConfigChange; 3] {
        let (tenant, managed) = (self.tenant, Managed::File);
        let tenant_spec = TenantSpec {
            slug: tenant.to_string(),
            display_name: "Bench".into(),
            parent: None,
            domains: vec![],
            enabled: true,
            extras: TenantExtras::default(),
        };
        let connection_spec = ConnectionSpec {
            slug: "idp".into(),
            protocol: "saml".into(),
            display_name: None,
            enabled: true,
            domains: vec![],
            mapping: MappingSpec::default(),
            people: PeopleSpec::default(),
            settings: Value::Null,
        };
        let app_spec = AppSpec {
            kind: AppKind::OidcClient,
            name: "app".into(),
            protocol_name: None,
            display_name: "App".into(),
            enabled: true,
            connections: None,
            release: vec![],
            claims: serde_json::Map::new(),
            subject_type: SubjectType::Public,
            groups: vec![],
            settings: Value::Null,
        };
        [
            ConfigChange::PutTenant(StoredTenant { id: tenant, managed, spec: tenant_spec }),
            ConfigChange::PutConnection(StoredConnection {
                tenant,
                id: self.connection,
                managed,
                spec: connection_spec,
            }),
            ConfigChange::PutApp(StoredApp { tenant, id: self.app, managed, spec: app_spec }),
        ]
    }

    async fn logins(self: &Arc<Self>, count: usize, parallel: usize) {
        let tasks: Vec<_> = (0..parallel)
            .map(|_| {
                let bench = Arc::clone(self);
                tokio::spawn(async move {
                    for _ in 0..count / parallel {
                        bench.login().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    /// All that the store does from `/authorize` to userinfo.
    async fn login(&self) {
        let (tenant, now) = (self.tenant, SystemClock.now());
        let later = |seconds| now + Duration::from_secs(seconds);
        let (id, handle) = (TransactionId::at(now, &OpensslRng), random());
        let open = NewTransaction { id, handle_hash: handle, expires: later(600), sealed: vec![1; 900] };
        self.commit(vec![Command::OpenTransaction(open)], now).await;

        self.store.transaction(tenant, id, &handle, now).await.unwrap().unwrap();
        let person = PersonId::random(&OpensslRng);
        let subject = person.to_string();
        assert!(self.store.linked_person(tenant, self.connection, &subject).await.unwrap().is_none());
        let session = SessionId::at(now, &OpensslRng);
        let (grant, code) = (GrantId::at(now, &OpensslRng), random());
        let link = NewLink {
            person,
            connection: self.connection,
            subject_key: subject,
            display: "Ada".into(),
            email: None,
            scope: None,
        };
        let new_session = NewSession {
            id: session,
            cookie_hash: random(),
            person,
            connection: self.connection,
            idle_expires: later(1800),
            absolute_expires: later(36_000),
            upstream: None,
            sealed: vec![2; 900],
        };
        let once = Command::Once { purpose: "saml.assertion".into(), key: id.to_string(), expires: later(300) };
        let new_grant =
            NewGrant { id: grant, code_hash: code, code_expires: later(60), record: self.record(person, session, now) };
        let commands = vec![
            Command::FinishTransaction(id),
            once,
            Command::CreatePerson(link),
            Command::StartSession(new_session),
            Command::InsertGrant(Box::new(new_grant)),
        ];
        self.commit(commands, now).await;

        let by_code = self.store.by_code(tenant, grant, &code, now).await.unwrap().unwrap();
        self.store.redeem(tenant, by_code.id, None, now).await.unwrap();
        self.store.find(tenant, grant, Some("jti"), now).await.unwrap().unwrap();
    }

    async fn commit(&self, commands: Vec<Command>, now: Timestamp) {
        self.store.commit(self.tenant, Unit { commands, now }).await.unwrap();
    }

    fn record(&self, person: PersonId, session: SessionId, now: Timestamp) -> GrantRecord {
        let mut claims = Claims::default();
        claims.set("email", json!("ada@example.org"));
        claims.set("name", json!("Ada Lovelace"));
        claims.set("groups", json!(["staff", "engineering", "admins"]));
        GrantRecord {
            app: self.app,
            person,
            session,
            connection: self.connection,
            trace: TraceId::at(now, &OpensslRng),
            sub: person.to_string(),
            scope: vec!["openid".into(), "email".into()],
            claims,
            auth_time: now,
            acr: None,
            amr: vec![],
            created: now,
            upstream_limit: None,
            basis: None,
            epoch: Epoch::default(),
            protocol: json!({"redirect_uri": "https://app.example/cb", "nonce": "n", "challenge": "c"}),
        }
    }
}

fn random() -> [u8; 32] {
    let mut octets = [0; 32];
    OpensslRng.fill(&mut octets);
    octets
}

/// User and system time of this process so far, from `/proc/self/schedstat` of all its threads.
fn process_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanos)
}

/// This process's resident memory, as the kernel writes it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().trim().to_owned()
}
