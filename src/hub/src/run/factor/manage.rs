//! Second factors on the account page.

use fedbridge_contract::config::SecondFactorPolicy;
use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::FactorId;
use fedbridge_contract::page::{AccountRow, OwnForm};
use fedbridge_contract::time::Timestamp;

use super::is_own;
use crate::ports::{Command, StoredFactor, Unit};
use crate::run::ending::Stop;
use crate::run::finish::lost;
use crate::run::own::Act;
use crate::run::session::LiveSession;
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::run::start::Login;
use crate::run::{Happened, Hub};

/// The most that a person has, recovery codes aside.
const MOST: usize = 10;

/// Why there is no further one.
pub(super) const AS_MANY: &str = "the person has as many factors as there can be";

impl Hub {
    /// The rows, and the form that sets another one up where there is a use for one.
    pub(in crate::run) async fn factor_rows(
        &self,
        tenant: &TenantSnapshot,
        live: &LiveSession,
        form: &(dyn Fn(Act, &str) -> OwnForm + Sync),
    ) -> Result<(Vec<AccountRow>, Option<OwnForm>), fedbridge_contract::error::StoreError> {
        let factors = self.factors.factors(tenant.view.id, live.stored.person).await?;
        let own: Vec<_> = factors.iter().filter(|factor| is_own(factor)).collect();
        let row = |factor: &&StoredFactor| AccountRow {
            name: factor.label.clone(),
            since: Some(Timestamp::rfc3339_seconds(factor.created)),
            note: None,
            here: false,
            form: Some(form(Act::DropFactor, &factor.id.to_string())),
        };
        let rows = own.iter().map(row).collect();
        let room = has_room(&factors) && has_use(tenant, live);
        Ok((rows, room.then(|| form(Act::Enrol, ""))))
    }

    /// The page on which one is set up.
    pub(in crate::run) async fn enrol(&self, login: &mut Login, live: &LiveSession) -> Result<Reply, Stop> {
        let tenant = std::sync::Arc::clone(&login.tenant);
        let connection = tenant.connections.get(&live.stored.connection);
        let factors = self.factors.factors(tenant.view.id, live.stored.person).await?;
        let refused = |cause| Stop::new(RefusalKind::AccessDenied, "Nothing was done.", cause);
        if !has_room(&factors) {
            return Err(refused(AS_MANY));
        }
        match connection.filter(|_| has_use(&tenant, live)) {
            Some(connection) => self.ask_to_enrol_in(login, live, connection, &factors).await,
            None => Err(refused("the person logs in without a password of ours")),
        }
    }

    /// Takes one away. With the last one the recovery codes go.
    pub(in crate::run) async fn drop_factor(
        &self,
        login: &mut Login,
        live: &LiveSession,
        object: &str,
    ) -> Result<String, Stop> {
        let (tenant, person) = (login.tenant.view.id, live.stored.person);
        let wanted = object.parse::<FactorId>().ok();
        let factors = self.factors.factors(tenant, person).await?;
        let Some(factor) = factors.iter().find(|factor| Some(factor.id) == wanted && is_own(factor)) else {
            return Ok("a factor that is gone already".to_owned());
        };
        let last = factors.iter().filter(|factor| is_own(factor)).count() == 1;
        if last && login.tenant.view.settings.second_factor == SecondFactorPolicy::Required {
            let public = "Your administrator asks for a second step. Set up another one before you remove this one.";
            return Err(Stop::new(RefusalKind::AccessDenied, public, "the last factor, and the tenant requires one"));
        }
        let gone = factors.iter().filter(|other| other.id == factor.id || last);
        let mut commands: Vec<_> = gone.map(|factor| Command::DropFactor { person, id: factor.id }).collect();
        let told: Vec<_> = Happened::factor(factor.kind, "revoke").into_iter().collect();
        commands.extend(self.signals_of(tenant, person, &told));
        let unit = Unit { commands, now: self.services.clock.now() };
        self.store.commit(tenant, unit).await.map_err(|error| lost(login, error))?;
        Ok(format!("{}, set up at {}", factor.label, factor.created.rfc3339_seconds()))
    }
}

/// Whether the person may have one more.
pub(super) fn has_room(factors: &[StoredFactor]) -> bool {
    factors.iter().filter(|factor| is_own(factor)).count() < MOST
}

/// Only who types a password here is ever asked for more.
fn has_use(tenant: &TenantSnapshot, live: &LiveSession) -> bool {
    let types = |open: &OpenConnection| open.state.as_ref().is_ok_and(|ready| ready.adapter.password.is_some());
    let connection = tenant.connections.get(&live.stored.connection);
    tenant.view.settings.second_factor != SecondFactorPolicy::Off && connection.is_some_and(|open| types(open))
}
