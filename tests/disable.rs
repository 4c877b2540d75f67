//! Everything that can be switched off or killed, against everything that somebody may have of it by then, what
//! is on its way included (threats.md 15). What hangs on it is worth nothing; everything else goes on; and a person
//! can always log out.

use std::collections::BTreeSet;

use fedbridge::Foundation;
use fedbridge_contract::epoch::Killed;
use fedbridge_contract::ids::{PersonId, TenantId};
use fedbridge_hub::ports::{ConfigStore as _, EpochStore as _};
use fedbridge_saml::testkit::{ArtifactResolvePlan, ReceivedRequest};
use url::Url;

use crate::support::browser::Browser;
use crate::support::html::Form;
use crate::support::scripted::{claims, now};
use crate::two_tenants::world::{BY_ARTIFACT, Login, Place, Sent, TAKES_ARTIFACTS, World};

/// What somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// The browser's session, for the client and for the service provider.
    Session,
    SamlSession,
    Account,
    /// The identity provider's answer to a login that was under way.
    Callback,
    /// An answer that nobody asked for, taken in and not taken up yet.
    Parked,
    Code,
    RefreshToken,
    AccessToken,
    Userinfo,
    /// The client's own token.
    OwnToken,
    Artifact,
    /// A login that was proved, and waits for the person's yes.
    LinkProof,
    /// A question that waits for the person's yes.
    Question,
}

use Thing::{
    AccessToken, Account, Artifact, Callback, Code, LinkProof, OwnToken, Parked, Question, RefreshToken, SamlSession,
    Session, Userinfo,
};

const ALL: [Thing; 13] = [
    Session,
    SamlSession,
    Account,
    Callback,
    Parked,
    Code,
    RefreshToken,
    AccessToken,
    Userinfo,
    OwnToken,
    Artifact,
    LinkProof,
    Question,
];

/// What was issued to the client for a person.
const ISSUED: [Thing; 4] = [Code, RefreshToken, AccessToken, Userinfo];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Tenant,
    /// By which the person is logged in.
    Connection,
    /// By which one more login was proved.
    LinkedConnection,
    Client,
    ServiceProvider,
    Person,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Disabled,
    Killed,
}

