//! Somebody binds whom the directory does not show: the connections may know the name, and who it is appears as by a
//! login.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::directory::{BindAnswer, BoundBy, PersonBind, ProvisionedRecord};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::password::{Attempt, PasswordOutcome, Why};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::Gate as _;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::LoginWish;
use serde_json::Value;

use super::person::{Led, Standing};
use super::upstream::connections;
use crate::run::Hub;
use crate::run::app_password::Allowed;
use crate::run::password::{Verdict, folded, password_side};
use crate::run::provision::NotMade;
use crate::run::snapshot::{OpenConnection, TenantSnapshot};

/// As with people who are known, and for a search besides.
const PATIENCE: Duration = Duration::from_secs(30);

impl Hub {
    pub(super) async fn by_newcomer(
        &self,
        tenant: &Arc<TenantSnapshot>,
        ask: &PersonBind<'_>,
        allowed: Allowed,
        trace: &mut TraceLog,
    ) -> Led {
        if !allowed.upstream {
            trace.decide("person", "nobody here has this name, and so no second factor either", false);
            return Led::Nowhere("nobody has this name".to_owned());
        }
        let mut why = Led::Nowhere("nobody has this name, and no connection could know it".to_owned());
        for connection in connections(tenant, ask) {
            why = self.ask_about(tenant, &connection, ask, trace).await.or(why);
            if matches!(why, Led::To { .. }) {
                break;
            }
        }
        why
    }

    async fn ask_about(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        ask: &PersonBind<'_>,
        trace: &mut TraceLog,
    ) -> Led {
        let account = folded(ask.name);
        let (admitted, from) = match self.admit_bind(ask, connection, &account, trace).await {
            Ok(admitted) => admitted,
            Err(why) => return Led::Nowhere(why),
        };
        let Some(side) = password_side(connection) else {
            admitted.was(Verdict::Unsaid);
            return Led::Over(BindAnswer::Unavailable("the connection can't be used".to_owned()));
        };
        let (id, slug) = (tenant.view.id, &connection.view.slug);
        let now = self.services.clock.now();
        let transaction = TransactionId::at(now, self.services.rng.as_ref());
        let attempt = Attempt {
            tenant: &tenant.view,
            name: ask.name,
            password: ask.password,
            wish: &LoginWish::default(),
            transaction,
            peer: ask.peer.ip,
            now,
        };
        let minter = Minter::for_transaction(id, connection.view.id, transaction);
        match tokio::time::timeout(PATIENCE, side.verify(attempt, minter, trace)).await {
            Ok(PasswordOutcome::Accepted { identity, warning })
                if identity.proof.covers(id, connection.view.id, transaction) =>
            {
                admitted.was(Verdict::Right);
                self.know_address(id, from);
                match self.made_known(tenant, connection, ask, *identity, trace).await {
                    Led::To { person, by, expires, standing, once, .. } => {
                        Led::To { person, by, expires, standing, once, warning }
                    }
                    led => led,
                }
            }
            Ok(PasswordOutcome::Accepted { .. }) => {
                admitted.was(Verdict::Unsaid);
                trace.decide("proof", "the identity was not verified for this bind", false);
                Led::Nowhere("proof of another bind".to_owned())
            }
            Ok(PasswordOutcome::MustChange { .. }) => {
                admitted.was(Verdict::Right);
                trace.decide("password", format!("right at {slug}, but it has to be changed first"), false);
                let why = "the password has to be changed first".to_owned();
                Led::Barred { reason: Why::PasswordExpired, why }
            }
            Ok(PasswordOutcome::Rejected(refusal)) => {
                admitted.was(Verdict::of(&refusal));
                trace.decide("password", format!("not accepted at {slug}: {}", refusal.upstream_code), false);
                Led::refused(&refusal, slug)
            }
            Ok(PasswordOutcome::Unavailable(error)) => {
                admitted.was(Verdict::Unsaid);
                Led::Over(BindAnswer::Unavailable(format!("{slug} is silent: {}", error.cause)))
            }
            Err(_) => {
                admitted.was(Verdict::Unsaid);
                Led::Over(BindAnswer::Unavailable(format!("{slug} is silent")))
            }
        }
    }

    /// Who was verified just now, as a person of the tenant.
    async fn made_known(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        ask: &PersonBind<'_>,
        identity: AuthenticatedIdentity,
        trace: &mut TraceLog,
    ) -> Led {
        let given_out = self.gate.epoch();
        let place = identity.tokens.as_ref().and_then(|tokens| tokens.memory.get("place")).and_then(Value::as_str);
        let record = ProvisionedRecord {
            place: place.map(str::to_owned),
            subject: identity.subject,
            attributes: identity.attributes,
            disabled: None,
        };
        let person = match self.appear(tenant, connection, &record, trace).await {
            Ok(person) => person,
            Err(NotMade::Refused(why)) => {
                trace.decide("person", why.clone(), false);
                return Led::Nowhere(why);
            }
            Err(NotMade::Store(error)) => return Led::Over(BindAnswer::Unavailable(error.to_string())),
        };
        let known = match self.profiles.profiled(tenant.view.id, &[person]).await {
            Ok(people) => people.into_iter().next(),
            Err(error) => return Led::Over(BindAnswer::Unavailable(error.to_string())),
        };
        let (standing, claims) = match &known {
            Some(known) => {
                let profile = known.profiles.iter().find(|profile| profile.connection == connection.view.id);
                let claims = profile.map(|profile| profile.profile.claims.clone()).unwrap_or_default();
                (Standing { disabled: known.disabled, epoch: known.epoch }, claims)
            }
            None => return Led::Nowhere("the person has no profile yet: a login on the web makes one".to_owned()),
        };
        match self.may_bind(ask, &claims, (standing, Some(connection.view.id), given_out), trace).await {
            Ok(_) => Led::To {
                person,
                by: BoundBy::Upstream(connection.view.id),
                expires: None,
                standing,
                once: false,
                warning: None,
            },
            Err(answer) => Led::Over(answer),
        }
    }
}
