//! How and when the person logged in, as access tokens and introspection tell it
//! (RFC 9068 section 2.2.1, RFC 9470 section 6.2).

use fedbridge_contract::grant::GrantRecord;
use serde::Serialize;

/// All absent for an app acting for itself.
#[derive(Serialize)]
pub(crate) struct AuthnClaims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    amr: &'a [String],
}

impl<'a> AuthnClaims<'a> {
    pub(crate) fn of(record: Option<&'a GrantRecord>) -> Self {
        Self {
            auth_time: record.map(|record| record.auth_time.seconds()),
            acr: record.and_then(|record| record.acr.as_deref()),
            amr: record.map_or(&[], |record| &record.amr),
        }
    }
}
