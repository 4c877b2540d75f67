//! A look at everything of a tenant without changing it: what `check` prints and what the expiry
//! radar shows.

use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::factory::Registry;
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::logout::Party;
use fedbridge_contract::text::counted;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::clip;
use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_hub::ports::SyncState;
use fedbridge_hub::run::{OpenApp, OpenConnection, TenantSnapshot};
use fedbridge_hub::spec::TenantConfiguration;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509;

use super::documents::lapse::has_lapsed;
use super::documents::unread;

/// What ends sooner than this is worth a word.
const SOON_DAYS: u32 = 30;

/// Findings in the order in which they are shown, and every date among them.
#[derive(Default)]
pub struct Survey {
    /// Each with the name of its object: `acme`, `acme/okta`.
    pub lines: Vec<(String, Finding)>,
    pub expiries: Vec<Expiry>,
}

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    pub at: Timestamp,
    /// Empty for what belongs to the installation.
    pub tenant: String,
    /// `connection okta`, `service_provider wiki`, `keys`, `listener`.
    pub object: String,
    /// `signing certificate 3f9a…`, `metadata`.
    pub what: String,
}

impl Survey {
    /// Looks at a tenant: its keys, its connections, its apps.
    pub async fn add_tenant(&mut self, open: &TenantSnapshot, downstreams: &[Arc<dyn Downstream>], now: Timestamp) {
        let tenant = open.view.slug.as_str();
        self.add_own_certificates(tenant, &open.view.keys);
        let mut connections: Vec<&OpenConnection> = open.connections.values().map(AsRef::as_ref).collect();
        connections.sort_by(|a, b| a.view.slug.cmp(&b.view.slug));
        for connection in connections {
            let slug = &connection.view.slug;
            let findings = match &connection.state {
                Err(complaints) => complaints.iter().map(|complaint| problem(complaint.to_string())).collect(),
                Ok(ready) => match &ready.adapter.check {
                    Some(check) => check.run(&open.view, now).await,
                    None => vec![fine("opens".to_owned())],
                },
            };
            self.add(tenant, &format!("connection {slug}"), &format!("{tenant}/{slug}"), findings);
        }
        let mut apps: Vec<&OpenApp> = open.apps.values().map(AsRef::as_ref).collect();
        apps.sort_by(|a, b| (a.view.kind, &a.view.name).cmp(&(b.view.kind, &b.view.name)));
        for app in apps {
            let mut findings: Vec<Finding> = Vec::new();
            for downstream in downstreams.iter().filter(|downstream| downstream.kind() == app.view.kind) {
                findings.extend(downstream.check(&open.view, &app.view, now));
            }
            let broken = app.rules.as_ref().err().into_iter().flatten();
            findings.extend(broken.map(|complaint| problem(complaint.to_string())));
            let name = &app.view.name;
            let kind = app_word(app.view.kind);
            self.add(tenant, &format!("{kind} {name}"), &format!("{tenant}/{name}"), findings);
        }
    }

    /// Syncs that ended nobody because too many would have gone: an administrator has to look.
    pub fn add_stopped_sync(&mut self, tenant: &str, connection: &str, state: &SyncState) {
        let Some(why) = &state.stopped else { return };
        let name = format!("{tenant}/{connection}");
        let text = format!(
            "people who left are not ended any more, because a sync was stopped: {why}. Look at the directory and at \
             users.base and users.filter. If they are right, run `fedbridge connections sync {name} --allow-missing`, \
             which ends everybody who is missing; if they were wrong, mend them and run `fedbridge connections sync \
             {name} --full`"
        );
        self.add(tenant, &format!("connection {connection}"), &name, vec![problem(text)]);
    }

    /// Documents that wait for approval, and those that can't be fetched.
    pub fn add_documents(&mut self, tenant: &TenantConfiguration, upstreams: &Registry, now: Timestamp) {
        let slug = tenant.tenant.spec.slug.as_str();
        for document in &tenant.documents {
            let mut outlasts = None;
            let (object, name, command) = match document.party {
                Party::Connection(id) => {
                    let found = tenant.connections.iter().find(|connection| connection.id == id);
                    let Some(connection) = found else { continue };
                    let documents = upstreams.find(&connection.spec.protocol).and_then(|factory| factory.documents());
                    outlasts = documents.and_then(PartnerDocuments::outlasts);
                    ("connection", &connection.spec.slug, "connections")
                }
                Party::App(id) => {
                    let Some(app) = tenant.apps.iter().find(|app| app.id == id) else { continue };
                    (app_word(app.spec.kind), &app.spec.name, "service-providers")
                }
            };
            let mut findings = Vec::new();
            if let Some(held) = &document.held {
                let since = held.since.rfc3339_seconds();
                let text = format!(
                    "changed metadata waits for approval since {since}; see `fedbridge {command} show {slug}/{name}`"
                );
                findings.push(Finding::new(Level::Warning, text));
            }
            match &document.last_failure {
                // Partners have a hand in it.
                Some(failure) if unread(document) => {
                    let (url, failure) = (&document.url, clip(failure.clone()));
                    let text = format!("nobody can log in, because {url} could not be read yet: {failure}");
                    findings.push(Finding::new(Level::Warning, text));
                }
                Some(failure) if has_lapsed(outlasts, document.last_look, document.failures, now) => {
                    let (last, failure) = (document.last_look.rfc3339_seconds(), clip(failure.clone()));
                    let text = format!(
                        "nobody can log in, because the metadata was last confirmed at {last}, and every look since \
                         then has failed: {failure}"
                    );
                    findings.push(problem(text));
                }
                Some(failure) => {
                    let times = counted(document.failures as usize, "time", "times");
                    let text = format!("the metadata could not be renewed {times}: {failure}; the last one is used");
                    findings.push(Finding::new(Level::Warning, text));
                }
                // Of one that nobody has tried to read the connection itself says so.
                None => {}
            }
            self.add(slug, &format!("{object} {name}"), &format!("{slug}/{name}"), findings);
        }
    }

