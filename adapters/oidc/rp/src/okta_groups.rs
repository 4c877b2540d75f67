//! All groups of a person by Okta's Users API: the claim of a token stops at 100. The API is asked with a token of its
//! own, which an administrator makes in Okta and gives to the connection.

use fedbridge_contract::services::EgressGet;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};
use url::Url;

use crate::checks::{Checked, refuse};
use crate::claims;
use crate::groups::{LIMITS, NAME, SOURCE};
use crate::provider_call::media_type;
use crate::token::Validator;

/// Okta gives so many groups in one answer, and says in a header where the others are. An answer with so many may not
/// be all.
const PAGE: usize = 200;

/// The longest identifier of a person, in octets; Okta's have 20.
const MAX_ID: usize = 64;

/// The names of all groups, as the claim has them.
pub async fn ask(
    validator: &Validator<'_>,
    id_token: &Map<String, Value>,
    trace: &mut TraceLog,
) -> Checked<Vec<String>> {
    const EXPECTED: &str = "all groups from Okta";
    let person = claims::text(id_token, "sub").ok().flatten().filter(|sub| is_id(sub));
    let place = person.and_then(|person| address(&validator.party.settings.issuer, person));
    let Some(url) = place else {
        return refuse(trace, NAME, SOURCE, "a sub that is an identifier of Okta", "another");
    };
    let Some(token) = &validator.party.groups_api_token else {
        return refuse(trace, NAME, SOURCE, "a groups_api_token", "none");
    };
    let request = EgressGet {
        url: url.clone(),
        headers: vec![
            ("authorization".to_owned(), format!("SSWS {token}")),
            ("accept".to_owned(), "application/json".to_owned()),
        ],
    };
    trace.sent(validator.now, "groups request", vec![("endpoint", url)]);
    let answer = match validator.party.egress(validator.tenant).get_with(&request, LIMITS).await {
        Ok(answer) => answer,
        Err(error) => return refuse(trace, NAME, SOURCE, EXPECTED, error.to_string()),
    };
    if answer.status != 200 || media_type(&answer) != "application/json" {
        return refuse(trace, NAME, SOURCE, EXPECTED, format!("status {}", answer.status));
    }
    match names(&answer.body) {
        Some(names) if names.len() < PAGE => Ok(names),
        Some(names) => refuse(trace, NAME, SOURCE, EXPECTED, format!("{} of them, and there may be more", names.len())),
        None => refuse(trace, NAME, SOURCE, EXPECTED, "an answer without a list of them"),
    }
}

/// An identifier as Okta makes them, which can't lead to another address.
fn is_id(sub: &str) -> bool {
    (1..=MAX_ID).contains(&sub.len()) && sub.bytes().all(|octet| octet.is_ascii_alphanumeric())
}

/// The API is the organization's, whichever of its servers issued the token.
fn address(issuer: &str, person: &str) -> Option<String> {
    let mut url = Url::parse(issuer).ok()?;
    url.set_path(&format!("/api/v1/users/{person}/groups"));
    url.set_query(Some(&format!("limit={PAGE}")));
    Some(url.into())
}

/// A list of objects with `profile.name`; one that has none spoils all.
fn names(body: &[u8]) -> Option<Vec<String>> {
    let groups = strict_json::array(body).ok()?;
    let name = |group: &Value| group.get("profile")?.get("name")?.as_str().map(str::to_owned);
    groups.iter().map(name).collect()
}
