//! The provider's memory, and what it publishes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::services::Clock;
use fedbridge_contract::time::Timestamp;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::http::{Asked, HttpAnswer, Running, serve};
use super::jwt::Scene;
use super::keys::OpKeys;
use super::lie::{Change, DocumentPlan, Lie};

/// A provider that tells the truth but for one lie. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct ScriptedOp {
    pub issuer: String,
    pub clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

pub(super) struct State {
    pub keys: Arc<OpKeys>,
    pub client_id: String,
    pub client_secret: String,
    /// The keys with which the client may sign assertions and requests, as a JWK set.
    pub client_keys: Option<Value>,
    pub person: Person,
    pub traits: Traits,
    pub lie: Option<&'static Lie>,
    /// Instead of the right key set.
    pub published: Option<Vec<Value>>,
    pub logins: Vec<Login>,
    pub pushed: Vec<(String, Vec<(String, String)>)>,
    pub elsewhere: Vec<(String, HttpAnswer)>,
    pub seen: Seen,
}

/// Who logs in next.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub subject: String,
    /// Claims of the ID token besides the protocol's.
    pub claims: Map<String, Value>,
    /// Claims at userinfo; `None`: the same.
    pub userinfo: Option<Map<String, Value>>,
}

impl Person {
    /// Somebody with an address and a name.
    pub fn new(name: &str) -> Self {
        let claims = json!({ "email": format!("{name}@acme.example"), "email_verified": true, "name": name });
        Self { subject: name.to_owned(), claims: claims.as_object().cloned().unwrap_or_default(), userinfo: None }
    }

    #[must_use]
    pub fn with(mut self, claim: &str, value: Value) -> Self {
        self.claims.insert(claim.to_owned(), value);
        self
    }
}

/// What kind of provider it is; none of this is a lie.
#[derive(Debug, Clone)]
pub struct Traits {
    /// Sends `iss` with its answers, and says so (RFC 9207).
    pub answers_name_issuer: bool,
    pub pushed_requests: bool,
    pub signed_userinfo: bool,
    pub end_session: bool,
    pub revocation: bool,
    /// A refresh token even where nobody asked for offline access.
    pub always_refresh: bool,
    pub rotates_refresh_tokens: bool,
    /// A renewed ID token: none, or with the first one's `nonce`.
    pub renews_id_token: bool,
    pub repeats_nonce: bool,
    /// `sid` in ID tokens.
    pub names_sessions: bool,
    /// Answers nothing at all.
    pub down: bool,
    /// People whose account is closed here.
    pub closed: Vec<String>,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            answers_name_issuer: true,
            pushed_requests: false,
            signed_userinfo: false,
            end_session: true,
            revocation: true,
            always_refresh: false,
            rotates_refresh_tokens: true,
            renews_id_token: true,
            repeats_nonce: true,
            names_sessions: true,
            down: false,
            closed: Vec::new(),
        }
    }
}

/// One login at the provider, from the authorization request on.
#[derive(Debug, Clone, Default)]
pub struct Login {
    pub subject: String,
    pub claims: Map<String, Value>,
    pub userinfo: Map<String, Value>,
    pub client_id: String,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub challenge: Option<String>,
    pub scope: String,
    pub max_age: Option<i64>,
    pub acr: Option<String>,
    pub response_mode: Option<String>,
    pub sid: String,
    /// Seconds since 1970.
    pub auth_time: i64,
    pub code: String,
    /// How often the code came.
    pub uses: u32,
    pub access_token: String,
    pub refresh_token: Option<String>,
    /// Refresh tokens that were replaced.
    pub spent: Vec<String>,
    pub over: bool,
    /// All parameters of the request.
    pub asked: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Discovery,
    Keys,
    Authorize,
    PushedRequest,
    Token,
    Userinfo,
    Revocation,
    Logout,
    /// Nothing that was published.
    Other,
}

/// One request that came.
#[derive(Debug, Clone)]
pub struct Call {
    pub endpoint: Endpoint,
    pub asked: Asked,
}

#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub calls: Vec<Call>,
}

impl Seen {
    pub fn of(&self, endpoint: Endpoint) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.endpoint == endpoint)
    }

    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.of(endpoint).count()
    }
}

impl ScriptedOp {
    /// A provider at this address, with one client: `bridge`.
    pub fn new(issuer: &str, clock: Arc<dyn Clock>) -> Option<Self> {
        let state = State {
            keys: Arc::new(OpKeys::make(&format!("key-{}", random_text(6)))?),
            client_id: "bridge".to_owned(),
            client_secret: "secret-of-the-bridge-at-the-scripted-provider".to_owned(),
            client_keys: None,
            person: Person::new("alice"),
            traits: Traits::default(),
            lie: None,
            published: None,
            logins: Vec::new(),
            pushed: Vec::new(),
            elsewhere: Vec::new(),
            seen: Seen::default(),
        };
        Some(Self { issuer: issuer.to_owned(), clock, state: Arc::new(Mutex::new(state)) })
    }

