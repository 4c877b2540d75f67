//! From what happened to the events of each receiver.

use std::time::Duration;

use fedbridge_contract::config::{AppKind, Tenant};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, SessionId, SignalId, TenantId, TraceId};
use fedbridge_contract::signals::{Hears, Signal, subject_hash};
use fedbridge_contract::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::ports::{Command, FactorKind, NewSignal, Unit, UnitError};
use crate::run::snapshot::TenantSnapshot;
use crate::run::{Hub, OpenApp};

/// How long a receiver may be away.
pub(in crate::run) const KEPT: Duration = Duration::from_secs(72 * 60 * 60);

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// CAEP 1.0 section 3.1. One session, or all that there were.
    SessionRevoked { session: Option<SessionId>, by: Initiator },
    /// CAEP 1.0 section 3.3.
    CredentialChange { credential: &'static str, change: &'static str, by: Initiator },
    /// CAEP 1.0 section 3.2: what `groups` are by now.
    Groups(Vec<String>),
    /// RISC 1.0 section 2.3.
    AccountDisabled,
    /// RISC 1.0 section 2.4.
    AccountEnabled,
    /// RISC 1.0 section 2.2: the account is gone for good.
    AccountPurged,
    /// RISC 1.0 section 2.5.
    IdentifierChanged { from: String, to: String },
}

/// Who has brought it about (CAEP 1.0 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiator {
    Admin,
    User,
    Policy,
}

impl Initiator {
    const fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Policy => "policy",
        }
    }
}

impl Happened {
    /// Somebody sets a second factor up (`create`), or gives one up (`revoke`). Recovery codes go with the others.
    pub(in crate::run) fn factor(kind: FactorKind, change: &'static str) -> Option<Self> {
        let credential = match kind {
            FactorKind::Totp => "app",
            FactorKind::Passkey => "fido2-roaming",
            FactorKind::Recovery => return None,
        };
        Some(Self::CredentialChange { credential, change, by: Initiator::User })
    }

    /// A password of theirs, of whatever it is good for.
    pub(in crate::run) fn password(change: &'static str) -> Self {
        Self::CredentialChange { credential: "password", change, by: Initiator::User }
    }

    /// The event's type.
    fn uri(&self) -> String {
        let (family, name) = match self {
            Self::SessionRevoked { .. } => (CAEP, "session-revoked"),
            Self::CredentialChange { .. } => (CAEP, "credential-change"),
            Self::Groups(_) => (CAEP, "token-claims-change"),
            Self::AccountDisabled => (RISC, "account-disabled"),
            Self::AccountEnabled => (RISC, "account-enabled"),
            Self::AccountPurged => (RISC, "account-purged"),
            Self::IdentifierChanged { .. } => (RISC, "identifier-changed"),
        };
        format!("{family}{name}")
    }

    fn claims(&self, now: Timestamp) -> Value {
        let mut claims = Map::new();
        let mut caep = |by: Initiator| {
            claims.insert("event_timestamp".into(), json!(now.seconds()));
            claims.insert("initiating_entity".into(), json!(by.word()));
        };
        match self {
            Self::SessionRevoked { by, .. } => caep(*by),
            Self::CredentialChange { credential, change, by } => {
                caep(*by);
                claims.insert("credential_type".into(), json!(credential));
                claims.insert("change_type".into(), json!(change));
            }
            Self::Groups(groups) => {
                caep(Initiator::Policy);
                claims.insert("claims".into(), json!({ "groups": groups }));
            }
            Self::IdentifierChanged { to, .. } => drop(claims.insert("new-value".into(), json!(to))),
            Self::AccountDisabled | Self::AccountEnabled | Self::AccountPurged => {}
        }
        Value::Object(claims)
    }

    /// Whom it is about (RFC 9493).
    fn subject(&self, tenant: &Tenant, sub: &str) -> Value {
        let person = json!({ "format": "iss_sub", "iss": tenant.issuer, "sub": sub });
        match self {
            Self::SessionRevoked { session: Some(session), .. } => json!({
                "format": "complex",
                "user": person,
                "session": { "format": "opaque", "id": session.to_string() },
            }),
            // RISC 1.0 section 2.5: the identifier that it was.
            Self::IdentifierChanged { from, .. } => json!({ "format": "email", "email": from }),
            _ => person,
        }
    }
}

