//! Asks for what is behind an artifact, rightly or wrongly.

use fedbridge_contract::time::Timestamp;

use super::{ScriptError, TestKey, random_id, sign_message, soap};
use crate::names;
use crate::writer::XmlWriter;

/// An ArtifactResolve as it shall be (SAML core 3.5.1).
#[derive(Debug, Clone, Default)]
pub struct ArtifactResolvePlan {
    pub id: String,
    pub version: String,
    pub issue_instant: String,
    pub destination: Option<String>,
    pub issuer: Option<String>,
    pub artifact: String,
}

impl ArtifactResolvePlan {
    /// A right one, of this service provider, to this address.
    pub fn new(issuer: &str, destination: &str, artifact: &str, now: Timestamp) -> Self {
        Self {
            id: random_id(),
            version: "2.0".into(),
            issue_instant: now.rfc3339_seconds(),
            destination: Some(destination.into()),
            issuer: Some(issuer.into()),
            artifact: artifact.into(),
        }
    }

    /// The document, unsigned.
    pub fn xml(&self) -> String {
        let mut xml = XmlWriter::new();
        xml.open("samlp:ArtifactResolve")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("ID", &self.id)
            .attr("Version", &self.version)
            .attr("IssueInstant", &self.issue_instant)
            .attr_if("Destination", self.destination.as_deref());
        if let Some(issuer) = &self.issuer {
            xml.open("saml:Issuer").attr("xmlns:saml", names::ASSERTION).text(issuer).close();
        }
        xml.leaf("samlp:Artifact", &self.artifact);
        xml.finish()
    }

    /// Signed, in its envelope.
    pub fn call(&self, key: &TestKey) -> Result<String, ScriptError> {
        Ok(soap(&sign_message(&self.xml(), &self.id, key)?))
    }
}
