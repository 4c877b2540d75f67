//! What an app says that it can, for `fedbridge check`.

use fedbridge_contract::upstream::{Finding, Level};
use serde_json::Value;

use crate::client::Client;
use crate::settings::Update;

/// Opens the app's ServiceProviderConfig (RFC 7643 section 5).
pub async fn check(client: &Client) -> Vec<Finding> {
    let address = format!("{}/ServiceProviderConfig", client.settings.base_url);
    match client.service_provider_config().await {
        Err(failed) if matches!(failed.status(), Some(404 | 501)) => {
            let text = "the app says nothing of what it can (no ServiceProviderConfig)".to_owned();
            vec![Finding::new(Level::Warning, text)]
        }
        Err(failed) => vec![Finding::new(Level::Problem, format!("{address}: {failed}"))],
        Ok(config) => findings(&config, client.settings.update),
    }
}

fn findings(config: &Value, update: Update) -> Vec<Finding> {
    let says = |feature: &str| config.get(feature).and_then(|it| it.get("supported")).and_then(Value::as_bool);
    let mut findings = vec![Finding::new(Level::Fine, "the SCIM server answers".to_owned())];
    if says("patch") == Some(false) && update == Update::Patch {
        let text = "it knows no PATCH: users and groups are replaced whole (`update: put` says so from the start)";
        findings.push(Finding::new(Level::Advice, text.to_owned()));
    }
    if says("filter") == Some(false) {
        let text =
            "it can't be asked with a filter: everybody is read to find one user, which takes long in a large app";
        findings.push(Finding::new(Level::Warning, text.to_owned()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_app_cannot_is_said() {
        let able = json!({ "patch": { "supported": true }, "filter": { "supported": true } });
        assert_eq!(findings(&able, Update::Patch).len(), 1);
        let unable = json!({ "patch": { "supported": false }, "filter": { "supported": false } });
        assert_eq!(findings(&unable, Update::Patch).len(), 3);
        assert_eq!(findings(&unable, Update::Put).len(), 2);
    }
}
