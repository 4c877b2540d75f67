//! Connecting one more upstream identity to a person.
//!
//! 1. [`start`]: the person asks for it, who has logged in just now, or does so [`again`]. A proof is opened for this person, session,
//!    browser and connection, and the upstream is asked to authenticate anew.
//! 2. [`bound`]: the upstream has proved an exact subject. The proof is bound to it, once.
//! 3. [`confirm`]: the person sees both, and says yes in the same session and browser. The proof is used up in
//!    the unit that makes the link.
//!
//! An e-mail address plays no part in it. Where two share one, [`namesake`] asks whether they are two people.

mod again;
mod bound;
mod confirm;
mod namesake;
mod start;

use std::time::Duration;

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::http::{SameSite, SetCookie};
use fedbridge_contract::identity::UpstreamSubject;
use fedbridge_contract::ids::{ConnectionId, LinkProofId, TenantId};
use serde::{Deserialize, Serialize};

use super::Hub;
use super::record::UpstreamPart;

pub(super) use again::stale;

/// How long a person has, from asking to saying yes.
const PROOF: Duration = Duration::from_secs(600);

/// How old the person's own authentication may be where logins are connected and disconnected, in seconds.
const FRESH: u64 = 300;

/// One text for all that is wrong with a proof: nobody learns whose it is.
const OVER: &str = "This took too long, or was done before. Please start again on the page of your account.";

/// What the hub keeps with a proof.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Who the account is, and with what it was logged in.
    account: String,
    account_connection: String,
    /// What was proved.
    identity: Option<Proved>,
}

/// An identity that an upstream has proved for this proof.
#[derive(Serialize, Deserialize)]
struct Proved {
    subject: UpstreamSubject,
    /// Keyed hash of the address, where it counts as verified.
    email: Option<[u8; 32]>,
    /// The session there, to be told of a logout.
    upstream: UpstreamPart,
    /// The newest kill that was known before it was proved: a link would outlive a later one for good.
    #[serde(default)]
    epoch: Epoch,
}

impl Hub {
    /// What a proof is bound to.
    fn subject_hash(&self, tenant: TenantId, connection: ConnectionId, key: &str) -> [u8; 32] {
        let what = format!("{connection}\n{key}");
        self.services.tokens.mac(tenant, "proved subject", what.as_bytes())
    }

    fn proof_hash(&self, tenant: TenantId, ticket: &str) -> [u8; 32] {
        self.services.tokens.mac(tenant, "link proof", ticket.as_bytes())
    }

    /// The token of the page that asks for the yes. The upstream's answer may bring no session cookie, so it
    /// hangs on the proof; the yes needs the session's and the proof's cookies besides.
    fn link_token(&self, tenant: TenantId, proof: LinkProofId, subject: &[u8; 32]) -> String {
        let mut what = proof.to_string().into_bytes();
        what.extend(subject);
        self.own_token(tenant, "link confirmation", &what)
    }
}

fn proof_cookie_name(tenant: TenantId) -> String {
    format!("{tenant}-l")
}

/// An empty value takes it away.
fn proof_cookie(tenant: TenantId, value: String) -> SetCookie {
    let lifetime = if value.is_empty() { 0 } else { PROOF.as_secs().cast_signed() };
    SetCookie { name: proof_cookie_name(tenant), value, max_age_seconds: Some(lifetime), same_site: SameSite::Lax }
}

fn proof_place(tenant: TenantId, proof: LinkProofId) -> Vec<u8> {
    format!("{tenant}/link-proof/{proof}").into_bytes()
}
