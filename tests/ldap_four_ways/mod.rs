//! One person is the same in LDAP, OpenID Connect, SAML and SCIM: identifiers and groups, for a thousand of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fedbridge_saml::seam::VerifyKey;
use fedbridge_saml::testkit::ScriptedSp;
use serde_json::Value;

use crate::outbound::world::{APP_TOKEN, Remote};
use crate::support::Scratch;
use crate::support::browser::{Answer, Browser};
use crate::support::html::Form;
use crate::support::ldap::company::{Company, Wanted};
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::Found;
use crate::support::ldap::web;
use crate::support::peers::Peer;
use crate::support::scripted::{App, claims};

const PEOPLE: usize = 1_000;
const GROUPS: usize = 30;
/// Logins at once.
const BROWSERS: usize = 8;
/// For as long the app may be told of everybody.
const TOLD: Duration = Duration::from_secs(240);

/// As the bridge shows somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    name: String,
    mail: String,
    display: String,
    groups: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_people_are_the_same_in_every_protocol() {
    let scratch = Scratch::new("four-ways");
    let people = scratch.write("more.ldif", &people());
    let openldap = OpenLdap::start(scratch.path(), &[("SLAPD_MORE", people.to_str().unwrap())]);
    let sp = ScriptedSp::new("https://wiki.example/sp", "http://127.0.0.1:9/acs");
    let metadata = scratch.write("wiki.xml", &sp.metadata());
    let pushed = Peer::start("scim2-server", &scratch.path().join("scim"), &[("SCIM_TOKEN", APP_TOKEN)]);
    let others = client() + &service_provider(metadata.to_str().unwrap()) + &scim_app(&pushed.url);
    let company = Company::before(scratch, openldap, Wanted { others: &others, ..Wanted::default() }).await;
    company.knows(&name(PEOPLE - 1)).await;

    let by_ldap = by_ldap(&company);
    assert_eq!(by_ldap.len(), PEOPLE);
    let by_login = by_login(&company, &sp).await;
    let by_scim = by_scim(&Remote::of(&pushed)).await;
    for number in 0..PEOPLE {
        let name = name(number);
        let (by_oidc, by_saml) = &by_login[&name];
        assert_eq!(by_ldap[&name], expected(number), "{name}");
        assert_eq!((by_oidc, by_saml), (&by_ldap[&name], &by_ldap[&name]), "{name}");
        assert_eq!(by_scim[&name], by_ldap[&name], "{name}");
    }
    // Member and memberOf say the same.
    let directory = &company.directory;
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in directory.find(&directory.groups, "(cn=team*)", &["cn", "member"]) {
        let cn = group.value("cn").unwrap().to_owned();
        for dn in group.values("member") {
            let person = dn.strip_prefix("uid=").and_then(|rest| rest.split(',').next()).unwrap();
            members.entry(person.to_owned()).or_default().insert(cn.clone());
        }
    }
    for (name, shown) in &by_ldap {
        assert_eq!(members.get(name).cloned().unwrap_or_default(), shown.groups, "{name}");
    }
}

fn name(number: usize) -> String {
    format!("w{number}")
}

fn teams(number: usize) -> BTreeSet<String> {
    (0..number % 4).map(|step| format!("team{}", (number * 7 + step * 11) % GROUPS)).collect()
}

fn expected(number: usize) -> Shown {
    Shown {
        name: name(number),
        mail: format!("{}@acme.example", name(number)),
        display: format!("Wörker {number}"),
        groups: teams(number),
    }
}

fn by_ldap(company: &Company) -> BTreeMap<String, Shown> {
    let directory = &company.directory;
    let group = |dn: &str| {
        let cn = dn.strip_prefix("cn=").and_then(|rest| rest.strip_suffix(&format!(",{}", directory.groups)));
        cn.unwrap_or_else(|| panic!("{dn} is no group of ours")).to_owned()
    };
    let of = |entry: &Found| Shown {
        name: entry.value("uid").unwrap().to_owned(),
        mail: entry.value("mail").unwrap().to_owned(),
        display: entry.value("displayName").unwrap().to_owned(),
        groups: entry.values("memberOf").into_iter().map(group).collect(),
    };
    let found = directory.find(&directory.people, "(uid=w*)", &["uid", "mail", "displayName", "memberOf"]);
    found.iter().map(of).map(|shown| (shown.name.clone(), shown)).collect()
}

