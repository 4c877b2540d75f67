//! What is remembered of a request between its verification and its answer.

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::downstream::{ConnectionHints, LoginRequest};
use fedbridge_contract::http::HttpInput;
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::ids::AppId;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::LoginWish;
use fedbridge_saml_core::metadata::{AcsBinding, AcsEndpoint};
use serde::{Deserialize, Serialize};

use crate::acs;
use crate::settings::SpSettings;

/// The most octets that wait for an answer. Whoever can send a request makes us store this much.
const MAX_KEPT: usize = 16 * 1024;

/// A login that a service provider asked for, every check passed, or one that begins without a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) app: AppId,
    /// A registered address: the answer goes there and nowhere else.
    pub(crate) acs: String,
    #[serde(default)]
    pub(crate) by: AcsBinding,
    /// ID of the AuthnRequest; `None` where there was none (SAML profiles 4.1.5).
    pub(crate) request: Option<String>,
    pub(crate) relay_state: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) force_authn: bool,
    pub(crate) passive: bool,
    /// One of these must be reached, the most wanted first; empty: anything will do.
    pub(crate) classes: Vec<String>,
    pub(crate) name: AskedName,
    /// The nearest first: the service provider, then those that it asks for (SAML core 3.4.1.2).
    pub(crate) requesters: Vec<String>,
    /// How many more providers may stand between.
    pub(crate) proxy_count: Option<u32>,
    /// Until then the request counts as used, once it is answered.
    pub(crate) used_until: Timestamp,
    /// Hash of issuer and ID.
    pub(crate) once: Option<String>,
}

/// What the request says about the name of the person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AskedName {
    /// A Format that we support for this app; `None` leaves it to us.
    pub(crate) format: Option<String>,
    /// Whether a persistent identifier may be made.
    pub(crate) may_create: bool,
    /// The person must be the one of this name (SAML core 3.4.1, Subject).
    pub(crate) expected: Option<String>,
}

impl Asked {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// # Errors
    /// It can't be written, which no value of this type causes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// How much would be kept, where that is too much.
    pub(crate) fn too_large(&self) -> Option<usize> {
        self.to_bytes().ok().map(|bytes| bytes.len()).filter(|length| *length > MAX_KEPT)
    }

    /// The same, answered at another of the app's addresses.
    pub(crate) fn at_address(&self, acs: &AcsEndpoint) -> Self {
        Self { acs: acs.text.clone(), by: acs.binding, ..self.clone() }
    }

    /// Whether the answer may still go there. A login takes a while, and an administrator may have taken
    /// the address away meanwhile.
    pub(crate) fn is_registered(&self, settings: &SpSettings) -> bool {
        acs::usable(&settings.sp, settings.trust.is_some()).any(|acs| acs.text == self.acs && acs.binding == self.by)
    }

    /// In the words that every protocol has. `again` is the address that leads here once more.
    pub(crate) fn login(
        &self,
        tenant: &Tenant,
        app: &App,
        settings: &SpSettings,
        hints: ConnectionHints,
        again: String,
    ) -> Result<LoginRequest, serde_json::Error> {
        let wish = LoginWish {
            force_authn: self.force_authn,
            passive: self.passive,
            max_age: None,
            acr_values: self.classes.clone(),
            acr_required: !self.classes.is_empty(),
            proxy_count: self.proxy_count,
            requesters: self.requesters.clone(),
            login_hint: hints.login_hint.clone(),
            domain_hint: hints.domain_hint.clone(),
            ui_locales: None,
        };
        let used =
            |key: &String| OneTimeKey { purpose: "saml.authn_request", key: key.clone(), expires: self.used_until };
        Ok(LoginRequest {
            app: self.app,
            wish,
            hints,
            scope: Vec::new(),
            requested_claims: Vec::new(),
            expected_sub: None,
            choose: false,
            consent: settings.consent,
            // An answered request can't be answered again, so a new login starts without one.
            retry: settings.unsolicited.is_some().then(|| crate::start::plain_address(tenant, app)),
            again,
            once: self.once.iter().map(used).collect(),
            continuation: self.to_bytes()?,
        })
    }
}

/// Hints beside the message, which no signature covers and which decide nothing.
pub(crate) fn hints(input: &HttpInput) -> ConnectionHints {
    let mut hints = ConnectionHints::default();
    for (name, value) in input.query_params() {
        let place = match name.as_str() {
            "connection" | "idp_hint" => &mut hints.connection,
            "login_hint" => &mut hints.login_hint,
            "domain_hint" => &mut hints.domain_hint,
            _ => continue,
        };
        if !value.is_empty() && value.len() <= 256 {
            place.get_or_insert(value);
        }
    }
    hints
}
