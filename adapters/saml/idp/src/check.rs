//! Findings about a service provider, for `fedbridge check`: dates and plain facts, without any network.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::{App, Connection, Tenant};
use fedbridge_contract::text::counted;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_saml_core::seam::ContentMethod;

use crate::settings::{EMAIL, Encryption, NameIdSource, SpSettings};

/// A date nearer than this is worth a warning.
const SOON: Duration = Duration::from_secs(30 * 86_400);

pub(crate) fn findings(tenant: &Tenant, app: &App, now: Timestamp) -> Vec<Finding> {
    let settings = match SpSettings::of(app, now) {
        Ok(settings) => settings,
        Err(complaints) => {
            let problem = |complaint| Finding::new(Level::Problem, format!("{complaint}: nobody can log in"));
            return complaints.iter().map(problem).collect();
        }
    };
    let sp = &settings.sp;
    let mut found = vec![Finding::new(
        Level::Fine,
        format!(
            "service provider {}, {}, {}, {}",
            sp.entity_id,
            counted(sp.signing.len(), "signing key", "signing keys"),
            counted(sp.encryption.len(), "encryption key", "encryption keys"),
            counted(sp.acs.len(), "address for answers", "addresses for answers")
        ),
    )];
    // Dates of the certificates are looked at afresh here; the rest of the import's findings stays.
    found.extend(sp.findings.iter().filter(|finding| finding.ends.is_none()).cloned());
    if let Some(until) = sp.valid_until {
        let consequence = "logins are refused from then on";
        found.push(dated("the metadata", "metadata", consequence, until, now, Level::Problem));
    }
    let signing = sp.signing.iter().filter_map(|key| Some((key.name(), key.not_after?)));
    let encryption = sp.encryption.iter().filter_map(|key| Some((key.name(), key.not_after?)));
    for (label, end) in signing {
        let consequence = "it is still used, as SAML metadata asks; expect the app to change it";
        found.push(dated("signing certificate", &label, consequence, end, now, Level::Warning));
    }
    for (label, end) in encryption {
        let consequence = "it is still used, as SAML metadata asks; expect the app to change it";
        found.push(dated("encryption certificate", &label, consequence, end, now, Level::Warning));
    }
    if let Some(until) = settings.trust.as_ref().and_then(|trust| trust.sha1_until) {
        let text = format!("SHA-1 signatures of it are accepted until {}; they can be forged", until.rfc3339());
        found.push(Finding::new(Level::Warning, text));
    }
    found.extend(missing(&settings));
    let cbc = |how: &Encryption| matches!(how.content, ContentMethod::Aes128Cbc | ContentMethod::Aes256Cbc);
    if settings.encryption.as_ref().is_some_and(cbc) {
        let text = "assertions are encrypted with AES-CBC, which does not protect what it encrypts from changes";
        found.push(Finding::new(Level::Warning, text));
    }
    found.extend(shared_names(tenant, app, &settings.name_id.source));
    if tenant.keys.saml_signer().is_none() {
        found.push(Finding::new(Level::Problem, "the tenant has no active SAML signing key: nobody can log in"));
    }
    found
}

/// A name that every upstream may say is only as good as the least careful of them.
fn shared_names(tenant: &Tenant, app: &App, source: &NameIdSource) -> Option<Finding> {
    let claim = match source {
        NameIdSource::Claim(claim) => claim.as_str(),
        NameIdSource::Email { unverified: true } => EMAIL,
        // Only a connection that owns the domain can say it, and the administrator says which one does.
        NameIdSource::Email { unverified: false } | NameIdSource::Persistent | NameIdSource::Transient => return None,
    };
    let able = |connection: &&Arc<Connection>| connection.enabled && app.allows(connection.id);
    let names: Vec<_> = tenant.connections.iter().filter(able).map(|connection| connection.slug.as_str()).collect();
    (names.len() > 1).then(|| {
        let names = names.join(", ");
        let text = format!(
            "people are named by the claim `{claim}`, and each of the connections {names} can log in as anybody by \
             saying another's; name the connections that may with `connections`, or use persistent names"
        );
        Finding::new(Level::Warning, text)
    })
}

/// Attributes that the app says it can't do without, and that it does not get. What goes out is for whoever
/// configures it to say, so this is advice.
fn missing(settings: &SpSettings) -> impl Iterator<Item = Finding> {
    let sent = |name: &str| settings.attributes.iter().any(|rule| rule.name == name);
    settings.sp.required_attributes().filter(move |wanted| !sent(&wanted.name)).map(|wanted| {
        let known_as = wanted.friendly_name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        let text = format!("its metadata requires the attribute {}{known_as}, and `attributes` has none", wanted.name);
        Finding::new(Level::Advice, text)
    })
}

fn dated(what: &str, label: &str, consequence: &str, end: Timestamp, now: Timestamp, worst: Level) -> Finding {
    let name = if label == "metadata" { what.to_owned() } else { format!("{what} {label}") };
    let at = end.rfc3339();
    let finding = if now >= end {
        Finding::new(worst, format!("{name} expired on {at}; {consequence}"))
    } else if now + SOON >= end {
        Finding::new(Level::Warning, format!("{name} expires on {at}; {consequence}"))
    } else {
        Finding::new(Level::Fine, format!("{name} is valid until {at}"))
    };
    finding.ending(name, end)
}
