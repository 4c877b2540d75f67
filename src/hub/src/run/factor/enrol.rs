//! A second factor is set up: at a login where the tenant requires one, or by the person on the account page.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{FactorId, PersonId, SessionId};
use fedbridge_contract::page::{EnrolPage, Page};
use fedbridge_contract::services::random_text;
use fedbridge_contract::trace::{Outcome, TraceLog};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ask::credentials;
use super::manage::{AS_MANY, has_room};
use super::shown::{WRONG_CODE, WRONG_PASSKEY};
use super::{Held, Method, rp_id};
use crate::ports::{Command, Expected, FactorKind, NewFactor, NewPasskeyAnswer, StoredFactor, Unit};
use crate::run::account::account_of;
use crate::run::answer::Found;
use crate::run::ending::{Stop, Told};
use crate::run::finish::{Basis, Who, lost};
use crate::run::link::stale;
use crate::run::own::{field, origin};
use crate::run::record::{Purpose, base64_bytes};
use crate::run::session::{LiveSession, correlation_cookie};
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::run::start::Login;
use crate::run::trace::Ending;
use crate::run::{Happened, Hub, base32};

/// What the page needs to go on.
#[derive(Clone, Serialize, Deserialize)]
struct Proposed {
    place: Place,
    display: String,
    /// For an authenticator app (RFC 4226 section 4: 160 bits).
    #[serde(with = "base64_bytes")]
    secret: Vec<u8>,
    /// Recovery codes, where the person gets some.
    codes: Vec<String>,
    /// What a passkey has to answer, base64url.
    challenge: String,
    /// Passkeys that the person has, as options for the browser.
    known: Vec<serde_json::Value>,
}

/// Where it is set up.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// The login waits for it. Nobody may know the person yet.
    Login { held: Box<Held>, person: Option<PersonId> },
    /// In a session, on the account page.
    Account { session: SessionId, person: PersonId },
}

/// How many recovery codes a person gets, of 50 bits each.
const CODES: usize = 8;

impl Hub {
    pub(super) async fn ask_to_enrol(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        who: Who,
        found: Found,
        person: Option<PersonId>,
    ) -> Reply {
        let display = who.record.subject.display.clone();
        let place = Place::Login { held: Box::new(Held::of(&login, &who)), person };
        let proposed = self.proposed(place, display, &[]);
        let waiting = match self.waiting(&login, &connection, found.record.session, Purpose::Enrol, &proposed) {
            Ok(waiting) => waiting,
            Err(stop) => return self.give_up(login, found.id, stop).await,
        };
        match self.hand_over(&mut login, &who, &found, waiting.open).await {
            Ok(()) => self.enrol_page(&login, &proposed, &waiting.handle, None).with_cookie(waiting.cookie),
            Err(stop) => self.stop(login, stop, None, Some(who.record.subject.display)).await,
        }
    }

    /// The same in a session whose person has logged in just now.
    pub(super) async fn ask_to_enrol_in(
        &self,
        login: &mut Login,
        live: &LiveSession,
        connection: &OpenConnection,
        factors: &[StoredFactor],
    ) -> Result<Reply, Stop> {
        let place = Place::Account { session: live.stored.id, person: live.stored.person };
        let proposed = self.proposed(place, live.record.subject.display.clone(), factors);
        let waiting = self.waiting(login, connection, Some(live.prior()), Purpose::Enrol, &proposed)?;
        let unit = Unit { commands: vec![waiting.open], now: self.services.clock.now() };
        self.store.commit(login.tenant.view.id, unit).await.map_err(|error| lost(login, error))?;
        Ok(self.enrol_page(login, &proposed, &waiting.handle, None).with_cookie(waiting.cookie))
    }

    fn proposed(&self, place: Place, display: String, factors: &[StoredFactor]) -> Proposed {
        let rng = self.services.rng.as_ref();
        let mut secret = vec![0; 20];
        rng.fill(&mut secret);
        let has_codes = factors.iter().any(|factor| factor.kind == FactorKind::Recovery);
        let code = |_| {
            let mut octets = [0; 7];
            rng.fill(&mut octets);
            base32::encode(&octets).chars().take(10).collect()
        };
        let codes = if has_codes { Vec::new() } else { (0..CODES).map(code).collect() };
        let challenge = random_text::<32>(rng);
        Proposed { place, display, secret, codes, challenge, known: credentials(factors) }
    }

