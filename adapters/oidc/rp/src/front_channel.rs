//! Front-channel logout: the provider opens our address in a frame (Front-Channel Logout 1.0).

use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::Reply;
use fedbridge_contract::logout::{Channel, LogoutMessage, LogoutSelector, Manner, PeerLogout, ReceivedLogout};
use fedbridge_contract::page::{ErrorPage, Page};
use fedbridge_contract::trace::TraceLog;

use crate::checks::{Checked, refuse, require};
use crate::issuer::IssuerRule;
use crate::logout::AskedBy;
use crate::parameters::{once, parameter};
use crate::party::RelyingParty;
use crate::settings::FrontChannelSid;
use crate::subject::logout_key;

/// The longest `sid`, in octets.
const MAX_SID: usize = 255;

const SOURCE: &str = "Front-Channel Logout 1.0, 3";

/// Nothing here is signed: whoever knows a session's `sid` may end it, and nobody else may end anything. Both
/// parameters must be there, else a picture on any page could log people out.
pub fn receive(party: &RelyingParty, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
    match read(party, &message, trace) {
        Ok(request) => ReceivedLogout::Request(Box::new(request)),
        Err(_) => ReceivedLogout::Reply(refusal(message.tenant)),
    }
}

fn read(party: &RelyingParty, message: &LogoutMessage<'_>, trace: &mut TraceLog) -> Checked<PeerLogout> {
    let parameters = message.input.query_params();
    once(&parameters, &["iss", "sid"], trace)?;
    let Some(provider) = &party.provider else {
        return refuse(trace, "iss of the frame", SOURCE, "a provider whose metadata is known", "none was read yet");
    };
    let (iss, sid) = (parameter(&parameters, "iss"), parameter(&parameters, "sid"));
    let rule = IssuerRule::of(&party.settings, provider);
    let own = iss.is_some_and(|iss| rule.admits(iss));
    require(trace, "iss of the frame", SOURCE, rule.expected(), iss.unwrap_or("none"), own)?;
    let sid = sid.unwrap_or_default();
    let expected = format!("a text of 1 to {MAX_SID} octets");
    let formed = (1..=MAX_SID).contains(&sid.len());
    require(trace, "sid of the frame", SOURCE, expected, format!("{} octets", sid.len()), formed)?;
    let connection = party.connection;
    let (selector, only_here) = match party.settings.front_channel_sid {
        FrontChannelSid::Sid => (LogoutSelector::UpstreamIndex { connection, index: sid.to_owned() }, false),
        // Everybody can write down somebody else's user name: it ends what this very browser has, and no more.
        FrontChannelSid::Subject => {
            let key = logout_key(&party.settings, sid);
            (LogoutSelector::Upstream { connection, key, indexes: Vec::new() }, true)
        }
    };
    Ok(PeerLogout {
        selector,
        channel: Channel::Front,
        once: Vec::new(),
        continuation: AskedBy::Frame.continuation(),
        framed_by: Some(provider.authorization_endpoint.origin().ascii_serialization()),
        manner: Manner { only_here, ..Manner::default() },
    })
}

fn refusal(tenant: &Tenant) -> Reply {
    Reply::page(Page::Error(ErrorPage {
        status: 400,
        tenant: Some(tenant.display_name.clone()),
        sentence: "The logout message of your organization's login service could not be accepted.".to_owned(),
        trace: None,
        way_back: None,
    }))
}
