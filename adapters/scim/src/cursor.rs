//! Cursors (RFC 9865): where a list goes on. A cursor is good for whoever was given it, for the same query, for a while.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::time::Timestamp;
use fedbridge_scim_core::{Fault, ScimType};
use openssl::memcmp;

use crate::endpoint::Asked;

/// How long a cursor is good.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Octets of the seal.
const SEAL: usize = 16;

/// Behind which resource a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Of the kinds that are listed.
    pub kind: u8,
    /// `None`: from the first one of the kind.
    pub after: Option<RecordId>,
}

impl Asked<'_> {
    pub fn cursor(&self, at: Cursor, query: &str) -> String {
        let expires = (self.request.now + LIFETIME).millis();
        let mut octets = vec![at.kind, u8::from(at.after.is_some())];
        octets.extend(at.after.map(|id| *id.uuid().as_bytes()).unwrap_or_default());
        octets.extend(expires.to_be_bytes());
        octets.extend(self.seal(&octets, query));
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// # Errors
    /// `invalidCursor`, the same for one that was changed, of somebody else or of another query; `expiredCursor`.
    pub fn read_cursor(&self, text: &str, query: &str) -> Result<Cursor, Fault> {
        let wrong = || Fault::new(ScimType::InvalidCursor, "the cursor is none of this list");
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (said, seal) = octets.split_at_checked(octets.len().saturating_sub(SEAL)).ok_or_else(wrong)?;
        let own = self.seal(said, query);
        if seal.len() != own.len() || !memcmp::eq(seal, &own) {
            return Err(wrong());
        }
        let [kind, begun, id @ .., _, _, _, _, _, _, _, _] = said else { return Err(wrong()) };
        let expires = said.last_chunk::<8>().map(|octets| i64::from_be_bytes(*octets)).ok_or_else(wrong)?;
        if Timestamp::from_millis(expires) <= self.request.now {
            return Err(Fault::new(ScimType::ExpiredCursor, "the cursor is too old: begin again"));
        }
        let id = <[u8; 16]>::try_from(id).map_err(|_| wrong())?;
        let after = (*begun == 1).then(|| RecordId::from_octets(id));
        Ok(Cursor { kind: *kind, after })
    }

    fn seal(&self, said: &[u8], query: &str) -> Vec<u8> {
        let mut message = said.to_vec();
        for part in [self.endpoint.connection.to_string().as_str(), &self.actor.credential, query] {
            message.extend((part.len() as u64).to_be_bytes());
            message.extend(part.as_bytes());
        }
        let mac = self.endpoint.services.tokens.mac(self.endpoint.tenant, "scim cursor", &message);
        mac.into_iter().take(SEAL).collect()
    }
}