impl Hub {
    /// The commands that tell every receiver of the tenant what happened to a person. They go into the unit that does it.
    pub(in crate::run) fn signals(
        &self,
        tenant: &TenantSnapshot,
        person: PersonId,
        (txn, now): (TraceId, Timestamp),
        happened: &[Happened],
    ) -> Vec<Command> {
        let Some(transmitter) = self.downstream(AppKind::SignalReceiver).and_then(|it| it.signals()) else {
            return Vec::new();
        };
        let mut commands = Vec::new();
        for app in tenant.view.apps.iter().filter(|app| app.kind == AppKind::SignalReceiver && app.enabled) {
            let Some(hears) = transmitter.hears(app) else { continue };
            let Some(sub) = self.known_as(tenant, &hears, person) else { continue };
            let subject = subject_hash(self.services.tokens.as_ref(), tenant.view.id, &sub);
            for one in happened.iter().filter(|one| self.may_hear(tenant, &hears, one)) {
                let signal = Signal {
                    id: SignalId::at(now, self.services.rng.as_ref()),
                    made: now,
                    txn: txn.to_string(),
                    event: one.uri(),
                    claims: one.claims(now),
                    subject: one.subject(&tenant.view, &sub),
                };
                let new = NewSignal { app: app.id, subject, expires: now + KEPT, signal };
                commands.push(Command::Signal(Box::new(new)));
            }
        }
        commands
    }

    /// The same by ids, for what no request of an app or a directory brings about.
    pub(in crate::run) fn signals_of(&self, tenant: TenantId, person: PersonId, happened: &[Happened]) -> Vec<Command> {
        let snapshot = self.snapshots.current();
        let Some(tenant) = snapshot.tenant(tenant) else { return Vec::new() };
        self.signals(tenant, person, (self.new_trace_id(), self.services.clock.now()), happened)
    }

    /// Where what happened is durable already, and could not be in one unit with this.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn announce(
        &self,
        tenant: &TenantSnapshot,
        person: PersonId,
        happened: &[Happened],
    ) -> Result<(), StoreError> {
        let now = self.services.clock.now();
        let commands = self.signals(tenant, person, (self.new_trace_id(), now), happened);
        if commands.is_empty() {
            return Ok(());
        }
        self.store.commit(tenant.view.id, Unit { commands, now }).await.map_err(|error| match error {
            UnitError::Store(error) => error,
            UnitError::Guard(guard) => StoreError(guard.to_string()),
        })
    }

    /// The same behind a kill, which goes on whether anybody can be told or not.
    pub(in crate::run) async fn announce_behind(
        &self,
        tenant: &TenantSnapshot,
        person: PersonId,
        happened: &[Happened],
    ) {
        if let Err(error) = self.announce(tenant, person, happened).await {
            tracing::error!(%error, %person, "receivers of signals could not be told of somebody who was ended");
        }
    }

    /// What the receiver knows the person by. `None`: the app whose names it knows is gone.
    fn known_as(&self, tenant: &TenantSnapshot, hears: &Hears, person: PersonId) -> Option<String> {
        let Some(client) = &hears.client else { return Some(person.to_string()) };
        let downstream = self.downstream(AppKind::OidcClient)?;
        let app = client_of(tenant, client)?;
        Some(self.sub(tenant.view.id, app, downstream.as_ref(), person))
    }

    fn may_hear(&self, tenant: &TenantSnapshot, hears: &Hears, happened: &Happened) -> bool {
        if !hears.events.contains(&happened.uri()) {
            return false;
        }
        match (happened, &hears.client) {
            // Names of groups are for whoever may ask for them.
            (Happened::Groups(_), Some(client)) => {
                let scopes = self.downstream(AppKind::OidcClient).zip(client_of(tenant, client));
                scopes
                    .is_some_and(|(oidc, app)| oidc.registered_scopes(&app.view).iter().any(|scope| scope == "groups"))
            }
            _ => true,
        }
    }
}

fn client_of<'t>(tenant: &'t TenantSnapshot, client: &str) -> Option<&'t OpenApp> {
    let app = tenant.view.app(AppKind::OidcClient, client)?;
    tenant.apps.get(&app.id).map(AsRef::as_ref)
}
