//! Who asks (RFC 7644 section 2): a bearer token of the connection, or an access token of its OAuth client.

use fedbridge_contract::push::{PushActor, PushRequest};
use fedbridge_scim_core::Fault;
use openssl::memcmp;
use openssl::sha::sha256;

use crate::answer::Refused;
use crate::endpoint::Endpoint;
use crate::oauth::May;

impl Endpoint {
    /// # Errors
    /// 401, and 429 for whoever guesses.
    pub fn authenticate(&self, request: &PushRequest<'_>) -> Result<(PushActor, May), Refused> {
        let input = request.input;
        let sent = input.authorization.as_deref().and_then(bearer);
        let found = sent.and_then(|sent| {
            let sent = sha256(sent.as_bytes());
            // All are looked at, and hashes have one length: how long it takes tells nothing.
            let mut found = None;
            for (name, secret) in &self.settings.tokens {
                if memcmp::eq(&sent, &sha256(secret)) {
                    found = Some(name.clone());
                }
            }
            found.map(|name| (name, May::Write))
        });
        let found = found.or_else(|| self.access_token(sent?, request.now));
        if let Some((credential, may)) = found {
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
                retry_after: Some(wait.as_secs().max(1)),
                challenge: false,
                allow: None,
            },
            None => Refused {
                fault: Fault::plain(401, "a bearer token of this connection is needed"),
                retry_after: None,
                challenge: true,
                allow: None,
            },
        })
    }
}

/// The token of an Authorization header (RFC 6750 section 2.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
