//! What pages wear: the tenant's colours, and the language that an app or a browser asks for.

use fedbridge_contract::config::{Locale, Look};
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::page::Page;
use fedbridge_hub::spec::{ConfigChange, Managed, StoredTenant, SubjectType, TenantExtras, TenantSpec};
use serde_json::json;

use super::logout::{by, upstream, world};
use super::{BASE, World, connection, id};

const SLO: &str = "t/acme/fake/slo?app=asker&key=";

fn look() -> Look {
    Look { logo: None, accent: Some("#0b6e4f".into()), accent_dark: None }
}

/// The tenant of the road in its colours, with these languages.
fn painted(locales: &[Locale]) -> ConfigChange {
    ConfigChange::PutTenant(StoredTenant {
        id: id::<TenantId>(1),
        managed: Managed::Elsewhere,
        spec: TenantSpec {
            slug: "acme".into(),
            display_name: "Acme".into(),
            parent: None,
            domains: vec!["acme.example".into()],
            enabled: true,
            extras: TenantExtras { look: Some(look()), locales: locales.to_vec(), ..TenantExtras::default() },
        },
    })
}

fn worn(reply: &Reply) -> (Option<Locale>, Vec<Locale>) {
    assert!(matches!(reply.kind, ReplyKind::Page(_) | ReplyKind::AutoPost { .. }), "{reply:?}");
    assert_eq!(reply.dress.look.as_deref(), Some(&look()), "every page wears the tenant's colours");
    (reply.dress.locale, reply.dress.offered.clone())
}

#[tokio::test]
async fn every_page_wears_what_the_tenants_do() {
    use Locale::{De, En};
    let two =
        vec![connection(2, "one", json!({ "subject": "a" }), json!({})), connection(3, "two", json!({}), json!({}))];
    let mut world = World::new(two, SubjectType::Public).await;
    world.apply(&[painted(&[De, En])]).await;
    let offered = vec![De, En];
    // The page that asks for a connection, and a fault.
    for (asked, locale) in [("", None), ("&ui_locales=fr%20en-GB", Some(En)), ("&ui_locales=de-AT", Some(De))] {
        assert_eq!(worn(&world.authorize(asked).await), (locale, offered.clone()), "{asked}");
        let nobody = format!("{BASE}t/acme/authorize?client_id=nobody{asked}");
        assert_eq!(worn(&world.step(&nobody).await), (locale, offered.clone()), "{asked}");
        let logout = format!("{BASE}t/acme/logout?x=1{asked}");
        assert_eq!(worn(&world.step(&logout).await), (locale, offered.clone()), "{asked}");
    }
    // A form names the language as well.
    let reply = world.post(&format!("{BASE}t/acme/logout"), "ui_locales=en".into()).await;
    assert_eq!(worn(&reply), (Some(En), offered));
    // A language that the tenant does not offer is none.
    world.apply(&[painted(&[De])]).await;
    assert_eq!(worn(&world.authorize("&ui_locales=en").await), (None, vec![De]));
}

#[tokio::test]
async fn a_login_that_fails_remembers_the_language_of_its_app() {
    let lies = json!({ "subject": "alice", "refuse": "broken" });
    let mut world = World::new(vec![connection(2, "one", lies, json!({}))], SubjectType::Public).await;
    world.apply(&[painted(&[])]).await;
    let reply = world.authorize("&ui_locales=de").await;
    let ReplyKind::Page(Page::Error(page)) = &reply.kind else { panic!("not a page: {reply:?}") };
    assert!(page.way_back.is_some(), "it came from the upstream's answer: {page:?}");
    assert_eq!(worn(&reply), (Some(Locale::De), vec![]));
}

#[tokio::test]
async fn frames_of_known_origins_let_no_other_in() {
    for (apps, origins) in [
        (
            vec![("asker", by("front")), ("ads", by("frame")), ("shop", by("frame"))],
            vec!["http://ads.example", "http://shop.example"],
        ),
        (vec![("asker", by("front")), ("ads", by("frame")), ("plan", by("front"))], vec!["https:", "http:"]),
    ] {
        let (mut world, _) = world(vec![upstream("back")], &apps).await;
        let mut sub = String::new();
        for (name, _) in &apps {
            sub = world.log_in(name).await;
        }
        let reply = world.visit(&format!("{BASE}{SLO}{sub}")).await;
        let ReplyKind::Page(Page::LoggingOut(page)) = &reply.kind else { panic!("no frames: {reply:?}") };
        let mut found = page.frame_origins.clone();
        found.sort_unstable_by(|a, b| if origins.contains(&"https:") { b.cmp(a) } else { a.cmp(b) });
        assert_eq!(found, origins);
    }
}
