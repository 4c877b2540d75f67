//! What `fedbridge check` says of a SCIM connection. There is nobody to call: the directory calls us.

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level, SelfCheck};

pub struct Check {
    /// Where the directory pushes to.
    pub address: String,
    pub provisions: Vec<String>,
}

#[async_trait]
impl SelfCheck for Check {
    async fn run(&self, tenant: &Tenant, _: Timestamp) -> Vec<Finding> {
        let pushes = Finding::new(Level::Fine, format!("the directory pushes to {}", self.address));
        let belong = match self.provisions.as_slice() {
            [] => {
                Finding::new(Level::Warning, "no connection is named by `provisions`: nobody who is pushed can log in")
            }
            named => match named.iter().find(|slug| tenant.connection(slug).is_none_or(|view| !view.enabled)) {
                Some(off) => Finding::new(Level::Warning, format!("the connection {off} is switched off or gone")),
                None => Finding::new(Level::Fine, format!("logins of {} belong to who is pushed", named.join(", "))),
            },
        };
        vec![pushes, belong]
    }
}
