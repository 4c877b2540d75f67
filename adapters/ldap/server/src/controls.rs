//! Controls of requests (RFC 4511 section 4.1.11).

use fedbridge_ldap_core::control::{ASSERTION, MANAGE_DSA_IT, PAGED_RESULTS, PagedResults};
use fedbridge_ldap_core::password_policy::PASSWORD_POLICY;
use fedbridge_ldap_core::{Code, Control, Filter, LdapResult, Malformed};

use crate::limits::bearable_filter;

/// What the root DSE names. References are entries like others with ManageDsaIT; there are none among ours, so it
/// changes nothing, and Java's naming interface sends it always.
pub const SUPPORTED: &[&str] = &[PAGED_RESULTS, MANAGE_DSA_IT, ASSERTION, PASSWORD_POLICY];

/// The operations that controls come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    Bind,
    Search,
    Compare,
    Other,
}

/// The controls of one request, as far as they mean something here.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Understood {
    pub(crate) paged: Option<PagedResults>,
    pub(crate) assertion: Option<Filter>,
    pub(crate) password_policy: bool,
}

/// # Errors
/// What the request is answered with: a critical control that nobody knows here, one that has no meaning for the
/// operation, one that comes twice, or one that is malformed.
pub(crate) fn read(controls: &[Control], with: With) -> Result<Understood, LdapResult> {
    let mut understood = Understood::default();
    for control in controls {
        let oid = named(&control.oid);
        let wrong = |_: Malformed| LdapResult::new(Code::PROTOCOL, format!("the control {oid} is malformed"));
        let twice = || LdapResult::new(Code::PROTOCOL, format!("the control {oid} comes twice"));
        match (control.oid.as_str(), with) {
            (PAGED_RESULTS, With::Search) => {
                let paged = PagedResults::read(control).map_err(wrong)?;
                if understood.paged.replace(paged).is_some() {
                    return Err(twice());
                }
            }
            (ASSERTION, With::Search | With::Compare) => {
                let filter = control.assertion().map_err(wrong)?;
                bearable_filter(&filter)?;
                if understood.assertion.replace(filter).is_some() {
                    return Err(twice());
                }
            }
            (PASSWORD_POLICY, With::Bind) => understood.password_policy = true,
            (MANAGE_DSA_IT | PASSWORD_POLICY, _) => {}
            _ if control.critical => {
                let text = format!("the control {oid} is critical, and not known here");
                return Err(LdapResult::new(Code::UNAVAILABLE_CRITICAL_EXTENSION, text));
            }
            _ => {}
        }
    }
    Ok(understood)
}

/// An OID as it is said again, in answers and in traces. What is none is anything that a client likes to write there.
fn named(oid: &str) -> &str {
    let is_oid = oid.len() <= 100 && oid.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    if is_oid { oid } else { "without an OID" }
}
