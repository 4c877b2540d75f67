//! The password of the connection that a person comes from, asked there each time.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::directory::{BindAnswer, BoundBy, DirectoryPerson, KnownLogin, PersonBind};
use fedbridge_contract::ids::FactorId;
use fedbridge_contract::password::{Known, Password, Prove, Proved};
use fedbridge_contract::services::Guess;
use fedbridge_contract::trace::TraceLog;

use super::person::{Led, Standing};
use crate::ports::{FactorKind, FactorUse, StoredFactor};
use crate::run::Hub;
use crate::run::app_password::Allowed;
use crate::run::factor::factor_account;
use crate::run::password::{Admitted, Verdict, folded, password_side};
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::throttle::DeviceKey;

/// An upstream that takes longer is silent, whatever its adapter thinks.
const PATIENCE: Duration = Duration::from_secs(20);

/// A password with what stands behind it.
struct WithCode {
    password: Password,
    code: String,
}

impl Hub {
    pub(super) async fn by_upstream(
        &self,
        tenant: &Arc<TenantSnapshot>,
        ask: &PersonBind<'_>,
        person: &DirectoryPerson,
        allowed: Allowed,
        trace: &mut TraceLog,
    ) -> Led {
        let with_code = if allowed.otp_suffix { split(ask.password) } else { None };
        let logins = logins(tenant, ask, person);
        if logins.is_empty() {
            trace.decide("password", "no password connection of the directory knows the person", false);
            return Led::Nowhere("only an app password would do".to_owned());
        }
        let Some(with_code) = with_code else {
            if !allowed.upstream {
                let outcome = "no code stands behind the password, and this app asks for one";
                trace.decide("second factor", outcome, false);
                return Led::Nowhere("there is no code behind the password".to_owned());
            }
            return self.first_yes(ask, person, &logins, ask.password, trace).await;
        };
        Box::pin(self.with_code(ask, person, &logins, allowed, with_code, trace)).await
    }

    /// A password with what looks like a code behind it.
    async fn with_code(
        &self,
        ask: &PersonBind<'_>,
        person: &DirectoryPerson,
        logins: &[(Arc<OpenConnection>, &KnownLogin)],
        allowed: Allowed,
        with_code: WithCode,
        trace: &mut TraceLog,
    ) -> Led {
        let totp = match self.authenticators(ask, person).await {
            Ok(totp) => totp,
            Err(answer) => return Led::Over(answer),
        };
        // Where both are taken and the code is none, the comma is part of the password. Nobody learns of this look: what
        // follows is a try at a password either way.
        if allowed.upstream && self.step_of(&totp, &with_code.code).is_none() {
            return self.first_yes(ask, person, logins, ask.password, trace).await;
        }
        if totp.is_empty() {
            trace.decide("second factor", "the person has no authenticator app", false);
            return Led::Nowhere("there is nothing to compare the code with".to_owned());
        }
        // The password first: codes are counted for the person wherever they are typed, and whoever does not know the
        // password must not use these tries up.
        match self.first_yes(ask, person, logins, &with_code.password, trace).await {
            Led::To { person: id, by, expires, standing, warning, .. } => {
                match self.code_is_right(ask, person, &totp, &with_code.code, trace).await {
                    Ok(()) => Led::To { person: id, by, expires, standing, once: true, warning },
                    Err(answer) => Led::Over(answer),
                }
            }
            // Nobody has looked at the code: it must not be told that the password before it is right.
            Led::Barred { why, .. } => Led::Nowhere(why),
            led => led,
        }
    }

    /// Asks one connection after the other.
    async fn first_yes(
        &self,
        ask: &PersonBind<'_>,
        person: &DirectoryPerson,
        logins: &[(Arc<OpenConnection>, &KnownLogin)],
        password: &Password,
        trace: &mut TraceLog,
    ) -> Led {
        let mut why = Led::Nowhere("no connection was asked".to_owned());
        for (connection, login) in logins {
            why = self.prove(ask, person, (connection, login), password, trace).await.or(why);
            if matches!(why, Led::To { .. }) {
                break;
            }
        }
        why
    }

    async fn prove(
        &self,
        ask: &PersonBind<'_>,
        person: &DirectoryPerson,
        (connection, login): (&Arc<OpenConnection>, &KnownLogin),
        password: &Password,
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
        let known = Known { key: &login.key, place: login.place.as_deref() };
        let asked = Prove { known, password, thread: ask.thread, now: self.services.clock.now() };
        let proved = tokio::time::timeout(PATIENCE, side.prove(asked, trace)).await;
        let slug = &connection.view.slug;
        match proved {
            Ok(Proved::Yes { warning, .. }) => {
                admitted.was(Verdict::Right);
                self.know_address(ask.tenant.id, from);
                trace.decide("password", format!("right at {slug}"), true);
                let by = BoundBy::Upstream(connection.view.id);
                Led::To { person: person.id, by, expires: None, standing: Standing::of(person), once: false, warning }
            }
            Ok(Proved::No(refusal)) => {
                admitted.was(Verdict::of(&refusal));
                trace.decide("password", format!("not accepted at {slug}: {}", refusal.upstream_code), false);
                Led::refused(&refusal, slug)
            }
            Ok(Proved::Unavailable(error)) => {
                admitted.was(Verdict::Unsaid);
                trace.decide("password", format!("{slug} is silent: {}", error.cause), false);
                Led::Over(BindAnswer::Unavailable(format!("{slug} is silent: {}", error.cause)))
            }
            Err(_) => {
                admitted.was(Verdict::Unsaid);
                trace.decide("password", format!("{slug} is silent"), false);
                Led::Over(BindAnswer::Unavailable(format!("{slug} is silent")))
            }
        }
    }

