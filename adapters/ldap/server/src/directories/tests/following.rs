//! One tenant's reading and the news of the others.

use fedbridge_contract::ldap_directory::Posix;

use super::*;

fn id(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// Not waited for.
fn begun(given: &Arc<Given>) -> Arc<Held> {
    *given.people.lock().unwrap() =
        (0..1001).map(|number| person(number, json!({ "preferred_username": format!("u{number}") }))).collect();
    let held = Held::new(around(at(3_000_000)), services(given));
    tokio::spawn(Arc::clone(&held).run());
    held
}

/// How many pages of the tenant's people.
fn asked(given: &Given, tenant: TenantId) -> usize {
    given.pages.lock().unwrap().get(&tenant).copied().unwrap_or_default()
}

fn newcomer(given: &Given, tenant: TenantId, number: u128) {
    let people = vec![person(number, json!({ "preferred_username": format!("new{number}") }))];
    given.changes_of.lock().unwrap().push((tenant, Changes { people, ..Changes::default() }));
}

fn is_there(held: &Held, tenant: TenantId, name: &str) -> bool {
    held.of(tenant).is_some_and(|backend| matches!(backend.who(&name.into()), Meant::Person(_)))
}

#[tokio::test]
async fn a_tenant_that_is_read_slowly_delays_no_news_of_another() {
    let given = two();
    given.small.lock().unwrap().insert(id(1));
    given.stalled.lock().unwrap().insert(id(2));
    let held = begun(&given);
    until(|| is_there(&held, id(1), "u7")).await;
    until(|| asked(&given, id(2)) == 2).await;
    newcomer(&given, id(1), 9001);
    until(|| is_there(&held, id(1), "new9001")).await;
    assert!(held.of(id(2)).is_none() && !held.is_ready(), "not everybody was read");
    given.stalled.lock().unwrap().clear();
    held.ready().await;
    assert!(is_there(&held, id(2), "u1000"));
}

#[tokio::test]
async fn while_everybody_is_read_anew_the_older_state_hears_of_changes() {
    let given = two();
    let held = begun(&given);
    held.ready().await;
    given.stalled.lock().unwrap().insert(id(1));
    let apps = [("all", everything())];
    let numbered = LdapDirectory { posix: Posix::Allocate, ..directory() };
    given.tenants.lock().unwrap()[0] = tenant(1, "acme", numbered, &apps);
    until(|| given.beyond.lock().unwrap().0 == 1).await;
    newcomer(&given, id(1), 9001);
    newcomer(&given, id(2), 9002);
    let disabled = DirectoryPerson { disabled: true, ..person(1, json!({ "preferred_username": "u1" })) };
    given.changes_of.lock().unwrap().push((id(1), Changes { people: vec![disabled], ..Changes::default() }));
    until(|| is_there(&held, id(1), "new9001") && is_there(&held, id(2), "new9002")).await;
    let acme = || held.of(id(1)).unwrap();
    until(|| acme().standing(person_id(1)).is_some_and(|standing| standing.disabled)).await;
    let by_number = || people(acme().as_ref(), &by_app(0), "(uidNumber=1007)");
    assert_eq!(by_number(), [""; 0], "nobody has a number yet");
    given.stalled.lock().unwrap().clear();
    until(|| by_number() == ["u7"]).await;
}

#[tokio::test]
async fn settings_that_change_while_everybody_is_read_begin_another_reading() {
    let given = two();
    given.small.lock().unwrap().insert(id(1));
    given.stalled.lock().unwrap().insert(id(2));
    let held = begun(&given);
    until(|| asked(&given, id(2)) == 2).await;
    given.tenants.lock().unwrap()[1] = tenant(2, "globex", other("dc=elsewhere"), &[("all", everything())]);
    until(|| asked(&given, id(2)) == 4).await;
    given.stalled.lock().unwrap().clear();
    held.ready().await;
    assert_eq!(base_of(held.tenant_of(&"dc=elsewhere".into(), &wire())).as_deref(), Some("globex"));
    assert_eq!(base_of(held.tenant_of(&"dc=globex".into(), &wire())), None);
}

#[tokio::test]
async fn large_tenants_are_read_one_after_another_and_small_ones_beside_them() {
    let given = Arc::new(Given::default());
    let directory = |number| LdapDirectory { base_dn: format!("dc=t{number}"), ..directory() };
    let one = |number| tenant(number, &format!("t{number}"), directory(number), &[]);
    *given.tenants.lock().unwrap() = (1..=8).map(one).collect();
    given.small.lock().unwrap().extend([id(7), id(8)]);
    given.stalled.lock().unwrap().extend((1..=6).map(id));
    let held = begun(&given);
    until(|| is_there(&held, id(7), "u7") && is_there(&held, id(8), "u7")).await;
    given.stalled.lock().unwrap().clear();
    held.ready().await;
    assert!((1..=6).all(|number| is_there(&held, id(number), "u1000")));
    assert_eq!(given.beyond.lock().unwrap().1, 1);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_is_nobody_else_s_trouble() {
    let given = two();
    given.small.lock().unwrap().extend([id(1), id(2)]);
    given.broken.lock().unwrap().insert(id(2));
    let held = begun(&given);
    until(|| is_there(&held, id(1), "u7")).await;
    // Well within the second for which the other one is left alone.
    let began = tokio::time::Instant::now();
    for number in 9001..9006 {
        newcomer(&given, id(1), number);
        until(|| is_there(&held, id(1), &format!("new{number}"))).await;
    }
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(!held.is_ready());
    given.broken.lock().unwrap().clear();
    held.ready().await;
    assert!(is_there(&held, id(2), "u7"));
}
