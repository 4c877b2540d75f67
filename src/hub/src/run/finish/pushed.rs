//! The login of somebody whom a directory has pushed: it becomes theirs, or the record becomes the login's person's.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::push::PushPlace;

use super::claims::address_of;
use super::person::Whose;
use super::{Basis, Finishing};
use crate::ports::{Adopted, Command, LinkedPerson, NewLink, PosixOwner};
use crate::run::Hub;
use crate::run::ending::{NOT_ALLOWED, Stop};
use crate::run::push::{Barred, Comer, Pushed, SaidByPush, Theirs};

/// Who comes, as far as that is known before the rules run.
pub(super) struct Comes {
    /// By the subject.
    pub linked: Option<LinkedPerson>,
    pub pushed: Pushed,
    /// What a directory says of them.
    pub said: Option<SaidByPush>,
}

impl Hub {
    pub(super) async fn who_comes(&self, last: &mut Finishing<'_>) -> Result<Comes, Stop> {
        let tenant = Arc::clone(&last.login.tenant);
        let said = async |person| SaidByPush::of(self.pushed.as_ref(), self.profiles.as_ref(), &tenant, person).await;
        if let Basis::Session { stored, .. } = last.basis {
            return Ok(Comes { linked: None, pushed: Pushed::Free, said: said(stored.person).await? });
        }
        let (record, view) = (&last.who.record, &last.connection.view);
        let linked = self.store.linked_person(tenant.view.id, view.id, &record.subject.key).await?;
        let address = if tenant.compares_addresses(&view.slug) { address_of(last) } else { None };
        let comer = Comer {
            connection: last.connection,
            subject: &record.subject,
            attributes: &record.attributes,
            address: address.as_deref(),
            known: linked.as_ref().map(|linked| linked.person),
        };
        let pushed = self.pushed_by(&tenant, &comer, &mut last.login.trace).await?;
        let person = match &pushed {
            Pushed::Theirs(theirs) => theirs.person.as_ref(),
            _ => linked.as_ref(),
        };
        let said = match person.map(|person| person.person) {
            Some(person) => said(person).await?,
            None => None,
        };
        Ok(Comes { linked, pushed, said })
    }

    /// Who a login is of that was found to be a pushed user's. `link` ties its subject to whom it names.
    pub(super) async fn as_pushed(
        &self,
        last: &mut Finishing<'_>,
        theirs: Theirs,
        known: Option<Whose>,
        link: NewLink,
    ) -> Result<Whose, Stop> {
        let Theirs { place, record, display, person: pushed, held } = theirs;
        let adopt = |from, person| Command::AdoptRecord(Adopted { connection: place.connection, record, from, person });
        // An administrator has deleted who it was: the record is an identity again, of whoever logs in.
        let again = |person| {
            let (connection, subject_key) = (place.connection, record.to_string());
            let link = NewLink { person, connection, subject_key, display, email: None, scope: None };
            [Command::LinkIdentity(link), adopt(None, person)]
        };
        let trace = &mut last.login.trace;
        let mut whose = match (known, pushed) {
            (None, Some(pushed)) => {
                trace.decide("person", "the one who was pushed; this login is theirs from now on", true);
                let mut ties = vec![Command::LinkIdentity(NewLink { person: pushed.person, ..link })];
                ties.extend(held.then_some(Command::HoldActive(place.connection, record)));
                return Ok(Whose { person: pushed, ties, is_new: false });
            }
            (None, None) => {
                trace.decide("person", "who was pushed was deleted here: a new subject identifier", true);
                let whose = Whose::new(link);
                let person = whose.person.person;
                Whose { ties: whose.ties.into_iter().chain(again(person)).collect(), ..whose }
            }
            (Some(mut whose), None) => {
                trace.decide("person", "known here by this upstream subject; the pushed user is theirs now", true);
                whose.ties.extend(again(whose.person.person));
                whose
            }
            (Some(mut whose), Some(pushed)) => {
                let logins = self.people.identities(place.tenant, pushed.person).await?;
                let trace = &mut last.login.trace;
                if logins.len() > 1 || pushed.disabled || pushed.shut {
                    let outcome = match pushed.disabled || pushed.shut {
                        true => "the pushed user is disabled here",
                        false => {
                            "the pushed user has logged in by another connection, as somebody else than this subject"
                        }
                    };
                    trace.decide("person", outcome, false);
                    return Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, format!("a conflict: {outcome}")));
                }
                trace.decide("person", "known here by this upstream subject; the pushed user is theirs now", true);
                whose.ties.push(adopt(Some(pushed.person), whose.person.person));
                whose
            }
        };
        // What a record that is gone has said of them goes with it, in the unit of the login.
        whose.person.shut = whose.person.shut && self.shut_elsewhere(&place, whose.person.person).await?;
        let owner = PosixOwner::Person(whose.person.person);
        whose.ties.extend(last.login.tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        Ok(whose)
    }

    /// Whether another connection keeps a person out.
    async fn shut_elsewhere(&self, place: &PushPlace, person: PersonId) -> Result<bool, Stop> {
        let by = self.people.kept_out_by(place.tenant, person).await?;
        Ok(by.iter().any(|connection| *connection != place.connection))
    }
}

impl From<Barred> for Stop {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Refused(cause) => Self::new(RefusalKind::AccessDenied, NOT_ALLOWED, cause),
            Barred::Broken => Self::broken(barred.to_string()),
            Barred::Store(error) => error.into(),
        }
    }
}
