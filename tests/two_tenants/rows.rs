//! One row or more for each route: what of a tenant could be sent there.

use std::collections::BTreeMap;

use fedbridge_saml::testkit::{ArtifactResolvePlan, NameIdPlan};
use serde_json::Value;
use url::Url;

use super::passwords;
use super::world::{BY_ARTIFACT, Came, Login, Place, Sent, Side, TAKES_ARTIFACTS, World};
use crate::support::browser::Browser;
use crate::support::html::{Form, LoggingOut};
use crate::support::scripted::{LOGGED_OUT, REDIRECT, SECRET, VERIFIER, now};

pub struct Row {
    pub place: Place,
    what: &'static str,
    /// With the addresses of the side that it goes to: everything but the thing itself is right there.
    pub ask: Box<dyn Fn(&Side) -> Sent + Send + Sync>,
    pub good: Good,
}

pub enum Good {
    /// The answer says it.
    Answer(fn(&Came) -> bool),
    /// This ends by it, or begins.
    Ends(Alive),
    Begins(Alive),
    /// Nothing that belongs to a tenant is taken there; its answer must be free of the other one all the same.
    Public,
}

/// Something at home that lives or not.
pub enum Alive {
    Session(BTreeMap<String, String>),
    Token(String),
    /// The account page has a form that leads there.
    OnAccount(Browser, &'static str),
}

impl Row {
    pub fn name(&self) -> String {
        format!("{} of one tenant at {}", self.what, self.place.route())
    }
}

impl Alive {
    pub async fn is_so(&self, world: &World) -> bool {
        let app = &world.own.app;
        match self {
            Self::Session(cookies) => {
                let url = Url::parse(&app.authorize_url("&prompt=none")).unwrap();
                let sent = Sent { query: url.query().unwrap().into(), cookies: cookies.clone(), ..Sent::default() };
                has_code(&world.send(&Place::Tenant("authorize"), &sent, &world.own).await)
            }
            Self::OnAccount(browser, form) => world.account(&mut browser.clone()).await.body.contains(form),
            Self::Token(token) => app.introspect(token).await["active"] == true,
        }
    }
}

/// The account page has it for who has two logins.
const UNLINK: &str = "/account/unlink";

pub fn row(place: Place, what: &'static str, good: Good, ask: impl Fn(&Side) -> Sent + Send + Sync + 'static) -> Row {
    Row { place, what, ask: Box::new(ask), good }
}

/// One that is the same wherever it goes.
pub fn same(place: Place, what: &'static str, good: Good, sent: Sent) -> Row {
    row(place, what, good, move |_| sent.clone())
}

pub async fn rows(world: &World) -> Vec<Row> {
    let mut rows = tokens(world).await;
    rows.extend(sessions(world).await);
    rows.extend(documents());
    rows.extend(own_pages(world).await);
    rows.extend(passwords::rows(world).await);
    rows.extend(apps_of_saml(world).await);
    rows.extend(logouts(world).await);
    rows.extend(upstream_saml(world).await);
    rows.extend(upstream_oidc(world).await);
    rows.extend(super::pushed::rows(world).await);
    rows.extend(super::signals::rows(world));
    rows
}

async fn tokens(world: &World) -> Vec<Row> {
    use Place::Tenant;
    let alice = world.alice().await;
    let (access, refresh) = (text(&alice.tokens, "access_token"), text(&alice.tokens, "refresh_token"));
    let own = world.own.app.token(&[("grant_type", "client_credentials"), ("scope", "api")]).await.json();
    let own = text(&own, "access_token");
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &alice.code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let active = || Good::Answer(|came| came.body.contains("\"active\":true"));
    let good = || Good::Answer(|came| came.status == 200);
    let (spent, gone) = (world.alice().await, world.alice().await);
    let (spent, gone) = (text(&spent.tokens, "access_token"), gone.tokens);
    let ends = |token: &str| Good::Ends(Alive::Token(token.to_owned()));
    vec![
        same(Tenant("introspect"), "an access token", active(), by_app(&[("token", &access)])),
        same(Tenant("introspect"), "a refresh token", active(), by_app(&[("token", &refresh)])),
        same(Tenant("introspect"), "an app's own token", active(), by_app(&[("token", &own)])),
        same(Tenant("userinfo"), "an access token", good(), form(&[("access_token", &access)])),
        same(Tenant("userinfo"), "a bearer", good(), Sent { bearer: Some(access.clone()), ..Sent::default() }),
        same(Tenant("token"), "a code", good(), by_app(&redeem)),
        same(
            Tenant("token"),
            "a refresh token",
            good(),
            by_app(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]),
        ),
        same(Tenant("revoke"), "an access token", ends(&spent), by_app(&[("token", &spent)])),
        same(
            Tenant("revoke"),
            "a refresh token",
            ends(&text(&gone, "access_token")),
            by_app(&[("token", &text(&gone, "refresh_token"))]),
        ),
    ]
}

