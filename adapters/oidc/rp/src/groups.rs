//! Groups that a token leaves out. A person with few groups and one whose groups did not fit look alike in a token,
//! so the second must never pass for the first.

use std::time::Duration;

use fedbridge_contract::services::{EgressLimits, EgressPost};
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value, json};
use url::Url;

use crate::checks::{Checked, Stop, refuse};
use crate::profiles::IssuerStyle;
use crate::provider_call::{Endpoint, call, media_type};
use crate::settings::{OnOverage, Settings, is_guid};
use crate::token::Validator;
use crate::{claims, okta_groups};

pub const NAME: &str = "groups";
pub const SOURCE: &str = "connection setting groups.on_overage";

/// Microsoft Graph, by the host of the issuer: the national clouds have their own.
const GRAPHS: &[(&str, &str)] = &[
    ("login.microsoftonline.us", "graph.microsoft.us"),
    ("login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"),
];
const GRAPH: &str = "graph.microsoft.com";

/// Graph gives all groups of a person in one answer.
pub const LIMITS: EgressLimits = EgressLimits { max_body: 1024 * 1024, timeout: Duration::from_secs(5) };

/// Sees to it that the claim has all groups, or ends the login. What a token says about where to get them is never
/// followed (OpenID Connect Core 5.6.2): that address may be anybody's.
pub async fn complete(
    validator: &Validator<'_>,
    id_token: &Map<String, Value>,
    claims: &mut Map<String, Value>,
    trace: &mut TraceLog,
) -> Checked<()> {
    let settings = &validator.party.settings;
    let Some(why) = overage(settings, id_token, claims) else { return Ok(()) };
    match settings.groups.on_overage {
        OnOverage::Refuse => refuse(trace, NAME, SOURCE, "all groups", why),
        OnOverage::Keep if claims.contains_key(&settings.groups.claim) => {
            trace.decide(NAME, format!("{why}; those that came are kept, as on_overage says"), true);
            Ok(())
        }
        OnOverage::Keep => refuse(trace, NAME, SOURCE, "some groups at least", why),
        OnOverage::Graph => {
            let groups = ask_graph(validator, id_token, trace).await?;
            trace.decide(NAME, format!("{why}; Microsoft Graph names {}", groups.len()), true);
            claims.insert(settings.groups.claim.clone(), json!(groups));
            Ok(())
        }
        OnOverage::Okta => {
            let groups = okta_groups::ask(validator, id_token, trace).await?;
            trace.decide(NAME, format!("{why}; Okta's API names {}", groups.len()), true);
            claims.insert(settings.groups.claim.clone(), json!(groups));
            Ok(())
        }
    }
}

/// Why the groups may not be all of them.
fn overage(settings: &Settings, id_token: &Map<String, Value>, claims: &Map<String, Value>) -> Option<String> {
    let claim = &settings.groups.claim;
    let elsewhere = |claims: &Map<String, Value>| {
        let names = claims.get("_claim_names").and_then(Value::as_object);
        names.is_some_and(|names| names.contains_key(claim))
    };
    if elsewhere(id_token) {
        return Some(format!("the token names another place for {claim}"));
    }
    // Written as a flag, and as a text by some versions.
    let flagged = id_token.get("hasgroups").is_some_and(|flag| *flag != Value::Bool(false) && *flag != "false");
    if settings.profile.issuer == IssuerStyle::Entra && flagged {
        return Some("the token says hasgroups in their place".to_owned());
    }
    let cap = settings.groups.cap?;
    let count = claims.get(claim).and_then(Value::as_array).map_or(0, Vec::len);
    (count >= cap).then(|| format!("{count} came, and the provider stops at {cap}"))
}

/// The groups of a person by Microsoft Graph, with the client's own credentials and at an address that no token has a
/// say in.
async fn ask_graph(
    validator: &Validator<'_>,
    id_token: &Map<String, Value>,
    trace: &mut TraceLog,
) -> Checked<Vec<String>> {
    let text = |name: &str| claims::text(id_token, name).ok().flatten();
    let Some((tid, oid)) = text("tid").zip(text("oid")).filter(|(tid, oid)| is_guid(tid) && is_guid(oid)) else {
        return refuse(trace, NAME, SOURCE, "tid and oid, to ask Microsoft Graph with", "not both");
    };
    let token = application_token(validator, tid, trace).await?;
    let url = format!("https://{}/v1.0/users/{oid}/getMemberObjects", graph_host(&validator.party.settings.issuer));
    let request = EgressPost {
        url: url.clone(),
        content_type: "application/json".into(),
        headers: vec![
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("accept".to_owned(), "application/json".to_owned()),
        ],
        body: json!({ "securityEnabledOnly": false }).to_string(),
    };
    trace.sent(validator.now, "groups request", vec![("endpoint", url)]);
    let expected = "all groups from Microsoft Graph";
    let answer = match validator.party.egress(validator.tenant).post(&request, LIMITS).await {
        Ok(answer) => answer,
        Err(error) => return refuse(trace, NAME, SOURCE, expected, error.to_string()),
    };
    if answer.status != 200 || media_type(&answer) != "application/json" {
        return refuse(trace, NAME, SOURCE, expected, format!("status {}", answer.status));
    }
    let members = strict_json::object(&answer.body).unwrap_or_default();
    if members.contains_key("@odata.nextLink") {
        return refuse(trace, NAME, SOURCE, expected, "a part of them");
    }
    let listed = members.get("value").and_then(Value::as_array);
    let groups =
        listed.and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    match groups {
        Some(groups) => Ok(groups),
        None => refuse(trace, NAME, SOURCE, expected, "an answer without a list of them"),
    }
}

/// A token for ourselves (RFC 6749 section 4.4), of the directory that the person is in.
async fn application_token(validator: &Validator<'_>, tid: &str, trace: &mut TraceLog) -> Checked<String> {
    let url = of_directory(&validator.provider.token_endpoint, tid);
    let endpoint = Endpoint { name: "token endpoint for groups", url: &url, source: "RFC 6749 4.4", status: 200 };
    let scope = format!("https://{}/.default", graph_host(&validator.party.settings.issuer));
    let form = [("grant_type", "client_credentials".to_owned()), ("scope", scope)];
    let body = call(validator.party, validator.tenant, endpoint, &form, validator.now, trace).await;
    let answer = strict_json::object(&body.map_err(|_| Stop::Rejected)?).unwrap_or_default();
    match claims::text(&answer, "access_token") {
        Ok(Some(token)) if !token.is_empty() => Ok(token.to_owned()),
        _ => refuse(trace, NAME, SOURCE, "a token for Microsoft Graph", "none"),
    }
}

/// The endpoint of many directories gives no tokens for a client itself; the one of a directory does.
fn of_directory(endpoint: &Url, tid: &str) -> Url {
    let mut url = endpoint.clone();
    let many = ["/common/", "/organizations/", "/consumers/"];
    let path = many.iter().fold(url.path().to_owned(), |path, part| path.replacen(part, &format!("/{tid}/"), 1));
    url.set_path(&path);
    url
}

fn graph_host(issuer: &str) -> &'static str {
    let host = Url::parse(&issuer.replace(['{', '}'], "")).ok().and_then(|url| url.host_str().map(str::to_owned));
    GRAPHS.iter().find(|(login, _)| host.as_deref() == Some(*login)).map_or(GRAPH, |(_, graph)| graph)
}
