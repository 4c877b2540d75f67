//! `check`: opens every connection without changing it; one line for each finding.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_hub::run::OpenConnection;
use fedbridge_hub::spec::{Configuration, TenantConfiguration};
use fedbridge_keys::TenantName;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509;

use crate::bridge::plan::{Options, plan};
use crate::foundation::Foundation;
use crate::registry;
use crate::settings::{Settings, TlsFiles};

use super::CliError;
use super::apply::{load, make_keys};
use super::output::{Paint, print};

/// A certificate that ends sooner than this is worth a word.
const SOON: u32 = 30;

/// Clocks of one installation may differ by this much.
const SKEW: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge check -f bridge.yaml\n\nEnds with 1 where a line says ✗.")]
pub struct Args {
    /// Bridge file, or a folder of them [default: the store]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
    let stored = foundation.system.load().await?;
    let now = foundation.clock.now();
    let mut report = Report { lines: Vec::new(), paint: Paint::stdout() };
    report.add("clock", clock(&stored, now));
    if let Some(tls) = &settings.http.tls {
        report.add("http.tls_cert", listener(tls));
    }
    let configuration = match &args.file {
        None => stored,
        Some(file) => {
            let desired = load(&foundation, &settings, file, &stored).await?;
            let new_keys = |id, slug: &str, wish| make_keys(&foundation, TenantName { id, slug }, wish);
            let store = foundation.system.as_ref();
            let rng = foundation.rng.as_ref();
            let mut preview =
                plan(&desired, &stored, store, Options::default(), rng, &new_keys).await?.plan.preview(&stored);
            // What the file doesn't describe is not its matter.
            preview.tenants.retain(|_, tenant| desired.tenants.iter().any(|t| t.slug == tenant.tenant.spec.slug));
            preview
        }
    };
    let builder = foundation.builder(registry::upstreams(), foundation.quiet_services());
    let mut tenants: Vec<_> = configuration.tenants.values().collect();
    tenants.sort_by(|a, b| a.tenant.spec.slug.cmp(&b.tenant.spec.slug));
    for tenant in tenants {
        let slug = &tenant.tenant.spec.slug;
        report.add(slug, own_certificates(tenant));
        match builder.tenant(tenant) {
            Err(cause) => report.add(slug, vec![problem(format!("the tenant can't be opened: {cause}"))]),
            Ok(open) => {
                let mut connections: Vec<&OpenConnection> = open.connections.values().map(AsRef::as_ref).collect();
                connections.sort_by(|a, b| a.view.slug.cmp(&b.view.slug));
                for connection in connections {
                    let name = format!("{slug}/{}", connection.view.slug);
                    let findings = match &connection.state {
                        Err(complaints) => complaints.iter().map(|complaint| problem(complaint.to_string())).collect(),
                        Ok(ready) => match &ready.adapter.check {
                            Some(check) => check.run(&open.view, now).await,
                            None => vec![fine("opens".to_owned())],
                        },
                    };
                    report.add(&name, findings);
                }
                for app in open.apps.values() {
                    if let Err(complaints) = &app.rules {
                        let name = format!("{slug}/{}", app.view.name);
                        report.add(&name, complaints.iter().map(|complaint| problem(complaint.to_string())).collect());
                    }
                }
            }
        }
    }
    foundation.store.close().await?;
    print(&report.text())?;
    Ok(if report.has_problems() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Lines in the order in which they were found.
struct Report {
    lines: Vec<(String, Finding)>,
    paint: Paint,
}

impl Report {
    fn add(&mut self, name: &str, findings: Vec<Finding>) {
        self.lines.extend(findings.into_iter().map(|finding| (name.to_owned(), finding)));
    }

    fn has_problems(&self) -> bool {
        self.lines.iter().any(|(_, finding)| finding.level == Level::Problem)
    }

    fn text(&self) -> String {
        let line = |(name, finding): &(String, Finding)| {
            let mark = match finding.level {
                Level::Fine => self.paint.green("✓"),
                Level::Warning => self.paint.yellow("!"),
                Level::Problem => self.paint.red("✗"),
            };
            format!("{mark} {name}: {}\n", finding.text)
        };
        self.lines.iter().map(line).collect()
    }
}

/// Signatures are refused by time, so a wrong clock refuses every login.
fn clock(configuration: &Configuration, now: Timestamp) -> Vec<Finding> {
    let newest = configuration.tenants.values().flat_map(|tenant| &tenant.keys).map(|key| key.changed).max();
    match newest {
        Some(newest) if newest > now + SKEW => vec![problem(format!(
            "this machine says {}, but a key in the store is from {}; set the clock",
            now.rfc3339_seconds(),
            newest.rfc3339_seconds()
        ))],
        _ => vec![fine(format!("this machine says {}", now.rfc3339_seconds()))],
    }
}

fn listener(files: &TlsFiles) -> Vec<Finding> {
    let path = files.cert.display();
    let certificates = match std::fs::read(&files.cert) {
        Err(cause) => return vec![problem(format!("{path} can't be read: {cause}"))],
        Ok(pem) => X509::stack_from_pem(&pem),
    };
    let mut findings = match certificates {
        Ok(list) if !list.is_empty() => list.iter().map(|c| validity(&path.to_string(), c.not_after())).collect(),
        _ => return vec![problem(format!("{path} holds no certificate in PEM"))],
    };
    if let Err(error) = fedbridge_web::Tls::from_files(&files.cert, &files.key) {
        let findings: &mut Vec<Finding> = &mut findings;
        findings.push(problem(error.to_string()));
    }
    findings
}

/// The certificates that this tenant's SAML metadata carries.
fn own_certificates(tenant: &TenantConfiguration) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in &tenant.keys {
        let Some(der) = &key.certificate else { continue };
        match X509::from_der(der) {
            Ok(certificate) => {
                findings.push(validity(&format!("own certificate {}", key.kid), certificate.not_after()))
            }
            Err(_) => findings.push(problem(format!("own certificate {} can't be read", key.kid))),
        }
    }
    // Good ones are many and alike; one line says so.
    let (fine_ones, mut rest): (Vec<_>, Vec<_>) = findings.into_iter().partition(|f| f.level == Level::Fine);
    if !fine_ones.is_empty() {
        rest.push(fine(format!("{} own SAML certificates are valid for at least {SOON} days", fine_ones.len())));
    }
    rest
}

fn validity(what: &str, end: &Asn1TimeRef) -> Finding {
    let passes = |days: u32| Asn1Time::days_from_now(days).is_ok_and(|then| end < then);
    if passes(0) {
        problem(format!("{what} ended on {end}"))
    } else if passes(SOON) {
        Finding::new(Level::Warning, format!("{what} ends on {end}"))
    } else {
        fine(format!("{what} is valid until {end}"))
    }
}

fn fine(text: String) -> Finding {
    Finding::new(Level::Fine, text)
}

fn problem(text: String) -> Finding {
    Finding::new(Level::Problem, text)
}
