//! The provider's side of logout.

use serde_json::{Map, Value, json};

use super::endpoints::encoded;
use super::http::{Asked, HttpAnswer, parameter};
use super::jwt::JwtPlan;
use super::lie::{Change, ParameterPlan};
use super::op::{Login, ScriptedOp, random_text};

/// The member of `events` (Back-Channel Logout 1.0, section 2.4).
pub const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl ScriptedOp {
    /// A right logout token for one login, with `sub` and `sid`.
    pub fn logout_token_plan(&self, of: &Login) -> JwtPlan {
        let mut plan = JwtPlan::new(Some("logout+jwt"), Map::new(), self.scene(Some(of.clone())));
        plan.set("iss", json!(self.issuer));
        plan.set("sub", json!(of.subject));
        plan.set("aud", json!(of.client_id));
        plan.set_time("iat", 0);
        plan.set_time("exp", 120);
        plan.set("jti", json!(random_text(16)));
        plan.set("sid", json!(of.sid));
        plan.set("events", json!({ LOGOUT_EVENT: {} }));
        plan
    }

    /// A logout token with the lie of the moment.
    pub fn logout_token(&self, of: &Login) -> String {
        let mut plan = self.logout_token_plan(of);
        self.lying(|change| {
            if let Change::LogoutToken(change) = change {
                change(&mut plan);
            }
        });
        plan.token()
    }

    /// The query with which a frame calls us (Front-Channel Logout 1.0, section 3), with the lie of the moment.
    pub fn front_channel(&self, of: &Login) -> String {
        let parameters = vec![("iss".to_owned(), self.issuer.clone()), ("sid".to_owned(), of.sid.clone())];
        let mut plan = ParameterPlan { parameters, scene: self.scene(Some(of.clone())) };
        self.lying(|change| {
            if let Change::FrontChannel(change) = change {
                change(&mut plan);
            }
        });
        encoded(&plan.parameters)
    }

    /// A right token for Global Token Revocation, to be sent as bearer to this address.
    pub fn revocation_token(&self, address: &str) -> JwtPlan {
        let mut plan = JwtPlan::new(Some("global-token-revocation+jwt"), Map::new(), self.scene(None));
        plan.set("iss", json!(self.issuer));
        plan.set("sub", json!(self.issuer));
        plan.set("aud", json!(address));
        plan.set_time("iat", 0);
        plan.set_time("exp", 120);
        plan.set("jti", json!(random_text(16)));
        plan
    }

    /// RP-initiated logout: the session ends, and the browser goes back.
    pub(super) fn end_session(&self, asked: &Asked) -> HttpAnswer {
        let parameters = asked.parameters();
        let hint = parameter(&parameters, "id_token_hint").and_then(claims);
        if let Some(sid) = hint.as_ref().and_then(|claims| claims.get("sid")) {
            for login in self.state().logins.iter_mut().filter(|login| *sid == login.sid) {
                login.over = true;
            }
        }
        let Some(back) = parameter(&parameters, "post_logout_redirect_uri") else {
            return HttpAnswer::of(200, "text/plain", "You are logged out here.");
        };
        let state = parameter(&parameters, "state").map(|state| ("state".to_owned(), state.to_owned()));
        let mut plan = ParameterPlan { parameters: state.into_iter().collect(), scene: self.scene(None) };
        self.lying(|change| {
            if let Change::LoggedOut(change) = change {
                change(&mut plan);
            }
        });
        HttpAnswer::redirect(&format!("{back}?{}", encoded(&plan.parameters)))
    }
}

/// The claims of a compact JWS that we made ourselves.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let parts = crate::jws::Parts::split(token)?;
    serde_json::from_slice(&parts.claims).ok()
}
