//! Whom we believe: a partner's keys, and what is accepted of their signatures.
//!
//! Keys come from the partner's metadata alone (SAML metadata interoperability profile); what a
//! message says about keys is not read.

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use crate::binding::redirect::SignedQuery;
use crate::seam::{Element, Sha1, UnverifiedDocument, VerifiedElement, VerifyError, VerifyKey, VerifyPolicy};

/// A key that a partner signs with.
#[derive(Clone)]
pub struct TrustedKey {
    pub key: VerifyKey,
    /// The certificate's common name, for people.
    pub label: String,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

impl TrustedKey {
    /// The label with the beginning of the fingerprint: several certificates may have one subject.
    pub fn name(&self) -> String {
        format!("{} {}", self.label, beginning(self.key.fingerprint().as_bytes()))
    }
}

/// The first eight octets in hexadecimal, enough to tell a partner's keys apart.
pub(crate) fn beginning(fingerprint: &[u8]) -> String {
    fingerprint.iter().take(8).map(|octet| format!("{octet:02x}")).collect()
}

/// The other side's keys and what is accepted of their signatures. Without a key every signature is
/// refused.
#[derive(Clone)]
pub struct Trust {
    pub keys: Vec<TrustedKey>,
    /// Until then SHA-1 is accepted.
    pub sha1_until: Option<Timestamp>,
}

/// Why a signature is not believed; the trace holds the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// No key of ours fits. The partner may have a new one: a look at its metadata may help.
    KeyUnknown,
    Refused,
}

const SOURCE: &str = "SAML core 5.4";
const QUERY_SOURCE: &str = "SAML bindings 3.4.4.1";

impl Trust {
    /// Verifies the enveloped signature of `target`, and records that under `name`.
    ///
    /// # Errors
    /// The signature is not of one of these keys, or not of an accepted form.
    pub fn verify(
        &self,
        document: &UnverifiedDocument,
        target: &Element,
        name: &str,
        now: Timestamp,
        trace: &mut TraceLog,
    ) -> Result<VerifiedElement, Distrust> {
        let keys: Vec<_> = self.keys.iter().map(|trusted| trusted.key.clone()).collect();
        match document.verify_enveloped(target, &keys, &self.policy(now)) {
            Ok(verified) => {
                let label = self.label(|key| key.fingerprint() == verified.signed_by());
                let actual = format!("{} by {label}, SHA-256 {}", verified.method(), verified.signed_by());
                trace.check(name, SOURCE, self.expected(), actual, true);
                Ok(verified)
            }
            Err(error) => Err(self.distrust(name, SOURCE, &error, trace)),
        }
    }

    /// Verifies a signature over the raw octets of a query (SAML bindings 3.4.4.1).
    ///
    /// # Errors
    /// The signature is not of one of these keys, or of a method that is not accepted.
    pub fn verify_query(&self, signed: &SignedQuery, now: Timestamp, trace: &mut TraceLog) -> Result<(), Distrust> {
        const NAME: &str = "Query signature";
        let keys: Vec<_> = self.keys.iter().map(|trusted| trusted.key.clone()).collect();
        let octets = signed.octets.as_bytes();
        match VerifyKey::verify_detached(&keys, &signed.algorithm, octets, &signed.signature, &self.policy(now)) {
            Ok(signer) => {
                let label = self.label(|key| *key.fingerprint() == signer);
                let actual = format!("{} by {label}, SHA-256 {signer}", signed.algorithm);
                trace.check(NAME, QUERY_SOURCE, self.expected(), actual, true);
                Ok(())
            }
            Err(error) => Err(self.distrust(NAME, QUERY_SOURCE, &error, trace)),
        }
    }

    fn policy(&self, now: Timestamp) -> VerifyPolicy {
        let accepted = self.sha1_until.is_some_and(|until| now < until);
        VerifyPolicy { sha1: if accepted { Sha1::Accepted } else { Sha1::Refused } }
    }

    fn label(&self, signer: impl Fn(&VerifyKey) -> bool) -> &str {
        self.keys.iter().find(|trusted| signer(&trusted.key)).map_or("unknown", |trusted| &trusted.label)
    }

    fn expected(&self) -> String {
        format!("a signature by one of the {} keys of this partner", self.keys.len())
    }

    fn distrust(&self, name: &str, source: &str, error: &VerifyError, trace: &mut TraceLog) -> Distrust {
        trace.check(name, source, self.expected(), error.to_string(), false);
        match error {
            VerifyError::NoFittingKey(_) | VerifyError::NoKeyMatches { .. } => Distrust::KeyUnknown,
            _ => Distrust::Refused,
        }
    }
}
