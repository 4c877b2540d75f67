//! Rows of passwords, second factors and passwords for single apps, and what LDAP makes of the last.

use super::rows::{Alive, Good, Row, has_code, row, same};
use super::world::{Came, Place, Sent, Side, World};
use crate::support::authenticator::Authenticator;
use crate::support::browser::{Answer, Browser};
use crate::support::eventually;
use crate::support::html::Form;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::has;
use crate::support::ldap::tools::Directory;
use crate::support::ldap::wire::{Scope, equal, present};
use crate::support::scripted::now;

const SECRET_SHOWN: &str = "<p class=\"secret\"><code>";

/// Heidi has a password, Dora one that has to be changed, and Bob a second factor.
pub async fn rows(world: &World) -> Vec<Row> {
    use Place::Tenant;
    let mut typing = Browser::new();
    let page = world.password_page(&world.own, &mut typing).await;
    let password = world.filled(&typing, &page, "/password", &[("name", "heidi"), ("password", &password_of("heidi"))]);

    let mut changing = Browser::new();
    let page = world.by_password(&world.own, &mut changing, "dora").await;
    let fields = [("password", "dora-password"), ("new_password", "a-new-one-of-dora"), ("again", "a-new-one-of-dora")];
    let new_password = world.filled(&changing, &page, "/password/new", &fields);

    let mut bob = Browser::new();
    world.by_password(&world.own, &mut bob, "bob").await;
    let page = world.press(&mut bob, "account/factor").await;
    let code = authenticator(&page).code(now());
    let sent = Form::leading_to(&page.body, &page.url, "factor/enrol").unwrap().set("code", &code);
    bob.post(&sent.action, &sent.fields).await;
    let sheet = text_between(&page.body, "<li><code>", "</code>");
    let mut asked = Browser::new();
    let page = world.by_password(&world.own, &mut asked, "bob").await;
    let factor = world.filled(&asked, &page, "/factor", &[("code", &sheet)]);
    let drop_factor = world.account_form(&mut bob, "account/factor/end").await;

    let mut heidi = Browser::new();
    world.by_password(&world.own, &mut heidi, "heidi").await;
    let page = world.press(&mut heidi, "account/factor").await;
    let (app, enrol) = (authenticator(&page), world.filled(&heidi, &page, "factor/enrol", &[]));
    let enrols = move |_: &Side| {
        let mut sent = enrol.clone();
        let form = sent.form.as_mut().unwrap();
        form.retain(|(name, _)| name != "code");
        form.push(("code".into(), app.code(now())));
        sent
    };
    let ask_to_enrol = world.account_form(&mut heidi, "account/factor").await;
    let ask_for_password = world.account_form(&mut heidi, "account/app-password").await;
    world.press(&mut heidi, "account/app-password").await;
    let drop_password = world.account_form(&mut heidi, "account/app-password/end").await;

    let back_on_account: fn(&Came) -> bool = |came| came.location.ends_with("/account");
    let proposes: fn(&Came) -> bool = |came| came.body.contains("/factor/enrol\"");
    let shows: fn(&Came) -> bool = |came| came.body.contains(SECRET_SHOWN);
    vec![
        same(Tenant("password"), "a login under way", Good::Answer(has_code), password),
        same(Tenant("password/new"), "a login under way", Good::Answer(has_code), new_password),
        same(Tenant("factor"), "a recovery code", Good::Answer(has_code), factor),
        row(Tenant("factor/enrol"), "a proposal", Good::Answer(back_on_account), enrols),
        same(Tenant("account/factor"), "a form", Good::Answer(proposes), ask_to_enrol),
        same(
            Tenant("account/factor/end"),
            "a form",
            Good::Ends(Alive::OnAccount(bob, "/account/factor/end")),
            drop_factor,
        ),
        same(
            Tenant("account/app-password/end"),
            "a form",
            Good::Ends(Alive::OnAccount(heidi, "/account/app-password/end")),
            drop_password,
        ),
        // Behind the row before: a new one would look like the old one.
        same(Tenant("account/app-password"), "a form", Good::Answer(shows), ask_for_password),
    ]
}

