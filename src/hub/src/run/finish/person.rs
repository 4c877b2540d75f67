//! Who a login is of: somebody who is known, somebody new, or nobody who may come in.
//!
//! The link is (connection, upstream subject). An e-mail address is data: it is a reason to ask or to refuse,
//! and never links anybody, but where an administrator has said that a pushing directory names its people by it.

use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::page::WayBack;
use fedbridge_contract::trace::TraceLog;
use serde_json::Value;

use super::claims::address_of;
use super::pushed::Comes;
use super::{Basis, Finishing};
use crate::decide::owns;
use crate::ports::{Command, IdentityNews, LinkedPerson, NewLink, StoredSession, Tombstone, TombstoneReason};
use crate::run::Hub;
use crate::run::ending::{NOT_ALLOWED, Stop};
use crate::run::push::Pushed;
use crate::run::start::Login;
use crate::spec::{Create, PeopleSpec, SameEmail};

/// Whose login it is.
pub(in crate::run) struct Whose {
    pub person: LinkedPerson,
    /// What ties the login to them, in the unit that stores it.
    pub ties: Vec<Command>,
    /// Nobody has seen them before.
    pub is_new: bool,
}

/// What is known of whose login it is.
pub(super) enum Found {
    Person(Box<Whose>),
    /// Only the person can say whether they have an account already: who that is logs in here.
    Unsure(Option<WayBack>),
}

impl Hub {
    /// The person behind the identity. `claims` are all that the mapping made.
    pub(super) async fn person(&self, last: &mut Finishing<'_>, comes: Comes, claims: &Claims) -> Result<Found, Stop> {
        if let Basis::Session { stored, .. } = last.basis {
            let StoredSession { person, person_disabled: disabled, person_epoch: epoch, .. } = *stored;
            let person = LinkedPerson::of_session(person, disabled, epoch);
            // The session was theirs before.
            return Ok(Found::Person(Box::new(Whose { person, ties: Vec::new(), is_new: false })));
        }
        let (tenant, connection) = (last.login.tenant.view.id, last.connection.view.id);
        let subject = &last.who.record.subject;
        let Comes { linked, pushed, said } = comes;
        self.same_scope(last).await?;
        // What a directory pushes is no word of this connection about an address.
        let address = match said {
            Some(_) => address_of(last),
            None => verified_address(claims).map(str::to_owned),
        };
        let email = address.as_deref().map(|address| self.email_hash(tenant, address));
        let link = NewLink {
            person: PersonId::random(self.services.rng.as_ref()),
            connection,
            subject_key: subject.key.clone(),
            display: subject.display.clone(),
            email,
            scope: subject.scope.clone(),
        };
        if linked.is_none() {
            self.may_come_back(last.login, connection, &subject.key).await?;
        }
        let mut known = linked.map(|linked| Whose::known(linked, &link));
        match (pushed, &mut known) {
            (Pushed::Theirs(theirs), _) => {
                return Ok(Found::Person(Box::new(self.as_pushed(last, theirs, known, link).await?)));
            }
            (Pushed::Known { held: Some((connection, record)) }, Some(known)) => {
                known.ties.push(Command::HoldActive(connection, record));
            }
            _ => {}
        }
        if let Some(known) = known {
            last.login.trace.decide("person", "known here by this upstream subject", true);
            return Ok(Found::Person(Box::new(known)));
        }
        if let Err(cause) = may_appear(&last.connection.people, claims, &mut last.login.trace) {
            return Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, cause));
        }
        if let (Some(email), Some(address)) = (&email, &address)
            && let Some(unsure) = self.namesakes(last, address, email).await?
        {
            return Ok(unsure);
        }
        last.login.trace.decide("person", "seen for the first time: a new subject identifier", true);
        Ok(Found::Person(Box::new(Whose::new(link))))
    }

    /// People never move to another issuer: the same `sub` is somebody else there.
    pub(in crate::run) async fn same_scope(&self, last: &mut Finishing<'_>) -> Result<(), Stop> {
        let Some(scope) = &last.who.record.subject.scope else { return Ok(()) };
        let known = self.people.scopes(last.login.tenant.view.id, last.connection.view.id).await?;
        let Some(other) = known.iter().find(|known| *known != scope) else { return Ok(()) };
        let (what, source) = ("who gives subjects out here", "OpenID Connect Core 2");
        last.login.trace.check(what, source, other, scope, false);
        let public = "The login provider of your account was replaced by another one. Please ask your administrator.";
        let cause = format!("a conflict: this connection's people came from {other}, and now {scope} answers");
        Err(Stop::new(RefusalKind::AccessDenied, public, cause))
    }

    /// A subject that was here before comes back as somebody new, unless an administrator closed the door.
    pub(in crate::run) async fn may_come_back(
        &self,
        login: &mut Login,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<(), Stop> {
        let Some(before) = self.people.tombstone(login.tenant.view.id, connection, subject_key).await? else {
            return Ok(());
        };
        comes_back(login, &before)
    }

    /// Where a known subject was refused by the store: a link that was made while an administrator closed the door
    /// is there still, and counts for nothing.
    pub(super) async fn door_is_open(&self, last: &mut Finishing<'_>) -> Result<(), Stop> {
        let (tenant, connection) = (last.login.tenant.view.id, last.connection.view.id);
        let left = self.people.tombstone(tenant, connection, &last.who.record.subject.key).await?;
        match left {
            Some(left) if left.reason == TombstoneReason::Blocked => comes_back(last.login, &left),
            _ => Ok(()),
        }
    }

    /// What is done about an address that a person of the tenant has already. `None`: the newcomer may appear.
    async fn namesakes(
        &self,
        last: &mut Finishing<'_>,
        address: &str,
        email: &[u8; 32],
    ) -> Result<Option<Found>, Stop> {
        let tenant = Arc::clone(&last.login.tenant);
        let others = self.people.by_email(tenant.view.id, email).await?;
        if others.is_empty() {
            return Ok(None);
        }
        let known = "somebody else here has it already";
        let trace = &mut last.login.trace;
        match last.connection.people.same_email {
            SameEmail::Separate => {
                trace.decide("verified address", format!("{known}; they stay two people"), true);
                Ok(None)
            }
            SameEmail::Refuse => {
                trace.decide("verified address", known, false);
                let public = "Somebody with your e-mail address has an account here already. Please ask your \
                              administrator.";
                Err(Stop::new(RefusalKind::AccessDenied, public, format!("same_email is refuse, and {known}")))
            }
            SameEmail::Ask if last.login.apart => {
                trace.decide("verified address", format!("{known}; the person says that they are two"), true);
                Ok(None)
            }
            SameEmail::Ask => {
                trace.decide("verified address", format!("{known}; the person is asked whether they are two"), true);
                // Whoever has no say about the address may have named it: nobody is led to them.
                let mut before = others.iter().filter_map(|other| tenant.view.connection_by_id(other.connection));
                let before = before.find(|view| view.enabled && owns(&view.domains, address));
                Ok(Some(Found::Unsure(before.map(|view| {
                    let connection = &view.display_name;
                    let href = format!("{}/account?connection={}", tenant.view.issuer, view.slug);
                    WayBack { label: format!("Log in with {connection}, as before"), href }
                }))))
            }
        }
    }

    /// What is kept of an address to find it again.
    pub(in crate::run) fn email_hash(&self, tenant: TenantId, address: &str) -> [u8; 32] {
        let folded = address.trim().to_lowercase();
        self.services.tokens.mac(tenant, "verified e-mail", folded.as_bytes())
    }
}