async fn sessions(world: &World) -> Vec<Row> {
    use Place::Tenant;
    let alice = world.alice().await;
    let cookies = alice.browser.cookies(&world.own.at);
    let hint = text(&alice.tokens, "id_token");
    let asks = move |cookies: &BTreeMap<String, String>, more: &str| {
        let (cookies, more) = (cookies.clone(), format!("&prompt=none{more}"));
        move |side: &Side| {
            let url = Url::parse(&side.app.authorize_url(&more)).unwrap();
            Sent { query: url.query().unwrap().into(), cookies: cookies.clone(), ..Sent::default() }
        }
    };
    let hinted = format!("&id_token_hint={hint}");
    let leaving = world.alice().await;
    let left = leaving.browser.cookies(&world.own.at);
    let query = format!("id_token_hint={}", text(&leaving.tokens, "id_token"));
    vec![
        row(Tenant("authorize"), "a session", Good::Answer(has_code), asks(&cookies, "")),
        row(Tenant("authorize"), "a session with its ID token", Good::Answer(has_code), asks(&cookies, &hinted)),
        same(
            Tenant("logout"),
            "a session with its ID token",
            Good::Ends(Alive::Session(left.clone())),
            Sent { query, cookies: left, ..Sent::default() },
        ),
    ]
}

/// The hub's own pages. Carol is somebody with no more than is made here.
async fn own_pages(world: &World) -> Vec<Row> {
    use Place::Tenant;
    let at = &world.own.at;
    let mut carol = world.saml_login(&world.own, "carol").await;
    let elsewhere = world.saml_login(&world.own, "carol").await;
    let page = world.account(&mut carol.browser).await;
    let cookies = carol.browser.cookies(at);
    let sent = |action: &str| {
        let form = Form::leading_to(&page.body, &page.url, action).unwrap_or_else(|| panic!("no {action}"));
        Sent { form: Some(form.fields), cookies: cookies.clone(), ..Sent::default() }
    };
    let shown: fn(&Came) -> bool = |came| came.status == 200 && came.body.contains("/account/");
    let goes_to_provider: fn(&Came) -> bool = |came| came.location.contains("/authorize?");

    let mut asked = world.saml_login(&world.own, "dave").await.browser;
    let question = asked.get(&world.own.app.authorize_url("&prompt=consent")).await;
    let form = Form::leading_to(&question.body, &question.url, "consent").unwrap().set("answer", "allow");
    let consent = Sent { form: Some(form.fields), cookies: asked.cookies(at), ..Sent::default() };

    let mut newcomer = Browser::new();
    let page = world.to_same_email(&mut newcomer).await;
    let form = Form::leading_to(&page.body, &page.url, "somebody-else").expect("Alice has this address");
    let somebody_else = Sent { form: Some(form.fields), cookies: newcomer.cookies(at), ..Sent::default() };

    let mut linking = world.saml_login(&world.own, "erin").await.browser;
    let page = world.to_connect(&mut linking, "erins-other-login").await;
    let form = Form::leading_to(&page.body, &page.url, "account/confirm").unwrap().set("answer", "allow");
    let confirm = Sent { form: Some(form.fields), cookies: linking.cookies(at), ..Sent::default() };
    // The link gives the session a new cookie; another session of hers looks on.
    let looking = world.saml_login(&world.own, "erin").await.browser;

    let mut linked = world.saml_login(&world.own, "frank").await.browser;
    let page = world.to_connect(&mut linked, "franks-other-login").await;
    let form = Form::leading_to(&page.body, &page.url, "account/confirm").unwrap().set("answer", "allow");
    linked.post(&form.action, &form.fields).await;
    let page = world.account(&mut linked).await;
    let form = Form::leading_to(&page.body, &page.url, "account/unlink").expect("frank has two logins");
    let unlink = Sent { form: Some(form.fields), cookies: linked.cookies(at), ..Sent::default() };
    vec![
        same(Tenant("account"), "a session", Good::Answer(shown), Sent { cookies: cookies.clone(), ..Sent::default() }),
        same(
            Tenant("account/end"),
            "a form",
            Good::Ends(Alive::Session(elsewhere.browser.cookies(at))),
            sent("account/end"),
        ),
        same(Tenant("account/connect"), "a form", Good::Answer(goes_to_provider), sent("account/connect")),
        same(
            Tenant("account/forget"),
            "a form",
            Good::Ends(Alive::Token(text(&carol.tokens, "access_token"))),
            sent("account/forget"),
        ),
        same(Tenant("account/confirm"), "a link proof", Good::Begins(Alive::OnAccount(looking, UNLINK)), confirm),
        same(Tenant("account/unlink"), "a form", Good::Ends(Alive::OnAccount(linked, UNLINK)), unlink),
        same(Tenant("consent"), "a question", Good::Answer(has_code), consent),
        same(Tenant("somebody-else"), "a question", Good::Answer(has_code), somebody_else),
    ]
}

