//! Domains of addresses, and subjects of certificates.

use super::*;

fn connection(domains: &[&str], enabled: bool) -> Arc<Connection> {
    Arc::new(Connection {
        id: "00000000000000000000000000000001".parse().unwrap(),
        slug: "corp".to_owned(),
        display_name: "Corp".to_owned(),
        protocol: "ldap".to_owned(),
        enabled,
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
    })
}

fn with(tenant: &Tenant, connections: Vec<Arc<Connection>>) -> Arc<Tenant> {
    let (slug, name) = (tenant.slug.clone(), tenant.display_name.clone());
    let (apps, keys) = (tenant.apps.clone(), Arc::clone(&tenant.keys));
    let other = Tenant::new(tenant.id, slug, name, true, &tenant.base_url, connections, apps, keys);
    Arc::new(other.with_settings(tenant.settings.clone()))
}

#[tokio::test]
async fn an_address_is_of_the_tenant_that_owns_its_domain() {
    let given = two();
    let turn = |at: usize, connections| {
        let mut tenants = given.tenants.lock().unwrap();
        tenants[at] = with(&tenants[at], connections);
    };
    turn(0, vec![connection(&["Acme.example", "both.example"], true), connection(&["acme.example"], true)]);
    turn(1, vec![connection(&["both.example", "globex.example"], true), connection(&["off.example"], false)]);
    let held = held(&given).await;
    let of = |address: &str| base_of(held.tenant_of(&address.into(), &wire()));
    assert_eq!(of("ada@ACME.example").as_deref(), Some("acme"));
    assert_eq!(of("ada@globex.example").as_deref(), Some("globex"));
    assert_eq!((of("ada@both.example"), of("ada@off.example"), of("ada@example"), of("ada")), (None, None, None, None));
    turn(0, vec![connection(&["acme.example"], true)]);
    until(|| of("ada@both.example").as_deref() == Some("globex")).await;
    assert_eq!(of("ada@acme.example").as_deref(), Some("acme"));
    given.tenants.lock().unwrap().remove(0);
    until(|| held.of(TenantId::from_uuid(Uuid::from_u128(1))).is_none()).await;
    given.tenants.lock().unwrap().push(two().tenants.lock().unwrap()[0].clone());
    until(|| held.of(TenantId::from_uuid(Uuid::from_u128(1))).is_some()).await;
    assert_eq!(of("ada@acme.example"), None, "nobody owns it any more");
}

#[tokio::test]
async fn a_certificate_is_of_one_app_and_no_more() {
    let app = |subject: &str| json!({ "client_certificate": subject });
    let both = app("CN=both,O=Acme");
    let own = app("CN=own,O=Acme");
    let given = Arc::new(Given::default());
    *given.tenants.lock().unwrap() = vec![
        tenant(1, "acme", directory(), &[("both", both.clone()), ("own", own.clone())]),
        tenant(2, "globex", other("dc=globex"), &[("both", both)]),
    ];
    let held = held(&given).await;
    let of = |subject: &str, wire: &WireFacts| {
        let found = held.by_certificate(&Dn::parse(subject).unwrap(), wire);
        found.map(|(backend, app)| (backend.tenant().slug.clone(), app))
    };
    let named = |name: &str| WireFacts { server_name: Some(name.to_owned()), ..wire() };
    let globex = named("ldap.globex.example");
    assert_eq!(of("cn=OWN, o=acme", &wire()), Some(("acme".to_owned(), crate::directories::testkit::app_id(1))));
    assert_eq!(of("CN=own,O=Acme", &globex), None, "another tenant's name");
    assert_eq!(of("CN=both,O=Acme", &wire()), None, "two have it");
    assert_eq!(of("CN=both,O=Acme", &globex).map(|(slug, _)| slug).as_deref(), Some("globex"));
    assert_eq!((of("CN=nobody,O=Acme", &wire()), of("", &wire())), (None, None));
    given.tenants.lock().unwrap()[0] = tenant(1, "acme", directory(), &[("own", own)]);
    until(|| of("CN=both,O=Acme", &wire()).is_some_and(|(slug, _)| slug == "globex")).await;
    assert_eq!(of("CN=own,O=Acme", &wire()).map(|(slug, _)| slug).as_deref(), Some("acme"));
}
