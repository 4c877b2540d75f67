//! Status codes of a response and what they mean downstream (SAML core 3.2.2.2).

use fedbridge_contract::upstream::{UpstreamRefusal, UpstreamRefusalKind};

use fedbridge_saml_core::grammar::{Children, GrammarError, only_attributes, required_attribute};
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Element;

/// The status of a response: the top-level code and the one below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status<'a> {
    pub top: &'a str,
    pub second: Option<&'a str>,
}

impl<'a> Status<'a> {
    /// Reads `samlp:Status`. The message and the detail are for nobody: they are not read.
    pub fn read(element: &'a Element) -> Result<Self, GrammarError> {
        only_attributes(element, &[])?;
        let mut children = Children::of(element)?;
        let code = children.required(names::PROTOCOL, "StatusCode")?;
        children.optional(names::PROTOCOL, "StatusMessage");
        children.optional(names::PROTOCOL, "StatusDetail");
        children.end()?;
        let mut inner = Children::of(code)?;
        let second = inner.optional(names::PROTOCOL, "StatusCode");
        inner.end()?;
        Ok(Self {
            top: required_attribute(code, "Value")?,
            second: second.map(|code| required_attribute(code, "Value")).transpose()?,
        })
    }

    pub fn is_success(self) -> bool {
        self.top == names::STATUS_SUCCESS
    }

    /// Both codes, as an admin reads them.
    pub fn text(self) -> String {
        match self.second {
            Some(second) => format!("{} / {}", short(self.top), short(second)),
            None => short(self.top).to_owned(),
        }
    }

    /// What a status other than success means for the app.
    pub fn refusal(self) -> UpstreamRefusal {
        let kind = match self.second {
            Some(names::STATUS_NO_PASSIVE) => UpstreamRefusalKind::LoginRequired,
            Some(names::STATUS_NO_AUTHN_CONTEXT) => UpstreamRefusalKind::UnmetAuthnContext,
            Some(names::STATUS_AUTHN_FAILED | names::STATUS_REQUEST_DENIED) => UpstreamRefusalKind::Denied,
            _ => UpstreamRefusalKind::Failed,
        };
        UpstreamRefusal { kind, upstream_code: fedbridge_contract::trace::clip(self.text()) }
    }
}

fn short(code: &str) -> &str {
    code.strip_prefix("urn:oasis:names:tc:SAML:2.0:status:").unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_second_level_codes() {
        let kind = |second| Status { top: names::STATUS_RESPONDER, second }.refusal().kind;
        assert_eq!(kind(Some(names::STATUS_NO_PASSIVE)), UpstreamRefusalKind::LoginRequired);
        assert_eq!(kind(Some(names::STATUS_NO_AUTHN_CONTEXT)), UpstreamRefusalKind::UnmetAuthnContext);
        assert_eq!(kind(Some(names::STATUS_AUTHN_FAILED)), UpstreamRefusalKind::Denied);
        assert_eq!(kind(Some(names::STATUS_REQUEST_DENIED)), UpstreamRefusalKind::Denied);
        assert_eq!(kind(Some("urn:other")), UpstreamRefusalKind::Failed);
        assert_eq!(kind(None), UpstreamRefusalKind::Failed);
    }

    #[test]
    fn names_both_codes() {
        let status = Status { top: names::STATUS_RESPONDER, second: Some(names::STATUS_NO_PASSIVE) };
        assert_eq!(status.refusal().upstream_code, "Responder / NoPassive");
    }
}