/// What is published names its own tenant and nobody else.
fn documents() -> Vec<Row> {
    let own: fn(&Came) -> bool = |came| came.status == 200 && came.body.contains("/t/acme");
    let published = |place| same(place, "what is published", Good::Answer(own), Sent::default());
    vec![
        published(Place::Tenant(".well-known/openid-configuration")),
        published(Place::Tenant(".well-known/oauth-authorization-server")),
        published(Place::Tenant(".well-known/ssf-configuration")),
        published(Place::Tenant("saml/metadata")),
        published(Place::Connection("saml", "saml/metadata")),
        same(Place::Tenant("jwks"), "keys", Good::Public, Sent::default()),
        same(Place::Connection("oidc", "oidc/jwks"), "keys", Good::Public, Sent::default()),
    ]
}

async fn apps_of_saml(world: &World) -> Vec<Row> {
    use Place::Tenant;
    let alice = world.alice().await;
    let cookies = alice.browser.cookies(&world.own.at);
    let answered: fn(&Came) -> bool = |came| came.body.contains("SAMLResponse");
    let asks = {
        let (sp, cookies) = (world.sp.clone(), cookies.clone());
        move |side: &Side| {
            let request = sp.request(&format!("{}/saml/sso", side.at), now());
            Sent { query: request.query(&sp, None).unwrap(), cookies: cookies.clone(), ..Sent::default() }
        }
    };
    // A posted request waits for the browser to come back with its cookies.
    let request = world.sp.request(&format!("{}/saml/sso", world.own.at), now());
    let form = request.form(&world.sp, None).unwrap();
    let parked = Browser::new().post(&format!("{}/saml/sso", world.own.at), &form).await;
    let parked = Url::parse(&parked.location.unwrap()).unwrap();
    assert!(parked.path().ends_with("/saml/sso"), "{parked}");
    let parked = Sent { query: parked.query().unwrap().into(), cookies: cookies.clone(), ..Sent::default() };
    let by_start = Sent { cookies: cookies.clone(), rest: "wiki".into(), ..Sent::default() };
    let goes_on: fn(&Came) -> bool = |came| came.body.contains("SAMLResponse") || came.status == 303;
    let artifact = artifact(world, alice).await;
    let sp = world.sp.clone();
    let resolves = move |side: &Side| {
        let address = format!("{}/saml/artifact", side.at);
        let plan = ArtifactResolvePlan::new(&sp.entity_id, &address, &artifact, now());
        Sent { xml: Some(plan.call(&sp.key).unwrap()), ..Sent::default() }
    };
    vec![
        row(Tenant("saml/sso"), "a session", Good::Answer(answered), asks),
        same(Tenant("saml/sso"), "a request that waits", Good::Answer(goes_on), parked),
        same(Tenant("saml/start/*"), "a session", Good::Answer(answered), by_start),
        row(Tenant("saml/artifact"), "an artifact", Good::Answer(|came| came.body.contains(":Assertion")), resolves),
    ]
}

