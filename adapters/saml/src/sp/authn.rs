//! How and when the person authenticated (SAML core 2.7.2).

use std::time::Duration;

use fedbridge_contract::identity::{Attributes, AuthnFacts, UpstreamSession};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{UpstreamRefusal, UpstreamRefusalKind};

use super::assertion::AuthnStatement;
use super::checks::{Checked, Clocks, Stop, instant, require};
use crate::settings::RequestedAuthnContext;

const SOURCE: &str = "SAML core 2.7.2";
const CLASSES: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:";
/// Entra lists what the person did in an attribute of this name.
const ENTRA_METHODS: &str = "http://schemas.microsoft.com/claims/authnmethodsreferences";

/// What the request demanded of the authentication.
pub(super) struct Demands<'a> {
    /// ForceAuthn was sent: the authentication must be newer than this request.
    pub forced_since: Option<Timestamp>,
    pub max_age: Option<Duration>,
    pub context: Option<&'a RequestedAuthnContext>,
    /// The app's own, one of which must come out; empty: any.
    pub contexts: &'a [String],
}

/// Checks the statements and gives the newest one's facts, with the earliest end of session.
pub(super) fn check(
    statements: &[AuthnStatement<'_>],
    attributes: &Attributes,
    demands: &Demands<'_>,
    clocks: Clocks,
    trace: &mut TraceLog,
) -> Checked<(AuthnFacts, UpstreamSession)> {
    let number = statements.len();
    require(trace, "AuthnStatement", "SAML profiles 4.1.4.2", "at least one", number.to_string(), number > 0)?;
    let mut newest: Option<(Timestamp, &AuthnStatement<'_>)> = None;
    let mut limit: Option<Timestamp> = None;
    for statement in statements {
        let at = instant(trace, "AuthnInstant", statement.instant)?;
        clocks.require_past(trace, "AuthnInstant", SOURCE, at)?;
        if newest.is_none_or(|(best, _)| at > best) {
            newest = Some((at, statement));
        }
        if let Some(text) = statement.session_not_on_or_after {
            let end = instant(trace, "SessionNotOnOrAfter", text)?;
            clocks.require_before(trace, "SessionNotOnOrAfter", SOURCE, end)?;
            limit = Some(limit.map_or(end, |limit| limit.min(end)));
        }
    }
    let Some((at, statement)) = newest else { return Err(Stop::Rejected) };
    fresh_enough(at, demands, clocks, trace)?;
    strong_enough(statement.class, demands.context, trace)?;
    as_the_app_asked(statement.class, demands.contexts, trace)?;
    let facts = AuthnFacts {
        auth_time: at,
        auth_time_said: true,
        acr: statement.class.map(str::to_owned),
        amr: methods(statement.class, attributes),
        authority: None, // The caller knows who was asked.
        authorities: statement.authorities.iter().map(|&authority| authority.to_owned()).collect(),
    };
    let session = UpstreamSession {
        index: statement.session_index.map(str::to_owned),
        not_on_or_after: limit,
        logout_key: None,
        logout_state: None,
    };
    Ok((facts, session))
}

fn fresh_enough(at: Timestamp, demands: &Demands<'_>, clocks: Clocks, trace: &mut TraceLog) -> Checked<()> {
    if let Some(since) = demands.forced_since {
        let oldest = since - clocks.skew;
        let expected = format!("not before {}, because ForceAuthn was sent", oldest.rfc3339());
        require(trace, "New authentication", "SAML core 3.4.1", expected, at.rfc3339(), at >= oldest)?;
    }
    if let Some(age) = demands.max_age {
        let oldest = clocks.now - age - clocks.skew;
        let expected = format!("not before {}, because of max_age", oldest.rfc3339());
        require(
            trace,
            "Age of the authentication",
            "OpenID Connect Core 3.1.2.1",
            expected,
            at.rfc3339(),
            at >= oldest,
        )?;
    }
    Ok(())
}

fn strong_enough(class: Option<&str>, wanted: Option<&RequestedAuthnContext>, trace: &mut TraceLog) -> Checked<()> {
    let Some(wanted) = wanted.filter(|wanted| wanted.required) else { return Ok(()) };
    let passed = class.is_some_and(|class| wanted.accepted.iter().any(|accepted| accepted == class));
    let expected = wanted.accepted.join(" or ");
    require(trace, "Authentication context", "SAML core 3.3.2.2.1", expected, class.unwrap_or("none"), passed)
}

/// The app is told in its own words that this was not reached.
fn as_the_app_asked(class: Option<&str>, wanted: &[String], trace: &mut TraceLog) -> Checked<()> {
    let reached = class.is_some_and(|class| wanted.iter().any(|wanted| wanted == class));
    if wanted.is_empty() || reached {
        return Ok(());
    }
    let actual = class.unwrap_or("none");
    trace.check("Authentication context for the app", "SAML core 3.3.2.2.1", wanted.join(" or "), actual, false);
    let upstream_code = format!("Success with {}", fedbridge_contract::trace::clip(actual.to_owned()));
    Err(Stop::Refused(UpstreamRefusal { kind: UpstreamRefusalKind::UnmetAuthnContext, upstream_code }))
}

/// Methods of RFC 8176, as far as the class and Entra's attribute say them.
fn methods(class: Option<&str>, attributes: &Attributes) -> Vec<String> {
    let listed = attributes.get(ENTRA_METHODS).iter().map(String::as_str);
    let mut found: Vec<String> = Vec::new();
    for method in class.into_iter().chain(listed).filter_map(method) {
        if !found.iter().any(|known| known == method) {
            found.push(method.to_owned());
        }
    }
    found
}

fn method(class: &str) -> Option<&'static str> {
    if let Some(class) = class.strip_prefix(CLASSES) {
        return Some(match class {
            "Password" | "PasswordProtectedTransport" | "InternetProtocolPassword" | "SecureRemotePassword" => "pwd",
            "Smartcard" | "SmartcardPKI" => "sc",
            "SoftwarePKI" => "swk",
            "X509" | "TLSClient" | "PGP" | "SPKI" | "XMLDSig" => "pop",
            "TimeSyncToken" => "otp",
            "MobileTwoFactorContract" | "MobileTwoFactorUnregistered" => "mfa",
            "Telephony" | "AuthenticatedTelephony" | "PersonalTelephony" | "NomadTelephony" => "tel",
            _ => return None,
        });
    }
    Some(match class {
        "https://refeds.org/profile/mfa" | "http://schemas.microsoft.com/claims/multipleauthn" => "mfa",
        "urn:federation:authentication:windows"
        | "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/windows" => "wia",
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password" => "pwd",
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/x509"
        | "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/tlsclient" => "pop",
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/smartcard"
        | "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/smartcardpki" => "sc",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_become_methods() {
        let mut attributes = Attributes::new();
        let ppt = format!("{CLASSES}PasswordProtectedTransport");
        assert_eq!(methods(Some(&ppt), &attributes), ["pwd"]);
        assert_eq!(methods(None, &attributes), [""; 0]);
        attributes
            .push(ENTRA_METHODS, "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password");
        attributes.push(ENTRA_METHODS, "http://schemas.microsoft.com/claims/multipleauthn");
        assert_eq!(methods(Some(&ppt), &attributes), ["pwd", "mfa"]);
        assert_eq!(methods(Some("urn:made:up"), &Attributes::new()), [""; 0]);
    }
}