    fn enrol_page(&self, login: &Login, proposed: &Proposed, handle: &str, complaint: Option<&str>) -> Reply {
        let tenant = &login.tenant.view;
        let secret = base32::encode(&proposed.secret).to_ascii_uppercase();
        let page = EnrolPage {
            tenant: tenant.display_name.clone(),
            person: proposed.display.clone(),
            uri: otpauth(&tenant.display_name, &proposed.display, &secret),
            secret: base32::grouped(&secret, 4, ' '),
            passkey: rp_id(tenant).map(|rp_id| self.creation(login, proposed, &rp_id)),
            codes: proposed.codes.iter().map(|code| base32::grouped(code, 5, '-')).collect(),
            complaint: complaint.map(str::to_owned),
            onward: self.onward(login),
            form: self.waiting_form(login, "factor/enrol", handle),
        };
        Reply::page(Page::Enrol(Box::new(page))).in_language(login.locale())
    }

    /// PublicKeyCredentialCreationOptions (WebAuthn 3 section 5.4).
    fn creation(&self, login: &Login, proposed: &Proposed, rp_id: &str) -> String {
        let mut user = [0; 16];
        self.services.rng.fill(&mut user);
        let algorithms = [-7, -8, -257].map(|algorithm| json!({ "type": "public-key", "alg": algorithm }));
        let options = json!({
            "challenge": proposed.challenge,
            "rp": { "id": rp_id, "name": login.tenant.view.display_name },
            "user": { "id": URL_SAFE_NO_PAD.encode(user), "name": proposed.display, "displayName": proposed.display },
            "pubKeyCredParams": algorithms,
            "excludeCredentials": proposed.known,
            "authenticatorSelection": { "residentKey": "discouraged", "userVerification": "preferred" },
            "attestation": "none",
            "timeout": 300_000,
        });
        options.to_string()
    }

