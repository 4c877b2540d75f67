#![allow(clippy::unwrap_used)]
//! Plans against a store in memory that applies changes as the real ones do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::keys::{KeyPurpose, KeyState};
use fedbridge_hub::ports::{ApplyError, Changed};
use fedbridge_hub::spec::{Managed, StoredTenant, TenantConfiguration};

use super::preview::carry_out;
use super::*;
use crate::bridge::export::export;
use crate::bridge::tests::{TestRng, load_text};

#[derive(Default)]
struct Memory {
    configuration: Mutex<Configuration>,
    people: Mutex<BTreeMap<ConnectionId, u64>>,
}

#[async_trait]
impl ConfigStore for Memory {
    async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.configuration.lock().unwrap().version)
    }

    async fn load(&self) -> Result<Configuration, StoreError> {
        Ok(self.configuration.lock().unwrap().clone())
    }

    async fn load_since(&self, _: i64) -> Result<Changed, StoreError> {
        Err(StoreError("not needed here".to_owned()))
    }

    async fn apply(&self, expected: i64, changes: &[ConfigChange]) -> Result<i64, ApplyError> {
        let mut configuration = self.configuration.lock().unwrap();
        if configuration.version != expected {
            return Err(ApplyError::Conflict);
        }
        for change in changes {
            carry_out(&mut configuration, change.clone());
            unique(&configuration);
        }
        configuration.version += 1;
        Ok(configuration.version)
    }

    async fn people(&self, tenant: TenantId, connection: Option<ConnectionId>) -> Result<u64, StoreError> {
        let people = self.people.lock().unwrap();
        if let Some(connection) = connection {
            return Ok(people.get(&connection).copied().unwrap_or(0));
        }
        let configuration = self.configuration.lock().unwrap();
        let connections = &configuration.tenants[&tenant].connections;
        Ok(connections.iter().filter_map(|connection| people.get(&connection.id)).sum())
    }
}

/// What a database would refuse after any single statement.
fn unique(configuration: &Configuration) {
    fn all_differ<T: Ord>(mut names: Vec<T>) -> bool {
        let before = names.len();
        names.sort();
        names.dedup();
        names.len() == before
    }
    let tenants: Vec<&TenantConfiguration> = configuration.tenants.values().collect();
    assert!(all_differ(tenants.iter().map(|tenant| &tenant.tenant.spec.slug).collect()), "slugs");
    assert!(all_differ(tenants.iter().flat_map(|tenant| &tenant.tenant.spec.domains).collect()), "domains");
    for tenant in tenants {
        assert!(all_differ(tenant.connections.iter().map(|connection| &connection.spec.slug).collect()), "connections");
        assert!(all_differ(tenant.apps.iter().map(|app| (app.spec.kind, &app.spec.name)).collect()), "apps");
        let parent = tenant.tenant.spec.parent;
        assert!(parent.is_none_or(|parent| configuration.tenants.contains_key(&parent)), "parent");
    }
}

struct World {
    store: Memory,
    rng: TestRng,
    name: &'static str,
}

impl World {
    fn new(name: &'static str) -> Self {
        Self { store: Memory::default(), rng: TestRng::default(), name }
    }

    async fn outcome(&self, text: &str, options: Options) -> Result<Outcome, PlanError> {
        let current = self.store.load().await.unwrap();
        let desired = load_text(self.name, text, &current).await.unwrap_or_else(|wrong| panic!("{wrong:#?}"));
        plan(&desired, &current, &self.store, options, &self.rng, Timestamp::from_seconds(1), &|_, _, _| Ok(Vec::new()))
            .await
    }

    /// Applies and gives back the printed plan.
    async fn apply_with(&self, text: &str, options: Options) -> Vec<String> {
        let Outcome { plan, refusals } = self.outcome(text, options).await.unwrap();
        assert_eq!(refusals, Vec::<String>::new());
        self.store.apply(plan.version, &plan.changes).await.unwrap();
        plan.effects.iter().map(ToString::to_string).collect()
    }

