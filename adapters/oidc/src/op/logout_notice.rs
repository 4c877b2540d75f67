//! Which apps hear of a session's end, and by which channel.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::downstream::IssuedIdentity;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::logout::{DownstreamLogout, LogoutCall, LogoutEnd, Notice, Participant, Told};
use fedbridge_contract::services::Fetched;
use serde_json::Value;

use super::OpenIdProvider;
use super::settings::ClientSettings;
use super::{backchannel_logout, frontchannel_logout};

/// The app's part in the session, where it wants to hear of the end.
pub(crate) fn participant(app: &App, identity: &IssuedIdentity) -> Option<Participant> {
    let settings = ClientSettings::of(app).ok()?;
    channel(&settings)?;
    Some(Participant {
        app: app.id,
        key: identity.sub.clone(),
        index: Some(identity.session.to_string()),
        memory: Value::Null,
    })
}

enum Channel<'a> {
    Back(&'a str),
    Front(&'a str),
}

/// The back channel, where both are registered: it needs no browser, and has an answer.
fn channel(settings: &ClientSettings) -> Option<Channel<'_>> {
    let front = || settings.frontchannel_logout_uri.as_deref().map(Channel::Front);
    settings.backchannel_logout_uri.as_deref().map(Channel::Back).or_else(front)
}

#[async_trait]
impl DownstreamLogout for OpenIdProvider {
    async fn notice(&self, call: LogoutCall<'_>) -> Result<Notice, ProtocolError> {
        let failed = |cause: String| ProtocolError::new("server_error", "The app can't be told of the logout.", cause);
        let settings = ClientSettings::of(call.app).map_err(|_| failed("the app's settings can't be read".into()))?;
        Ok(match channel(&settings) {
            None => Notice::Nothing,
            Some(Channel::Back(address)) => {
                let post = backchannel_logout::post(&call, &settings, address);
                Notice::Back(post.map_err(|error| failed(error.to_string()))?)
            }
            Some(Channel::Front(address)) => {
                let sid = call.session.to_string();
                Notice::Frame(frontchannel_logout::address(address, &call.tenant.issuer, &sid))
            }
        })
    }

    fn frame_origin(&self, app: &App) -> Option<String> {
        match channel(&*ClientSettings::of(app).ok()?)? {
            Channel::Front(address) => frontchannel_logout::origin(address),
            Channel::Back(_) => None,
        }
    }

    async fn told(&self, _call: LogoutCall<'_>, answer: &Fetched) -> Told {
        backchannel_logout::told(answer)
    }

    /// An app asks through the browser alone (RP-Initiated Logout 1.0), and that the hub answers.
    async fn conclude(&self, _tenant: &Arc<Tenant>, _continuation: &[u8], _end: LogoutEnd) -> Reply {
        Reply::body(404, "text/plain", "There is nothing at this address.")
    }
}
