//! Who asks (RFC 7644 section 2): a bearer token of the connection, or an access token of its OAuth client.

use fedbridge_contract::push::{PushActor, PushRequest};
use fedbridge_contract::time::{Timestamp, delay_seconds};
use fedbridge_scim_core::Fault;

use crate::answer::Refused;
use crate::credentials::{Credential, shown};
use crate::endpoint::Endpoint;
use crate::oauth::May;

impl Endpoint {
    /// # Errors
    /// 401, and 429 for whoever guesses.
    pub fn authenticate(&self, request: &PushRequest<'_>) -> Result<(PushActor, May), Refused> {
        let input = request.input;
        let sent = input.authorization.as_deref().and_then(bearer);
        if let Some(credential) = sent.and_then(|sent| shown(&self.settings.tokens, sent)) {
            self.taken(credential, request.now)?;
            return Ok((PushActor { credential: credential.name.clone(), peer: input.peer }, May::Write));
        }
        if let Some((credential, may)) = sent.and_then(|sent| self.access_token(sent, request.now)) {
            return Ok((PushActor { credential, peer: input.peer }, may));
        }
        let wait = match sent {
            Some(_) => {
                let account = format!("scim {}", self.connection);
                self.services.throttle.failed(self.tenant, &account, input.peer, request.now)
            }
            None => None,
        };
        self.services.counters.refused("scim", "invalid_token");
        Err(match wait {
            Some(wait) => Refused {
                fault: Fault::plain(429, "too many wrong tokens came from there"),
                retry_after: Some(delay_seconds(wait)),
                challenge: false,
                allow: None,
            },
            None => unauthorized("a bearer token of this connection is needed"),
        })
    }

    /// Whoever shows a secret that is over knew it: they are told, and are no guesser.
    fn taken(&self, credential: &Credential, now: Timestamp) -> Result<(), Refused> {
        if credential.is_over(now) {
            self.services.counters.refused("scim", "expired_token");
            return Err(unauthorized("the bearer token is past its date; an administrator has a new one"));
        }
        self.uses.note(credential, &self.services, now);
        Ok(())
    }
}

fn unauthorized(why: &str) -> Refused {
    Refused { fault: Fault::plain(401, why), retry_after: None, challenge: true, allow: None }
}

/// The token of an Authorization header (RFC 6750 section 2.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
