//! One person with a SAML upstream and an OpenID upstream, at the built server and in German: what is connected on the
//! account page, what is disconnected there, and what is left of that.

use std::sync::Arc;

use fedbridge_keys::SystemClock;
use fedbridge_oidc_core::testkit::{Person, Running, ScriptedOp};
use fedbridge_saml::testkit::{ReceivedRequest, ScriptedIdp};
use serde_json::Value;

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::html::Form;
use crate::support::scripted::{App, alice, bridge_file_with, claims, idp, now};
use crate::support::{Scratch, eventually};

struct World {
    idp: ScriptedIdp,
    op: ScriptedOp,
    app: App,
    setup: Setup,
    _bridge: Bridge,
    _op: Running,
    _scratch: Scratch,
}

impl World {
    async fn start() -> Self {
        let (op, running) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
        op.person(Person::new("alice-at-the-club"));
        let (client, secret) = op.client();
        let club = format!(
            "      - slug: club
        display_name: Der Verein
        protocol: oidc
        issuer: {}
        client_id: {client}
        client_secret: {{ value: {secret} }}
        people: {{ linking: true }}",
            op.issuer
        );
        let (idp, scratch) = (idp(), Scratch::new("links"));
        let setup = Setup::sqlite(scratch.path());
        let file = bridge_file_with(&scratch, &idp, &club, "        consent: remember");
        setup.apply(
            &scratch,
            &file.replace("    display_name: Acme\n", "    display_name: Acme\n    locales: [de, en]\n"),
        );
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        let world = Self { idp, op, app, setup, _bridge: bridge, _op: running, _scratch: scratch };
        eventually("a login begins at the provider", async || world.to_op(&mut Browser::new()).await).await;
        world
    }

    async fn to_op(&self, browser: &mut Browser) -> Option<String> {
        let answer = browser.get(&self.app.authorize_url("&connection=club")).await;
        answer.location.filter(|to| to.starts_with(&self.op.issuer))
    }

    /// Says yes to the app, where the page asks, and gives the app's tokens.
    async fn tokens(&self, browser: &mut Browser, answer: Answer) -> Value {
        let answer = match Form::leading_to(&answer.body, &answer.url, "/consent") {
            Some(form) => {
                assert_german(&answer, "<strong>The App</strong> bittet um Zugriff");
                let yes = form.set("answer", "allow");
                browser.post(&yes.action, &yes.fields).await
            }
            None => answer,
        };
        let tokens = self.app.redeem(&answer.redirect_param("code")).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        tokens.json()
    }

    async fn login_by_saml(&self, browser: &mut Browser) -> Value {
        let location = browser.get(&self.app.authorize_url("&connection=idp")).await.location.unwrap();
        let request = ReceivedRequest::from_redirect(&location).unwrap();
        let answer = self.idp.answer(&request, &alice(), now());
        let form = answer.form(&self.idp, request.relay_state.as_deref()).unwrap();
        let answer = self.app.post_acs(browser, &form).await;
        self.tokens(browser, answer).await
    }

    async fn login_by_oidc(&self, browser: &mut Browser) -> Value {
        let to_op = self.to_op(browser).await.unwrap();
        let callback = browser.get(&to_op).await.location.unwrap();
        let answer = browser.get(&callback).await;
        self.tokens(browser, answer).await
    }

    async fn account(&self, browser: &mut Browser) -> Answer {
        let page = browser.get(&format!("{}/account", self.app.at)).await;
        assert_german(&page, "Ihr Konto");
        page
    }

    /// From the button on the account page to the question whether both logins are one person's.
    async fn proves_the_other_login(&self, browser: &mut Browser) -> Answer {
        let page = self.account(browser).await;
        assert_german(&page, "Weitere Anmeldung verbinden");
        let form = Form::leading_to(&page.body, &page.url, "account/connect").unwrap();
        let to_op = browser.post(&form.action, &form.fields).await.location.unwrap();
        let callback = browser.get(&to_op).await.location.unwrap();
        browser.get(&callback).await
    }

    /// As an administrator sees it.
    fn logins_of(&self, person: &str) -> usize {
        let shown = self.setup.ok(&["users", "show", person, "--tenant", "acme"]);
        shown.lines().filter(|line| line.starts_with("  login ")).count()
    }

