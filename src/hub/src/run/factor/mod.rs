//! Second factors of people who log in with a password: codes of an authenticator app, passkeys, and recovery codes.
//!
//! The password was right: its transaction is over, and another one [holds](Held) who it is until the person has
//! [shown](shown) a factor, or has [set one up](enrol). Nothing of the login is stored before.

mod ask;
mod enrol;
mod manage;
mod shown;

use std::sync::Arc;

use fedbridge_contract::config::{SecondFactorPolicy, Tenant};
use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::UpstreamTokens;
use fedbridge_contract::ids::PersonId;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::Hub;
use super::answer::Found;
use super::ending::Stop;
use super::finish::{Basis, Who, lost};
use super::password::Waiting;
use super::record::{AskedOnce, Purpose, SessionRecord};
use super::snapshot::OpenConnection;
use super::start::{Login, spent};
use crate::ports::{Command, FactorKind, StoredFactor, Unit};

pub(super) use shown::factor_account;

/// What comes between a right password and the end of the login.
pub(super) enum Wanted {
    Nothing,
    Ask(PersonId, Vec<StoredFactor>),
    /// The person has none, and has to have one. `None`: nobody knows the person yet.
    Enrol(Option<PersonId>),
}

/// Who has shown a right password.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    /// What the login is for.
    purpose: Purpose,
    identity: SessionRecord,
    tokens: Option<UpstreamTokens>,
}

impl Held {
    fn of(login: &Login, who: &Who) -> Self {
        Self { purpose: login.purpose, identity: who.record.clone(), tokens: who.tokens.clone() }
    }

    /// Who it is, by what was shown besides the password (RFC 8176).
    fn who(self, method: Method) -> Who {
        let mut record = self.identity;
        for word in [method.word(), "mfa"] {
            if !record.authn.amr.iter().any(|known| known == word) {
                record.authn.amr.push(word.to_owned());
            }
        }
        // What the upstream's answer used up was used up with the password.
        Who { record, once: Vec::new(), tokens: self.tokens }
    }
}

/// How a factor was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Code,
    Recovery,
    Passkey,
}

impl Method {
    const fn word(self) -> &'static str {
        match self {
            Self::Code | Self::Recovery => "otp",
            Self::Passkey => "hwk",
        }
    }
}

impl Hub {
    /// What the tenant asks for beside the password.
    pub(super) async fn factor_wanted(
        &self,
        login: &mut Login,
        connection: &OpenConnection,
        who: &Who,
    ) -> Result<Wanted, Stop> {
        let (tenant, policy) = (login.tenant.view.id, login.tenant.view.settings.second_factor);
        if policy == SecondFactorPolicy::Off {
            return Ok(Wanted::Nothing);
        }
        let linked = self.store.linked_person(tenant, connection.view.id, &who.record.subject.key).await?;
        let person = linked.map(|linked| linked.person);
        let factors = match person {
            Some(person) => self.factors.factors(tenant, person).await?,
            None => Vec::new(),
        };
        let (outcome, wanted) = match (person, policy) {
            (Some(person), _) if !factors.is_empty() => ("the person is asked for one", Wanted::Ask(person, factors)),
            (_, SecondFactorPolicy::Required) => ("required, and the person sets one up", Wanted::Enrol(person)),
            _ => ("offered, and the person has none", Wanted::Nothing),
        };
        login.trace.decide("second factor", outcome, true);
        Ok(wanted)
    }

    /// The password was right in the transaction that was found.
    pub(super) async fn with_factor(
        &self,
        login: Login,
        connection: Arc<OpenConnection>,
        who: Who,
        found: Found,
        wanted: Wanted,
    ) -> Reply {
        match wanted {
            Wanted::Nothing => {
                let basis = Basis::Fresh { transaction: Some(found.id), prior: found.record.session };
                self.finish(login, connection, who, basis).await
            }
            Wanted::Ask(person, factors) => self.ask_for_factor(login, connection, who, found, (person, factors)).await,
            Wanted::Enrol(person) => self.ask_to_enrol(login, connection, who, found, person).await,
        }
    }

    /// One unit ends the password's transaction, with what it has used up, and opens the next one.
    async fn hand_over(&self, login: &mut Login, who: &Who, found: &Found, open: Command) -> Result<(), Stop> {
        let mut commands = vec![Command::FinishTransaction(found.id)];
        commands.extend(who.once.iter().cloned().map(AskedOnce::from).map(spent));
        commands.push(open);
        let unit = Unit { commands, now: self.services.clock.now() };
        self.store.commit(login.tenant.view.id, unit).await.map_err(|error| lost(login, error))
    }

    /// What is kept of a recovery code.
    fn recovery_hash(&self, login: &Login, code: &str) -> Vec<u8> {
        self.services.tokens.mac(login.tenant.view.id, "recovery code", code.as_bytes()).to_vec()
    }
}

/// The relying party of passkeys (WebAuthn 3 section 5.1.2): our host. An address has no passkeys.
fn rp_id(tenant: &Tenant) -> Option<String> {
    match Url::parse(&tenant.issuer).ok()?.host()? {
        Host::Domain(host) => Some(host.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Whether it proves by itself who somebody is; recovery codes only stand in for another one.
fn is_own(factor: &StoredFactor) -> bool {
    factor.kind != FactorKind::Recovery
}
