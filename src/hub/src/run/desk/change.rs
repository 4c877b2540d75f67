//! A person changes the password over LDAP (RFC 3062).

use fedbridge_contract::directory::{BindAnswer, BoundBy, PersonBind};
use fedbridge_contract::password::{Change, Changed, Known, Password};
use fedbridge_contract::services::Gate as _;
use fedbridge_contract::trace::TraceLog;

use super::person::Standing;
use super::upstream::logins;
use crate::run::Hub;
use crate::run::password::{Verdict, folded, password_side};

impl Hub {
    /// At the first of the person's connections. `ask` has the password until now.
    pub(super) async fn change_by_bind(&self, ask: PersonBind<'_>, new: &Password, trace: &mut TraceLog) -> BindAnswer {
        let snapshot = self.snapshots.current();
        let directory = ask.tenant.settings.ldap.as_ref();
        let (Some(tenant), Some(person)) = (snapshot.tenant(ask.tenant.id), ask.person) else {
            return BindAnswer::No("nobody has this name".to_owned());
        };
        if !directory.is_some_and(|directory| directory.password_modify) {
            return BindAnswer::No("passwords are not changed here".to_owned());
        }
        let logins = logins(tenant, &ask, person);
        let Some((connection, login)) = logins.first() else {
            return BindAnswer::No("no password connection of the directory knows the person".to_owned());
        };
        let of = (Standing::of(person), Some(connection.view.id), self.gate.epoch());
        let permit = match self.may_bind(&ask, &person.claims, of, trace).await {
            Ok(permit) => permit,
            Err(answer) => return answer,
        };
        let account = folded(ask.name);
        let (admitted, _) = match self.admit_bind(&ask, connection, &account, trace).await {
            Ok(admitted) => admitted,
            Err(why) => return BindAnswer::No(why),
        };
        let Some(side) = password_side(connection) else {
            admitted.was(Verdict::Unsaid);
            return BindAnswer::Unavailable("the connection can't be used".to_owned());
        };
        let known = Known { key: &login.key, place: login.place.as_deref() };
        let change = Change { known, old: ask.password, new, now: self.services.clock.now() };
        match side.change(change, trace).await {
            Changed::Yes => {
                admitted.was(Verdict::Right);
                trace.decide("password", "it was changed", true);
                self.password_is_another(ask.tenant.id, person.id).await;
                let by = BoundBy::Upstream(connection.view.id);
                BindAnswer::Yes { permit, person: Some(person.id), by, cached_until: None, warning: None }
            }
            Changed::Refused(refusal) => {
                admitted.was(Verdict::of(&refusal));
                BindAnswer::No(format!("the password until now is not right: {}", refusal.upstream_code))
            }
            Changed::Policy(why) => {
                // A rule may have been looked at before the old password was.
                admitted.was(Verdict::Unsaid);
                BindAnswer::No(format!("the new password was not accepted: {why}"))
            }
            Changed::Unavailable(error) => {
                admitted.was(Verdict::Unsaid);
                BindAnswer::Unavailable(error.cause)
            }
        }
    }
}