async fn artifact(world: &World, mut alice: Login) -> String {
    let mut request = world.sp.request(&format!("{}/saml/sso", world.own.at), now());
    (request.acs, request.binding) = (Some(TAKES_ARTIFACTS.into()), Some(BY_ARTIFACT.into()));
    let query = request.query(&world.sp, None).unwrap();
    alice.browser.get(&format!("{}/saml/sso?{query}", world.own.at)).await.redirect_param("SAMLart")
}

/// A session with a service provider in it.
async fn with_wiki(world: &World) -> (Login, String) {
    let mut alice = world.alice().await;
    let request = world.sp.request(&format!("{}/saml/sso", world.own.at), now());
    let query = request.query(&world.sp, None).unwrap();
    let page = alice.browser.get(&format!("{}/saml/sso?{query}", world.own.at)).await;
    let form = Form::of(&page.body, &page.url).unwrap();
    let packed = &form.fields.iter().find(|(name, _)| name == "SAMLResponse").unwrap().1;
    (alice, String::from_utf8(base64(packed)).unwrap())
}

async fn logouts(world: &World) -> Vec<Row> {
    use Place::Tenant;
    let (alice, response) = with_wiki(world).await;
    let name_id = NameIdPlan {
        value: between(&response, ":NameID", "<").split_once('>').unwrap().1.to_owned(),
        format: Some(between(&response, ":NameID", ">")).and_then(|tag| attribute(&tag, "Format")),
        name_qualifier: attribute(&between(&response, ":NameID", ">"), "NameQualifier"),
        sp_name_qualifier: attribute(&between(&response, ":NameID", ">"), "SPNameQualifier"),
    };
    let index = between(&response, "SessionIndex=\"", "\"");
    let sp = world.sp.clone();
    let by_app = move |side: &Side| {
        let plan = sp.logout(&format!("{}/saml/slo", side.at), name_id.clone(), Some(&index), now());
        Sent { query: plan.query(None, &sp.key).unwrap(), ..Sent::default() }
    };
    let (mut leaving, _) = with_wiki(world).await;
    let hint = text(&leaving.tokens, "id_token");
    let page = leaving.browser.get(&format!("{}/logout?id_token_hint={hint}", world.own.at)).await;
    let page = LoggingOut::of(&page.body).unwrap_or_else(|| panic!("nobody is told by a frame: {page:?}"));
    let step = |address: &str| {
        let query = Url::parse(address).unwrap().query().unwrap().to_owned();
        Sent { query, ..Sent::default() }
    };
    let found = || Good::Answer(|came| came.status < 400);
    vec![
        row(
            Tenant("saml/slo"),
            "the name of a session",
            Good::Ends(Alive::Session(alice.browser.cookies(&world.own.at))),
            by_app,
        ),
        same(Tenant("logout/poll"), "the key of a logout's page", found(), step(&page.poll)),
        same(Tenant("logout/frame"), "the key of a logout's page", found(), step(&page.frames[0])),
        same(Tenant("logout/next"), "the key of a logout's page", found(), step(&page.next)),
    ]
}

