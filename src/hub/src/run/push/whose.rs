//! Whose login it is, where a directory pushes the people of the login's connection: of somebody whom it pushed, by what
//! the directory's connection compares, and of nobody else unless it lets newcomers in.

use std::sync::Arc;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::ids::{ConnectionId, PersonId, RecordId};
use fedbridge_contract::push::{Belonging, LoginKey, PushPlace, RecordKey, RecordKind, Shut, Unmatched};
use fedbridge_contract::trace::TraceLog;

use super::keys::{hash, matching};
use crate::ports::{LinkedPerson, StoredRecord};
use crate::run::Hub;
use crate::run::snapshot::{OpenConnection, Provisioner, TenantSnapshot};

/// A login, as it is compared with who was pushed.
pub(in crate::run) struct Comer<'a> {
    pub connection: &'a OpenConnection,
    pub subject: &'a UpstreamSubject,
    pub attributes: &'a Attributes,
    /// The address that counts as verified at the login's connection, where the directory asks for it.
    pub address: Option<&'a str>,
    /// Who comes by this subject already.
    pub known: Option<PersonId>,
}

/// Who comes, in the eyes of the directory.
pub(in crate::run) enum Pushed {
    /// Nobody pushes the people of this connection.
    Free,
    /// Nobody whom it pushed, and it lets them in all the same.
    Stranger,
    /// Who comes by this subject already. `held`: see [`Theirs::held`].
    Known { held: Option<(ConnectionId, RecordId)> },
    /// Somebody who was pushed, and by whom this subject has not come yet.
    Theirs(Theirs),
}

/// A pushed user whose first login this is, by this connection.
pub(in crate::run) struct Theirs {
    pub place: PushPlace,
    pub record: RecordId,
    pub display: String,
    /// Who that is here; `None`: an administrator has deleted them.
    pub person: Option<LinkedPerson>,
    /// No kill ends what they are given while they are switched off at this very moment, so the record is held active in
    /// the unit of the login.
    pub held: bool,
}

/// Why nobody comes in.
#[derive(Debug, thiserror::Error)]
pub(in crate::run) enum Barred {
    /// The directory says so.
    #[error("{0}")]
    Refused(String),
    /// Nobody knows what it would say.
    #[error("the configuration of the connection that pushes these people is broken")]
    Broken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The step of the trace.
const STEP: &str = "pushed user";

impl Hub {
    /// Whom the directory takes a login for.
    ///
    /// # Errors
    /// [`Barred`]: they may not come in.
    pub(in crate::run) async fn pushed_by(
        &self,
        tenant: &TenantSnapshot,
        comer: &Comer<'_>,
        trace: &mut TraceLog,
    ) -> Result<Pushed, Barred> {
        let Some((directory, belonging)) = provisioner(tenant, comer.connection, trace)? else {
            return Ok(Pushed::Free);
        };
        let place = PushPlace { tenant: tenant.view.id, connection: directory.view.id };
        let slug = &directory.view.slug;
        let is_held = belonging.shut == Shut::Connection;
        if let Some(known) = comer.known
            && let Some(record) = self.stands(place, slug, known, trace).await?
        {
            return Ok(Pushed::Known { held: is_held.then_some((place.connection, record)) });
        }
        let (what, value) = key(&belonging.login, comer);
        let Some(value) = value else {
            let outcome = format!("the login brings no {what}, by which {slug} knows its people");
            return stranger(belonging, outcome, trace);
        };
        let tokens = self.services.tokens.as_ref();
        let found = self.pushed.matching(place, &matching(tokens, place, value)).await?;
        let mut found = found.into_iter();
        let stored = match (found.next(), found.next()) {
            (Some(one), None) => one,
            (Some(_), Some(_)) => {
                let outcome = format!("{slug} has pushed more than one user who is {value} ({what})");
                return barred(outcome, trace);
            }
            (None, _) => {
                let near = self.nearly(place, value).await?;
                let outcome = format!("{slug} has pushed nobody who is {value} ({what}){near}");
                return stranger(belonging, outcome, trace);
            }
        };
        if !stored.active {
            return barred(format!("{} is switched off by {slug}", stored.display), trace);
        }
        trace.decide(STEP, format!("{} of {slug}, by {what}", stored.display), true);
        let theirs = self.theirs(place, stored, trace).await?;
        Ok(Pushed::Theirs(Theirs { held: is_held, ..theirs }))
    }

