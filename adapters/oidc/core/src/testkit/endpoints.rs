//! What the provider answers.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::http::{HttpInput, Method};
use serde_json::{Map, Value, json};

use super::http::{Asked, HttpAnswer, Manner, basic, parameter, parameters};
use super::jwt::JwtPlan;
use super::lie::{Change, DocumentPlan, Lie, ParameterPlan};
use super::lies::METADATA;
use super::op::{Call, Endpoint, Login, ScriptedOp, random_text, seconds};
use crate::hash::sha256;
use crate::jwk;
use crate::jws::{Accept, UnverifiedJws};
use crate::pkce;

/// The route under which the bridge takes answers in.
const CALLBACK: &str = "oidc/callback";

/// How long tokens are good for, in seconds.
const LIFETIME: i64 = 300;

impl ScriptedOp {
    /// Plays browser and provider: the person logs in, and this is the request that comes back to us.
    ///
    /// # Panics
    /// Not by itself; a request that is not one gives an answer with `error`.
    pub fn answer(&self, authorization_request: &str) -> HttpInput {
        let query = authorization_request.split_once('?').map_or("", |(_, query)| query);
        let plan = self.authorize(parameters(query.as_bytes()));
        let form_post = plan.scene.login.as_ref().is_some_and(|login| login.response_mode.is_some());
        let text = encoded(&plan.parameters);
        let mut input = HttpInput {
            method: Method::Get,
            route: CALLBACK,
            rest: String::new(),
            query: text,
            body: Default::default(),
            content_type: None,
            authorization: None,
            origin: None,
            accept_language: None,
            if_match: None,
            if_none_match: None,
            prefer: None,
            cookies: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        if form_post {
            input.method = Method::Post;
            input.body = std::mem::take(&mut input.query).into();
            input.content_type = Some("application/x-www-form-urlencoded".to_owned());
        }
        input
    }

    /// Answers a request as a server would.
    pub fn answer_http(&self, asked: &Asked) -> HttpAnswer {
        let own = Asked::of("", &self.issuer, &[], "").path;
        let path = asked.path.strip_prefix(own.trim_end_matches('/')).unwrap_or(&asked.path);
        let endpoint = match path {
            "/.well-known/openid-configuration" => Endpoint::Discovery,
            // So that connections of one provider can each have another lie of it.
            path if lying_document(path).is_some() => Endpoint::Discovery,
            "/jwks" => Endpoint::Keys,
            "/authorize" => Endpoint::Authorize,
            "/par" => Endpoint::PushedRequest,
            "/token" => Endpoint::Token,
            "/userinfo" => Endpoint::Userinfo,
            "/revoke" => Endpoint::Revocation,
            "/logout" => Endpoint::Logout,
            _ => Endpoint::Other,
        };
        self.note(endpoint, asked);
        if self.state().traits.down {
            return HttpAnswer { manner: Manner::Dead, ..HttpAnswer::of(503, "text/plain", "") };
        }
        match endpoint {
            Endpoint::Discovery => match lying_document(path) {
                Some(lie) => self.lying_metadata(lie).answer(),
                None => self.metadata_plan().answer(),
            },
            Endpoint::Keys => self.key_set(),
            Endpoint::Authorize => {
                let plan = self.authorize(asked.parameters());
                let back = plan.scene.login.as_ref().map(|login| login.redirect_uri.clone()).unwrap_or_default();
                HttpAnswer::redirect(&format!("{back}?{}", encoded(&plan.parameters)))
            }
            Endpoint::PushedRequest => self.push(asked),
            Endpoint::Token => self.token(asked),
            Endpoint::Userinfo => self.userinfo(asked),
            Endpoint::Revocation => self.revoke(asked),
            Endpoint::Logout => self.end_session(asked),
            Endpoint::Other => HttpAnswer::of(404, "text/plain", "There is nothing here."),
        }
    }

    pub(super) fn note(&self, endpoint: Endpoint, asked: &Asked) {
        self.state().seen.calls.push(Call { endpoint, asked: asked.clone() });
    }

    fn key_set(&self) -> HttpAnswer {
        let published = self.state().published.clone();
        let keys = published.unwrap_or_else(|| self.keys().published());
        let mut plan = DocumentPlan::new(json!({ "keys": keys }), self.scene(None));
        plan.headers = vec![("cache-control".into(), "max-age=3600".into())];
        self.lying(|change| {
            if let Change::Keys(change) = change {
                change(&mut plan);
            }
        });
        plan.answer()
    }

    /// The person logs in: the parameters of the answer.
    fn authorize(&self, mut asked: Vec<(String, String)>) -> ParameterPlan {
        if let Some(pushed) = parameter(&asked, "request_uri") {
            let known = self.state().pushed.iter().find(|(name, _)| name == pushed).map(|(_, asked)| asked.clone());
            asked = known.unwrap_or_default();
        }
        if let Some(object) = parameter(&asked, "request") {
            let claims = object.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
            let claims: Map<String, Value> =
                claims.and_then(|octets| serde_json::from_slice(&octets).ok()).unwrap_or_default();
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            asked = claims.into_iter().map(|(name, value)| (name, text(value))).collect();
        }
        let login = self.log_in(asked);
        self.state().logins.push(login.clone());
        let mut answer = vec![("code".to_owned(), login.code.clone())];
        answer.extend(login.state.clone().map(|state| ("state".to_owned(), state)));
        if self.state().traits.answers_name_issuer {
            answer.push(("iss".to_owned(), self.issuer.clone()));
        }
        let mut plan = ParameterPlan { parameters: answer, scene: self.scene(Some(login)) };
        self.lying(|change| {
            if let Change::Callback(change) = change {
                change(&mut plan);
            }
        });
        plan
    }

    fn log_in(&self, asked: Vec<(String, String)>) -> Login {
        let state = self.state();
        let get = |name: &str| parameter(&asked, name).map(str::to_owned);
        let acr = get("acr_values").and_then(|values| values.split(' ').next().map(str::to_owned));
        let essential = || {
            let claims: Value = serde_json::from_str(&get("claims")?).ok()?;
            let acr = claims.pointer("/id_token/acr")?;
            Some(acr.get("value").or_else(|| acr.pointer("/values/0"))?.as_str()?.to_owned())
        };
        Login {
            subject: state.person.subject.clone(),
            claims: state.person.claims.clone(),
            userinfo: state.person.userinfo.clone().unwrap_or_else(|| state.person.claims.clone()),
            client_id: get("client_id").unwrap_or_default(),
            redirect_uri: get("redirect_uri").unwrap_or_default(),
            state: get("state"),
            nonce: get("nonce"),
            challenge: get("code_challenge"),
            scope: get("scope").unwrap_or_default(),
            max_age: get("max_age").and_then(|text| text.parse().ok()),
            acr: acr.or_else(essential),
            response_mode: get("response_mode").filter(|mode| mode == "form_post"),
            sid: random_text(12),
            auth_time: seconds(self.clock.now()),
            code: random_text(16),
            access_token: random_text(16),
            asked,
            ..Login::default()
        }
    }

    fn push(&self, asked: &Asked) -> HttpAnswer {
        let parameters = asked.parameters();
        if let Err(refused) = self.client_of(asked, &parameters) {
            return refused;
        }
        let name = format!("urn:ietf:params:oauth:request_uri:{}", random_text(16));
        self.state().pushed.push((name.clone(), parameters));
        HttpAnswer::json(201, &json!({ "request_uri": name, "expires_in": 60 }))
    }

    fn token(&self, asked: &Asked) -> HttpAnswer {
        let parameters = asked.parameters();
        if let Err(refused) = self.client_of(asked, &parameters) {
            return refused;
        }
        match parameter(&parameters, "grant_type") {
            Some("authorization_code") => self.redeem(&parameters),
            Some("refresh_token") => self.refresh(&parameters),
            Some("client_credentials") => {
                let answer = json!({ "access_token": random_text(16), "token_type": "Bearer", "expires_in": LIFETIME });
                HttpAnswer::json(200, &answer)
            }
            _ => refusal("unsupported_grant_type"),
        }
    }

    fn redeem(&self, asked: &[(String, String)]) -> HttpAnswer {
        let login = {
            let mut state = self.state();
            let offline = state.traits.always_refresh;
            let code = parameter(asked, "code").unwrap_or_default();
            let Some(login) = state.logins.iter_mut().find(|login| login.code == code) else {
                return refusal("invalid_grant");
            };
            login.uses += 1;
            let proved = match (&login.challenge, parameter(asked, "code_verifier")) {
                (Some(challenge), Some(verifier)) => pkce::matches(challenge, verifier),
                (challenge, verifier) => challenge.is_none() && verifier.is_none(),
            };
            let same = parameter(asked, "redirect_uri") == Some(login.redirect_uri.as_str());
            if login.uses > 1 || !proved || !same {
                return refusal("invalid_grant");
            }
            if offline || login.scope.split(' ').any(|scope| scope == "offline_access") {
                login.refresh_token = Some(random_text(16));
            }
            login.clone()
        };
        let mut id_token = self.id_token(&login);
        self.lying(|change| {
            if let Change::IdToken(change) = change {
                change(&mut id_token);
            }
        });
        let mut plan = DocumentPlan::new(token_answer(&login), self.scene(Some(login)));
        plan.json["id_token"] = json!(id_token.token());
        self.lying(|change| {
            if let Change::Token(change) = change {
                change(&mut plan);
            }
        });
        plan.answer()
    }

    fn refresh(&self, asked: &[(String, String)]) -> HttpAnswer {
        let token = parameter(asked, "refresh_token").unwrap_or_default();
        let login = {
            let mut state = self.state();
            let (closed, rotates) = (state.traits.closed.clone(), state.traits.rotates_refresh_tokens);
            // A token that was replaced ends the whole login, as Keycloak does.
            if let Some(reused) = state.logins.iter_mut().find(|login| login.spent.iter().any(|spent| spent == token)) {
                reused.over = true;
                return refusal("invalid_grant");
            }
            let found = state.logins.iter_mut().find(|login| login.refresh_token.as_deref() == Some(token));
            let Some(login) = found.filter(|login| !login.over && !closed.contains(&login.subject)) else {
                return refusal("invalid_grant");
            };
            login.access_token = random_text(16);
            if rotates {
                login.spent.push(token.to_owned());
                login.refresh_token = Some(random_text(16));
            }
            login.clone()
        };
        let traits = self.state().traits.clone();
        let mut plan = DocumentPlan::new(token_answer(&login), self.scene(Some(login.clone())));
        if traits.renews_id_token {
            let mut id_token = self.id_token(&login);
            if !traits.repeats_nonce {
                id_token.cut("nonce");
            }
            self.lying(|change| {
                if let Change::Renewed(change) = change {
                    change(&mut id_token);
                }
            });
            plan.json["id_token"] = json!(id_token.token());
        }
        self.lying(|change| {
            if let Change::Refreshed(change) = change {
                change(&mut plan);
            }
        });
        plan.answer()
    }

    /// The right ID token of a login, as of now.
    pub fn id_token(&self, login: &Login) -> JwtPlan {
        let names_sessions = self.state().traits.names_sessions;
        let scene = self.scene(Some(login.clone()));
        let mut plan = JwtPlan::new(Some("JWT"), Map::new(), scene);
        plan.set("iss", json!(self.issuer));
        plan.set("sub", json!(login.subject));
        plan.set("aud", json!(login.client_id));
        plan.set_time("exp", LIFETIME);
        plan.set_time("iat", 0);
        plan.set("auth_time", json!(login.auth_time));
        for (name, value) in [("nonce", &login.nonce), ("acr", &login.acr)] {
            if let Some(value) = value {
                plan.set(name, json!(value));
            }
        }
        plan.set("amr", json!(["pwd"]));
        if names_sessions {
            plan.set("sid", json!(login.sid));
        }
        plan.set("at_hash", json!(half_hash(&login.access_token)));
        for (name, value) in &login.claims {
            plan.set(name, value.clone());
        }
        plan
    }

    fn userinfo(&self, asked: &Asked) -> HttpAnswer {
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let (login, traits) = {
            let state = self.state();
            let login = state.logins.iter().find(|login| login.access_token == token && login.uses > 0).cloned();
            (login, state.traits.clone())
        };
        let Some(login) = login.filter(|login| !login.over && !traits.closed.contains(&login.subject)) else {
            return HttpAnswer::json(401, &json!({ "error": "invalid_token" }));
        };
        let mut claims = Map::from_iter([("sub".to_owned(), json!(login.subject))]);
        claims.extend(login.userinfo.clone());
        if traits.signed_userinfo {
            let mut signed = JwtPlan::new(None, claims, self.scene(Some(login.clone())));
            signed.set("iss", json!(self.issuer));
            signed.set("aud", json!(login.client_id));
            self.lying(|change| {
                if let Change::SignedUserinfo(change) = change {
                    change(&mut signed);
                }
            });
            return HttpAnswer::of(200, "application/jwt", signed.token());
        }
        let mut plan = DocumentPlan::new(Value::Object(claims), self.scene(Some(login)));
        self.lying(|change| {
            if let Change::Userinfo(change) = change {
                change(&mut plan);
            }
        });
        plan.answer()
    }

    fn revoke(&self, asked: &Asked) -> HttpAnswer {
        let parameters = asked.parameters();
        if let Err(refused) = self.client_of(asked, &parameters) {
            return refused;
        }
        let token = parameter(&parameters, "token").unwrap_or_default();
        for login in &mut self.state().logins {
            if login.refresh_token.as_deref() == Some(token) || login.access_token == token {
                login.over = true;
            }
        }
        HttpAnswer::of(200, "text/plain", "")
    }

    /// The client that authenticates, or the refusal (RFC 6749 section 5.2).
    fn client_of(&self, asked: &Asked, parameters: &[(String, String)]) -> Result<(), HttpAnswer> {
        let (id, secret, keys) = {
            let state = self.state();
            (state.client_id.clone(), state.client_secret.clone(), state.client_keys.clone())
        };
        let posted = || Some((parameter(parameters, "client_id")?, parameter(parameters, "client_secret")?));
        let right = match parameter(parameters, "client_assertion") {
            Some(assertion) => self.assertion_holds(assertion, &id, keys),
            None => match basic(asked.header("authorization")) {
                Some((user, password)) => user == id && password == secret,
                None => posted() == Some((id.as_str(), secret.as_str())),
            },
        };
        if right { Ok(()) } else { Err(HttpAnswer::json(401, &json!({ "error": "invalid_client" }))) }
    }

    /// RFC 7523 section 3, with the issuer as the one audience.
    fn assertion_holds(&self, assertion: &str, client: &str, keys: Option<Value>) -> bool {
        use fedbridge_contract::keys::SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
        let accept =
            Accept { algorithms: &[ES256, RS256, PS256, EdDSA], types: &["", "jwt", "client-authentication+jwt"] };
        let keys = keys.and_then(|set| jwk::registered_set(&set).ok()).unwrap_or_default();
        let Ok(verified) = UnverifiedJws::read(assertion, &accept).and_then(|read| read.verify(&keys)) else {
            return false;
        };
        let claim = |name: &str| verified.claims.get(name).cloned().unwrap_or_default();
        let fresh = claim("exp").as_i64().is_some_and(|exp| exp > seconds(self.clock.now()));
        claim("iss") == client && claim("sub") == client && claim("aud") == self.issuer && fresh
    }
}

/// The first half of SHA-256 (OpenID Connect Core 3.1.3.6).
pub(super) fn half_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..16])
}

pub(super) fn encoded(parameters: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// The lie about metadata that `/lying/3` stands for.
fn lying_document(path: &str) -> Option<&'static Lie> {
    let number: usize = path.strip_prefix("/lying/")?.parse().ok()?;
    METADATA.get(number)
}

fn token_answer(login: &Login) -> Value {
    let mut answer = json!({
        "access_token": login.access_token,
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": login.scope,
    });
    if let Some(token) = &login.refresh_token {
        answer["refresh_token"] = json!(token);
    }
    answer
}

fn refusal(code: &str) -> HttpAnswer {
    HttpAnswer::json(400, &json!({ "error": code }))
}