    /// Whether a connection may be asked, with what the bind comes from.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn admit_bind(
        &self,
        ask: &PersonBind<'_>,
        connection: &OpenConnection,
        account: &str,
        trace: &mut TraceLog,
    ) -> Result<(Admitted, DeviceKey), String> {
        let of_connection = format!("{}\n{account}", connection.view.id);
        let from = self.address(ask.tenant.id, &of_connection, ask.app, ask.peer);
        let guess = Guess {
            tenant: ask.tenant.id,
            connection: Some(connection.view.id),
            account,
            peer: ask.peer.ip,
            through: ask.app.map(|app| app.id),
            known_device: None,
            lockout: password_side(connection).and_then(|side| side.lockout()),
        };
        match self.admit(guess, Some(from), trace).await {
            Ok(admitted) => Ok((admitted, from)),
            Err(wait) => Err(format!("too many wrong passwords; again in {} s", wait.as_secs())),
        }
    }

    /// What a code is compared with.
    async fn authenticators(
        &self,
        ask: &PersonBind<'_>,
        person: &DirectoryPerson,
    ) -> Result<Vec<StoredFactor>, BindAnswer> {
        let factors = self.factors.factors(ask.tenant.id, person.id).await;
        let mut factors = factors.map_err(|error| BindAnswer::Unavailable(error.to_string()))?;
        factors.retain(|factor| factor.kind == FactorKind::Totp);
        Ok(factors)
    }

    /// Whose code it is, and of which time, where it has not been used.
    fn step_of(&self, totp: &[StoredFactor], code: &str) -> Option<(FactorId, i64)> {
        let now = self.services.clock.now();
        totp.iter().find_map(|factor| Some((factor.id, self.crypto.totp(&factor.secret, code, now, factor.last_step)?)))
    }

    /// Uses the code, where it is one of the person's. The password was right.
    ///
    /// # Errors
    /// It is none, was used before, or nobody can say.
    async fn code_is_right(
        &self,
        ask: &PersonBind<'_>,
        person: &DirectoryPerson,
        totp: &[StoredFactor],
        code: &str,
        trace: &mut TraceLog,
    ) -> Result<(), BindAnswer> {
        let tenant = ask.tenant.id;
        let account = factor_account(person.id);
        let guess = Guess {
            tenant,
            connection: None,
            account: &account,
            peer: ask.peer.ip,
            through: ask.app.map(|app| app.id),
            known_device: None,
            lockout: None,
        };
        let Ok(admitted) = self.admit(guess, None, trace).await else {
            return Err(BindAnswer::No("too many wrong codes".to_owned()));
        };
        let used = match self.step_of(totp, code) {
            None => Ok(false),
            Some((id, step)) => {
                self.factors.use_factor(tenant, id, FactorUse::Step(step), self.services.clock.now()).await
            }
        };
        let right = match used {
            Ok(right) => right,
            Err(error) => {
                admitted.was(Verdict::Unsaid);
                return Err(BindAnswer::Unavailable(error.to_string()));
            }
        };
        admitted.was(if right { Verdict::Right } else { Verdict::Wrong });
        let actual = if right { "it" } else { "another one, or one that was used before" };
        trace.check("the code", "RFC 6238 5.2", "the code of this time, for the first time", actual, right);
        if right { Ok(()) } else { Err(BindAnswer::No("the code is not right, or was used before".to_owned())) }
    }
}

/// The person's logins at the directory's password connections, in the order of these.
pub(super) fn logins<'p>(
    tenant: &Arc<TenantSnapshot>,
    ask: &PersonBind<'_>,
    person: &'p DirectoryPerson,
) -> Vec<(Arc<OpenConnection>, &'p KnownLogin)> {
    let open = connections(tenant, ask);
    let of = |open: &Arc<OpenConnection>| person.logins.iter().find(|login| login.connection == open.view.id);
    open.into_iter().filter_map(|open| Some((Arc::clone(&open), of(&open)?))).collect()
}

/// The connections that check passwords of binds, in their order.
pub(super) fn connections(tenant: &Arc<TenantSnapshot>, ask: &PersonBind<'_>) -> Vec<Arc<OpenConnection>> {
    let slugs = tenant.view.settings.ldap.iter().flat_map(|directory| &directory.password_connections);
    let named = slugs.filter_map(|slug| tenant.connection(slug).cloned());
    let usable = |open: &Arc<OpenConnection>| {
        open.view.enabled && ask.app.is_none_or(|app| app.allows(open.view.id)) && password_side(open).is_some()
    };
    named.filter(usable).collect()
}

/// A password and the code behind its last comma.
fn split(password: &Password) -> Option<WithCode> {
    let comma = password.octets().iter().rposition(|octet| *octet == b',')?;
    let (before, code) = password.octets().split_at(comma);
    let code = std::str::from_utf8(&code[1..]).ok().map(str::trim)?;
    let is_code = code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit());
    Some(WithCode { password: Password::new(before).filter(|_| is_code)?, code: code.to_owned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_behind_the_last_comma() {
        let split = |text: &str| {
            let with_code = split(&Password::new(text).unwrap())?;
            Some((with_code.password.text().unwrap().to_owned(), with_code.code))
        };
        let is = |password: &str| Some((password.to_owned(), "123456".to_owned()));
        assert_eq!(split("secret,123456"), is("secret"));
        assert_eq!(split("a,b,123456"), is("a,b"));
        for text in ["secret", "secret,12345", "secret,1234567", "secret,12345a", ",123456", "123456", "secret,"] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
