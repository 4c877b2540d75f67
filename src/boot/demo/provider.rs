//! The demo's identity provider: it asks nobody for a password and is nothing
//! to build on.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind, Route};
use fedbridge_contract::services::Clock;
use fedbridge_saml::testkit::{Person, ReceivedRequest, ScriptedIdp};
use fedbridge_web::{Found, Handle};

#[derive(Clone)]
pub struct DemoProvider {
    pub idp: ScriptedIdp,
    pub clock: Arc<dyn Clock>,
}

const SSO: Route = Route { path: "sso", methods: &[Method::Get], cors: false };

impl DemoProvider {
    pub fn route(&self, route: &str) -> Option<Found> {
        (route == SSO.path).then(|| Found { route: SSO, last_segment: String::new(), handler: Box::new(self.clone()) })
    }
}

#[async_trait]
impl Handle for DemoProvider {
    /// Answers every request with the same person.
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        match self.answer(&input) {
            Ok((action, fields)) => ReplyKind::AutoPost { action, fields }.into(),
            Err(error) => Reply::body(400, "text/plain", format!("The demo's identity provider: {error}\n")),
        }
    }
}

impl DemoProvider {
    fn answer(&self, input: &HttpInput) -> Result<(String, Vec<(String, String)>), String> {
        let location = format!("{}?{}", self.idp.sso_redirect, input.query);
        let request = ReceivedRequest::from_redirect(&location).map_err(|error| error.to_string())?;
        let acs = request.acs.clone().ok_or("the request names no AssertionConsumerServiceURL")?;
        let person = Person::new("dora")
            .with("mail", &["dora@demo.example"])
            .with("givenName", &["Dora"])
            .with("sn", &["Demo"])
            .with("displayName", &["Dora Demo"])
            .with("department", &["engineering"])
            .with("memberOf", &["employees", "admins"]);
        let plan = self.idp.answer(&request, &person, self.clock.now());
        let fields = plan.form(&self.idp, request.relay_state.as_deref()).map_err(|error| error.to_string())?;
        Ok((acs, fields))
    }
}
