//! What a connection's rules make of a pushed user.

use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::ids::{PersonId, RecordId, TenantId};
use fedbridge_contract::push::PushRefused;

use crate::ports::{NewProfile, Profile, ProfileBy};
use crate::run::Hub;
use crate::run::finish::verified_address;
use crate::run::provision::{Mapped, groups};
use crate::run::push::change::Pushing;

/// What the audit and the log say of somebody who was switched off.
const SWITCHED_OFF: &str = "switched off by the upstream";

/// A pushed user, mapped.
pub(super) struct Said {
    pub subject: UpstreamSubject,
    pub profile: Profile,
    pub digest: [u8; 32],
    /// Why the person may not log in.
    pub out: Option<String>,
    /// Keyed hash of the address, where it counts as verified at this connection.
    pub email: Option<[u8; 32]>,
}

/// How a user is described.
pub(super) struct Described<'d> {
    pub id: RecordId,
    pub display: &'d str,
    pub attributes: &'d Attributes,
    pub active: bool,
    pub groups: &'d [String],
}

impl Hub {
    /// # Errors
    /// A rule fails, so nobody knows what it would have said.
    pub(super) fn pushed_said(&self, at: &Pushing<'_>, user: &Described<'_>) -> Result<Said, PushRefused> {
        let mut attributes = user.attributes.clone();
        for group in user.groups {
            attributes.push("groups", group.clone());
        }
        let subject = subject(user.id, user.display);
        let mapped = self.mapped(at.place.tenant, at.connection, at.ready, (&subject, &attributes, None));
        match mapped {
            // Whoever goes, goes, whatever rules would say of them.
            Mapped::Broken(why) if !user.active => {
                tracing::warn!(%why, record = %user.id, "a rule fails for somebody who is switched off");
                Ok(self.said_nothing(at.place.tenant, subject))
            }
            Mapped::Broken(why) => Err(PushRefused::Denied(format!("a rule of the connection fails: {why}"))),
            Mapped::Said { profile, digest, denied } => {
                let out = if user.active { denied } else { Some(SWITCHED_OFF.to_owned()) };
                let email = verified_address(&profile.claims);
                let email = email.map(|address| self.email_hash(at.place.tenant, address));
                Ok(Said { subject, profile, digest, out, email })
            }
        }
    }

    /// Of somebody who is switched off.
    fn said_nothing(&self, tenant: TenantId, subject: UpstreamSubject) -> Said {
        let digest = self.services.tokens.mac(tenant, "profile", b"nothing");
        Said { subject, profile: Profile::default(), digest, out: Some(SWITCHED_OFF.to_owned()), email: None }
    }

    /// Sees to it that the groups of somebody are there, where the tenant shows a directory.
    pub(super) async fn pushed_groups_there(&self, at: &Pushing<'_>, profile: &Profile) -> Result<(), PushRefused> {
        Ok(self.ensure_groups(at.tenant, groups(&profile.claims)).await?)
    }
}

impl Said {
    pub fn profile(self, at: &Pushing<'_>, person: PersonId) -> NewProfile {
        NewProfile {
            person,
            connection: at.place.connection,
            subject_key: self.subject.key,
            profile: self.profile,
            digest: self.digest,
            disabled: self.out,
            by: ProfileBy::Push,
        }
    }
}

/// A pushed user as an identity of its person.
pub(super) fn subject(id: RecordId, display: &str) -> UpstreamSubject {
    UpstreamSubject { key: id.to_string(), display: display.to_owned(), stable: true, scope: None }
}