    /// Whether somebody who logged in before is still among those who are pushed. For whoever knows the person, and
    /// nothing else of the login.
    ///
    /// # Errors
    /// [`Barred`]: they may not come in.
    pub(in crate::run) async fn still_pushed(
        &self,
        tenant: &TenantSnapshot,
        connection: &OpenConnection,
        person: PersonId,
        trace: &mut TraceLog,
    ) -> Result<(), Barred> {
        let Some((directory, belonging)) = provisioner(tenant, connection, trace)? else { return Ok(()) };
        let place = PushPlace { tenant: tenant.view.id, connection: directory.view.id };
        let slug = &directory.view.slug;
        if self.stands(place, slug, person, trace).await?.is_some() {
            return Ok(());
        }
        stranger(belonging, format!("{slug} has not pushed this person"), trace).map(drop)
    }

    /// The record of a person whom the directory has pushed. Whoever is switched off is barred.
    async fn stands(
        &self,
        place: PushPlace,
        slug: &str,
        person: PersonId,
        trace: &mut TraceLog,
    ) -> Result<Option<RecordId>, Barred> {
        let records = self.pushed.of_person(place.tenant, person).await?;
        let mut of_here = records.iter().filter(|(at, _)| *at == place).map(|(_, stored)| stored).peekable();
        let Some(first) = of_here.peek() else { return Ok(None) };
        let outcome = format!("{} of {slug}, known here", first.display);
        let record = first.record.id;
        match of_here.find(|stored| !stored.active) {
            None => {
                trace.decide(STEP, outcome, true);
                Ok(Some(record))
            }
            Some(off) => barred(format!("{} is switched off by {slug}", off.display), trace),
        }
    }

    async fn theirs(&self, place: PushPlace, stored: StoredRecord, trace: &mut TraceLog) -> Result<Theirs, Barred> {
        let record = stored.record.id;
        let Some(person) = stored.record.person else {
            return Ok(Theirs { place, record, display: stored.display, person: None, held: false });
        };
        let linked = self.store.linked_person(place.tenant, place.connection, &record.to_string()).await?;
        match linked.filter(|linked| linked.person == person) {
            Some(linked) => Ok(Theirs { place, record, display: stored.display, person: Some(linked), held: false }),
            None => barred(format!("{} was disconnected from its person by an administrator", stored.display), trace),
        }
    }

    /// What a value would have matched, had it been looked for elsewhere. For the trace of a login that matches nobody.
    async fn nearly(&self, place: PushPlace, value: &str) -> Result<String, StoreError> {
        let tokens = self.services.tokens.as_ref();
        let folded = value.trim().to_lowercase();
        for (name, key) in [
            ("userName", RecordKey::Unique(folded.clone())),
            ("externalId", RecordKey::ExternalId(value.to_owned())),
            ("e-mail address", RecordKey::Email(folded)),
        ] {
            let hash = hash(tokens, place, RecordKind::User, &key);
            if let Some(near) = self.pushed.look_up(place, RecordKind::User, hash, 1).await?.first() {
                return Ok(format!("; but it is the {name} of {}: should `match` compare that?", near.display));
            }
        }
        Ok(String::new())
    }
}

/// The directory that pushes a connection's people.
fn provisioner<'t>(
    tenant: &'t TenantSnapshot,
    connection: &OpenConnection,
    trace: &mut TraceLog,
) -> Result<Option<(&'t Arc<OpenConnection>, &'t Belonging)>, Barred> {
    match tenant.provisioner(&connection.view.slug) {
        Provisioner::Nobody => Ok(None),
        Provisioner::By(open, belonging) => Ok(Some((open, belonging))),
        Provisioner::Broken(slug) => {
            trace.decide(STEP, format!("the configuration of {slug}, which pushes the people here, is broken"), false);
            Err(Barred::Broken)
        }
    }
}

/// What of a login is compared, in words, and its value.
fn key<'c>(key: &LoginKey, comer: &'c Comer<'_>) -> (String, Option<&'c str>) {
    let (what, value) = match key {
        LoginKey::Subject => ("subject".to_owned(), Some(comer.subject.display.as_str())),
        LoginKey::Attribute(name) => {
            (format!("attribute {name}"), comer.attributes.get(name).first().map(String::as_str))
        }
        LoginKey::Email => ("verified e-mail address".to_owned(), comer.address),
    };
    (what, value.filter(|value| !value.trim().is_empty()))
}

fn stranger(belonging: &Belonging, outcome: String, trace: &mut TraceLog) -> Result<Pushed, Barred> {
    match belonging.unmatched {
        Unmatched::Create => {
            trace.decide(STEP, format!("{outcome}; it may come in all the same"), true);
            Ok(Pushed::Stranger)
        }
        Unmatched::Deny => barred(outcome, trace),
    }
}

fn barred<T>(outcome: String, trace: &mut TraceLog) -> Result<T, Barred> {
    trace.decide(STEP, outcome.clone(), false);
    Err(Barred::Refused(outcome))
}
