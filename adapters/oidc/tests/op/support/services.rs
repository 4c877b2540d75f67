//! Services in memory, with the semantics that the contract promises.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::{CodeState, Grant, NewGrant, Redeemed, RefreshState, Rotated, Standing};
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, PersonId, TenantId};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{
    Clock, Counters, Egress, EgressError, EgressLimits, EgressPost, Fetched, Gate, GateRefusal, Grants,
    RefreshLifetimes, Revalidator, Rng, Rotation, Throttle, TokenSecrets, TraceEvent, TraceSink, Valid,
};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Step, TraceLog};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

pub struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        panic!("the provider takes the time of the request");
    }
}

/// Distinct octets, in a known order.
#[derive(Default)]
pub struct CountingRng(AtomicU64);

impl Rng for CountingRng {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let octets = openssl::sha::sha256(&count.to_be_bytes());
            chunk.copy_from_slice(&octets[..chunk.len()]);
        }
    }
}

pub struct Secrets;

impl TokenSecrets for Secrets {
    fn mac(&self, tenant: TenantId, purpose: &str, message: &[u8]) -> [u8; 32] {
        let key = PKey::hmac(b"a key of the test installation").unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.update(tenant.uuid().as_bytes()).unwrap();
        signer.update(&(purpose.len() as u64).to_be_bytes()).unwrap();
        signer.update(purpose.as_bytes()).unwrap();
        signer.update(message).unwrap();
        signer.sign_to_vec().unwrap().try_into().unwrap()
    }
}

#[derive(Default)]
pub struct Traces(pub Mutex<Vec<TraceEvent>>);

impl TraceSink for Traces {
    fn record(&self, event: TraceEvent) {
        let ended = event.steps.steps().iter().any(|step| matches!(step, Step::Result { .. }));
        assert!(!ended, "the keeper of the record adds the one result: {:?}", event.steps);
        self.0.lock().unwrap().push(event);
    }
}

#[derive(Default)]
pub struct Counts {
    pub issued: Mutex<Vec<&'static str>>,
    pub refused: Mutex<Vec<(&'static str, &'static str)>>,
    pub reused: AtomicUsize,
}

impl Counters for Counts {
    fn token_issued(&self, grant_type: &'static str) {
        self.issued.lock().unwrap().push(grant_type);
    }

    fn refused(&self, endpoint: &'static str, code: &'static str) {
        self.refused.lock().unwrap().push((endpoint, code));
    }

