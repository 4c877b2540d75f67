#![allow(clippy::unwrap_used)]
use fedbridge_contract::config::{Connection, Tenant};
use fedbridge_contract::directory::{Changes, DirectoryPerson, Mark};
use fedbridge_contract::ldap_directory::LdapDirectory;
use fedbridge_ldap_core::Entry;
use serde_json::json;
use uuid::Uuid;

use super::testkit::{
    BASE, Given, around, asked, at, by_app, directory, entries, everything, group, people, person, person_id, read,
    services, shown, tenant, wire,
};
use super::*;
use crate::backend::Meant;

mod following;
mod naming;

fn other(base: &str) -> LdapDirectory {
    LdapDirectory { base_dn: base.to_owned(), server_names: vec!["ldap.globex.example".to_owned()], ..directory() }
}

async fn until(is: impl Fn() -> bool) {
    let waited = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited).await.unwrap();
}

/// Two tenants, the same people in both.
async fn held(given: &Arc<Given>) -> Arc<Held> {
    *given.people.lock().unwrap() = (0..2500)
        .map(|number| person(number, json!({ "preferred_username": format!("u{number}"), "groups": ["dev"] })))
        .collect();
    *given.groups.lock().unwrap() = vec![group(1, "dev")];
    let held = Held::new(around(at(3_000_000)), services(given));
    tokio::spawn(Arc::clone(&held).run());
    held.ready().await;
    held
}

fn one() -> Arc<Given> {
    let given = Arc::new(Given::default());
    *given.tenants.lock().unwrap() = vec![tenant(1, "acme", directory(), &[("all", everything())])];
    given
}

fn two() -> Arc<Given> {
    let given = Arc::new(Given::default());
    let apps = [("all", everything())];
    *given.tenants.lock().unwrap() =
        vec![tenant(1, "acme", directory(), &apps), tenant(2, "globex", other("dc=globex"), &apps)];
    given
}

fn base_of(found: Option<Arc<dyn Backend>>) -> Option<String> {
    found.map(|found| found.tenant().slug.clone())
}

#[tokio::test]
async fn hears_of_everybody_and_of_changes() {
    let given = one();
    let held = held(&given).await;
    let acme = || held.tenant_of(&BASE.into(), &wire()).unwrap();
    assert_eq!(people(acme().as_ref(), &by_app(0), "(uid=u2499)"), ["u2499"]);
    let before = acme();
    *given.groups.lock().unwrap() = vec![group(1, "dev"), group(2, "fresh")];
    given.changes.lock().unwrap().push(Changes {
        people: vec![
            DirectoryPerson { disabled: true, ..person(1, json!({ "preferred_username": "u1" })) },
            person(9000, json!({ "preferred_username": "new", "groups": ["dev", "fresh"] })),
        ],
        deleted: vec![person_id(2)],
        groups: true,
        mark: Mark::default(),
    });
    until(|| acme().who(&"new".into()) == Meant::Person(person_id(9000))).await;
    assert_eq!(acme().who(&"u2".into()), Meant::Nobody { name: "u2".to_owned() });
    assert_eq!(acme().standing(person_id(1)).map(|standing| standing.disabled), Some(true));
    assert_eq!(people(acme().as_ref(), &by_app(0), &format!("(memberOf=cn=fresh,ou=groups,{BASE})")), ["new"]);
    assert_eq!(before.who(&"u2".into()), Meant::Person(person_id(2)), "who holds the older state sees what was");
}

#[tokio::test]
async fn hears_of_other_settings() {
    let given = one();
    let held = held(&given).await;
    let acme = TenantId::from_uuid(Uuid::from_u128(1));
    let narrow = [("all", json!({ "attributes": ["uid"] }))];
    *given.tenants.lock().unwrap() = vec![tenant(1, "acme", directory(), &narrow)];
    until(|| people(held.of(acme).unwrap().as_ref(), &by_app(0), "(cn=u7)").is_empty()).await;
    let elsewhere = LdapDirectory { base_dn: "dc=moved".to_owned(), ..directory() };
    *given.tenants.lock().unwrap() = vec![tenant(1, "acme", elsewhere, &narrow)];
    until(|| held.tenant_of(&"dc=moved".into(), &wire()).is_some()).await;
    assert_eq!(held.of(acme).unwrap().who(&"uid=u7,ou=people,dc=moved".into()), Meant::Person(person_id(7)));
    assert!(held.tenant_of(&BASE.into(), &wire()).is_none());
}