    /// `POST {issuer}/factor/enrol`.
    pub(in crate::run) async fn factor_proposed(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let mut login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let (mut found, proposed) = match self.waited::<Proposed>(&mut login, input, &[Purpose::Enrol]).await {
            Ok(waited) => waited,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        let purpose = match &proposed.place {
            Place::Login { held, .. } => held.purpose,
            Place::Account { .. } => Purpose::Account,
        };
        login.go_on(&mut found, purpose);
        let (mut login, found, connection) = match self.still_open(login, found).await {
            Ok(open) => open,
            Err(reply) => return *reply,
        };
        let Some((method, factor)) = self.accepted(&mut login, &proposed, input) else {
            let complaint = if field(input, "passkey").is_some() { WRONG_PASSKEY } else { WRONG_CODE };
            let page = self.enrol_page(&login, &proposed, &found.handle, Some(complaint));
            let cause = login.trace.cause().unwrap_or_default();
            self.record_try(login, cause, Outcome::Refused);
            return page;
        };
        let mut factors = vec![factor];
        factors.extend(proposed.codes.iter().map(|code| NewFactor {
            id: FactorId::random(self.services.rng.as_ref()),
            kind: FactorKind::Recovery,
            label: String::new(),
            secret: self.recovery_hash(&login, code),
            last_step: 0,
        }));
        let removal = correlation_cookie(tenant.view.id, &found.handle, String::new());
        let reply = match proposed.place {
            Place::Login { held, person } => {
                self.enrolled_at_login(login, connection, (*held, person, method), found, factors).await
            }
            Place::Account { session, person } => {
                self.enrolled_in(login, (session, person), found, factors, input).await
            }
        };
        reply.with_cookie(removal)
    }

    /// The factor that was set up, where what was sent shows that the person has it.
    fn accepted(&self, login: &mut Login, proposed: &Proposed, input: &HttpInput) -> Option<(Method, NewFactor)> {
        let id = FactorId::random(self.services.rng.as_ref());
        if let Some(answer) = field(input, "passkey") {
            let rp_id = rp_id(&login.tenant.view)?;
            let origin = origin(&login.tenant.view);
            let expected = Expected { challenge: &proposed.challenge, origin: &origin, rp_id: &rp_id };
            let answer = serde_json::from_str::<NewPasskeyAnswer>(&answer);
            let taken = answer.map_err(|_| "it can't be read".to_owned());
            let taken = taken.and_then(|answer| self.crypto.new_passkey(&answer, &expected));
            let (actual, passkey) = match taken {
                Ok(passkey) => ("it".to_owned(), Some(passkey)),
                Err(why) => (why, None),
            };
            login.trace.check("the new passkey", "WebAuthn 3 7.1", "a new passkey", actual, passkey.is_some());
            let passkey = passkey?;
            let (secret, last_step) = (serde_json::to_vec(&passkey).ok()?, i64::from(passkey.counter));
            let factor = NewFactor { id, kind: FactorKind::Passkey, label: "Passkey".into(), secret, last_step };
            return Some((Method::Passkey, factor));
        }
        let code = base32::typed(&field(input, "code").unwrap_or_default());
        let step = self.crypto.totp(&proposed.secret, &code, self.services.clock.now(), -1);
        let actual = if step.is_some() { "it" } else { "another one" };
        login.trace.check("the code", "RFC 6238 5.2", "the code of this time", actual, step.is_some());
        let (secret, last_step) = (proposed.secret.clone(), step?);
        let factor = NewFactor { id, kind: FactorKind::Totp, label: "Authenticator app".into(), secret, last_step };
        Some((Method::Code, factor))
    }

    /// It is stored with the login that goes on.
    async fn enrolled_at_login(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        (held, person, method): (Held, Option<PersonId>, Method),
        found: Found,
        factors: Vec<NewFactor>,
    ) -> Reply {
        // Somebody else with the password may have been faster, or the person in another window.
        let subject = &held.identity.subject.key;
        let linked = self.store.linked_person(login.tenant.view.id, connection.view.id, subject).await;
        let there = match linked {
            Ok(linked) => match linked.map(|linked| linked.person).or(person) {
                Some(person) => self.factors.factors(login.tenant.view.id, person).await,
                None => Ok(Vec::new()),
            },
            Err(error) => Err(error),
        };
        match there {
            Ok(there) if there.is_empty() => {}
            Ok(_) => {
                login.trace.decide("second factor", "the person has one by now", false);
                let stop = Stop::not_accepted("a second factor was set up meanwhile");
                let public = "This login was used before, or took too long. Please start again.";
                return self.give_up(login, found.id, stop.saying(public)).await;
            }
            Err(error) => return self.stop(login, Stop { told: Told::PersonOnly, ..error.into() }, None, None).await,
        }
        login.trace.decide("second factor", "it was set up", true);
        login.enrolled = factors;
        let basis = Basis::Fresh { transaction: Some(found.id), prior: found.record.session };
        self.finish(login, connection, held.who(method), basis).await
    }

    /// It is stored for the person of the session that asked for it.
    async fn enrolled_in(
        &self,
        login: Login,
        (session, person): (SessionId, PersonId),
        found: Found,
        factors: Vec<NewFactor>,
        input: &HttpInput,
    ) -> Reply {
        let mut login = Login { kind: "account", started: self.services.clock.now(), ..login };
        let live = match self.at_home(&login, input).await {
            Ok(live) => live.filter(|live| live.stored.id == session && live.stored.person == person),
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        let Some(live) = live else {
            let stop = Stop::not_accepted("the form came in another session than the page");
            return self.give_up(login, found.id, stop).await;
        };
        let named = Some(live.record.subject.display.clone());
        // A page that was left open may be found by somebody else.
        if let Some(age) = stale(&login, &live) {
            return self.log_in_again(login, live, age).await;
        }
        // Several pages may have been opened while there was room.
        let there = match self.factors.factors(login.tenant.view.id, person).await {
            Ok(there) if has_room(&there) => there,
            Ok(_) => {
                let stop = Stop::new(RefusalKind::AccessDenied, "Nothing was done.", AS_MANY);
                return self.stop(login, stop, None, named).await;
            }
            Err(error) => return self.stop(login, error.into(), None, named).await,
        };
        let mut commands = vec![Command::FinishTransaction(found.id)];
        // Each of those pages proposed recovery codes of its own: those of the page that is sent last are good.
        if factors.iter().any(|factor| factor.kind == FactorKind::Recovery) {
            let older = there.iter().filter(|factor| factor.kind == FactorKind::Recovery);
            commands.extend(older.map(|factor| Command::DropFactor { person, id: factor.id }));
        }
        let told: Vec<_> = factors.iter().filter_map(|factor| Happened::factor(factor.kind, "create")).collect();
        commands.extend(self.signals_of(login.tenant.view.id, person, &told));
        let keep = |factor| Command::KeepFactor { person, factor: Box::new(factor) };
        commands.extend(factors.into_iter().map(keep));
        let unit = Unit { commands, now: self.services.clock.now() };
        if let Err(error) = self.store.commit(login.tenant.view.id, unit).await {
            let stop = lost(&mut login, error);
            return self.stop(login, stop, None, named).await;
        }
        login.trace.decide("second factor", "it was set up", true);
        let account = account_of(&login.tenant);
        self.record(login, None, Ending { outcome: Outcome::Success, cause: String::new(), person: named });
        Reply::redirect(account)
    }
}

/// What authenticator apps read (their de facto standard, "Key Uri Format").
fn otpauth(issuer: &str, account: &str, secret: &str) -> String {
    let (issuer, account) = (escaped(issuer), escaped(account));
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}")
}

/// RFC 3986 section 2.3: all but unreserved characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_for_apps_holds_any_name() {
        assert_eq!(
            otpauth("Zoë & Co", "a@b?c", "ABC"),
            "otpauth://totp/Zo%C3%AB%20%26%20Co:a%40b%3Fc?secret=ABC&issuer=Zo%C3%AB%20%26%20Co"
        );
    }
}
