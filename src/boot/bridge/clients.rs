//! Downstream OIDC clients of a bridge file.

use fedbridge_contract::config::AppKind;
use fedbridge_hub::spec::{AppSpec, SubjectType};
use serde_json::{Map, Value};

use crate::settings::complaints::Complaints;

use super::apps;
use super::desired::{DesiredClient, Secrets};
use super::fields::Fields;
use super::names::{self, Names};
use super::node::Node;
use super::reference;
use super::secrets::{Keep, Owner, Reader};
use super::tenants::Scope;

/// Reads the clients of a tenant.
pub fn read(
    nodes: &[Node],
    tenant: &Fields<'_>,
    scope: &Scope<'_>,
    connections: &[&str],
    complaints: &mut Complaints,
) -> Vec<DesiredClient> {
    let mut clients = Vec::new();
    let mut names = Names::default();
    for (index, node) in nodes.iter().enumerate() {
        let name = node.get("client_id").and_then(Node::text).map_or_else(|| index.to_string(), str::to_owned);
        let path = tenant.path(&format!("clients[{name}]"));
        if let Some(fields) = Fields::of(node, path, complaints) {
            clients.extend(client(fields, &mut names, scope, connections, complaints));
        }
    }
    clients
}

fn client(
    mut fields: Fields<'_>,
    names: &mut Names,
    scope: &Scope<'_>,
    connections: &[&str],
    complaints: &mut Complaints,
) -> Option<DesiredClient> {
    let client_id = fields.required("client_id", complaints);
    if let Some(id) = &client_id {
        let place = fields.node().place_of("client_id");
        names.claim(id, place, &fields.path("client_id"), "a client", complaints);
    }
    let was = names::was(&mut fields, client_id.as_deref(), complaints);
    let name = fields.text("name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let allowed = apps::connections(&mut fields, connections, complaints);
    let release = fields.texts("release", complaints).unwrap_or_default().into_iter().map(|(claim, _)| claim).collect();
    let claims = apps::claims(&mut fields, complaints);
    let mut secrets = Secrets::default();
    let before = complaints.len();
    let reader = Reader {
        env: scope.context.env,
        stored: scope.stored,
        keep: Keep::Hash,
        owner: Owner { kind: "clients", name: client_id.as_deref().unwrap_or_default(), was: was.as_deref() },
    };
    reader.read(&mut fields, "client_secret", &mut secrets, complaints);
    let secrets_are_fine = complaints.len() == before;

    let place = fields.node().place_of("client_id").clone();
    let mut settings = Map::new();
    for entry in fields.beside(reference::CLIENT) {
        let value = entry.node.json();
        if !value.is_null() {
            settings.insert(entry.key.clone(), value);
        }
    }
    // The provider reads and checks this setting as well, so it stays among the settings.
    let pairwise = settings.get("subject_type").and_then(Value::as_str) == Some("pairwise");
    let subject_type = if pairwise { SubjectType::Pairwise } else { SubjectType::Public };
    let client = DesiredClient {
        place,
        name: name.or_else(|| client_id.clone()).unwrap_or_default(),
        client_id: client_id.clone().unwrap_or_default(),
        was,
        enabled,
        connections: allowed,
        release,
        claims,
        subject_type,
        settings: Value::Object(settings),
        secrets,
    };
    check(&fields, &client, secrets_are_fine, scope, complaints);
    client_id.map(|_| client)
}

/// What the provider and the mapping say. Where a secret could not be read, one is assumed, so
/// that its absence is not a second complaint.
fn check(
    fields: &Fields<'_>,
    client: &DesiredClient,
    secrets_are_fine: bool,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) {
    let secrets = if secrets_are_fine { client.secrets.0.len() } else { 1 };
    let mut found = Vec::new();
    for downstream in scope.context.downstreams.iter().filter(|downstream| downstream.kind() == AppKind::OidcClient) {
        found.extend(downstream.check_app(&client.client_id, &client.settings, secrets));
    }
    found.extend((scope.context.check_app_rules)(&app_spec(client)));
    if client.client_id.is_empty() {
        found.retain(|complaint| complaint.path != "client_id");
    }
    fields.node().locate(fields.own_path(), found, complaints);
}

/// The stored form of a client; its connections are filled in once they have ids.
pub fn app_spec(client: &DesiredClient) -> AppSpec {
    AppSpec {
        kind: AppKind::OidcClient,
        name: client.client_id.clone(),
        protocol_name: None,
        display_name: client.name.clone(),
        enabled: client.enabled,
        connections: None,
        release: client.release.clone(),
        claims: client.claims.clone(),
        subject_type: client.subject_type,
        groups: Vec::new(),
        settings: client.settings.clone(),
    }
}
