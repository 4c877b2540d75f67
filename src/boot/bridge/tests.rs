#![allow(clippy::unwrap_used)]
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::{Accepted, Finish, Finished, Refusal, Request};
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::http::{Reply, Route};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Clock, Egress, EgressError, EgressLimits, EgressPost, Fetched, Rng};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Adapter;
use fedbridge_hub::mapping::{AppRules, Mapping};
use fedbridge_hub::spec::SecretValue;
use serde_json::{Value, json};

use super::*;
use crate::settings::complaints::Located;

/// Reads like a SAML connection, and needs nothing of SAML.
struct TestFactory;

const FIELDS: &[Field] = &[
    Field::new("idp_metadata", "").required().document(),
    Field::new("sp_entity_id", ""),
    Field::new("clock_skew", ""),
    Field::new("allow_idp_initiated", ""),
    Field::new("key_password", "").secret(),
];

impl AdapterFactory for TestFactory {
    fn kind(&self) -> &'static str {
        "saml"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let mut complaints = Vec::new();
        match input.settings.get("idp_metadata").and_then(|metadata| metadata.get("xml")).and_then(Value::as_str) {
            None => complaints.push(Complaint::new("idp_metadata", "is missing")),
            Some(xml) if !xml.contains("EntityDescriptor") => {
                complaints.push(Complaint::new("idp_metadata.xml", "is not metadata"));
            }
            Some(_) => {}
        }
        if input.settings.get("clock_skew").is_some_and(|skew| skew != "180s") {
            complaints.push(Complaint::new("clock_skew", "is too much"));
        }
        if complaints.is_empty() { Ok(Adapter::default()) } else { Err(complaints) }
    }
}

/// Reads like an OpenID Connect connection: where its document is follows from the issuer.
struct TestOpenId;

const OPENID_FIELDS: &[Field] = &[
    Field::new("issuer", "").required(),
    Field::new("client_id", ""),
    Field::new("client_secret", "").secret(),
    Field::new("client_secrets", "").secret(),
    Field::new("discovery", ""),
    Field::new("client_assertion_alg", ""),
    Field::new("profile", ""),
];

impl AdapterFactory for TestOpenId {
    fn kind(&self) -> &'static str {
        "oidc"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        OPENID_FIELDS
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        match input.settings.get("issuer") {
            None => Err(vec![Complaint::new("issuer", "is missing")]),
            Some(_) => Ok(Adapter::default()),
        }
    }
}

/// Checks what the OpenID provider would check, in small.
struct TestProvider(AppKind);

#[async_trait]
impl Downstream for TestProvider {
    fn kind(&self) -> AppKind {
        self.0
    }

    fn routes(&self) -> &'static [Route] {
        &[]
    }

    fn check_app(&self, _: &str, settings: &Value, secrets: usize) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.0 == AppKind::SamlSp {
            if settings["sp_metadata"]["xml"].as_str().is_none_or(|xml| !xml.contains("EntityDescriptor")) {
                complaints.push(Complaint::new("sp_metadata", "is missing"));
            }
            if settings.get("sign").is_some_and(|sign| sign != "both") {
                complaints.push(Complaint::new("sign", "is not a choice"));
            }
            return complaints;
        }
        if secrets == 0 && settings.get("public") != Some(&json!(true)) {
            complaints.push(Complaint::new("", "has neither a secret nor public: true"));
        }
        for (at, uri) in settings["redirect_uris"].as_array().into_iter().flatten().enumerate() {
            if !uri.as_str().is_some_and(|uri| uri.starts_with("https://")) {
                complaints.push(Complaint::new(format!("redirect_uris[{at}]"), "is not https"));
            }
        }
        if settings.get("redirect_uri").is_some() {
            complaints.push(Complaint::new("redirect_uri", "is unknown"));
        }
        complaints
    }

    fn protocol_name(&self, name: &str, settings: &Value) -> Option<String> {
        match self.0 {
            AppKind::OidcClient => Some(name.to_owned()),
            AppKind::SamlSp => settings.get("entity_id").and_then(Value::as_str).map(str::to_owned),
            AppKind::LdapApp | AppKind::ScimApp | AppKind::SignalReceiver => None,
        }
    }

    fn released_claims(&self, settings: &Value) -> Vec<String> {
        let attributes = settings.get("attributes").and_then(Value::as_object);
        attributes.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn registered_scopes(&self, _: &App) -> Vec<String> {
        Vec::new()
    }

    async fn accept(&self, _: Request<'_>, _: &mut TraceLog) -> Accepted {
        Accepted::Reply(Reply::body(404, "text/plain", ""))
    }

    async fn finish(&self, _: Finish<'_>, _: &Permit) -> Result<Finished, Refusal> {
        unreachable!("nobody logs in here")
    }

    async fn refuse(&self, _: &Arc<Tenant>, _: &[u8], _: &Refusal, _: TraceId) -> Reply {
        Reply::body(404, "text/plain", "")
    }
}

