//! What receivers of signals hear of somebody of whom a directory says something new.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;

use super::change::Pushing;
use super::said::Said;
use super::user::DELETED;
use crate::ports::StoredProfile;
use crate::run::finish::verified_address;
use crate::run::provision::groups;
use crate::run::{Happened, Hub};

/// What becomes of the person.
pub(super) struct Turn {
    pub was_in: bool,
    pub ends: bool,
}

impl Hub {
    pub(super) async fn happened(
        &self,
        at: &Pushing<'_>,
        person: PersonId,
        said: &Said,
        Turn { was_in, ends }: Turn,
    ) -> Result<Vec<Happened>, StoreError> {
        if !hears_anybody(at) {
            return Ok(Vec::new());
        }
        if ends {
            let purged = said.out.as_deref() == Some(DELETED);
            let ended = if purged { Happened::AccountPurged } else { Happened::AccountDisabled };
            // Where only some of their logins end, the account goes on.
            return Ok(at.shuts_all().then_some(ended).into_iter().collect());
        }
        if said.out.is_some() {
            return Ok(Vec::new());
        }
        if !was_in {
            return Ok(vec![Happened::AccountEnabled]);
        }
        let before = self.profiles.profiles_of(at.place.tenant, person).await?;
        let here = |one: &StoredProfile| one.connection == at.place.connection && one.subject_key == said.subject.key;
        let Some(before) = before.into_iter().find(here) else { return Ok(Vec::new()) };
        let (old, new) = (before.profile.claims, &said.profile.claims);
        let mut happened = Vec::new();
        let (were, are) = (sorted(&old), sorted(new));
        if were != are {
            happened.push(Happened::Groups(are));
        }
        if let (Some(from), Some(to)) = (verified_address(&old), verified_address(new))
            && from != to
        {
            happened.push(Happened::IdentifierChanged { from: from.to_owned(), to: to.to_owned() });
        }
        Ok(happened)
    }
}

fn sorted(claims: &Claims) -> Vec<String> {
    let mut found: Vec<_> = groups(claims).map(str::to_owned).collect();
    found.sort_unstable();
    found
}

fn hears_anybody(at: &Pushing<'_>) -> bool {
    at.tenant.view.apps.iter().any(|app| app.kind == AppKind::SignalReceiver && app.enabled)
}