/// As an app has them that the bridge pushes them to.
async fn by_scim(app: &Remote) -> BTreeMap<String, Shown> {
    let is_team = |group: &&Value| group["displayName"].as_str().is_some_and(|name| name.starts_with("team"));
    let memberships: usize = (0..PEOPLE).map(|number| teams(number).len()).sum();
    let began = Instant::now();
    // The last thing that the app is told of is who is in its groups.
    let groups = loop {
        let groups = app.all("Groups").await;
        let members = groups.iter().filter(is_team).filter_map(|group| group["members"].as_array()).map(Vec::len);
        if members.sum::<usize>() >= memberships {
            break groups;
        }
        assert!(began.elapsed() < TOLD, "the app has {} groups", groups.len());
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let mut in_groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in groups.iter().filter(is_team) {
        for member in group["members"].as_array().unwrap() {
            let of = in_groups.entry(text(&member["value"])).or_default();
            of.insert(text(&group["displayName"]));
        }
    }
    let of = |user: &Value| Shown {
        name: text(&user["userName"]),
        mail: text(&user["emails"][0]["value"]),
        display: text(&user["displayName"]),
        groups: in_groups.remove(&text(&user["id"])).unwrap_or_default(),
    };
    let users = app.all("Users").await;
    users
        .iter()
        .filter(|user| text(&user["userName"]).starts_with('w'))
        .map(of)
        .map(|shown| (shown.name.clone(), shown))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// By OpenID Connect and by SAML.
type Both = (Shown, Shown);

async fn by_login(company: &Company, sp: &ScriptedSp) -> BTreeMap<String, Both> {
    let app = App::of(&company.bridge);
    let metadata = Browser::new().get(&format!("{}/saml/metadata", app.at)).await.body;
    let side = Arc::new(Side { app, sp: sp.clone(), keys: keys(&metadata) });
    let next = Arc::new(AtomicUsize::new(0));
    let browsers: Vec<_> = (0..BROWSERS)
        .map(|_| {
            let (side, next) = (Arc::clone(&side), Arc::clone(&next));
            tokio::spawn(async move {
                let mut seen = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PEOPLE {
                        return seen;
                    }
                    seen.push((name(number), side.log_in(&name(number)).await));
                }
            })
        })
        .collect();
    let mut all = BTreeMap::new();
    for browser in browsers {
        all.extend(browser.await.unwrap());
    }
    all
}

/// Both apps of the company.
struct Side {
    app: App,
    sp: ScriptedSp,
    keys: Vec<VerifyKey>,
}

impl Side {
    async fn log_in(&self, name: &str) -> Both {
        let mut browser = Browser::new();
        let answer = web::log_in(&mut browser, &self.app, name, &format!("{name}-password")).await;
        let tokens = self.app.redeem(&answer.redirect_param("code")).await.json();
        let page = browser.get(&format!("{}/saml/start/wiki", self.app.at)).await;
        (told_by_token(&claims(&tokens["id_token"])), self.told_by_assertion(&page))
    }

    fn told_by_assertion(&self, page: &Answer) -> Shown {
        let form = Form::of(&page.body, &page.url).unwrap_or_else(|| panic!("{}: {}", page.status, page.body));
        let taken = self.sp.receive(&form.fields, &self.keys).unwrap_or_else(|error| panic!("{error:?}"));
        let assertion = taken.assertion.unwrap_or_else(|| panic!("no assertion: {:?}", taken.status));
        let one = |attribute: &str| assertion.values(attribute).first().copied().unwrap_or_default().to_owned();
        Shown {
            name: one("uid"),
            mail: one("mail"),
            display: one("displayName"),
            groups: assertion.values("memberOf").into_iter().map(str::to_owned).collect(),
        }
    }
}

fn told_by_token(claims: &Value) -> Shown {
    let text = |claim: &str| text(&claims[claim]);
    let groups: Vec<String> = serde_json::from_value(claims["groups"].clone()).unwrap_or_default();
    Shown {
        name: text("preferred_username"),
        mail: text("email"),
        display: text("name"),
        groups: groups.into_iter().collect(),
    }
}

/// Of the bridge's SAML metadata.
fn keys(metadata: &str) -> Vec<VerifyKey> {
    use base64::Engine as _;
    let certificates = metadata.split("X509Certificate>").skip(1).step_by(2);
    let octets = certificates.map(|text| {
        let text: String = text.split('<').next().unwrap().split_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    });
    octets.map(|der| VerifyKey::from_certificate_der(&der).unwrap()).collect()
}

fn service_provider(metadata: &str) -> String {
    format!(
        "    service_providers:
      - slug: wiki
        sp_metadata: {{ file: {metadata} }}
        name_id: {{ format: persistent }}
        unsolicited: true
        attributes: {{ uid: preferred_username, mail: email, displayName: name, memberOf: groups }}
"
    )
}

fn scim_app(url: &str) -> String {
    format!(
        "    scim_apps:
      - slug: crm
        base_url: {url}
        bearer_token: {{ value: {APP_TOKEN} }}
        guard: 100
        push_groups: all
"
    )
}

/// With their groups, which know their members by `memberOf` too, as the overlay would have written it.
fn people() -> String {
    let mut out = String::new();
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..PEOPLE {
        let name = name(number);
        let dn = format!("uid={name},ou=people,@SUFFIX@");
        let mut member_of = String::new();
        for team in teams(number) {
            member_of += &format!("memberOf: cn={team},ou=groups,@SUFFIX@\n");
            members.entry(team).or_default().push(dn.clone());
        }
        out += &format!(
            "dn: {dn}
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {number}
displayName:: {}
mail: {name}@acme.example
userPassword: {name}-password
{member_of}
",
            base64(&format!("Wörker {number}"))
        );
    }
    for (team, members) in members {
        let members: String = members.iter().map(|dn| format!("member: {dn}\n")).collect();
        out += &format!("dn: cn={team},ou=groups,@SUFFIX@\nobjectClass: groupOfNames\ncn: {team}\n{members}\n");
    }
    out
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
