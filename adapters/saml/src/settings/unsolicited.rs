//! `allow_idp_initiated`: logins that the identity provider starts (SAML profiles 4.1.5).

use fedbridge_contract::config::AppKind;
use fedbridge_contract::loopback::is_https_or_loopback;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::upstream::{UnsolicitedMode, UnsolicitedPolicy};
use serde_json::{Map, Value};
use url::Url;

const KEY: &str = "allow_idp_initiated";

/// `None`, which is also the default: they are refused.
pub(super) fn read(reader: &mut Reader, object: &Map<String, Value>) -> Option<UnsolicitedPolicy> {
    if matches!(object.get(KEY), None | Some(Value::Null | Value::Bool(false))) {
        return None;
    }
    let Some(inner) = object.get(KEY).and_then(Value::as_object) else {
        reader.complain(KEY, "expected a map that names the app: { client: … } or { service_provider: … }");
        return None;
    };
    reader.only_keys(inner, KEY, &["client", "service_provider", "mode", "targets"]);
    let client = reader.text(inner, KEY, "client");
    let provider = reader.text(inner, KEY, "service_provider");
    let modes = [("bounce", UnsolicitedMode::Bounce), ("accept", UnsolicitedMode::Accept)];
    // Bouncing is the safe one: a link can't log anybody in as somebody else.
    let mode = reader.choice(inner, KEY, "mode", &modes).unwrap_or(UnsolicitedMode::Bounce);
    let targets = reader.texts(inner, KEY, "targets").unwrap_or_default();
    for (at, target) in targets.iter().enumerate() {
        if !is_target(target) {
            reader.complain(&format!("{KEY}.targets[{at}]"), "is not an https address (http on loopback)");
        }
    }
    let app = match (client, provider) {
        (Some(client), None) => (AppKind::OidcClient, client),
        (None, Some(provider)) => (AppKind::SamlSp, provider),
        _ => {
            reader.complain(KEY, "must name one app: either client or service_provider");
            return None;
        }
    };
    Some(UnsolicitedPolicy { app, mode, targets })
}

/// An address in its one normal form, so that comparing it as text is enough.
fn is_target(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    url.username().is_empty() && url.password().is_none() && is_https_or_loopback(&url)
}
