//! Findings for `fedbridge check`: dates and plain facts, without any network.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::keys::{KeyRing, KeyState};
use fedbridge_contract::text::counted;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level, SelfCheck, UnsolicitedMode, UnsolicitedPolicy};

use crate::advice;
use crate::sp::{ServiceProvider, SharedProvider};
use fedbridge_saml_core::metadata::TrustedKey;

/// A date nearer than this is worth a warning.
const SOON: Duration = Duration::from_secs(30 * 86_400);

#[async_trait]
impl SelfCheck for SharedProvider {
    async fn run(&self, tenant: &Tenant, now: Timestamp) -> Vec<Finding> {
        findings(&self.0, &tenant.keys, now)
    }
}

fn findings(sp: &ServiceProvider, keys: &KeyRing, now: Timestamp) -> Vec<Finding> {
    let mut found = vec![fine(format!(
        "identity provider {}, {}, single sign-on at {}",
        sp.idp.entity_id,
        counted(sp.idp.signing.len(), "signing key", "signing keys"),
        sp.idp.sso.first().map_or("none", |endpoint| endpoint.location.as_str()),
    ))];
    // Dates of the certificates are looked at afresh here; the rest of the import's findings stays.
    found.extend(sp.idp.findings.iter().filter(|finding| !finding.text.contains(" expired on ")).cloned());
    found.extend(sp.idp.signing.iter().map(|key| match sp.settings.distrusts(key) {
        true => warning(format!("signing certificate {} is in distrusted_keys: what it signs is refused", key.name())),
        false => certificate(key, now),
    }));
    found.extend(sp.settings.unsolicited.as_ref().map(unsolicited));
    found.extend(sp.idp.valid_until.map(|until| validity(until, now)));
    found.extend(sp.settings.allow_sha1_until.map(|until| sha1(until, now)));
    found.extend(own_keys(sp, keys));
    found.extend(advice::findings(sp));
    found
}

/// Expiry changes nothing for trust (MetaIOP), but it tells when the provider will probably roll over.
fn certificate(key: &TrustedKey, now: Timestamp) -> Finding {
    let label = key.name();
    let finding = match (key.not_before, key.not_after) {
        (_, Some(end)) if now >= end => warning(format!(
            "signing certificate {label} expired on {}; it is still used, as SAML metadata asks",
            end.rfc3339()
        )),
        (Some(start), _) if now < start => {
            warning(format!("signing certificate {label} is only valid from {}", start.rfc3339()))
        }
        (_, Some(end)) if now + SOON >= end => warning(format!(
            "signing certificate {label} expires on {}; expect the provider to change it",
            end.rfc3339()
        )),
        (_, Some(end)) => fine(format!("signing certificate {label} is valid until {}", end.rfc3339())),
        (_, None) => fine(format!("signing certificate {label} has no readable end")),
    };
    match key.not_after {
        Some(end) => finding.ending(format!("signing certificate {label}"), end),
        None => finding,
    }
}

fn unsolicited(policy: &UnsolicitedPolicy) -> Finding {
    let app = &policy.app.1;
    match policy.mode {
        UnsolicitedMode::Bounce => fine(format!("logins that the provider starts begin anew here, for {app}")),
        UnsolicitedMode::Accept => warning(format!(
            "logins that the provider starts are accepted for {app}: a link can log somebody in as somebody else; \
             mode: bounce does without that"
        )),
    }
}

fn validity(until: Timestamp, now: Timestamp) -> Finding {
    let at = until.rfc3339();
    let finding = if now >= until {
        problem(format!("the provider's metadata expired on {at}: logins are refused"))
    } else if now + SOON >= until {
        warning(format!("the provider's metadata expires on {at}: logins will be refused then"))
    } else {
        fine(format!("the provider's metadata is valid until {at}"))
    };
    finding.ending("metadata", until)
}

fn sha1(until: Timestamp, now: Timestamp) -> Finding {
    let finding = if now >= until {
        warning(format!("allow_sha1_until ended on {}: SHA-1 signatures are refused; remove it", until.rfc3339()))
    } else {
        warning(format!("SHA-1 signatures are accepted until {}; they can be forged", until.rfc3339()))
    };
    finding.ending("allow_sha1_until", until)
}

fn own_keys(sp: &ServiceProvider, keys: &KeyRing) -> Vec<Finding> {
    let mut found = Vec::new();
    if sp.signs_requests() && keys.saml_signer().is_none() {
        found.push(problem("requests must be signed, and the tenant has no active SAML signing key".into()));
    }
    if !keys.saml_decryption.iter().any(|key| key.state == KeyState::Active) {
        found.push(warning("the tenant has no active SAML decryption key: encrypted assertions can't be read".into()));
    }
    found
}

fn fine(text: String) -> Finding {
    Finding::new(Level::Fine, text)
}

fn warning(text: String) -> Finding {
    Finding::new(Level::Warning, text)
}

fn problem(text: String) -> Finding {
    Finding::new(Level::Problem, text)
}