    async fn apply(&self, text: &str) -> Vec<String> {
        self.apply_with(text, Options::default()).await
    }

    async fn complaints(&self, text: &str) -> Vec<String> {
        match self.outcome(text, Options::default()).await {
            Err(PlanError::Complaints(complaints)) => complaints.sorted().iter().map(|c| c.message.clone()).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn edit(&self, change: impl FnOnce(&mut Configuration)) {
        change(&mut self.store.configuration.lock().unwrap());
    }
}

const ACME: &str = r#"
version: 1
tenants:
  - slug: acme
    display_name: "Acme: the firm"
    domains: [acme.example]
    locales: [de]
    egress: { hosts: [idp.example] }
    branding: { accent: '#3a4fc4' }
    connections:
      - slug: okta
        protocol: saml
        domains: [acme.example]
        people: { same_email: ask }
        idp_metadata: { xml: "<EntityDescriptor>\n  <a/>\n</EntityDescriptor>\n" }
        key_password: { value: hunter2 }
        mapping: { claims: { department: { value: x }, email: { from: [mail, "urn:oid:0.9"] } } }
      - slug: entra
        protocol: saml
        idp_metadata: { url: "https://idp.example/metadata", refresh: 6h }
    clients:
      - client_id: portal
        client_secrets: [{ value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }, { value: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" }]
        redirect_uris: ["https://portal.example/callback"]
        connections: [okta]
        release: [department]
        claims: { tier: { cel: "'gold'" } }
        subject_type: pairwise
      - client_id: "my app/1"
        public: true
        access_token: { lifetime: 10m, audience: "https://api.example" }
    service_providers:
      - slug: portal
        name: The wiki
        sp_metadata: { xml: "<EntityDescriptor/>" }
        entity_id: https://wiki.example
        attributes: { mail: email }
        connections: [okta]
        groups: [staff]
        claims: { tier: { cel: "'gold'" } }
"#;

#[tokio::test]
async fn a_second_apply_changes_nothing() {
    let world = World::new("twice");
    let first = world.apply(ACME).await;
    let want = [
        "+ tenant acme",
        "+ connection acme/okta",
        "+ connection acme/entra",
        "+ client acme/portal",
        "+ client acme/my app/1",
        "+ service_provider acme/portal",
    ];
    assert_eq!(first, want);
    let second = world.outcome(ACME, Options::default()).await.unwrap().plan;
    assert!(second.is_empty() && second.effects.is_empty(), "{second:?}");
}

#[tokio::test]
async fn what_is_exported_changes_nothing() {
    let world = World::new("export");
    world.apply(ACME).await;
    let text = export(&world.store.load().await.unwrap());
    assert!(!text.contains("hunter2") && !text.contains("aaaa"), "{text}");
    assert!(text.contains("stored: \"clients/my app/1") || text.contains("clients/portal/client_secret/0"), "{text}");
    let again = world.outcome(&text, Options::default()).await.unwrap().plan;
    assert!(again.is_empty() && again.effects.is_empty(), "{again:?}\n{text}");
}

#[tokio::test]
async fn changes_are_named_by_field_and_never_by_secret() {
    let world = World::new("fields");
    world.apply(ACME).await;
    let text = ACME
        .replace("portal.example/callback", "portal.example/cb")
        .replace("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccccc")
        .replace("hunter2", "hunter3")
        .replace("lifetime: 10m", "lifetime: 5m")
        .replace("Acme: the firm", "Acme")
        .replace("3a4fc4", "2c3da3")
        .replace("locales: [de]", "locales: [en]")
        .replace("[idp.example]", "[idp.example, op.example]")
        .replace("same_email: ask", "same_email: refuse")
        .replace("mail: email", "mail: email, memberOf: groups")
        .replace("https://wiki.example", "https://wiki2.example");
    let want = [
        "~ tenant acme: display_name, branding, locales, egress",
        "~ connection acme/okta: people, key_password",
        "~ client acme/portal: redirect_uris, client_secret",
        "~ client acme/my app/1: access_token",
        "~ service_provider acme/portal: entity_id, attributes",
    ];
    assert_eq!(world.apply(&text).await, want);
    let one = text.replace("[{ value: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" }, ", "[");
    assert_eq!(world.apply(&one).await, ["~ client acme/portal: client_secret"]);
    assert_eq!(world.apply(&one).await, Vec::<String>::new());
}

#[tokio::test]
async fn renames_keep_ids_and_stored_secrets() {
    let world = World::new("rename");
    world.apply(ACME).await;
    let ids = |world: &World| {
        let configuration = world.store.configuration.lock().unwrap();
        let tenant = configuration.tenants.values().next().unwrap();
        let apps: Vec<_> = tenant.apps.iter().map(|app| app.id).collect();
        let mut connections: Vec<_> = tenant.connections.iter().map(|connection| connection.id).collect();
        connections.sort();
        (tenant.tenant.id, connections, apps.len())
    };
    let before = ids(&world);
    let text = ACME
        .replace("slug: acme", "slug: acme-corp\n    was: acme")
        .replace("slug: okta", "slug: okta2\n        was: okta")
        .replace("connections: [okta]", "connections: [okta2]")
        .replace("client_id: portal", "client_id: portal2\n        was: portal")
        .replace("slug: portal", "slug: wiki\n        was: portal");
    let stored = text
        .replace("{ value: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" }", "{ stored: clients/portal/client_secret/0 }")
        .replace("{ value: hunter2 }", "{ stored: connections/okta/key_password }");
    let want = [
        "~ tenant acme-corp: slug (was acme)",
        "~ connection acme-corp/okta2: slug (was okta)",
        "~ client acme-corp/portal2: client_id (was portal), name",
        "~ service_provider acme-corp/wiki: slug (was portal)",
    ];
    assert_eq!(world.apply(&stored).await, want);
    assert_eq!(ids(&world), before);
    assert_eq!(world.apply(&stored).await, Vec::<String>::new());
}

#[tokio::test]
async fn owned_objects_go_and_others_stay_unless_pruned() {
    let world = World::new("prune");
    world.apply(ACME).await;
    world.edit(|configuration| {
        let tenant = configuration.tenants.values_mut().next().unwrap();
        let mut other = tenant.apps[0].clone();
        other.id = fedbridge_contract::ids::AppId::random(&world.rng);
        other.managed = Managed::Elsewhere;
        other.spec.name = "console-made".to_owned();
        tenant.apps.push(other);
    });
    let small =
        "version: 1\ntenants:\n  - slug: acme\n    display_name: \"Acme: the firm\"\n    domains: [acme.example]\n";
    let want = [
        "~ tenant acme: branding, locales, egress",
        "- connection acme/okta",
        "- connection acme/entra",
        "- client acme/portal",
        "- client acme/my app/1",
        "? unmanaged client acme/console-made",
        "- service_provider acme/portal",
    ];
    assert_eq!(world.apply(small).await, want);
    assert_eq!(world.apply(small).await, ["? unmanaged client acme/console-made"]);

    let none = "version: 1\ntenants: []\n";
    let refused = world.outcome(none, Options::default()).await.unwrap().refusals;
    assert_eq!(
        refused,
        ["tenant acme holds client acme/console-made, made elsewhere; pass --prune to delete it with the tenant"]
    );
    let prune = Options { prune: true, ..Options::default() };
    assert_eq!(world.apply_with(small, prune).await, ["- client acme/console-made"]);
    assert_eq!(world.apply(none).await, ["- tenant acme"]);
}

#[tokio::test]
async fn people_are_deleted_only_when_that_is_allowed() {
    let world = World::new("people");
    world.apply(ACME).await;
    let okta = world.store.load().await.unwrap().tenants.values().next().unwrap().connections[0].id;
    world.store.people.lock().unwrap().insert(okta, 2);
    let none = "version: 1\ntenants: []\n";
    let Outcome { plan, refusals } = world.outcome(none, Options::default()).await.unwrap();
    assert_eq!(plan.effects[0].to_string(), "- tenant acme (with 2 people)");
    assert_eq!(refusals, ["tenant acme has 2 people; pass --allow-delete to delete it with them"]);
    let allow = Options { allow_delete: true, ..Options::default() };
    assert_eq!(world.apply_with(none, allow).await, ["- tenant acme (with 2 people)"]);
}

#[tokio::test]
async fn an_object_made_elsewhere_is_taken_over_when_the_file_names_it() {
    let world = World::new("adopt");
    world.apply(ACME).await;
    world.edit(|configuration| {
        configuration.tenants.values_mut().next().unwrap().tenant.managed = Managed::Elsewhere;
    });
    assert_eq!(world.apply(ACME).await, ["~ tenant acme: owned by the file from now on"]);
    assert_eq!(world.apply(ACME).await, Vec::<String>::new());
}

#[tokio::test]
async fn domains_and_names_move_without_meeting() {
    let world = World::new("moves");
    let tenants = |list: &[&str]| {
        format!("version: 1\ntenants:\n{}", list.iter().map(|t| format!("  - {{ {t} }}\n")).collect::<String>())
    };
    world
        .apply(&tenants(&[
            "slug: a, domains: [x.example]",
            "slug: b, domains: [y.example]",
            "slug: c, domains: [z.example]",
        ]))
        .await;
    // Domains go round in a circle, one comes from a deleted tenant, and names move in a chain.
    let moved = tenants(&[
        "slug: b, was: a, display_name: a, domains: [y.example]",
        "slug: d, was: b, display_name: b, domains: [x.example, z.example]",
    ]);
    let want = ["~ tenant b: slug (was a), domains", "~ tenant d: slug (was b), domains", "- tenant c"];
    assert_eq!(world.apply(&moved).await, want);
    assert_eq!(world.apply(&moved).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_child_may_be_written_before_its_parent() {
    let world = World::new("parents");
    let text =
        "version: 1\ntenants:\n  - { slug: leaf, parent: mid }\n  - { slug: mid, parent: top }\n  - { slug: top }\n";
    assert_eq!(world.apply(text).await.len(), 3);
    assert_eq!(world.apply(text).await, Vec::<String>::new());
    assert_eq!(
        world.apply("version: 1\ntenants: []\n").await,
        ["- tenant leaf", "- tenant mid", "- tenant top"].map(str::to_owned).to_vec()
    );
}

#[tokio::test]
async fn what_the_store_forbids_is_a_complaint_with_its_line() {
    let world = World::new("forbidden");
    world.apply(ACME).await;
    assert_eq!(
        world.complaints("version: 1\ntenants:\n  - { slug: new, parent: acme }\n").await,
        ["the parent acme is not in the file and would be deleted; add it"]
    );
    world.edit(|configuration| {
        let StoredTenant { managed, .. } = &mut configuration.tenants.values_mut().next().unwrap().tenant;
        *managed = Managed::Elsewhere;
    });
    assert_eq!(
        world.complaints("version: 1\ntenants:\n  - { slug: new, domains: [acme.example] }\n").await,
        ["the domain acme.example belongs to the tenant acme in the store"]
    );
    world.edit(|configuration| {
        configuration.tenants.values_mut().next().unwrap().connections[0].spec.protocol = "ldap".to_owned();
    });
    let got = world.complaints(ACME).await;
    assert!(got.len() == 1 && got[0].starts_with("the connection is ldap in the store"), "{got:?}");
}

#[tokio::test]
async fn a_new_algorithm_gets_its_key() {
    let world = World::new("algorithm");
    world.apply(ACME).await;
    let text =
        ACME.replace("subject_type: pairwise", "subject_type: pairwise\n        id_token_signed_response_alg: PS256");
    let wishes = Mutex::new(Vec::new());
    let current = world.store.load().await.unwrap();
    let desired = load_text("algorithm", &text, &current).await.unwrap();
    let new_keys = |_: TenantId, slug: &str, wish: KeyWish| {
        wishes.lock().unwrap().push((slug.to_owned(), wish));
        Ok(Vec::new())
    };
    let outcome =
        plan(&desired, &current, &world.store, Options::default(), &world.rng, Timestamp::from_seconds(1), &new_keys)
            .await
            .unwrap();
    let effects: Vec<String> = outcome.plan.effects.iter().map(ToString::to_string).collect();
    let want = ["~ tenant acme: a signing key for PS256", "~ client acme/portal: id_token_signed_response_alg"];
    assert_eq!(effects, want);
    assert_eq!(*wishes.lock().unwrap(), [("acme".to_owned(), KeyWish::Tokens(SignatureAlgorithm::PS256))]);
}

/// Applies with keys that say what they are for.
async fn apply_with_keys(world: &World, text: &str) -> Vec<String> {
    let current = world.store.load().await.unwrap();
    let desired = load_text(world.name, text, &current).await.unwrap();
    let new_keys = |tenant, _: &str, wish: KeyWish| {
        let KeyWish::Client(connection, algorithm) = wish else { return Ok(Vec::new()) };
        let of = |state| StoredKey {
            tenant,
            kid: format!("{} {state:?}", algorithm.name()),
            purpose: KeyPurpose::OidcClient,
            connection: Some(connection),
            algorithm,
            state,
            created: Timestamp::from_seconds(1),
            changed: Timestamp::from_seconds(1),
            sealed_private: Vec::new(),
            public_jwk: serde_json::Value::Null,
            certificate: None,
        };
        Ok(vec![of(KeyState::Active), of(KeyState::Next)])
    };
    let now = Timestamp::from_seconds(1);
    let outcome = plan(&desired, &current, &world.store, Options::default(), &world.rng, now, &new_keys).await.unwrap();
    world.store.apply(outcome.plan.version, &outcome.plan.changes).await.unwrap();
    outcome.plan.effects.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_connection_that_signs_has_keys_of_its_own() {
    let world = World::new("client-keys");
    let keys = async || {
        let configuration = world.store.load().await.unwrap();
        let tenant = configuration.tenants.values().next().unwrap();
        let ours = tenant.keys.iter().map(|key| (key.kid.clone(), key.state));
        ours.collect::<Vec<_>>()
    };
    let own = |text: &str| (text.to_owned(), if text.ends_with("Active") { KeyState::Active } else { KeyState::Next });
    assert_eq!(apply_with_keys(&world, OPENID).await.len(), 2);
    assert_eq!(keys().await, [], "it has a secret");
    let secret = "        client_secrets: [{ value: hunter2 }, { value: hunter3 }]\n";
    let text = OPENID.replace(secret, "");
    let want = ["~ connection acme/op: client_secret", "~ connection acme/op: a client key for ES256"];
    assert_eq!(apply_with_keys(&world, &text).await, want);
    assert_eq!(keys().await, [own("ES256 Active"), own("ES256 Next")]);
    assert_eq!(apply_with_keys(&world, &text).await, Vec::<String>::new());
    let other = text.replace("        client_id", "        client_assertion_alg: PS256\n        client_id");
    let want = ["~ connection acme/op: client_assertion_alg", "~ connection acme/op: a client key for PS256"];
    assert_eq!(apply_with_keys(&world, &other).await, want);
    let left = |text: &str| (text.to_owned(), KeyState::Retiring);
    assert_eq!(keys().await, [left("ES256 Active"), left("ES256 Next"), own("PS256 Active"), own("PS256 Next")]);
    let none = "version: 1\ntenants:\n  - slug: acme\n";
    assert_eq!(apply_with_keys(&world, none).await, ["- connection acme/op"]);
    assert_eq!(keys().await, [], "they go with it");
}

#[tokio::test]
async fn what_was_fetched_stands_beside_the_settings() {
    let world = World::new("fetched");
    world.apply(ACME).await;
    let entra = |configuration: &Configuration| {
        let tenant = configuration.tenants.values().next().unwrap().clone();
        let connection = tenant.connections.iter().find(|connection| connection.spec.slug == "entra").unwrap();
        (connection.spec.settings["idp_metadata"].clone(), tenant.documents)
    };
    let (setting, documents) = entra(&world.store.load().await.unwrap());
    assert_eq!(setting, serde_json::json!({ "url": "https://idp.example/metadata", "refresh": "6h" }));
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].current.xml, "<EntityDescriptor entityID='fetched'/>");

    // A later look renewed it: the file still fits, and the newer text stays.
    world.edit(|configuration| {
        let tenant = configuration.tenants.values_mut().next().unwrap();
        tenant.documents[0].current.xml = "<EntityDescriptor entityID='newer'/>".to_owned();
    });
    assert_eq!(world.apply(ACME).await, Vec::<String>::new());
    let (_, documents) = entra(&world.store.load().await.unwrap());
    assert!(documents[0].current.xml.contains("newer"), "{documents:?}");

    let file = ACME.replace("{ url: \"https://idp.example/metadata\", refresh: 6h }", "{ file: okta.xml }");
    assert_eq!(world.apply(&file).await, ["~ connection acme/entra: idp_metadata"]);
    let (setting, documents) = entra(&world.store.load().await.unwrap());
    assert_eq!((setting, documents), (serde_json::json!({ "xml": "<EntityDescriptor/>" }), Vec::new()));
}

const OPENID: &str = r#"
version: 1
tenants:
  - slug: acme
    connections:
      - slug: op
        protocol: oidc
        issuer: https://op.example
        client_id: bridge
        client_secrets: [{ value: hunter2 }, { value: hunter3 }]
"#;

/// The server reads it: whoever applies a file only says where it is.
#[tokio::test]
async fn an_address_that_nobody_read_waits_beside_the_settings() {
    let world = World::new("unread");
    world.apply(OPENID).await;
    let op = async || {
        let configuration = world.store.load().await.unwrap();
        let tenant = configuration.tenants.values().next().unwrap().clone();
        (tenant.connections[0].spec.settings["discovery"].clone(), tenant.documents)
    };
    let url = "https://op.example/.well-known/openid-configuration";
    let (setting, documents) = op().await;
    assert_eq!(setting, serde_json::json!({ "url": url }));
    let [document] = documents.as_slice() else { panic!("{documents:?}") };
    assert!(crate::documents::unread(document) && document.url == url, "{document:?}");
    assert!(document.next_look <= Timestamp::from_seconds(1), "it is due");
    assert_eq!(world.apply(OPENID).await, Vec::<String>::new());

    // Once it was read, the file still fits, and what is usual is not written out.
    world.edit(|configuration| {
        let tenant = configuration.tenants.values_mut().next().unwrap();
        tenant.documents[0].current.xml = "{}".to_owned();
    });
    assert_eq!(world.apply(OPENID).await, Vec::<String>::new());
    let text = export(&world.store.load().await.unwrap());
    assert!(!text.contains("discovery") && text.contains("stored: connections/op/client_secret/1 "), "{text}");
    assert_eq!(world.apply(&text).await, Vec::<String>::new());
    assert_eq!(op().await.1[0].current.xml, "{}");

    let moved = OPENID.replace("        client_id", "        discovery: https://other.example/d\n        client_id");
    assert_eq!(world.apply(&moved).await, ["~ connection acme/op: discovery"]);
    assert!(crate::documents::unread(&op().await.1[0]));
    let text = export(&world.store.load().await.unwrap());
    assert_eq!(world.apply(&text).await, Vec::<String>::new(), "{text}");

    let off = OPENID.replace("        client_id", "        discovery: off\n        client_id");
    assert_eq!(world.apply(&off).await, ["~ connection acme/op: discovery"]);
    assert_eq!(op().await, (serde_json::json!("off"), Vec::new()));
    let text = export(&world.store.load().await.unwrap());
    assert_eq!(world.apply(&text).await, Vec::<String>::new(), "{text}");
}