#[tokio::test]
async fn each_tenant_by_its_suffix_or_its_name() {
    let given = two();
    let held = held(&given).await;
    let named = |name: &str| WireFacts { server_name: Some(name.to_owned()), ..wire() };
    let globex = named("LDAP.globex.example");
    assert_eq!(
        base_of(held.tenant_of(&format!("uid=u1,ou=people,{BASE}").as_str().into(), &wire())).as_deref(),
        Some("acme")
    );
    assert_eq!(base_of(held.tenant_of(&"uid=u1,ou=people,dc=globex".into(), &wire())).as_deref(), Some("globex"));
    assert_eq!(base_of(held.tenant_of(&"dc=example".into(), &wire())), None);
    assert_eq!(base_of(held.tenant_of(&"u1".into(), &wire())), None, "both could be meant");
    assert_eq!(base_of(held.tenant_of(&"u1".into(), &globex)).as_deref(), Some("globex"));
    assert_eq!(
        base_of(held.tenant_of(&format!("uid=u1,ou=people,{BASE}").as_str().into(), &globex)),
        None,
        "another tenant's name"
    );
    assert_eq!(base_of(held.tenant_of(&"u1".into(), &named("other.example"))), None);
    given.tenants.lock().unwrap().pop();
    until(|| held.of(TenantId::from_uuid(Uuid::from_u128(2))).is_none()).await;
    assert_eq!(base_of(held.tenant_of(&"u1".into(), &wire())).as_deref(), Some("acme"), "one is left");
    assert_eq!(base_of(held.tenant_of(&"dc=globex".into(), &wire())), None);
}

fn common(held: &Held, search: &Search, wire: &WireFacts, tenant: Option<TenantId>) -> Option<Vec<Entry>> {
    let mut found = Vec::new();
    held.common(search, wire, tenant, &mut |entry| {
        found.push(read(&entry));
        true
    })?;
    Some(found)
}

#[tokio::test]
async fn the_root_dse_names_no_tenant_that_was_not_meant() {
    let given = two();
    let held = held(&given).await;
    let root =
        asked("", Scope::Base, "(objectClass=*)", &["namingContexts", "defaultNamingContext", "supportedLDAPVersion"]);
    let show = |wire: &WireFacts, tenant| shown(&common(&held, &root, wire, tenant).unwrap()[0]);
    assert_eq!(show(&wire(), None), "supportedLDAPVersion=3");
    let globex = WireFacts { server_name: Some("ldap.globex.example".into()), ..wire() };
    assert_eq!(show(&globex, None), "defaultNamingContext=dc=globex; namingContexts=dc=globex; supportedLDAPVersion=3");
    let acme = Some(TenantId::from_uuid(Uuid::from_u128(1)));
    assert!(show(&wire(), acme).contains(BASE));
    let plain = asked("", Scope::Base, "(objectClass=*)", &[]);
    let text = shown(&common(&held, &plain, &wire(), None).unwrap()[0]);
    assert!(text.contains("objectClass=top") && text.contains("supportedLDAPVersion=3"), "without being named: {text}");
    let all = shown(&common(&held, &asked("", Scope::Base, "(objectClass=top)", &["+"]), &wire(), None).unwrap()[0]);
    for part in
        ["1.2.840.113556.1.4.319", "1.3.6.1.4.1.4203.1.11.3", "supportedSASLMechanisms=PLAIN", "vendorName=fedbridge"]
    {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains("1.3.6.1.4.1.1466.20037"), "TLS was begun: {all}");
    let clear = WireFacts { encrypted: false, can_upgrade: true, ..wire() };
    let all = shown(&common(&held, &asked("", Scope::Base, "(&)", &["+"]), &clear, None).unwrap()[0]);
    assert!(all.contains("1.3.6.1.4.1.1466.20037") && !all.contains("PLAIN"), "{all}");
    assert_eq!(common(&held, &asked("", Scope::Base, "(objectClass=person)", &[]), &wire(), None), Some(vec![]));
    assert_eq!(common(&held, &asked("", Scope::Sub, "(objectClass=*)", &[]), &wire(), None), None);
    assert_eq!(common(&held, &asked(BASE, Scope::Base, "(objectClass=*)", &[]), &wire(), None), None);
}