/// Nothing of these is left. Who logs in after a kill is let in, also where the way to the identity provider was
/// begun before it.
fn dead(object: Object, way: Way) -> BTreeSet<Thing> {
    let of_person = [&ISSUED[..], &[Session, SamlSession, Account, Parked, LinkProof, Question]].concat();
    // An answer that its app is about to fetch hangs on tenant, connection and app, and on kills of its person.
    // Whether the person is disabled was looked at when it was made, a minute ago at most.
    let dead = match (object, way) {
        (Object::Tenant, Way::Disabled) => ALL.to_vec(),
        (Object::Tenant, Way::Killed) => [&of_person[..], &[OwnToken, Artifact]].concat(),
        (Object::Connection, Way::Disabled) => [&of_person[..], &[Callback, Artifact]].concat(),
        (Object::Connection, Way::Killed) => [&of_person[..], &[Artifact]].concat(),
        (Object::Person, Way::Disabled) => [&of_person[..], &[Callback]].concat(),
        (Object::Person, Way::Killed) => [&of_person[..], &[Artifact]].concat(),
        (Object::LinkedConnection, _) => vec![LinkProof],
        // A session is no client's. A login goes on to whoever asked for it; a question about what the client gets is
        // its own.
        (Object::Client, Way::Disabled) => [&ISSUED[..], &[OwnToken, Session, Callback, Parked, Question]].concat(),
        (Object::Client, Way::Killed) => [&ISSUED[..], &[OwnToken, Question]].concat(),
        (Object::ServiceProvider, Way::Disabled) => vec![SamlSession, Artifact],
        // Assertions that are out can't be taken back.
        (Object::ServiceProvider, Way::Killed) => vec![Artifact],
    };
    dead.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_switched_off_or_killed_takes_all_with_it() {
    let world = World::start().await;
    let foundation = Foundation::open_as_is(&world.settings()).await.unwrap();
    let objects = [
        Object::Tenant,
        Object::Connection,
        Object::LinkedConnection,
        Object::Client,
        Object::ServiceProvider,
        Object::Person,
    ];
    let mut wrong = Vec::new();
    for (number, object) in objects.into_iter().enumerate() {
        for way in [Way::Disabled, Way::Killed] {
            let name = format!("person-{number}-{way:?}").to_lowercase();
            let held = Held::of(&world, &name).await;
            let person = switch_off(&world, &foundation, object, way, &held).await;
            let dead = dead(object, way);
            for thing in ALL {
                let alive = held.is_good(&world, thing).await;
                if alive == dead.contains(&thing) {
                    wrong.push(format!("{object:?} {way:?}: {thing:?} is {}", if alive { "alive" } else { "dead" }));
                }
            }
            if !held.can_log_out(&world).await {
                wrong.push(format!("{object:?} {way:?}: nobody can log out"));
            }
            if let (Way::Disabled, Some(person)) = (way, person) {
                let now = foundation.clock.now();
                foundation.store.set_person_disabled(acme(&foundation).await, person, false, now).await.unwrap();
            } else if way == Way::Disabled {
                world.put_in_force(&world.file).await;
            }
            assert!(!held.is_logged_in(&world).await, "{object:?} {way:?}: the logout ended nothing");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn acme(foundation: &Foundation) -> TenantId {
    let all = foundation.system.load().await.unwrap();
    all.tenants.values().find(|tenant| tenant.tenant.spec.slug == "acme").unwrap().tenant.id
}

async fn switch_off(world: &World, foundation: &Foundation, object: Object, way: Way, held: &Held) -> Option<PersonId> {
    let all = foundation.system.load().await.unwrap();
    let acme = all.tenants.values().find(|tenant| tenant.tenant.spec.slug == "acme").unwrap();
    let tenant = acme.tenant.id;
    let connection = |slug| acme.connections.iter().find(|found| found.spec.slug == slug).unwrap().id;
    let app = |name| acme.apps.iter().find(|found| found.spec.name == name).unwrap().id;
    let person: PersonId = claims(&held.login.tokens["id_token"])["sub"].as_str().unwrap().parse().unwrap();
    if way == Way::Killed {
        let kill = match object {
            Object::Tenant => Killed::Tenant(tenant),
            Object::Connection => Killed::Connection(tenant, connection("saml")),
            Object::LinkedConnection => Killed::Connection(tenant, connection("oidc")),
            Object::Client => Killed::App(tenant, app("app")),
            Object::ServiceProvider => Killed::App(tenant, app("wiki")),
            Object::Person => Killed::Person(tenant, person),
        };
        foundation.system.kill(kill, foundation.clock.now()).await.unwrap().unwrap();
        world.has_looked().await;
        return None;
    }
    let mark = match object {
        Object::Tenant => "enabled: true # tenant acme",
        Object::Connection => "enabled: true # connection acme",
        Object::LinkedConnection => "enabled: true # linked acme",
        Object::Client => "enabled: true # client acme",
        Object::ServiceProvider => "enabled: true # service provider acme",
        Object::Person => {
            foundation.store.set_person_disabled(tenant, person, true, foundation.clock.now()).await.unwrap();
            return Some(person);
        }
    };
    assert!(world.file.contains(mark), "{mark}");
    world.put_in_force(&world.file.replace(mark, "enabled: false")).await;
    None
}

/// All that one person has, each good for one try.
struct Held {
    name: String,
    /// For what is issued to the client.
    login: Login,
    /// For the pages of the hub and for what rests on the session.
    browser: Browser,
    under_way: (Browser, ReceivedRequest),
    parked: String,
    own_token: String,
    artifact: String,
    link: (Browser, Form),
    question: (Browser, Form),
    leaving: Login,
}

impl Held {
    async fn of(world: &World, name: &str) -> Self {
        let own = &world.own;
        let login = world.saml_login(own, name).await;
        let mut under_way = Browser::new();
        let request = world.to_idp(own, &mut under_way).await;
        let acs = format!("{}/connections/saml/saml", own.at);
        let person = world.person(name);
        let unsolicited = world.idp.unsolicited(&format!("{acs}/metadata"), &format!("{acs}/acs"), &person, now());
        let form = unsolicited.form(&world.idp, None).unwrap();
        let parked = Browser::new().post(&format!("{acs}/acs"), &form).await.location.unwrap();
        let own_token = own.app.token(&[("grant_type", "client_credentials"), ("scope", "api")]).await.json();
        let mut browser = world.saml_login(own, name).await.browser;
        let mut to_wiki = world.sp.request(&format!("{}/saml/sso", own.at), now());
        (to_wiki.acs, to_wiki.binding) = (Some(TAKES_ARTIFACTS.into()), Some(BY_ARTIFACT.into()));
        let query = to_wiki.query(&world.sp, None).unwrap();
        let artifact = browser.get(&format!("{}/saml/sso?{query}", own.at)).await.redirect_param("SAMLart");
        let mut asked = world.saml_login(own, name).await.browser;
        let page = asked.get(&own.app.authorize_url("&prompt=consent")).await;
        let question = Form::leading_to(&page.body, &page.url, "consent").unwrap().set("answer", "allow");
        let mut linking = world.saml_login(own, name).await.browser;
        let page = world.to_connect(&mut linking, &format!("{name}-at-the-other")).await;
        let link = Form::leading_to(&page.body, &page.url, "account/confirm").unwrap().set("answer", "allow");
        Self {
            name: name.to_owned(),
            login,
            browser,
            under_way: (under_way, request),
            parked,
            own_token: own_token["access_token"].as_str().unwrap().to_owned(),
            artifact,
            link: (linking, link),
            question: (asked, question),
            leaving: world.saml_login(own, name).await,
        }
    }

    async fn is_good(&self, world: &World, thing: Thing) -> bool {
        let own = &world.own;
        let token = |name: &str| self.login.tokens[name].as_str().unwrap();
        let code = |location: Option<String>| location.is_some_and(|to| to.contains("code="));
        match thing {
            Session => code(self.browser.clone().get(&own.app.authorize_url("&prompt=none")).await.location),
            SamlSession => {
                let request = world.sp.request(&format!("{}/saml/sso", own.at), now());
                let query = request.query(&world.sp, None).unwrap();
                let page = self.browser.clone().get(&format!("{}/saml/sso?{query}", own.at)).await;
                page.body.contains("SAMLResponse")
            }
            Account => {
                let page = self.browser.clone().get(&format!("{}/account", own.at)).await;
                page.status == 200 && page.body.contains("/account/")
            }
            Callback => {
                let (browser, request) = &self.under_way;
                let answer = world.idp.answer(request, &world.person(&self.name), now());
                let form = answer.form(&world.idp, request.relay_state.as_deref()).unwrap();
                let acs = format!("{}/connections/saml/saml/acs", own.at);
                code(browser.clone().post(&acs, &form).await.location)
            }
            // Taken up, and then of use.
            Parked => {
                let mut browser = Browser::new();
                let taken = browser.get(&self.parked).await;
                taken.location.is_some_and(|to| to.starts_with("http://127.0.0.1:9/start"))
                    && code(browser.get(&own.app.authorize_url("&prompt=none")).await.location)
            }
            Code => own.app.redeem(&self.login.code).await.status == 200,
            RefreshToken => own.app.refresh(token("refresh_token")).await.status == 200,
            AccessToken => own.app.introspect(token("access_token")).await["active"] == true,
            Userinfo => own.app.userinfo(token("access_token")).await.status == 200,
            OwnToken => own.app.introspect(&self.own_token).await["active"] == true,
            Artifact => {
                let address = format!("{}/saml/artifact", own.at);
                let plan = ArtifactResolvePlan::new(&world.sp.entity_id, &address, &self.artifact, now());
                let sent = Sent { xml: Some(plan.call(&world.sp.key).unwrap()), ..Sent::default() };
                world.send(&Place::Tenant("saml/artifact"), &sent, own).await.body.contains(":Assertion")
            }
            LinkProof => {
                let (browser, form) = &self.link;
                let done = browser.clone().post(&form.action, &form.fields).await;
                done.status == 303 && done.headers.get_all("set-cookie").iter().count() == 2
            }
            Question => {
                let (browser, form) = &self.question;
                code(browser.clone().post(&form.action, &form.fields).await.location)
            }
        }
    }

    async fn can_log_out(&self, world: &World) -> bool {
        let hint = self.leaving.tokens["id_token"].as_str().unwrap();
        let url = Url::parse(&format!("{}/logout?id_token_hint={hint}", world.own.at)).unwrap();
        // Where the identity provider is told, the browser goes there last.
        let page = self.leaving.browser.clone().get(url.as_str()).await;
        let gone = page.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().contains("-s=;"));
        page.status < 400 && gone
    }

    /// When everything is in force again.
    async fn is_logged_in(&self, world: &World) -> bool {
        let url = world.own.app.authorize_url("&prompt=none");
        let location = self.leaving.browser.clone().get(&url).await.location;
        location.is_some_and(|to| to.contains("code="))
    }
}
