//! Statuses: how the app is told that there is no login (SAML core 3.2.2).

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_saml_core::names;
use fedbridge_saml_core::writer::XmlWriter;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// Who can mend it: the requester, or we.
    pub(crate) top: &'static str,
    pub(crate) detail: Option<&'static str>,
    /// One plain sentence that the app may show.
    pub(crate) public: String,
}

impl Status {
    pub(crate) fn requester(detail: &'static str, public: impl Into<String>) -> Self {
        Self { top: names::STATUS_REQUESTER, detail: Some(detail), public: public.into() }
    }

    pub(crate) fn responder(detail: &'static str, public: impl Into<String>) -> Self {
        Self { top: names::STATUS_RESPONDER, detail: Some(detail), public: public.into() }
    }

    pub(crate) fn of(kind: RefusalKind, public: &str) -> Self {
        match kind {
            RefusalKind::LoginRequired
            | RefusalKind::InteractionRequired
            | RefusalKind::AccountSelectionRequired
            | RefusalKind::ConsentRequired => Self::responder(names::STATUS_NO_PASSIVE, public),
            RefusalKind::AccessDenied => Self::responder(names::STATUS_REQUEST_DENIED, public),
            RefusalKind::UnmetAuthnContext => Self::responder(names::STATUS_NO_AUTHN_CONTEXT, public),
            RefusalKind::SubjectUnavailable => Self::requester(names::STATUS_INVALID_NAME_ID_POLICY, public),
            RefusalKind::ServerError | RefusalKind::TemporarilyUnavailable => {
                Self { top: names::STATUS_RESPONDER, detail: None, public: public.to_owned() }
            }
        }
    }

    pub(crate) fn write(&self, xml: &mut XmlWriter) {
        xml.open("samlp:Status").open("samlp:StatusCode").attr("Value", self.top);
        if let Some(detail) = self.detail {
            xml.open("samlp:StatusCode").attr("Value", detail).close();
        }
        xml.close().leaf("samlp:StatusMessage", &self.public).close();
    }
}