    fn refresh_reused(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Documents by address, and how often each was fetched.
#[derive(Default)]
pub struct Web {
    pub documents: Mutex<HashMap<String, String>>,
    pub fetches: AtomicUsize,
    /// While set, no answer ever comes.
    pub stuck: AtomicBool,
}

#[async_trait]
impl Egress for Web {
    async fn get(&self, url: &str, _limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        if self.stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let body = self.documents.lock().unwrap().get(url).cloned();
        match body {
            Some(body) => {
                Ok(Fetched { status: 200, content_type: None, etag: None, max_age: None, body: Bytes::from(body) })
            }
            None => Err(EgressError { url: url.into(), cause: "connection refused".into(), silent: true }),
        }
    }

    async fn get_if_changed(&self, _: &str, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("the provider keeps no documents")
    }

    async fn post(&self, request: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("the provider sends nothing by itself: {}", request.url)
    }
}

/// What an admin has switched off.
#[derive(Default)]
pub struct Switches {
    pub tenants: Mutex<HashSet<TenantId>>,
    pub apps: Mutex<HashSet<AppId>>,
    pub people: Mutex<HashSet<PersonId>>,
    pub connections: Mutex<HashSet<ConnectionId>>,
    /// Kills of everything.
    pub kills: AtomicI64,
    /// While set, nothing is known of kills.
    pub deaf: AtomicBool,
}

impl Switches {
    fn alive(&self, epoch: Epoch) -> Result<(), GateRefusal> {
        if epoch.is_before(self.epoch()) { Err(GateRefusal::Killed) } else { Ok(()) }
    }
}

#[async_trait]
impl Gate for Switches {
    async fn app(&self, tenant: &Tenant, app: &App) -> Result<Permit, GateRefusal> {
        if self.deaf.load(Ordering::Relaxed) {
            return Err(GateRefusal::Unsure);
        }
        if self.tenants.lock().unwrap().contains(&tenant.id) {
            return Err(GateRefusal::TenantDisabled);
        }
        if self.apps.lock().unwrap().contains(&app.id) {
            return Err(GateRefusal::AppDisabled);
        }
        Ok(Permit::assertion_of_the_gate())
    }

    async fn grant(&self, tenant: &Tenant, app: &App, grant: &Grant) -> Result<Permit, GateRefusal> {
        let permit = self.app(tenant, app).await?;
        self.alive(grant.record.epoch)?;
        if self.people.lock().unwrap().contains(&grant.record.person) {
            return Err(GateRefusal::PersonDisabled);
        }
        if self.connections.lock().unwrap().contains(&grant.record.connection) {
            return Err(GateRefusal::ConnectionDisabled);
        }
        match grant.standing {
            Standing { revoked: true, .. } => Err(GateRefusal::GrantRevoked),
            Standing { session_ended: true, .. } => Err(GateRefusal::SessionEnded),
            Standing { token_revoked: true, .. } => Err(GateRefusal::TokenRevoked),
            _ => Ok(permit),
        }
    }

    async fn app_token(&self, tenant: &Tenant, app: &App, epoch: Epoch) -> Result<Permit, GateRefusal> {
        let permit = self.app(tenant, app).await?;
        self.alive(epoch).map(|()| permit)
    }

    fn epoch(&self) -> Epoch {
        Epoch(self.kills.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
pub struct MemoryGrants {
    rows: Mutex<HashMap<(TenantId, GrantId), Row>>,
    tokens: Mutex<HashSet<(TenantId, String)>>,
    once: Mutex<HashSet<(TenantId, String, String)>>,
    /// Calls of any kind; client credentials must make none.
    pub calls: AtomicUsize,
    pub broken: Mutex<bool>,
    /// Grants whose code looks fresh to a reader although it is redeemed.
    raced: Mutex<HashSet<(TenantId, GrantId)>>,
}

struct Row {
    grant: Grant,
    code_hash: [u8; 32],
}

impl MemoryGrants {
    pub fn insert(&self, tenant: TenantId, new: NewGrant) {
        let NewGrant { id, record, code_hash, code_expires } = new;
        let code = CodeState::Issued { expires: code_expires };
        let grant = Grant { id, record, code, refresh: None, standing: Standing::default() };
        self.rows.lock().unwrap().insert((tenant, id), Row { grant, code_hash });
    }

    pub fn grant(&self, tenant: TenantId, id: GrantId) -> Grant {
        self.rows.lock().unwrap()[&(tenant, id)].grant.clone()
    }

    pub fn change(&self, tenant: TenantId, id: GrantId, change: impl FnOnce(&mut Grant)) {
        change(&mut self.rows.lock().unwrap().get_mut(&(tenant, id)).unwrap().grant);
    }

    /// From now on a reader sees this grant as it was just before its code was redeemed.
    pub fn race(&self, tenant: TenantId, id: GrantId) {
        self.raced.lock().unwrap().insert((tenant, id));
    }

    fn called(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if *self.broken.lock().unwrap() { Err(StoreError("the disk is gone".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Grants for MemoryGrants {
    async fn by_code(
        &self,
        tenant: TenantId,
        id: GrantId,
        code_hash: &[u8; 32],
        _: Timestamp,
    ) -> Result<Option<Grant>, StoreError> {
        self.called()?;
        let rows = self.rows.lock().unwrap();
        let found =
            rows.iter().find(|((owner, grant), row)| (*owner, *grant) == (tenant, id) && row.code_hash == *code_hash);
        Ok(found.map(|(key, row)| {
            let mut grant = row.grant.clone();
            if self.raced.lock().unwrap().contains(key) {
                grant.code = CodeState::Issued { expires: Timestamp::from_millis(i64::MAX) };
            }
            grant
        }))
    }

    async fn find(
        &self,
        tenant: TenantId,
        grant: GrantId,
        jti: Option<&str>,
        _: Timestamp,
    ) -> Result<Option<Grant>, StoreError> {
        self.called()?;
        let revoked = jti.is_some_and(|jti| self.tokens.lock().unwrap().contains(&(tenant, jti.to_owned())));
        let grant = self.rows.lock().unwrap().get(&(tenant, grant)).map(|row| row.grant.clone());
        Ok(grant.map(|mut grant| {
            grant.standing.token_revoked = revoked;
            grant
        }))
    }

    async fn redeem(
        &self,
        tenant: TenantId,
        grant: GrantId,
        refresh: Option<RefreshLifetimes>,
        now: Timestamp,
    ) -> Result<Redeemed, StoreError> {
        self.called()?;
        let mut rows = self.rows.lock().unwrap();
        let Some(row) = rows.get_mut(&(tenant, grant)) else { return Ok(Redeemed::Gone) };
        match row.grant.code {
            CodeState::Redeemed { .. } => Ok(Redeemed::Before),
            CodeState::Issued { expires } if now >= expires || row.grant.standing.revoked => Ok(Redeemed::Gone),
            CodeState::Issued { .. } => {
                row.grant.code = CodeState::Redeemed { at: now };
                row.grant.refresh = refresh.map(|lifetimes| RefreshState {
                    generation: 1,
                    rotated: now,
                    idle_expires: (now + lifetimes.idle).min(lifetimes.absolute_expires),
                    absolute_expires: lifetimes.absolute_expires,
                });
                Ok(Redeemed::Now)
            }
        }
    }

    async fn rotate(&self, tenant: TenantId, rotation: Rotation) -> Result<Rotated, StoreError> {
        self.called()?;
        let mut rows = self.rows.lock().unwrap();
        let Some(row) = rows.get_mut(&(tenant, rotation.grant)) else { return Ok(Rotated::Gone) };
        let Some(family) = row.grant.refresh.as_mut().filter(|_| !row.grant.standing.revoked) else {
            return Ok(Rotated::Gone);
        };
        let Rotation { presented, now, .. } = rotation;
        if presented == family.generation {
            family.generation += i64::from(rotation.rotate);
            family.rotated = now;
            family.idle_expires = (now + rotation.idle).min(family.absolute_expires);
            Ok(Rotated::To { generation: family.generation })
        } else if presented + 1 == family.generation && now.since(family.rotated) < rotation.grace {
            Ok(Rotated::Again { generation: family.generation })
        } else {
            row.grant.standing.revoked = true;
            Ok(Rotated::Reused)
        }
    }

    async fn revoke(&self, tenant: TenantId, grant: GrantId, _now: Timestamp) -> Result<(), StoreError> {
        self.called()?;
        if let Some(row) = self.rows.lock().unwrap().get_mut(&(tenant, grant)) {
            row.grant.standing.revoked = true;
        }
        Ok(())
    }

    async fn revoke_token(&self, tenant: TenantId, jti: &str, _expires: Timestamp) -> Result<(), StoreError> {
        self.called()?;
        self.tokens.lock().unwrap().insert((tenant, jti.to_owned()));
        Ok(())
    }

    async fn token_revoked(&self, tenant: TenantId, jti: &str) -> Result<bool, StoreError> {
        self.called()?;
        Ok(self.tokens.lock().unwrap().contains(&(tenant, jti.to_owned())))
    }

    async fn remember_once(
        &self,
        tenant: TenantId,
        purpose: &str,
        key: &str,
        _expires: Timestamp,
    ) -> Result<bool, StoreError> {
        self.called()?;
        Ok(self.once.lock().unwrap().insert((tenant, purpose.to_owned(), key.to_owned())))
    }
}

/// Answers in this order, and then yes.
#[derive(Default)]
pub struct Upstream {
    pub answers: Mutex<Vec<Valid>>,
    pub asked: Mutex<Vec<GrantId>>,
    /// What happens while it is asked, once.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

#[async_trait]
impl Revalidator for Upstream {
    async fn revalidate(&self, _: &Arc<Tenant>, grant: &Grant, _: Timestamp, trace: &mut TraceLog) -> Valid {
        self.asked.lock().unwrap().push(grant.id);
        if let Some(happens) = self.meanwhile.lock().unwrap().take() {
            happens();
        }
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() { Valid::Yes { waited: true } } else { answers.remove(0) };
        trace.decide("upstream", format!("{answer:?}"), matches!(answer, Valid::Yes { .. }));
        answer
    }
}

/// Lets so many failures pass; the default is no limit.
pub struct Patience(pub AtomicUsize);

impl Default for Patience {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Throttle for Patience {
    fn failed(&self, _: TenantId, _: &str, _: IpAddr, _: Timestamp) -> Option<Duration> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        (left == 0).then_some(Duration::from_secs(7))
    }
}