impl Whose {
    /// Somebody new.
    pub(super) fn new(link: NewLink) -> Self {
        let NewLink { person, email, ref display, .. } = link;
        let display = display.clone();
        let person = LinkedPerson { email, display, ..LinkedPerson::of_session(person, false, Epoch::default()) };
        Self { person, ties: vec![Command::CreatePerson(link)], is_new: true }
    }

    /// Somebody who comes by this subject already. `now`: what it says of them.
    fn known(person: LinkedPerson, now: &NewLink) -> Self {
        // Whoever is named by an address later is named by the newest one.
        let news = IdentityNews {
            email: now.email.filter(|email| person.email != Some(*email)),
            display: (person.display != now.display).then(|| now.display.clone()),
        };
        // The person may disconnect this login at this very moment.
        let held = Command::HoldIdentity {
            person: person.person,
            connection: now.connection,
            subject_key: now.subject_key.clone(),
            news,
        };
        Self { person, ties: vec![held], is_new: false }
    }
}

/// What a tombstone says of a subject that is here again.
fn comes_back(login: &mut Login, before: &Tombstone) -> Result<(), Stop> {
    let at = before.at.rfc3339_seconds();
    let (outcome, allowed) = match before.reason {
        TombstoneReason::Blocked => (format!("blocked by an administrator at {at}"), false),
        TombstoneReason::Unlinked => (format!("was disconnected from its account at {at}"), true),
        TombstoneReason::Deleted => (format!("its account was deleted at {at}, and does not come back"), true),
    };
    if login.trace.decide("this subject", outcome, allowed) {
        return Ok(());
    }
    Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, "an administrator has blocked this subject"))
}

/// The address of somebody, where it counts as verified at this connection.
pub(in crate::run) fn verified_address(claims: &Claims) -> Option<&str> {
    claims.text("email").filter(|_| claims.get("email_verified") == Some(&Value::Bool(true)))
}

/// Whether the connection lets people in whom it has never seen; if not, why, for the trace.
pub(in crate::run) fn may_appear(people: &PeopleSpec, claims: &Claims, trace: &mut TraceLog) -> Result<(), String> {
    let (outcome, allowed) = match people.create {
        Create::Everybody => return Ok(()),
        Create::Nobody => ("nobody appears here by logging in".to_owned(), false),
        Create::Listed => listed(people, claims),
    };
    if trace.decide("new people", outcome.clone(), allowed) {
        return Ok(());
    }
    Err(format!("new people: {outcome}"))
}

fn listed(people: &PeopleSpec, claims: &Claims) -> (String, bool) {
    let domain = verified_address(claims).and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
    if let Some(domain) = domain
        && people.domains.iter().any(|listed| listed.eq_ignore_ascii_case(domain))
    {
        return (format!("a verified address of {domain} may come in"), true);
    }
    let theirs = match claims.get("groups") {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    match theirs.iter().find(|group| people.groups.iter().any(|listed| listed == *group)) {
        Some(group) => (format!("members of {group} may come in"), true),
        None => ("neither a listed domain of a verified address nor a listed group".to_owned(), false),
    }
}
