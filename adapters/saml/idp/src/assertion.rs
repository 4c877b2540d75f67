//! The assertion (SAML core 2.3.3, SAML profiles 4.1.4.2).

use std::time::Duration;

use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::name_id::OwnedNameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::writer::XmlWriter;

use crate::attributes::{self, Attribute};

/// Clocks of apps run behind ours by this much without harm.
const BEFORE: Duration = Duration::from_secs(60);

/// All that an assertion says.
pub(crate) struct AssertionParts {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) now: Timestamp,
    /// After this nobody may begin a session with it.
    pub(crate) not_on_or_after: Timestamp,
    pub(crate) name_id: OwnedNameId,
    /// The address that it is for.
    pub(crate) recipient: String,
    /// `None` where nobody asked.
    pub(crate) in_response_to: Option<String>,
    /// The service provider first.
    pub(crate) audiences: Vec<String>,
    pub(crate) authn_instant: Timestamp,
    pub(crate) session_index: String,
    pub(crate) session_end: Timestamp,
    pub(crate) class: String,
    pub(crate) authorities: Vec<String>,
    pub(crate) attributes: Vec<Attribute>,
}

impl AssertionParts {
    /// The element declares every namespace that it uses, so that it can be moved and stays signed.
    pub(crate) fn xml(&self) -> String {
        let end = self.not_on_or_after.rfc3339_seconds();
        let mut xml = XmlWriter::new();
        xml.open("saml:Assertion")
            .attr("xmlns:saml", names::ASSERTION)
            .attr("ID", &self.id)
            .attr("Version", "2.0")
            .attr("IssueInstant", &self.now.rfc3339_seconds())
            .leaf("saml:Issuer", &self.issuer);
        xml.open("saml:Subject");
        self.name_id.write(&mut xml);
        xml.open("saml:SubjectConfirmation").attr("Method", names::METHOD_BEARER);
        xml.open("saml:SubjectConfirmationData")
            .attr_if("InResponseTo", self.in_response_to.as_deref())
            .attr("NotOnOrAfter", &end)
            .attr("Recipient", &self.recipient)
            .close();
        xml.close().close();
        xml.open("saml:Conditions")
            .attr("NotBefore", &(self.now - BEFORE).rfc3339_seconds())
            .attr("NotOnOrAfter", &end)
            .open("saml:AudienceRestriction");
        for audience in &self.audiences {
            xml.leaf("saml:Audience", audience);
        }
        xml.close().close();
        xml.open("saml:AuthnStatement")
            .attr("AuthnInstant", &self.authn_instant.rfc3339_seconds())
            .attr("SessionIndex", &self.session_index)
            .attr("SessionNotOnOrAfter", &self.session_end.rfc3339_seconds());
        xml.open("saml:AuthnContext").leaf("saml:AuthnContextClassRef", &self.class);
        for authority in &self.authorities {
            xml.leaf("saml:AuthenticatingAuthority", authority);
        }
        xml.close().close();
        attributes::write(&mut xml, &self.attributes);
        xml.finish()
    }
}