    /// Adds findings about one object. `shown` is its name at the start of a line.
    pub fn add(&mut self, tenant: &str, object: &str, shown: &str, findings: Vec<Finding>) {
        for finding in findings {
            if let Some(ending) = &finding.ends {
                let (tenant, object, what) = (tenant.to_owned(), object.to_owned(), ending.what.clone());
                self.expiries.push(Expiry { at: ending.at, tenant, object, what });
            }
            self.lines.push((shown.to_owned(), finding));
        }
    }

    /// The certificates that this tenant's SAML metadata carries. Good ones are many and alike: one
    /// line says so.
    fn add_own_certificates(&mut self, tenant: &str, keys: &KeyRing) {
        let signing = keys.saml_signing.iter().filter_map(|key| Some((key.signer.kid(), key.certificate.as_deref()?)));
        let decryption = keys.saml_decryption.iter().map(|key| (key.decrypter.kid(), key.certificate.as_slice()));
        let findings = signing.chain(decryption).map(|(kid, der)| match X509::from_der(der) {
            Ok(certificate) => dated(&format!("own certificate {kid}"), certificate.not_after()),
            Err(_) => problem(format!("own certificate {kid} can't be read")),
        });
        let before = self.lines.len();
        self.add(tenant, "keys", tenant, findings.collect());
        let mut good = 0;
        let kept = self.lines.split_off(before).into_iter().filter(|(_, finding)| {
            good += usize::from(finding.level == Level::Fine);
            finding.level != Level::Fine
        });
        let kept: Vec<_> = kept.collect();
        self.lines.extend(kept);
        if good > 0 {
            let (what, are) =
                (counted(good, "own SAML certificate", "own SAML certificates"), if good == 1 { "is" } else { "are" });
            let text = format!("{what} {are} valid for at least {SOON_DAYS} days");
            self.lines.push((tenant.to_owned(), fine(text)));
        }
    }

    pub fn has_problems(&self) -> bool {
        self.lines.iter().any(|(_, finding)| finding.level == Level::Problem)
    }

    /// Every date, the nearest first.
    pub fn radar(&self) -> Vec<&Expiry> {
        let mut all: Vec<&Expiry> = self.expiries.iter().collect();
        all.sort();
        all
    }
}

/// How a bridge file calls one kind of app.
pub fn app_word(kind: AppKind) -> &'static str {
    match kind {
        AppKind::OidcClient => "client",
        AppKind::SamlSp => "service_provider",
        AppKind::LdapApp => "ldap_app",
        AppKind::ScimApp => "scim_app",
        AppKind::SignalReceiver => "signal_receiver",
    }
}

/// A finding about a certificate's end.
pub fn dated(what: &str, end: &Asn1TimeRef) -> Finding {
    let passes = |days: u32| Asn1Time::days_from_now(days).is_ok_and(|then| end < then);
    let finding = if passes(0) {
        problem(format!("{what} ended on {end}"))
    } else if passes(SOON_DAYS) {
        Finding::new(Level::Warning, format!("{what} ends on {end}"))
    } else {
        fine(format!("{what} is valid until {end}"))
    };
    match timestamp(end) {
        Some(at) => finding.ending(what, at),
        None => finding,
    }
}

/// The moment of an ASN.1 time.
fn timestamp(time: &Asn1TimeRef) -> Option<Timestamp> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(Timestamp::from_seconds(i64::from(since.days) * 86_400 + i64::from(since.secs)))
}

pub fn fine(text: String) -> Finding {
    Finding::new(Level::Fine, text)
}

pub fn problem(text: String) -> Finding {
    Finding::new(Level::Problem, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_certificates_end_becomes_a_date() {
        let end = Asn1Time::from_str_x509("20391231235959Z").unwrap();
        let finding = dated("own certificate k", &end);
        assert_eq!(finding.level, Level::Fine);
        let ends = finding.ends.unwrap();
        assert_eq!((ends.what.as_str(), ends.at.rfc3339().as_str()), ("own certificate k", "2039-12-31T23:59:59Z"));
        let past = Asn1Time::from_str_x509("20200101000000Z").unwrap();
        let finding = dated("it", &past);
        assert_eq!((finding.level, finding.ends.unwrap().at), (Level::Problem, Timestamp::from_seconds(1_577_836_800)));
    }

    #[test]
    fn the_radar_shows_the_nearest_first() {
        let mut survey = Survey::default();
        let later = fine("a".to_owned()).ending("metadata", Timestamp::from_seconds(20));
        let sooner = fine("b".to_owned()).ending("signing certificate 3f", Timestamp::from_seconds(10));
        survey.add("acme", "connection okta", "acme/okta", vec![later, fine("no date".to_owned()), sooner]);
        let shown: Vec<_> = survey.radar().iter().map(|expiry| (expiry.at.seconds(), expiry.what.as_str())).collect();
        assert_eq!(shown, [(10, "signing certificate 3f"), (20, "metadata")]);
        assert_eq!(survey.lines.len(), 3);
        assert!(!survey.has_problems());
    }
}
