//! What `fedbridge check` says of a SCIM connection. There is nobody to call: the directory calls us.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level, SelfCheck};

use crate::endpoint::Endpoint;

pub struct Check(pub Arc<Endpoint>);

#[async_trait]
impl SelfCheck for Check {
    async fn run(&self, tenant: &Tenant, now: Timestamp) -> Vec<Finding> {
        let endpoint = &self.0;
        let pushes = Finding::new(Level::Fine, format!("the directory pushes to {}", endpoint.base));
        let belong = match endpoint.settings.belonging.provisions.as_slice() {
            [] => {
                Finding::new(Level::Warning, "no connection is named by `provisions`: nobody who is pushed can log in")
            }
            named => match named.iter().find(|slug| tenant.connection(slug).is_none_or(|view| !view.enabled)) {
                Some(off) => Finding::new(Level::Warning, format!("the connection {off} is switched off or gone")),
                None => Finding::new(Level::Fine, format!("logins of {} belong to who is pushed", named.join(", "))),
            },
        };
        let mut found = vec![pushes, belong];
        for credential in endpoint.settings.credentials() {
            found.push(endpoint.uses.finding(credential, &endpoint.services, now).await);
        }
        found
    }
}