async fn upstream_saml(world: &World) -> Vec<Row> {
    let at = |route| Place::Connection("saml", route);
    let mut browser = Browser::new();
    let request = world.to_idp(&world.own, &mut browser).await;
    let cookies = browser.cookies(&world.own.at);
    let (idp, person) = (world.idp.clone(), world.person("alice"));
    // The provider answers the other tenant rightly: only the login that it belongs to is another one's.
    let answers = move |side: &Side| {
        let address = format!("{}/connections/saml/saml", side.at);
        let mut request = request.clone();
        (request.acs, request.issuer) = (Some(format!("{address}/acs")), format!("{address}/metadata"));
        let plan = idp.answer(&request, &person, now());
        let form = plan.form(&idp, request.relay_state.as_deref()).unwrap();
        Sent { form: Some(form), cookies: cookies.clone(), ..Sent::default() }
    };
    let (idp, person) = (world.idp.clone(), world.person("alice"));
    let home = format!("{}/connections/saml/saml", world.own.at);
    let unsolicited = idp.unsolicited(&format!("{home}/metadata"), &format!("{home}/acs"), &person, now());
    let parked = Browser::new().post(&format!("{home}/acs"), &unsolicited.form(&idp, None).unwrap()).await;
    let parked = Url::parse(&parked.location.unwrap()).unwrap();
    let parked = Sent { query: parked.query().unwrap().into(), ..Sent::default() };
    let alice = world.alice().await;
    let assertion = alice.answer.as_ref().unwrap().assertion.clone();
    let (name_id, index) = (assertion.name_id.unwrap(), assertion.authn[0].session_index.clone().unwrap());
    let ends = move |side: &Side| {
        let plan = idp.logout(&format!("{}/connections/saml/saml/slo", side.at), name_id.clone(), Some(&index), now());
        Sent { query: plan.query(None, &idp.key).unwrap(), ..Sent::default() }
    };
    let session = Alive::Session(alice.browser.cookies(&world.own.at));
    vec![
        row(at("saml/acs"), "a login under way", Good::Answer(has_code), answers),
        // An artifact is fetched from the provider: there is none here that could give one out.
        same(at("saml/artifact"), "nothing", Good::Public, Sent::default()),
        same(at("login"), "an accepted answer", Good::Answer(|came| came.whole.contains("-s=")), parked),
        row(at("saml/slo"), "the name of a session", Good::Ends(session), ends),
    ]
}

async fn upstream_oidc(world: &World) -> Vec<Row> {
    let at = |route| Place::Connection("oidc", route);
    let mut browser = Browser::new();
    let callback = Url::parse(&world.to_callback(&mut browser).await).unwrap();
    let cookies = browser.cookies(&world.own.at);
    let callback = Sent { query: callback.query().unwrap().into(), cookies, ..Sent::default() };

    let told = world.oidc_login().await;
    let token = world.op.logout_token(&world.op.last_login().unwrap());
    let told = Alive::Session(told.browser.cookies(&world.own.at));

    let framed = world.oidc_login().await;
    let frame = world.op.front_channel(&world.op.last_login().unwrap());
    let framed = Alive::Session(framed.browser.cookies(&world.own.at));

    let mut leaving = world.oidc_login().await;
    let hint = text(&leaving.tokens, "id_token");
    let more = format!("id_token_hint={hint}&post_logout_redirect_uri={LOGGED_OUT}&state=s");
    let to_op = leaving.browser.get(&format!("{}/logout?{more}", world.own.at)).await.location.unwrap();
    assert!(to_op.starts_with(&world.op.issuer), "the provider is not told: {to_op}");
    let back = Url::parse(&leaving.browser.get(&to_op).await.location.unwrap()).unwrap();
    let back = Sent { query: back.query().unwrap().into(), ..Sent::default() };
    vec![
        same(at("oidc/callback"), "a login under way", Good::Answer(has_code), callback),
        same(at("oidc/initiate"), "nothing", Good::Public, Sent::default()),
        same(at("login"), "nothing", Good::Public, Sent::default()),
        same(Place::Connection("ldap", "login"), "nothing", Good::Public, Sent::default()),
        same(
            at("oidc/backchannel-logout"),
            "the name of a session",
            Good::Ends(told),
            form(&[("logout_token", &token)]),
        ),
        same(
            at("oidc/frontchannel-logout"),
            "the name of a session",
            Good::Ends(framed),
            Sent { query: frame, ..Sent::default() },
        ),
        same(
            at("oidc/logged-out"),
            "a logout under way",
            Good::Answer(|came| came.location.starts_with(LOGGED_OUT)),
            back,
        ),
        // Switched off where the connection does not ask for it.
        same(at("global-token-revocation"), "nothing", Good::Public, form(&[])),
        same(at("signals/events"), "nothing", Good::Public, form(&[])),
    ]
}

fn by_app(fields: &[(&str, &str)]) -> Sent {
    form(&[&[("client_id", "app"), ("client_secret", SECRET)], fields].concat())
}

fn form(fields: &[(&str, &str)]) -> Sent {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sent { form: Some(fields.collect()), ..Sent::default() }
}

pub fn has_code(came: &Came) -> bool {
    came.location.contains("code=")
}

fn text(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().unwrap_or_else(|| panic!("no {name} in {tokens}")).to_owned()
}

fn between(text: &str, before: &str, after: &str) -> String {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0.to_owned()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    tag.split_once(&format!(" {name}=\"")).map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
