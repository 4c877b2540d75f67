//! Makes LogoutRequest and LogoutResponse. The caller signs them by the binding's rule.

use fedbridge_contract::logout::LogoutEnd;
use fedbridge_contract::time::Timestamp;

use crate::name_id::OwnedNameId;
use crate::names;
use crate::writer::XmlWriter;

/// What a LogoutRequest says (SAML core 3.7.1, SAML profiles 4.4.4.1).
#[derive(Debug, Clone, Copy)]
pub struct LogoutRequestParts<'a> {
    pub id: &'a str,
    pub issuer: &'a str,
    pub destination: &'a str,
    /// Exactly as it was given or received.
    pub name_id: &'a OwnedNameId,
    pub indexes: &'a [String],
    pub not_on_or_after: Timestamp,
    pub now: Timestamp,
}

pub fn request(parts: &LogoutRequestParts<'_>) -> String {
    let mut xml = XmlWriter::new();
    xml.open("samlp:LogoutRequest")
        .attr("xmlns:samlp", names::PROTOCOL)
        .attr("xmlns:saml", names::ASSERTION)
        .attr("ID", parts.id)
        .attr("Version", "2.0")
        .attr("IssueInstant", &parts.now.rfc3339_seconds())
        .attr("Destination", parts.destination)
        .attr("NotOnOrAfter", &parts.not_on_or_after.rfc3339_seconds());
    xml.leaf("saml:Issuer", parts.issuer);
    parts.name_id.write(&mut xml);
    for index in parts.indexes {
        xml.leaf("samlp:SessionIndex", index);
    }
    xml.finish()
}

/// Answers a LogoutRequest. Where our own sessions are over the first code is Success, whoever else was not
/// told (SAML core 3.7.3.2). By SOAP it has no Destination.
pub fn response(
    id: &str,
    in_response_to: &str,
    issuer: &str,
    destination: Option<&str>,
    end: LogoutEnd,
    now: Timestamp,
) -> String {
    let mut xml = XmlWriter::new();
    xml.open("samlp:LogoutResponse")
        .attr("xmlns:samlp", names::PROTOCOL)
        .attr("xmlns:saml", names::ASSERTION)
        .attr("ID", id)
        .attr("InResponseTo", in_response_to)
        .attr("Version", "2.0")
        .attr("IssueInstant", &now.rfc3339_seconds())
        .attr_if("Destination", destination);
    xml.leaf("saml:Issuer", issuer);
    let (first, second) = match end {
        LogoutEnd::Complete | LogoutEnd::NoSession => (names::STATUS_SUCCESS, None),
        LogoutEnd::Partial => (names::STATUS_SUCCESS, Some(names::STATUS_PARTIAL_LOGOUT)),
        LogoutEnd::Refused => (names::STATUS_REQUESTER, Some(names::STATUS_REQUEST_DENIED)),
        LogoutEnd::Failed => (names::STATUS_RESPONDER, None),
    };
    xml.open("samlp:Status").open("samlp:StatusCode").attr("Value", first);
    if let Some(second) = second {
        xml.open("samlp:StatusCode").attr("Value", second).close();
    }
    xml.finish()
}
