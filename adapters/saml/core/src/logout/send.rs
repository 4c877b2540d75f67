//! Sends logout messages: signed in every binding (SAML profiles 4.4.3).

use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::logout::{LogoutEnd, Notice};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Challenge;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Carried, LogoutRequestParts, VerifiedLogoutRequest, request, response};
use crate::binding::{Parameter, post, redirect, soap};
use crate::metadata::{LogoutBinding, LogoutEndpoint, logout_endpoint};
use crate::signing::{SignError, sign_message};

/// Makes the notice that carries a request to an endpoint. Blocking, as signing is.
///
/// # Errors
/// There is no key to sign with, or it failed.
pub fn notice(endpoint: &LogoutEndpoint, parts: &LogoutRequestParts<'_>, keys: &KeyRing) -> Result<Notice, SignError> {
    let xml = request(&LogoutRequestParts { destination: endpoint.location.as_str(), ..*parts });
    let to = &endpoint.location;
    Ok(match endpoint.binding {
        LogoutBinding::Redirect => {
            let location = redirect::send(to, Parameter::SamlRequest, &xml, None, Some(keys))?;
            Notice::Front(Challenge::Redirect(location))
        }
        LogoutBinding::Post => {
            let signed = sign_message(&xml, parts.id, keys)?;
            Notice::Front(post::send(to, Parameter::SamlRequest, &signed, None))
        }
        LogoutBinding::Soap => Notice::Back(soap::send(to.as_str(), &text(sign_message(&xml, parts.id, keys)?))),
    })
}

/// What is kept of a request until its answer goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answering {
    in_response_to: String,
    relay_state: Option<String>,
    to: To,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "address", rename_all = "snake_case")]
enum To {
    Redirect(Url),
    Post(Url),
    /// The connection that the request came on.
    Soap,
    /// It wants no answer, or has no address for one.
    Nobody,
}

impl Answering {
    /// Where the answer to a request goes: by SOAP where it came so, else to the sender's logout service,
    /// by redirect where there is one.
    pub fn of(request: &VerifiedLogoutRequest, carried: &Carried, slo: &[LogoutEndpoint]) -> Self {
        let front = |binding| logout_endpoint(slo, binding).map(|endpoint| endpoint.answers().clone());
        let to = if carried.is_soap() {
            To::Soap
        } else if request.asynchronous {
            To::Nobody
        } else if let Some(address) = front(LogoutBinding::Redirect) {
            To::Redirect(address)
        } else {
            front(LogoutBinding::Post).map_or(To::Nobody, To::Post)
        };
        Self { in_response_to: request.id.clone(), relay_state: carried.relay_state.clone(), to }
    }

    pub fn is_soap(&self) -> bool {
        self.to == To::Soap
    }

    /// Makes the answer; `None` where nobody is to be answered. Blocking, as signing is.
    ///
    /// # Errors
    /// There is no key to sign with, or it failed.
    pub fn reply(
        &self,
        id: &str,
        issuer: &str,
        end: LogoutEnd,
        keys: &KeyRing,
        now: Timestamp,
    ) -> Result<Option<Reply>, SignError> {
        let xml = |to: Option<&Url>| response(id, &self.in_response_to, issuer, to.map(Url::as_str), end, now);
        let relay_state = self.relay_state.as_deref();
        Ok(Some(match &self.to {
            To::Redirect(to) => {
                let xml = xml(Some(to));
                Reply::redirect(redirect::send(to, Parameter::SamlResponse, &xml, relay_state, Some(keys))?)
            }
            To::Post(to) => {
                let signed = sign_message(&xml(Some(to)), id, keys)?;
                match post::send(to, Parameter::SamlResponse, &signed, relay_state) {
                    Challenge::Redirect(location) => Reply::redirect(location),
                    Challenge::AutoPost { action, fields } => ReplyKind::AutoPost { action, fields }.into(),
                }
            }
            To::Soap => soap::reply(&text(sign_message(&xml(None), id, keys)?)),
            To::Nobody => return Ok(None),
        }))
    }
}

/// What was signed was written here, as text.
fn text(signed: Vec<u8>) -> String {
    String::from_utf8_lossy(&signed).into_owned()
}