pub struct TestClock;

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }
}

/// Counts up, so that every id differs.
#[derive(Default)]
pub struct TestRng(Mutex<u64>);

impl Rng for TestRng {
    fn fill(&self, buffer: &mut [u8]) {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        buffer.fill(0);
        let end = buffer.len() - 8;
        buffer[end..].copy_from_slice(&count.to_be_bytes());
    }
}

pub struct TestEgress;

#[async_trait]
impl Egress for TestEgress {
    async fn get(&self, url: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        let status = match url {
            "https://idp.example/metadata" => 200,
            "https://idp.example/gone" => 404,
            _ => return Err(EgressError { url: url.to_owned(), cause: "no such host".to_owned(), silent: true }),
        };
        let body = Bytes::from_static(b"<EntityDescriptor entityID='fetched'/>");
        Ok(Fetched { status, content_type: None, etag: None, max_age: None, body })
    }

    async fn get_if_changed(&self, url: &str, _: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.get(url, limits).await
    }

    async fn post(&self, request: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
        Err(EgressError { url: request.url.clone(), cause: "a plan sends nothing".to_owned(), silent: false })
    }
}

/// A folder of its own for one test, which goes with it.
pub struct Folder(PathBuf);

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn folder(name: &str) -> Folder {
    let path = std::env::temp_dir().join(format!("fedbridge-bridge-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("okta.xml"), "<EntityDescriptor/>").unwrap();
    std::fs::write(path.join("secret.txt"), "0123456789abcdef0123456789abcdef\n").unwrap();
    Folder(path)
}

/// Reads a file or folder against a configuration.
pub async fn load_against(path: &Path, configuration: &Configuration) -> Result<Desired, Vec<Located>> {
    let services = offline::services(Arc::new(TestClock), Arc::new(TestRng::default()), Arc::new(TestEgress));
    let registry = Registry::default().with(Arc::new(TestFactory)).with(Arc::new(TestOpenId));
    let downstreams =
        [AppKind::OidcClient, AppKind::SamlSp].map(|kind| Arc::new(TestProvider(kind)) as Arc<dyn Downstream>);
    let env = |name: &str| (name == "GOOD_SECRET").then(|| "x".repeat(32));
    let context = Context {
        env: &env,
        base_url: "https://login.example",
        configuration,
        registry: &registry,
        services: &services,
        downstreams: &downstreams,
        check_mapping: &|spec, protocol| Mapping::compile(spec, protocol).err().unwrap_or_default(),
        check_app_rules: &|spec| AppRules::compile(spec).err().unwrap_or_default(),
    };
    load(path, &context).await.map_err(Complaints::sorted)
}

pub async fn load_text(name: &str, text: &str, configuration: &Configuration) -> Result<Desired, Vec<Located>> {
    let folder = folder(name);
    std::fs::write(folder.join("bridge.yaml"), text).unwrap();
    load_against(&folder.join("bridge.yaml"), configuration).await
}

async fn wrong(name: &str, text: &str) -> Vec<String> {
    let complaints = load_text(name, text, &Configuration::default()).await.unwrap_err();
    let short = |line: String| line.split_once("bridge.yaml:").map_or(line.clone(), |(_, rest)| rest.to_owned());
    complaints.iter().map(|complaint| short(complaint.to_string())).collect()
}

#[tokio::test]
async fn apps_with_a_scim_server_are_read_strictly() {
    let text = r#"
version: 1
tenants:
  - slug: acme
    scim_apps:
      - { slug: a, base_url: "https://a.example" }
      - { slug: b, base_url: "https://b.example", bearer_token: { value: x }, client_secret: { value: y } }
      - { slug: c, base_url: "https://c.example", client_secret: { value: y } }
      - { slug: d, base_url: "https://d.example", bearer_token: { value: x }, token_endpoint: "https://as.example", client_id: d }
      - { slug: a, base_url: "http://e.example", bearer_token: { value: x }, atributes: {} }
      - { slug: f, base_url: "https://f.example", bearer_token: { value: x }, claims: { nick: { cel: "claims." } } }
"#;
    let found = wrong("scim-apps", text).await;
    let parts = [
        ("6:", "scim_apps[a].bearer_token: missing; the bridge calls the app with it"),
        ("7:", "scim_apps[b].client_secret: `bearer_token` is there too"),
        ("8:", "scim_apps[c].client_secret: it is nothing without a `token_endpoint`"),
        ("9:", "scim_apps[d].bearer_token: with a `token_endpoint` the bridge needs a `client_secret`"),
        ("10:", "scim_apps[a].slug: `a` is a SCIM app at line 6 already"),
        ("10:", "scim_apps[a].base_url: `http://e.example` is not https"),
        ("10:", "scim_apps[a].atributes: unknown key; the nearest known one is `attributes`"),
        ("11:", "scim_apps[f].claims.nick.cel: "),
    ];
    for (line, part) in parts {
        assert!(found.iter().any(|it| it.starts_with(line) && it.contains(part)), "{line} {part}: {found:#?}");
    }
    assert_eq!(found.len(), parts.len(), "{found:#?}");
}

#[tokio::test]
async fn a_good_file_is_read_whole() {
    let text = r#"
version: 1
tenants:
  - slug: acme
    display_name: Acme
    parent: null
    domains: [Acme.Example, b.example]
    connections:
      - slug: okta
        protocol: saml
        domains: [acme.example]
        idp_metadata: { file: okta.xml }
        sp_entity_id: null
        key_password: { value: short }
        mapping: { preset: okta, claims: { department: { value: x } } }
      - slug: fetched
        protocol: saml
        idp_metadata: { url: https://idp.example/metadata, refresh: 6h }
    clients:
      - client_id: portal
        client_secrets: [{ env: GOOD_SECRET }, { file: secret.txt }]
        redirect_uris: [https://portal.example/callback]
        connections: [okta]
        subject_type: pairwise
    service_providers:
      - slug: wiki
        sp_metadata: { file: okta.xml }
        entity_id: https://wiki.example
        name_id: { format: email }
        attributes: { mail: email, memberOf: groups, org: { value: acme }, who: sub }
        connections: [okta]
        groups: [writers]
"#;
    let desired = load_text("good", text, &Configuration::default()).await.unwrap();
    let [tenant] = desired.tenants.as_slice() else { panic!("{desired:?}") };
    assert_eq!(tenant.domains, ["acme.example", "b.example"]);
    let [okta, fetched] = tenant.connections.as_slice() else { panic!("{tenant:?}") };
    assert_eq!(okta.settings, json!({"idp_metadata": {"xml": "<EntityDescriptor/>"}}));
    assert!(okta.secrets.0["key_password"] == SecretValue::Clear(b"short".to_vec()));
    assert_eq!(
        fetched.settings["idp_metadata"],
        json!({"url": "https://idp.example/metadata", "refresh": "6h", "xml": "<EntityDescriptor entityID='fetched'/>"})
    );
    let client = &tenant.clients[0];
    assert_eq!(client.name, "portal");
    let [wiki] = tenant.service_providers.as_slice() else { panic!("{tenant:?}") };
    assert_eq!((wiki.name.as_str(), wiki.entity_id.as_deref()), ("wiki", Some("https://wiki.example")));
    assert_eq!(wiki.release, ["email", "groups"], "a claim of the protocol needs no release");
    assert_eq!(
        (wiki.groups.as_slice(), wiki.connections.as_deref().unwrap()),
        (&["writers".to_owned()][..], &["okta".to_owned()][..])
    );
    assert_eq!(wiki.settings["sp_metadata"], json!({"xml": "<EntityDescriptor/>"}));
    assert_eq!(client.subject_type, fedbridge_hub::spec::SubjectType::Pairwise);
    let hash = openssl::sha::sha256(b"0123456789abcdef0123456789abcdef");
    assert!(client.secrets.0["client_secret/1"] == SecretValue::Hashed(hash));
    assert!(!format!("{desired:?}").contains("0123456789abcdef"));
}

#[tokio::test]
async fn a_terrible_file_is_complained_about_at_once() {
    let text = r#"version: 2
tenant: []
tenants:
  - slug: Acme
    display_nam: Acme
    domains: [acme.example, "@bad"]
    parent: nobody
    connections:
      - slug: okta
        protocol: samll
      - slug: okta
        protocol: saml
        domains: [other.example]
        idp_metadata: { file: nowhere.xml }
        clock_skew: 9h
        clok_skew: 1s
      - slug: entra
        protocol: radius
        issuer: https://login.example
      - slug: fetch
        protocol: saml
        enabled: maybe
        idp_metadata: { url: https://idp.example/gone }
        mapping: { presets: okta, claims: { email: { form: [mail] } } }
      - protocol: saml
        idp_metadata: { file: secret.txt }
        allow_idp_initiated: { client: portl }
    clients:
      - client_id: portal
        client_secret: { value: short }
        redirect_uris: ["https://a.example", "http://b.example"]
        redirect_uri: x
        connections: [otka]
      - client_id: 7
        client_secret: hunter2
      - client_id: portal
        client_secret: { env: UNSET }
        client_secrets: [{ env: GOOD_SECRET }]
      - client_id: third
        client_secret: { stored: clients/third/client_secret/0 }
      - client_id: fourth
    service_providers:
      - slug: wiki
        sp_metadata: { file: okta.xml }
        entity_id: https://wiki.example
        sign: neither
        groups: staff
      - slug: wiki
        sp_metadata: { file: okta.xml }
        entity_id: https://wiki.example
        connections: [otka]
      - slug: third
        sp_metadata: { url: https://idp.example/gone }
      - sp_metadata: { xml: "<EntityDescriptor/>", refresh: 1h }
        claims: { sub: { value: x } }
  - slug: system
    was: system
    domains: [acme.example]
  - slug: a
    parent: b
  - slug: b
    parent: a
  - just text
"#;
    let got = wrong("terrible", text).await;
    let want = [
        "1: version: this build reads version 1",
        "2: tenant: unknown key; the nearest known one is `tenants`",
        "4: tenants[Acme].slug: `Acme` is not a slug",
        "5: tenants[Acme].display_nam: unknown key; the nearest known one is `display_name`",
        "6: tenants[Acme].domains[1]: `@bad` is not a mail domain",
        "7: tenants[Acme].parent: there is no tenant `nobody`",
        "10: tenants[Acme].connections[okta].protocol: `samll` is not a protocol; the nearest known one is `saml`",
        "11: tenants[Acme].connections[okta].slug: `okta` is a connection at line 9 already",
        "13: tenants[Acme].connections[okta].domains: the domain other.example is not among the tenant's",
        "14: tenants[Acme].connections[okta].idp_metadata.file: the file",
        "15: tenants[Acme].connections[okta].clock_skew: is too much",
        "16: tenants[Acme].connections[okta].clok_skew: unknown key; the nearest known one is `clock_skew`",
        "18: tenants[Acme].connections[entra].protocol: `radius` is not a protocol; known are oidc, saml",
        "22: tenants[Acme].connections[fetch].enabled: expected true or false, found text",
        "23: tenants[Acme].connections[fetch].idp_metadata.url: the metadata can't be fetched: https://idp.example/gone answered",
        "24: tenants[Acme].connections[fetch].mapping.claims.email: a rule needs one of",
        "24: tenants[Acme].connections[fetch].mapping.claims.email.form: ",
        "24: tenants[Acme].connections[fetch].mapping.presets: unknown key; the nearest known one is `preset`",
        "25: tenants[Acme].connections[4].slug: missing",
        "26: tenants[Acme].connections[4].idp_metadata.xml: is not metadata",
        "27: tenants[Acme].connections[4].allow_idp_initiated.client: the tenant has no client `portl`; the nearest is `portal`",
        "30: tenants[Acme].clients[portal].client_secret: the secret has 5 characters and needs at least 32",
        "31: tenants[Acme].clients[portal].redirect_uris[1]: is not https",
        "32: tenants[Acme].clients[portal].redirect_uri: is unknown",
        "33: tenants[Acme].clients[portal].connections[0]: the tenant has no connection `otka`; the nearest is `okta`",
        "34: tenants[Acme].clients[1].client_id: expected text, found a number; put it in quotes",
        "35: tenants[Acme].clients[1].client_secret: expected one of { env: NAME }",
        "36: tenants[Acme].clients[portal].client_id: `portal` is a client at line 29 already",
        "38: tenants[Acme].clients[portal].client_secrets: `client_secret` is there too",
        "40: tenants[Acme].clients[third].client_secret: the store has no secret",
        "41: tenants[Acme].clients[fourth]: has neither a secret nor public: true",
        "46: tenants[Acme].service_providers[wiki].sign: is not a choice",
        "47: tenants[Acme].service_providers[wiki].groups: expected a list, found text",
        "48: tenants[Acme].service_providers[wiki].slug: `wiki` is a service provider at line 43 already",
        "49: tenants[Acme].service_providers[wiki].sp_metadata: the entity ID https://wiki.example is that of",
        "51: tenants[Acme].service_providers[wiki].connections[0]: the tenant has no connection `otka`",
        "53: tenants[Acme].service_providers[third].sp_metadata.url: the metadata can't be fetched: https://idp.example/gone",
        "54: tenants[Acme].service_providers[3].slug: missing",
        "54: tenants[Acme].service_providers[3].sp_metadata.refresh: only a `url` can be refreshed",
        "55: tenants[Acme].service_providers[3].claims.sub: ",
        "56: tenants[system].slug: `system` is reserved",
        "57: tenants[system].was: the old name is the new one",
        "58: tenants[system].domains: the domain acme.example belongs to the tenant Acme already",
        "60: tenants[a].parent: the tenant stands under itself",
        "62: tenants[b].parent: the tenant stands under itself",
        "63: tenants[4]: expected a map, found text",
    ];
    for (at, want) in want.iter().enumerate() {
        assert!(got.get(at).is_some_and(|line| line.starts_with(want)), "missing {want} in {got:#?}");
    }
    assert_eq!(got.len(), want.len(), "{got:#?}");
    assert!(!got.iter().any(|line| line.contains("hunter2")));
}

#[tokio::test]
async fn a_providers_document_is_named_and_not_fetched() {
    let file = |rest: &str| {
        let start =
            "version: 1\ntenants:\n  - slug: acme\n    connections:\n      - slug: op\n        protocol: oidc\n";
        format!("{start}        issuer: https://op.example/realm\n{rest}")
    };
    let usual = "https://op.example/realm/.well-known/openid-configuration";
    for (written, want) in [
        ("", json!({ "url": usual })),
        ("        discovery: auto\n", json!({ "url": usual })),
        ("        discovery: null\n", json!({ "url": usual })),
        ("        discovery: https://other.example/d\n", json!({ "url": "https://other.example/d" })),
        ("        discovery: off\n", json!("off")),
    ] {
        let desired = load_text("discovery", &file(written), &Configuration::default()).await.unwrap();
        assert_eq!(desired.tenants[0].connections[0].settings["discovery"], want, "{written}");
    }
    for (written, want) in [
        ("        discovery: of\n", "expected auto, off or the address of a discovery document, found `of`"),
        ("        discovery: { url: x }\n", "expected auto, off or the address of a discovery document, found a map"),
        ("        discovery: 7\n", "expected auto, off or the address of a discovery document, found a number"),
    ] {
        let want = format!("8: tenants[acme].connections[op].discovery: {want}");
        assert_eq!(wrong("discovery-wrong", &file(written)).await, [want]);
    }
    let narrow = file("").replace("    connections:", "    egress: { hosts: [login.example] }\n    connections:");
    let want = format!("the host of {usual} is not among the tenant's egress.hosts");
    assert_eq!(
        wrong("discovery-hosts", &narrow).await,
        [format!("8: tenants[acme].connections[op].discovery: {want}")]
    );
    let none = file("").replace("        issuer: https://op.example/realm\n", "");
    assert_eq!(wrong("discovery-none", &none).await, ["5: tenants[acme].connections[op].issuer: is missing"]);
}

#[tokio::test]
async fn a_version_and_a_file_are_needed() {
    assert!(wrong("no-version", "tenants: []\n").await[0].starts_with("1: version: missing"));
    let missing = load_against(Path::new("/nowhere/bridge.yaml"), &Configuration::default()).await.unwrap_err();
    assert!(missing[0].to_string().starts_with("/nowhere/bridge.yaml: the file can't be read"), "{missing:?}");
}

#[tokio::test]
async fn a_folder_is_merged() {
    let folder = folder("merge");
    let first = "version: 1\ntenants:\n  - slug: acme\n    display_name: Acme\n    clients:\n      - client_id: one\n        public: true\n";
    let second =
        "tenants:\n  - slug: acme\n    clients:\n      - client_id: two\n        public: true\n  - slug: beta\n";
    std::fs::write(folder.join("a.yaml"), first).unwrap();
    std::fs::write(folder.join("b.yml"), second).unwrap();
    let desired = load_against(&folder, &Configuration::default()).await.unwrap();
    let names: Vec<_> = desired.tenants.iter().map(|t| (t.slug.as_str(), t.clients.len())).collect();
    assert_eq!(names, [("acme", 2), ("beta", 0)]);

    std::fs::write(folder.join("c.yaml"), "tenants:\n  - slug: acme\n    display_name: Other\n    clients:\n      - client_id: one\n        public: true\n").unwrap();
    let wrong = load_against(&folder, &Configuration::default()).await.unwrap_err();
    let lines: Vec<_> =
        wrong.iter().map(|w| (w.place.line, w.message.split(" at ").next().unwrap().to_owned())).collect();
    assert_eq!(lines, [(3, "this is given".to_owned()), (5, "`one` is a client".to_owned())]);
    assert!(wrong.iter().all(|complaint| complaint.place.source.ends_with("c.yaml")));
}
