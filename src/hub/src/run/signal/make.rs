//! From what happened to the events of each receiver.

use std::time::Duration;

use fedbridge_contract::config::{AppKind, Tenant};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::AuthnFacts;
use fedbridge_contract::ids::{PersonId, SessionId, SignalId, TenantId, TraceId};
use fedbridge_contract::logout::DeviceWord;
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

/// The namespace of assurance levels: the values that `acr` has in this tenant's tokens.
const ACR: &str = "acr";

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// CAEP 1.0 section 3.1. One session, or all that there were.
    SessionRevoked { session: Option<SessionId>, by: Initiator },
    /// CAEP 1.0 section 3.3.
    CredentialChange { credential: &'static str, change: &'static str, by: Initiator },
    /// CAEP 1.0 section 3.2: what `groups` are by now.
    Groups(Vec<String>),
    /// CAEP 1.0 section 3.4: `acr` of a session before, if it had one, and by now.
    AssuranceLevel { session: SessionId, before: Option<String>, now: String, change: Option<&'static str> },
    /// CAEP 1.0 section 3.5, as an upstream has said it.
    DeviceCompliance(DeviceWord),
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

    /// A session goes on by another login. Which of two values of `acr` is higher nobody says; a second factor that came or
    /// went does.
    pub(in crate::run) fn assurance(session: SessionId, before: &AuthnFacts, now: &AuthnFacts) -> Option<Self> {
        let level = now.acr.clone().filter(|_| before.acr != now.acr)?;
        let has_second = |facts: &AuthnFacts| facts.amr.iter().any(|method| method == "mfa");
        let change = match (has_second(before), has_second(now)) {
            (false, true) => Some("increase"),
            (true, false) => Some("decrease"),
            _ => None,
        };
        Some(Self::AssuranceLevel { session, before: before.acr.clone(), now: level, change })
    }

    /// The event's type.
    fn uri(&self) -> String {
        let (family, name) = match self {
            Self::SessionRevoked { .. } => (CAEP, "session-revoked"),
            Self::CredentialChange { .. } => (CAEP, "credential-change"),
            Self::Groups(_) => (CAEP, "token-claims-change"),
            Self::AssuranceLevel { .. } => (CAEP, "assurance-level-change"),
            Self::DeviceCompliance(_) => (CAEP, "device-compliance-change"),
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
            Self::AssuranceLevel { before, now, change, .. } => {
                caep(Initiator::User);
                claims.insert("namespace".into(), json!(ACR));
                claims.insert("current_level".into(), json!(now));
                claims.extend(before.as_ref().map(|before| ("previous_level".into(), json!(before))));
                claims.extend(change.map(|change| ("change_direction".into(), json!(change))));
            }
            Self::DeviceCompliance(DeviceWord { compliant, .. }) => {
                let word = |compliant| if compliant { "compliant" } else { "not-compliant" };
                caep(Initiator::Policy);
                claims.insert("previous_status".into(), json!(word(!compliant)));
                claims.insert("current_status".into(), json!(word(*compliant)));
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
            Self::SessionRevoked { session: Some(session), .. } | Self::AssuranceLevel { session, .. } => json!({
                "format": "complex",
                "user": person,
                "session": { "format": "opaque", "id": session.to_string() },
            }),
            Self::DeviceCompliance(DeviceWord { device: Some(device), .. }) => {
                json!({ "format": "complex", "user": person, "device": device })
            }
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
