//! What the directory does about wrong passwords by itself: so many, and the account is locked. Known, it lets the
//! bridge stop before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::password::Lockout;
use fedbridge_ldap_core::value::time;
use fedbridge_ldap_core::{Filter, Scope, dn};

use crate::directory::{Directory, Told};
use crate::wire::{Entry, Search};

/// How long what was learned is believed, and how soon a failure is followed by another try.
const GOOD_FOR: Duration = Duration::from_secs(3_600);
const RETRY: Duration = Duration::from_secs(300);

const AFTER: &str = "lockoutThreshold";
const FORGETS: &str = "lockOutObservationWindow";

/// What was learned, and until when by the steady clock it is believed.
#[derive(Debug, Default)]
pub(crate) struct Learned(Mutex<Option<(Duration, Option<Lockout>)>>);

impl Learned {
    pub fn now(&self) -> Option<Lockout> {
        self.state().and_then(|(_, lockout)| lockout)
    }

    fn state(&self) -> Option<(Duration, Option<Lockout>)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Duration, lockout: Option<Lockout>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, lockout));
    }
}

/// Reads the lockout policy of an Active Directory domain, now and then. Another product's stands in the settings.
pub(crate) async fn learn(directory: &Directory, told: &mut Told<'_>) {
    let now = directory.services.clock.steady();
    let settings = &directory.settings;
    let known = directory.lockout.state();
    if settings.lockout.is_some()
        || !settings.flavor.is_active_directory()
        || known.is_some_and(|(until, _)| now < until)
    {
        return;
    }
    let before = directory.lockout.now();
    // Whoever comes meanwhile does not ask too.
    directory.lockout.set(now + RETRY, before);
    let Some(domain) = domain(&settings.users.base) else { return };
    let search = Search::new(domain, Scope::Base, Filter::Present("objectClass".to_owned()));
    let search = search.attributes([AFTER, FORGETS]);
    // Of the many logins that pass here, one reads.
    if let Ok(answers) = Box::pin(directory.search("the domain's lockout policy", &search, told)).await
        && let Some(entry) = answers.entries.first()
    {
        directory.lockout.set(now + GOOD_FOR, policy(entry));
    }
}

/// The domain's own name: the last parts of a DN, as far as they are `dc`.
fn domain(base: &str) -> Option<&str> {
    let rdns = dn::split(base).ok()?;
    let is_dc = |rdn: &&dn::Rdn| rdn.avas.len() == 1 && rdn.avas[0].attribute.eq_ignore_ascii_case("dc");
    let first = rdns.iter().rev().take_while(is_dc).last()?;
    base.get(first.place.start..)
}

/// A threshold of zero locks nobody.
fn policy(entry: &Entry) -> Option<Lockout> {
    let after = entry.text(AFTER)?.parse().ok().filter(|after| *after > 0)?;
    let forgets =
        entry.text(FORGETS).and_then(time::interval).map_or(Duration::from_secs(1_800), Duration::from_millis);
    Some(Lockout { after, forgets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_what_its_name_ends_with() {
        assert_eq!(domain("OU=People,OU=Company,DC=ad,DC=example"), Some("DC=ad,DC=example"));
        assert_eq!(domain("dc=acme"), Some("dc=acme"));
        assert_eq!(domain("ou=people,o=acme"), None);
        assert_eq!(domain("dc=x,ou=people,dc=acme"), Some("dc=acme"));
    }

    #[test]
    fn a_policy_counts_in_hundreds_of_nanoseconds() {
        let entry = |after: &str, forgets: &str| {
            let attributes = [(AFTER, after), (FORGETS, forgets)];
            let attributes = attributes.map(|(name, value)| (name.to_owned(), vec![value.as_bytes().to_vec()]));
            Entry { dn: String::new(), attributes: attributes.to_vec() }
        };
        let expected = Lockout { after: 5, forgets: Duration::from_secs(1_800) };
        assert_eq!(policy(&entry("5", "-18000000000")), Some(expected));
        assert_eq!(policy(&entry("0", "-18000000000")), None);
        assert_eq!(policy(&entry("x", "")), None);
    }
}