    /// A provider on a free port of this machine, which serves until the guard is dropped.
    ///
    /// # Errors
    /// There is no port, or no key can be made.
    pub async fn listen(clock: Arc<dyn Clock>) -> std::io::Result<(Self, Running)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
        let op = Self::new(&issuer, clock).ok_or_else(|| std::io::Error::other("no key could be made"))?;
        let own = op.clone();
        Ok((op, serve(listener, move |asked| own.answer_http(asked))?))
    }

    /// From now on this lie is told.
    pub fn tell(&self, lie: &'static Lie) {
        self.state().lie = Some(lie);
    }

    pub fn truth(&self) {
        self.state().lie = None;
    }

    pub fn person(&self, person: Person) {
        self.state().person = person;
    }

    pub fn traits(&self, change: impl FnOnce(&mut Traits)) {
        change(&mut self.state().traits);
    }

    /// The one client's name and secret.
    pub fn client(&self) -> (String, String) {
        let state = self.state();
        (state.client_id.clone(), state.client_secret.clone())
    }

    /// Assertions and signed requests of the client are checked with this JWK set.
    pub fn trust_client_keys(&self, set: Value) {
        self.state().client_keys = Some(set);
    }

    /// Publishes these keys instead of its own; `None`: its own again.
    pub fn publish(&self, keys: Option<Vec<Value>>) {
        self.state().published = keys;
    }

    /// Signs with new keys from now on, which are published at once.
    pub fn rotate_keys(&self) {
        // Where no key can be made the old ones go on, and the test that needs new ones says so.
        if let Some(keys) = OpKeys::make(&format!("key-{}", random_text(6))) {
            self.state().keys = Arc::new(keys);
        }
    }

    pub fn keys(&self) -> Arc<OpKeys> {
        Arc::clone(&self.state().keys)
    }

    /// Answers at an address outside its own, in memory only.
    pub fn also_serve(&self, url: &str, answer: HttpAnswer) {
        let mut state = self.state();
        state.elsewhere.retain(|(known, _)| known != url);
        state.elsewhere.push((url.to_owned(), answer));
    }

    pub fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    pub fn forget_seen(&self) {
        self.state().seen.calls.clear();
    }

    /// The logins so far, as they are now.
    pub fn logins(&self) -> Vec<Login> {
        self.state().logins.clone()
    }

    pub fn last_login(&self) -> Option<Login> {
        self.state().logins.last().cloned()
    }

    /// What discovery answers, with the lie of the moment.
    pub fn metadata(&self) -> String {
        String::from_utf8_lossy(&self.metadata_plan().answer().body).into_owned()
    }

    /// The right document.
    pub fn right_metadata(&self) -> Value {
        let traits = self.state().traits.clone();
        let at = |path: &str| format!("{}{path}", self.issuer);
        let mut document = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
            "userinfo_endpoint": at("/userinfo"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
            "claims_parameter_supported": true,
            "authorization_response_iss_parameter_supported": traits.answers_name_issuer,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "frontchannel_logout_supported": true,
            "frontchannel_logout_session_supported": true,
        });
        if traits.end_session {
            document["end_session_endpoint"] = json!(at("/logout"));
        }
        if traits.revocation {
            document["revocation_endpoint"] = json!(at("/revoke"));
        }
        if traits.pushed_requests {
            document["pushed_authorization_request_endpoint"] = json!(at("/par"));
        }
        document
    }

    pub(super) fn metadata_plan(&self) -> DocumentPlan {
        let mut plan = self.right_metadata_plan();
        self.lying(|change| {
            if let Change::Metadata(change) = change {
                change(&mut plan);
            }
        });
        plan
    }

    /// The document with one lie, whatever the lie of the moment is.
    pub(super) fn lying_metadata(&self, lie: &Lie) -> DocumentPlan {
        let mut plan = self.right_metadata_plan();
        for change in lie.changes {
            if let Change::Metadata(change) = change {
                change(&mut plan);
            }
        }
        plan
    }

    fn right_metadata_plan(&self) -> DocumentPlan {
        let mut plan = DocumentPlan::new(self.right_metadata(), self.scene(None));
        plan.headers = vec![("cache-control".into(), "max-age=3600".into())];
        plan
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed elsewhere must not hide its own cause behind this one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `of` for each change of the lie of the moment.
    pub(super) fn lying(&self, mut of: impl FnMut(&Change)) {
        let lie = self.state().lie;
        for change in lie.map_or(&[][..], |lie| lie.changes) {
            of(change);
        }
    }

    pub(super) fn scene(&self, login: Option<Login>) -> Scene {
        let state = self.state();
        let other = state.logins.iter().rev().find(|other| Some(&other.code) != login.as_ref().map(|own| &own.code));
        Scene {
            now: seconds(self.clock.now()),
            issuer: self.issuer.clone(),
            client_id: state.client_id.clone(),
            client_secret: state.client_secret.clone(),
            other: other.cloned(),
            login,
            keys: Arc::clone(&state.keys),
        }
    }
}

pub(super) fn seconds(at: Timestamp) -> i64 {
    at.seconds()
}

/// `octets` random octets as base64url.
pub(super) fn random_text(octets: usize) -> String {
    let mut bytes = vec![0; octets];
    // Without randomness names repeat, and a test that needs two of them says so.
    let _ = openssl::rand::rand_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
