//! An entry as it is kept: mapped by the connection's rules, without an app that asks.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::trace::clip;
use serde_json::Value;

use crate::decide::{ConnectionFacts, DenialKind, Facts, RequestFacts, map};
use crate::ports::Profile;
use crate::run::Hub;
use crate::run::snapshot::{OpenConnection, Ready};

/// What the rules make of somebody.
pub(in crate::run) enum Mapped {
    Said {
        profile: Profile,
        digest: [u8; 32],
        /// Why the rules keep the person out.
        denied: Option<String>,
    },
    /// A rule failed, so nobody knows what it would have said.
    Broken(String),
}

impl Hub {
    pub(in crate::run) fn mapped(
        &self,
        tenant: TenantId,
        connection: &OpenConnection,
        ready: &Ready,
        (subject, attributes, place): (&UpstreamSubject, &Attributes, Option<&str>),
    ) -> Mapped {
        let facts = Facts {
            attributes: attributes.clone(),
            subject: subject.clone(),
            connection: ConnectionFacts {
                slug: connection.view.slug.clone(),
                domains: connection.view.domains.clone(),
            },
            client: None,
            user: None,
            pushed: None,
            request: RequestFacts::default(),
        };
        let outcome = map(&facts, &ready.mapping);
        let denied = match outcome.denial {
            Some(denial) if denial.kind == DenialKind::RuleFailed => return Mapped::Broken(clip(denial.reason)),
            Some(denial) => Some(format!("deny_when: {}", clip(denial.reason))),
            None => None,
        };
        let profile =
            Profile { claims: outcome.identity.claims, attributes: facts.attributes, place: place.map(str::to_owned) };
        match serde_json::to_vec(&profile) {
            Ok(plain) => Mapped::Said { digest: self.services.tokens.mac(tenant, "profile", &plain), profile, denied },
            Err(_) => Mapped::Broken("what was said can't be written as JSON".to_owned()),
        }
    }
}

/// The names of the groups that a mapping made.
pub(in crate::run) fn groups(claims: &Claims) -> impl Iterator<Item = &str> {
    let (one, several) = match claims.get("groups") {
        Some(Value::String(one)) => (Some(one.as_str()), &[][..]),
        Some(Value::Array(several)) => (None, several.as_slice()),
        _ => (None, &[][..]),
    };
    one.into_iter().chain(several.iter().filter_map(Value::as_str))
}
