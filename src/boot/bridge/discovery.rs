//! `discovery` of an OpenID Connect connection: where the provider describes itself. The server reads that, not
//! whoever applies a file, so that a provider that is down stops no `apply`.

use serde_json::{Value, json};
use url::Url;

use crate::egress::hosts;
use crate::settings::complaints::Complaints;

use super::fields::Fields;
use super::node::Node;
use super::tenants::Scope;

/// The setting's name.
pub const SETTING: &str = "discovery";

/// OpenID Connect Discovery 1.0 section 4.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

const EXPECTED: &str = "expected auto, off or the address of a discovery document";

/// What the adapter gets: `{ url }`, with the text as `xml` where the store has it already, or `off`. `None`: it
/// can't be said, which is complained about here, or by the adapter where the issuer is missing.
pub fn read(fields: &Fields<'_>, scope: &Scope<'_>, complaints: &mut Complaints) -> Option<Value> {
    let (node, path) = (fields.node().get(SETTING), fields.path(SETTING));
    let issuer = fields.node().get("issuer").and_then(Node::text);
    let url = match node.map(|node| (node, node.text())) {
        None | Some((_, Some("auto"))) => derived(issuer?),
        Some((_, Some("off"))) => return Some(json!("off")),
        Some((_, Some(text))) if Url::parse(text).is_ok_and(|url| url.has_host()) => text.to_owned(),
        Some((node, Some(text))) => {
            complaints.add(&node.place, path, format!("{EXPECTED}, found `{text}`"));
            return None;
        }
        Some((node, None)) => {
            complaints.add(&node.place, path, format!("{EXPECTED}, found {}", node.kind()));
            return None;
        }
    };
    let allowed = |hosts: &[String]| Url::parse(&url).is_ok_and(|url| hosts::allow(hosts, &url));
    if scope.egress_hosts.as_deref().is_some_and(|hosts| !allowed(hosts)) {
        let place = node.map_or(fields.node().place_of("issuer"), |node| &node.place);
        complaints.add(place, path, format!("the host of {url} is not among the tenant's egress.hosts"));
        return None;
    }
    Some(match scope.documents.text(&url) {
        Some(text) => json!({ "url": url, "xml": text }),
        None => json!({ "url": url }),
    })
}

/// The setting as a bridge file has it; `None` where nothing needs to be written.
pub fn written(setting: &Value, issuer: Option<&str>) -> Option<Value> {
    let Some(url) = setting.get("url") else { return Some(setting.clone()) };
    let usual = issuer.map(derived);
    (url.as_str() != usual.as_deref()).then(|| url.clone())
}

/// Where a provider with this issuer publishes its document. Entra ID's issuer of many directories is that of all
/// organizations.
fn derived(issuer: &str) -> String {
    format!("{}{WELL_KNOWN}", issuer.replace("{tenantid}", "organizations").trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_follows_from_the_issuer() {
        let well_known = "https://op.example/.well-known/openid-configuration";
        assert_eq!(derived("https://op.example"), well_known);
        assert_eq!(derived("https://op.example/"), well_known);
        let realm = "https://op.example/realms/a/.well-known/openid-configuration";
        assert_eq!(derived("https://op.example/realms/a"), realm);
        let entra = "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration";
        assert_eq!(derived("https://login.microsoftonline.com/{tenantid}/v2.0"), entra);
    }

    #[test]
    fn what_is_usual_is_not_written() {
        let issuer = Some("https://op.example");
        let setting = |url: &str| json!({ "url": url });
        assert_eq!(written(&setting("https://op.example/.well-known/openid-configuration"), issuer), None);
        assert_eq!(written(&setting("https://op.example/other"), issuer), Some(json!("https://op.example/other")));
        assert_eq!(written(&json!("off"), issuer), Some(json!("off")));
    }
}
