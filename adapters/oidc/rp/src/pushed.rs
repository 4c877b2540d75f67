//! Pushed authorization requests (RFC 9126): the provider gets the parameters from us, and the browser carries only a
//! name for them.

use fedbridge_contract::config::Tenant;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use url::Url;

use crate::checks::{Checked, Stop, refuse};
use crate::claims;
use crate::metadata::Provider;
use crate::party::RelyingParty;
use crate::provider_call::{Endpoint, call};
use crate::request::Parameters;
use crate::settings::{PushedRequests, Settings};

const NAME: &str = "pushed request";
const SOURCE: &str = "RFC 9126 2.2";

/// The longest name of a request, in octets.
const MAX_URI: usize = 2048;

/// Where requests are pushed, if they are.
pub fn endpoint<'p>(settings: &Settings, provider: &'p Provider) -> Option<&'p Url> {
    let on = settings.pushed_requests != PushedRequests::Off;
    provider.pushed_authorization_request_endpoint.as_ref().filter(|_| on)
}

/// Pushes a request. Gives back what the browser carries in its place.
///
/// # Errors
/// The trace holds the failed check. A provider that offers this and fails is not asked in the open instead.
pub async fn push(
    party: &RelyingParty,
    tenant: &Tenant,
    url: &Url,
    parameters: &Parameters,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Checked<Parameters> {
    let endpoint = Endpoint { name: NAME, url, source: SOURCE, status: 201 };
    let form: Vec<(&str, String)> = parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let body = call(party, tenant, endpoint, &form, now, trace).await.map_err(|_| Stop::Rejected)?;
    let answer = strict_json::object(&body).unwrap_or_default();
    match claims::text(&answer, "request_uri") {
        Ok(Some(uri)) if (1..=MAX_URI).contains(&uri.len()) => Ok(vec![
            ("client_id".to_owned(), party.settings.client_id.clone()),
            ("request_uri".to_owned(), uri.to_owned()),
        ]),
        Ok(Some(_)) => refuse(trace, "pushed request: request_uri", SOURCE, "1 to 2048 octets", "more or less"),
        Ok(None) => refuse(trace, "pushed request: request_uri", SOURCE, "a text", "none"),
        Err(why) => refuse(trace, "pushed request: request_uri", SOURCE, "a text", why.to_string()),
    }
}
