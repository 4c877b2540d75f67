//! Receivers of signals, in a bridge file.

use fedbridge_contract::config::AppKind;
use fedbridge_contract::text::nearest;
use fedbridge_hub::spec::{AppSpec, SubjectType};
use serde_json::{Map, Value};

use crate::settings::complaints::Complaints;

use super::desired::{DesiredClient, DesiredReceiver, Secrets};
use super::fields::Fields;
use super::names::{self, Names};
use super::node::Node;
use super::reference;
use super::secrets::{Keep, Owner, Reader};
use super::tenants::Scope;

/// Where secrets of receivers are stored.
pub const LIST: &str = "signal_receivers";

/// Reads the receivers of a tenant.
pub fn read(
    nodes: &[Node],
    tenant: &Fields<'_>,
    scope: &Scope<'_>,
    clients: &[DesiredClient],
    complaints: &mut Complaints,
) -> Vec<DesiredReceiver> {
    let mut receivers = Vec::new();
    let mut slugs = Names::default();
    for (index, node) in nodes.iter().enumerate() {
        let name = node.get("slug").and_then(Node::text).map_or_else(|| index.to_string(), str::to_owned);
        let path = tenant.path(&format!("{LIST}[{name}]"));
        if let Some(fields) = Fields::of(node, path, complaints) {
            receivers.extend(receiver(fields, &mut slugs, scope, clients, complaints));
        }
    }
    receivers
}

fn receiver(
    mut fields: Fields<'_>,
    slugs: &mut Names,
    scope: &Scope<'_>,
    clients: &[DesiredClient],
    complaints: &mut Complaints,
) -> Option<DesiredReceiver> {
    let slug = names::slug(&mut fields, complaints);
    if let Some(slug) = &slug {
        slugs.claim(slug, fields.node().place_of("slug"), &fields.path("slug"), "a receiver of signals", complaints);
    }
    let was = names::was(&mut fields, slug.as_deref(), complaints);
    let name = fields.text("name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let mut secrets = Secrets::default();
    let before = complaints.len();
    let reader = |keep| Reader {
        env: scope.context.env,
        stored: scope.stored,
        keep,
        owner: Owner { kind: LIST, name: slug.as_deref().unwrap_or_default(), was: was.as_deref() },
    };
    reader(Keep::Hash).read(&mut fields, "bearer_token", &mut secrets, complaints);
    let tokens = if complaints.len() == before { secrets.0.len() } else { 1 };
    // We show it to the receiver, so it is sealed.
    reader(Keep::Clear).read_one(&mut fields, "push_authorization", &mut secrets, complaints);
    let mut settings = Map::new();
    for entry in fields.beside(reference::SIGNAL_RECEIVER) {
        let value = entry.node.json();
        if !value.is_null() {
            settings.insert(entry.key.clone(), value);
        }
    }
    client_is_there(&fields, &settings, clients, complaints);
    let known_as = slug.clone().unwrap_or_default();
    let receiver = DesiredReceiver {
        place: fields.node().place_of("slug").clone(),
        name: name.unwrap_or_else(|| known_as.clone()),
        slug: known_as,
        was,
        enabled,
        settings: Value::Object(settings),
        secrets,
    };
    let mut found = Vec::new();
    for downstream in scope.context.downstreams.iter().filter(|it| it.kind() == AppKind::SignalReceiver) {
        found.extend(downstream.check_app(&receiver.slug, &receiver.settings, tokens));
    }
    fields.node().locate(fields.own_path(), found, complaints);
    slug.map(|_| receiver)
}

fn client_is_there(
    fields: &Fields<'_>,
    settings: &Map<String, Value>,
    clients: &[DesiredClient],
    complaints: &mut Complaints,
) {
    let Some(named) = settings.get("client").and_then(Value::as_str) else { return };
    if clients.iter().all(|client| client.client_id != named) {
        let known = clients.iter().map(|client| client.client_id.as_str());
        let hint = nearest(named, known).map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
        let message = format!("the tenant has no client `{named}`{hint}");
        complaints.add(fields.node().place_of("client"), fields.path("client"), message);
    }
}

/// The stored form of a receiver.
pub fn app_spec(receiver: &DesiredReceiver) -> AppSpec {
    AppSpec {
        kind: AppKind::SignalReceiver,
        name: receiver.slug.clone(),
        protocol_name: None,
        display_name: receiver.name.clone(),
        enabled: receiver.enabled,
        connections: None,
        release: Vec::new(),
        claims: Map::new(),
        subject_type: SubjectType::Public,
        groups: Vec::new(),
        settings: receiver.settings.clone(),
    }
}
