//! A second factor was shown.

use std::sync::Arc;

use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::services::Guess;
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::ask::{Asking, passkey};
use super::{Method, rp_id};
use crate::ports::{Expected, FactorKind, FactorUse, PasskeyAnswer, StoredFactor};
use crate::run::answer::Found;
use crate::run::ending::{Stop, Told};
use crate::run::finish::Basis;
use crate::run::own::{field, origin};
use crate::run::password::{Verdict, too_many};
use crate::run::record::Purpose;
use crate::run::session::correlation_cookie;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::Login;
use crate::run::{Hub, base32};

pub(super) const WRONG_CODE: &str = "This code is not right, or was used before.";
pub(super) const WRONG_PASSKEY: &str = "The passkey was not accepted.";

impl Hub {
    /// `POST {issuer}/factor`.
    pub(in crate::run) async fn factor_shown(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let mut login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let (mut found, asking) = match self.waited::<Asking>(&mut login, input, &[Purpose::SecondFactor]).await {
            Ok(waited) => waited,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        login.go_on(&mut found, asking.held.purpose);
        let (mut login, found, connection) = match self.still_open(login, found).await {
            Ok(open) => open,
            Err(reply) => return *reply,
        };
        let factors = match self.factors.factors(tenant.view.id, asking.person).await {
            Ok(factors) => factors,
            // Nobody got an answer: the page stays, and the person can try again.
            Err(error) => {
                return self.stop(login, Stop { told: Told::PersonOnly, ..error.into() }, None, None).await;
            }
        };
        if factors.is_empty() {
            return self.give_up(login, found.id, Stop::not_accepted("the factors are gone since the page")).await;
        }
        let account = factor_account(asking.person);
        let admitted = match self.admit(own_guess(&login, &account), None, &mut login.trace).await {
            Ok(admitted) => admitted,
            Err(wait) => {
                let page = self.factor_page(&login, &asking, &factors, &found.handle, Some(&too_many(wait)));
                self.record_try(login, "too many tries".to_owned(), Outcome::Refused);
                return page;
            }
        };
        match self.proves(&mut login, &asking, &factors, input).await {
            Ok(Some(method)) => {
                admitted.was(Verdict::Right);
                let Found { id, handle, record } = found;
                let basis = Basis::Fresh { transaction: Some(id), prior: record.session };
                let removal = correlation_cookie(tenant.view.id, &handle, String::new());
                self.finish(login, connection, asking.held.who(method), basis).await.with_cookie(removal)
            }
            Ok(None) => {
                admitted.was(Verdict::Wrong);
                let complaint = if answers(input).is_some() { WRONG_PASSKEY } else { WRONG_CODE };
                let page = self.factor_page(&login, &asking, &factors, &found.handle, Some(complaint));
                let cause = login.trace.cause().unwrap_or_default();
                self.record_try(login, cause, Outcome::Refused);
                page
            }
            Err(stop) => {
                admitted.was(Verdict::Unsaid);
                self.stop(login, Stop { told: Told::PersonOnly, ..stop }, None, None).await
            }
        }
    }

    /// Whether what was sent is a factor of the person, which is used with this.
    async fn proves(
        &self,
        login: &mut Login,
        asking: &Asking,
        factors: &[StoredFactor],
        input: &HttpInput,
    ) -> Result<Option<Method>, Stop> {
        if let Some(answer) = answers(input) {
            return self.passkey_proves(login, asking, factors, answer).await;
        }
        let code = base32::typed(&field(input, "code").unwrap_or_default());
        let now = self.services.clock.now();
        let tenant = login.tenant.view.id;
        let source = "RFC 6238 5.2";
        for factor in factors.iter().filter(|factor| factor.kind == FactorKind::Totp) {
            if let Some(step) = self.crypto.totp(&factor.secret, &code, now, factor.last_step) {
                let first = self.factors.use_factor(tenant, factor.id, FactorUse::Step(step), now).await?;
                let actual = if first { "it" } else { "one that was used just now" };
                login.trace.check("the code", source, "the code of this time, for the first time", actual, first);
                return Ok(first.then_some(Method::Code));
            }
        }
        let hash = self.recovery_hash(login, &code);
        let mut sheet = factors.iter().filter(|factor| factor.kind == FactorKind::Recovery);
        if let Some(factor) = sheet.find(|factor| factor.secret == hash) {
            let first = self.factors.use_factor(tenant, factor.id, FactorUse::Up, now).await?;
            let actual = if first { "a recovery code, which is used up" } else { "a recovery code that was used" };
            login.trace.check("the code", "", "one that is good", actual, first);
            return Ok(first.then_some(Method::Recovery));
        }
        let actual = "another one, or one that was used before";
        login.trace.check("the code", source, "the code of this time, for the first time", actual, false);
        Ok(None)
    }

    async fn passkey_proves(
        &self,
        login: &mut Login,
        asking: &Asking,
        factors: &[StoredFactor],
        answer: PasskeyAnswer,
    ) -> Result<Option<Method>, Stop> {
        let source = "WebAuthn 3 7.2";
        let own = factors.iter().filter_map(|factor| Some((factor, passkey(factor)?)));
        let mut own = own.filter(|(_, key)| key.id == answer.id);
        let (tenant, now) = (Arc::clone(&login.tenant), self.services.clock.now());
        let (Some((factor, key)), Some(rp_id)) = (own.next(), rp_id(&tenant.view)) else {
            login.trace.check("the passkey", source, "one of the person's", "another one", false);
            return Ok(None);
        };
        let origin = origin(&tenant.view);
        let expected = Expected { challenge: &asking.challenge, origin: &origin, rp_id: &rp_id };
        match self.crypto.passkey(&key, &answer, &expected) {
            Ok(counter) => {
                let used = FactorUse::Counter(counter);
                let onward = self.factors.use_factor(tenant.view.id, factor.id, used, now).await?;
                let actual = if onward { "it" } else { "one whose counter went back: it may be a copy" };
                login.trace.check("the passkey", source, "one of the person's", actual, onward);
                Ok(onward.then_some(Method::Passkey))
            }
            Err(why) => {
                login.trace.check("the passkey", source, "one of the person's", why, false);
                Ok(None)
            }
        }
    }
}

/// What the page's script has filled in.
fn answers(input: &HttpInput) -> Option<PasskeyAnswer> {
    serde_json::from_str(&field(input, "passkey")?).ok()
}

/// Codes of a person are counted together, whichever they are.
pub(in crate::run) fn factor_account(person: PersonId) -> String {
    format!("second factor of {person}")
}

/// A guess at something that is checked here.
pub(in crate::run) fn own_guess<'a>(login: &Login, account: &'a str) -> Guess<'a> {
    Guess {
        tenant: login.tenant.view.id,
        connection: None,
        account,
        peer: login.peer,
        through: None,
        known_device: None,
        lockout: None,
    }
}