/// What is whose over LDAP is told by the name that somebody binds with, and by nothing else that they have.
pub async fn over_ldap(world: &World) {
    let (own, other) = (&world.own.directory, &world.other.directory);
    let mut mallory = Browser::new();
    world.by_password(&world.own, &mut mallory, "mallory").await;
    let shown = world.press(&mut mallory, "account/app-password").await;
    let app_password = text_between(&shown.body, SECRET_SHOWN, "</code>");
    world.by_password(&world.other, &mut Browser::new(), "mallory").await;
    for directory in [own, other] {
        eventually("both directories have mallory", async || has(directory, "mallory").then_some(())).await;
    }
    let before = world.people_of(&world.other);

    let as_app = |directory: &Directory| {
        let mut client = Client::open(&directory.url, &directory.ca).unwrap();
        assert_eq!(client.bind(&directory.app.dn, &directory.app.password).unwrap().code, 0);
        client
    };
    let code = |client: &mut Client, directory: &Directory| {
        client.bind(&directory.person("mallory"), &app_password).unwrap().code
    };
    // By way of either app, and of none.
    let mut by_way_of = [as_app(other), as_app(own), Client::open(&own.url, &own.ca).unwrap()];
    for client in &mut by_way_of {
        assert_eq!(code(client, other), 49, "an app password of one tenant");
    }
    let mut person = as_app(own);
    assert_eq!(code(&mut person, own), 0);

    let mut client = as_app(own);
    let entry = client.entry(&own.person("mallory"), &["entryUUID"]).unwrap().expect("she is in her own directory");
    let id = entry.value("entryUUID").unwrap();
    let found = |directory: &Directory, attribute: &str, value: &str| {
        let filter = equal(attribute, value);
        as_app(directory).search(&directory.base, Scope::Sub, &filter, &["1.1"]).unwrap().0.len()
    };
    assert_eq!((found(other, "uid", "mallory"), found(own, "uid", "mallory")), (1, 1));
    assert_eq!((found(other, "entryUUID", &id), found(own, "entryUUID", &id)), (0, 1), "she is two people");

    // Whoever is bound at one asks for nothing of the other, by whatever name.
    for bound in [&mut client, &mut person] {
        let nowhere = bound.search("dc=nowhere,dc=example", Scope::Sub, &present("objectClass"), &[]).unwrap();
        for base in [other.base.clone(), other.people.clone(), other.person("mallory"), other.app.dn.clone()] {
            assert_eq!(bound.search(&base, Scope::Sub, &present("objectClass"), &[]).unwrap(), nowhere, "{base}");
        }
        assert_eq!(bound.compare(&other.person("mallory"), "uid", "mallory").unwrap().code, 32);
    }
    assert_eq!(world.people_of(&world.other), before, "nobody was made by any of this");
}

impl World {
    async fn password_page(&self, side: &Side, browser: &mut Browser) -> Answer {
        browser.get(&side.app.authorize_url("&connection=ldap")).await
    }

    /// What the right password leads to.
    async fn by_password(&self, side: &Side, browser: &mut Browser, name: &str) -> Answer {
        let page = self.password_page(side, browser).await;
        let form = Form::leading_to(&page.body, &page.url, "/password").unwrap_or_else(|| panic!("{}", page.shown()));
        let form = form.set("name", name).set("password", &password_of(name));
        browser.post(&form.action, &form.fields).await
    }

    fn filled(&self, browser: &Browser, page: &Answer, action: &str, fields: &[(&str, &str)]) -> Sent {
        let form = Form::leading_to(&page.body, &page.url, action);
        let form = form.unwrap_or_else(|| panic!("no {action}: {} {:?} {}", page.status, page.location, page.shown()));
        let form = fields.iter().fold(form, |form, (name, value)| form.set(name, value));
        Sent { form: Some(form.fields), cookies: browser.cookies(&self.own.at), ..Sent::default() }
    }

    async fn account_form(&self, browser: &mut Browser, action: &str) -> Sent {
        let page = self.account(browser).await;
        self.filled(browser, &page, action, &[])
    }

    /// What a form of the account page leads to.
    async fn press(&self, browser: &mut Browser, action: &str) -> Answer {
        let page = self.account(browser).await;
        let form = Form::leading_to(&page.body, &page.url, action).unwrap_or_else(|| panic!("{}", page.shown()));
        browser.post(&form.action, &form.fields).await
    }
}

fn password_of(name: &str) -> String {
    format!("{name}-password")
}

/// With the key that the page proposes.
fn authenticator(page: &Answer) -> Authenticator {
    Authenticator::of(&text_between(&page.body, SECRET_SHOWN, "</code>"))
}

fn text_between(page: &str, before: &str, after: &str) -> String {
    let inside = page.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    inside.unwrap_or_else(|| panic!("no {before} in {page}")).0.to_owned()
}