    fn newest_login(&self) -> String {
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let login = list.as_array().unwrap().iter().find(|trace| trace["kind"] == "login").unwrap();
        self.setup.ok(&["trace", "show", login["id"].as_str().unwrap()])
    }

    async fn is_good(&self, tokens: &Value) -> bool {
        self.app.introspect(tokens["access_token"].as_str().unwrap()).await["active"] == true
    }
}

fn assert_german(page: &Answer, part: &str) {
    assert!(page.body.contains("<html lang=\"de\">"), "{}: {}", page.url, page.body);
    assert!(page.body.contains(part), "{part} is not in {}", page.body);
}

fn sub(tokens: &Value) -> String {
    claims(&tokens["id_token"])["sub"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_upstreams_are_connected_and_disconnected_by_their_person() {
    let world = World::start().await;
    let mut desk = Browser::new();
    let by_saml = world.login_by_saml(&mut desk).await;
    let person = sub(&by_saml);

    let page = world.proves_the_other_login(&mut desk).await;
    assert_german(&page, "Diese Anmeldung verbinden?");
    for part in ["Ihr Konto, angemeldet mit <strong>idp<", "mit <strong>Der Verein<", "<dd>alice-at-the-club<"] {
        assert!(page.body.contains(part), "{part} is not in {}", page.body);
    }
    let form = Form::leading_to(&page.body, &page.url, "account/confirm").unwrap();
    let confirm = form.set("answer", "allow");
    // Without the browser that proved both, the yes is worth nothing.
    Browser::new().post(&confirm.action, &confirm.fields).await;
    assert_eq!(world.logins_of(&person), 1);
    let done = desk.post(&confirm.action, &confirm.fields).await;
    assert_eq!((done.status, done.location), (303, Some(format!("{}/account", world.app.at))), "{}", done.body);

    // From now on either of them opens the account.
    let mut phone = Browser::new();
    let by_oidc = world.login_by_oidc(&mut phone).await;
    assert_eq!(sub(&by_oidc), person);
    assert_eq!(world.logins_of(&person), 2);

    // Each page can disconnect the login that its browser did not come by.
    let page = world.account(&mut desk).await;
    assert_german(&page, "Trennen");
    assert_eq!(page.body.matches("/account/unlink\"").count(), 1, "{}", page.body);
    let unlink = Form::leading_to(&page.body, &page.url, "account/unlink").unwrap();
    let foreign = phone.post(&unlink.action, &unlink.fields).await;
    assert_eq!(foreign.status, 400, "another session's form: {}", foreign.body);
    assert_german(&foreign, "Es wurde nichts geändert");
    let done = desk.post(&unlink.action, &unlink.fields).await;
    assert_eq!((done.status, done.location), (303, Some(format!("{}/account", world.app.at))), "{}", done.body);

    // What came by it is over, what came by the other one goes on, and that one is the last way in.
    assert!(!world.is_good(&by_oidc).await && world.is_good(&by_saml).await);
    let refused = world.app.refresh(by_oidc["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
    let silent = phone.get(&world.app.authorize_url("&prompt=none&connection=club")).await;
    assert!(!silent.redirect_params().contains_key("code"), "{:?}", silent.location);
    assert_eq!(world.logins_of(&person), 1);
    let page = world.account(&mut desk).await;
    assert_eq!(page.body.matches("/account/unlink\"").count(), 0, "{}", page.body);

    // What is left is a tombstone: whoever comes by that login is somebody new, and says so.
    let new = world.login_by_oidc(&mut Browser::new()).await;
    assert_ne!(sub(&new), person);
    let said = "was disconnected from its account";
    eventually("a trace says so", async || world.newest_login().contains(said).then_some(())).await;

    // It is that new person's now, and can't be connected again; the proof of before is worth nothing.
    let again = desk.post(&confirm.action, &confirm.fields).await;
    assert_eq!(again.status, 403, "{:?} {}", again.location, again.body);
    assert_german(&again, "Bitte beginnen Sie");
    let page = world.proves_the_other_login(&mut desk).await;
    assert_german(&page, "Diese Anmeldung gehört zu einem anderen Konto");
}