#[tokio::test]
async fn the_schema_describes_what_is_served() {
    let given = one();
    let held = held(&given).await;
    given.changes.lock().unwrap().push(Changes {
        people: vec![person(
            9000,
            json!({ "preferred_username": "new", "cost_codes": ["a"], "shoe_size": 42, "groups": ["dev"] }),
        )],
        ..Changes::default()
    });
    let acme = TenantId::from_uuid(Uuid::from_u128(1));
    until(|| held.of(acme).unwrap().who(&"new".into()) == Meant::Person(person_id(9000))).await;
    let search = asked("CN=subschema", Scope::Base, "(objectClass=subschema)", &["attributeTypes", "objectClasses"]);
    let text = |tenant| shown(&common(&held, &search, &wire(), tenant).unwrap()[0]);
    let described = text(Some(acme));
    assert!(described.contains("NAME 'costCodes'") && described.contains("NAME 'shoeSize'"));
    assert!(!text(None).contains("costCodes"), "who has not bound hears of no tenant's own");
    // Every class and attribute of every entry stands there.
    let backend = held.of(acme).unwrap();
    let all = asked(BASE, Scope::Sub, "(|(uid=new)(!(objectClass=person)))", &["*", "+"]);
    let (found, _) = entries(backend.as_ref(), &by_app(0), &all);
    assert_eq!(found.len(), 1 + 3 + 1 + 1 + 1);
    for (name, values) in found.iter().flat_map(|entry| &entry.attributes) {
        assert!(described.contains(&format!("'{name}'")), "{name}");
        for class in values.iter().filter(|_| name == "objectClass") {
            let class = String::from_utf8_lossy(class);
            assert!(described.contains(&format!("'{class}'")), "{class}");
        }
    }
}

#[tokio::test]
async fn the_schema_is_made_once_for_each_state_of_it() {
    let given = one();
    let held = held(&given).await;
    let acme = TenantId::from_uuid(Uuid::from_u128(1));
    let schema = || crate::schema_entry::entry(Some(&held.snapshot(acme).unwrap().index().catalogue));
    let first = schema();
    assert!(Arc::ptr_eq(&first, &schema()));
    let changed = |number, claims| {
        let people = vec![person(number, claims)];
        given.changes.lock().unwrap().push(Changes { people, ..Changes::default() });
    };
    changed(9001, json!({ "preferred_username": "known" }));
    until(|| held.of(acme).unwrap().who(&"known".into()) == Meant::Person(person_id(9001))).await;
    assert!(Arc::ptr_eq(&first, &schema()), "a person changes nothing of it");
    changed(9002, json!({ "preferred_username": "novel", "hat_size": "7" }));
    until(|| held.of(acme).unwrap().who(&"novel".into()) == Meant::Person(person_id(9002))).await;
    assert!(!Arc::ptr_eq(&first, &schema()));
}

#[tokio::test]
async fn another_limit_of_memory_is_taken_over() {
    let given = one();
    let held = held(&given).await;
    let acme = TenantId::from_uuid(Uuid::from_u128(1));
    let octets = || held.snapshot(acme).unwrap().index().people.octets();
    assert!(octets() > 1000);
    let less = LdapDirectory { memory: 1000, ..directory() };
    *given.tenants.lock().unwrap() = vec![tenant(1, "acme", less, &[("all", everything())])];
    until(|| octets() <= 1000).await;
    assert_eq!(people(held.of(acme).unwrap().as_ref(), &by_app(0), "(sn=u7)"), ["u7"], "from the store");
}
