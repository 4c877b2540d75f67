//! The company's directory, as an identity provider: it asks nobody for a password
//! and is nothing to build on.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind, Route};
use fedbridge_contract::services::Clock;
use fedbridge_saml::names;
use fedbridge_saml::testkit::{Person, ReceivedLogout, ReceivedRequest, ScriptError, ScriptedIdp};
use fedbridge_web::{Found, Handle};

#[derive(Clone)]
pub struct DemoProvider {
    pub idp: ScriptedIdp,
    /// Where the bridge takes answers to its requests for logout.
    logged_out: String,
    clock: Arc<dyn Clock>,
}

const SSO: Route = Route::new("sso", &[Method::Get]);
const SLO: Route = Route::new("slo", &[Method::Post]);

impl DemoProvider {
    /// `place` is its own address, `connection` that of the bridge's connection to it.
    pub fn new(place: &str, connection: &str, clock: Arc<dyn Clock>) -> Self {
        let mut idp = ScriptedIdp::new(format!("{place}/metadata"), format!("{place}/{}", SSO.path));
        idp.slo = vec![(names::BINDING_SOAP, format!("{place}/{}", SLO.path))];
        Self { idp, logged_out: format!("{connection}/{}", names::SLO_ROUTE), clock }
    }

    pub fn route(&self, route: &str) -> Option<Found> {
        let route = [SSO, SLO].into_iter().find(|declared| declared.path == route)?;
        Some(Found { route, rest: String::new(), handler: Box::new(self.clone()) })
    }
}

#[async_trait]
impl Handle for DemoProvider {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        let reply = if input.route == SSO.path { self.log_in(&input) } else { self.log_out(&input) };
        reply.unwrap_or_else(|error| Reply::body(400, "text/plain", format!("The demo's directory: {error}\n")))
    }
}

impl DemoProvider {
    /// Answers every request with the same person.
    fn log_in(&self, input: &HttpInput) -> Result<Reply, ScriptError> {
        let location = format!("{}?{}", self.idp.sso_redirect, input.query);
        let request = ReceivedRequest::from_redirect(&location)?;
        let no_acs = || ScriptError("the request names no AssertionConsumerServiceURL".into());
        let action = request.acs.clone().ok_or_else(no_acs)?;
        let person = Person::new("dora")
            .with("mail", &["dora@demo.example"])
            .with("givenName", &["Dora"])
            .with("sn", &["Demo"])
            .with("displayName", &["Dora Demo"])
            .with("department", &["engineering"])
            .with("memberOf", &["employees", "admins"]);
        let plan = self.idp.answer(&request, &person, self.clock.now());
        let fields = plan.form(&self.idp, request.relay_state.as_deref())?;
        Ok(ReplyKind::AutoPost { action, fields }.into())
    }

    /// Says that the person is logged out, to the bridge's own call: it had no session.
    fn log_out(&self, input: &HttpInput) -> Result<Reply, ScriptError> {
        let envelope = String::from_utf8_lossy(&input.body);
        let request = ReceivedLogout::read(&envelope)?;
        let answer = self.idp.logged_out(&self.logged_out, &request.id, self.clock.now());
        Ok(Reply::body(200, "text/xml", answer.soap(&self.idp.key)?))
    }
}
