//! Telling apps that a session is over (OpenID Connect Back-Channel Logout 1.0).

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::downstream::IssuedIdentity;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::logout::{DownstreamLogout, LogoutCall, LogoutEnd, Notice, Participant, Told};
use fedbridge_contract::services::{EgressPost, Fetched};
use serde_json::Value;

use super::OpenIdProvider;
use super::logout_token;
use super::settings::ClientSettings;

/// The app's part in the session, where it wants to hear of the end.
pub(crate) fn participant(app: &App, identity: &IssuedIdentity) -> Option<Participant> {
    let settings = ClientSettings::of(app).ok()?;
    settings.backchannel_logout_uri.as_ref()?;
    Some(Participant {
        app: app.id,
        key: identity.sub.clone(),
        index: Some(identity.session.to_string()),
        memory: Value::Null,
    })
}

#[async_trait]
impl DownstreamLogout for OpenIdProvider {
    /// Section 2.5. An app that was disabled meanwhile is told too: its session there lives on.
    async fn notice(&self, call: LogoutCall<'_>) -> Result<Notice, ProtocolError> {
        let failed = |cause: String| ProtocolError::new("server_error", "The app can't be told of the logout.", cause);
        let settings = ClientSettings::of(call.app).map_err(|_| failed("the app's settings can't be read".into()))?;
        let Some(address) = settings.backchannel_logout_uri.as_deref() else { return Ok(Notice::Nothing) };
        let token = logout_token::mint(&call, &settings).map_err(|error| failed(error.to_string()))?;
        Ok(Notice::Back(EgressPost {
            url: address.to_owned(),
            content_type: "application/x-www-form-urlencoded".into(),
            headers: Vec::new(),
            body: format!("logout_token={token}"),
        }))
    }

    /// Section 2.8. An app that is broken or busy has not said no.
    async fn told(&self, _call: LogoutCall<'_>, answer: &Fetched) -> Told {
        match answer.status {
            200 | 204 => Told::Done,
            408 | 429 | 500.. => Told::Silent,
            _ => Told::Refused,
        }
    }

    /// An app asks through the browser alone (RP-Initiated Logout 1.0), and that the hub answers.
    async fn conclude(&self, _tenant: &Arc<Tenant>, _continuation: &[u8], _end: LogoutEnd) -> Reply {
        Reply::body(404, "text/plain", "There is nothing at this address.")
    }
}
