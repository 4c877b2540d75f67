//! Upstream connections of a bridge file.

use std::collections::BTreeMap;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory, Open};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::text::nearest;
use fedbridge_hub::spec::{MappingSpec, SecretValue};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::settings::complaints::Complaints;

use super::ask;
use super::desired::{DesiredConnection, Secrets};
use super::discovery;
use super::fields::{Fields, unknown};
use super::metadata;
use super::names::{self, Names};
use super::node::Node;
use super::people;
use super::provisions;
use super::reference;
use super::secrets::{Keep, Owner, Reader, read_beside};
use super::tenants::Scope;

/// Names of the tenant's apps, which connections may refer to.
pub struct AppNames<'a> {
    pub clients: Vec<&'a str>,
    pub providers: Vec<&'a str>,
}

/// Reads the connections of a tenant.
pub async fn read(
    nodes: &[Node],
    tenant: &Fields<'_>,
    scope: &Scope<'_>,
    apps: &AppNames<'_>,
    complaints: &mut Complaints,
) -> Vec<DesiredConnection> {
    let mut connections = Vec::new();
    let mut slugs = Names::default();
    for (index, node) in nodes.iter().enumerate() {
        let name = node.get("slug").and_then(Node::text).map_or_else(|| index.to_string(), str::to_owned);
        let path = tenant.path(&format!("connections[{name}]"));
        if let Some(fields) = Fields::of(node, path, complaints) {
            connections.extend(connection(fields, &mut slugs, scope, apps, complaints).await);
        }
    }
    provisions::check(nodes, tenant, &connections, scope, complaints);
    connections
}

async fn connection(
    mut fields: Fields<'_>,
    slugs: &mut Names,
    scope: &Scope<'_>,
    apps: &AppNames<'_>,
    complaints: &mut Complaints,
) -> Option<DesiredConnection> {
    let slug = names::slug(&mut fields, complaints);
    if let Some(slug) = &slug {
        slugs.claim(slug, fields.node().place_of("slug"), &fields.path("slug"), "a connection", complaints);
    }
    let was = names::was(&mut fields, slug.as_deref(), complaints);
    let display_name = fields.text("display_name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let domains = names::domains(&mut fields, complaints);
    for domain in domains.iter().filter(|domain| !scope.domains.contains(domain)) {
        let message = format!("the domain {domain} is not among the tenant's domains; add it there first");
        complaints.add(fields.node().place_of("domains"), fields.path("domains"), message);
    }
    let mapping = mapping(&mut fields, complaints);
    let people = people::read(&mut fields, complaints);
    let protocol = fields.required("protocol", complaints);
    let factory = protocol.as_deref().and_then(|protocol| factory(protocol, &fields, scope, complaints));

    let mut secrets = Secrets::default();
    let mut settings = Value::Object(Map::new());
    if let Some(factory) = factory {
        let reader = Reader {
            env: scope.context.env,
            stored: scope.stored,
            keep: Keep::Clear,
            owner: Owner { kind: "connections", name: slug.as_deref().unwrap_or_default(), was: was.as_deref() },
        };
        let failed;
        (settings, failed) = read_settings(&mut fields, factory, &reader, &mut secrets, scope, complaints).await;
        apps_resolve(&fields, apps, complaints);
        check_mapping(&fields, mapping.as_ref(), factory.kind(), scope, complaints);
        let found = ask::everything(&settings, failed, |settings| {
            let now = scope.context.services.clock.now();
            let found = open(factory, slug.as_deref(), settings, &secrets, scope);
            if found.is_empty() { metadata::signed(factory.documents(), settings, now) } else { found }
        });
        fields.node().locate(fields.own_path(), found, complaints);
    }
    Some(DesiredConnection {
        place: fields.node().place_of("slug").clone(),
        slug: slug?,
        was,
        protocol: protocol?,
        display_name,
        enabled,
        domains,
        mapping: mapping.unwrap_or_default(),
        people,
        settings,
        secrets,
    })
}

fn factory<'s>(
    protocol: &str,
    fields: &Fields<'_>,
    scope: &Scope<'s>,
    complaints: &mut Complaints,
) -> Option<&'s dyn AdapterFactory> {
    let registry = scope.context.registry;
    if let Some(factory) = registry.find(protocol) {
        return Some(factory.as_ref());
    }
    let kinds: Vec<_> = registry.kinds().collect();
    let message = match nearest(protocol, kinds.iter().copied()) {
        Some(near) => format!("`{protocol}` is not a protocol; the nearest known one is `{near}`"),
        None => format!("`{protocol}` is not a protocol; known are {}", kinds.join(", ")),
    };
    complaints.add(fields.node().place_of("protocol"), fields.path("protocol"), message);
    None
}

/// The adapter's own settings: files and addresses replaced by what they hold, secrets taken out.
/// The second value names the settings that could not be read.
async fn read_settings(
    fields: &mut Fields<'_>,
    factory: &dyn AdapterFactory,
    reader: &Reader<'_>,
    secrets: &mut Secrets,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) -> (Value, Vec<String>) {
    let known = factory.fields();
    let mut failed = Vec::new();
    let two = |name: &str| known.iter().any(|field| field.secret && field.name == format!("{name}s"));
    let plural = |name: &str| known.iter().any(|field| field.secret && format!("{}s", field.name) == name);
    for field in known.iter().filter(|field| field.secret && !plural(field.name)) {
        let before = complaints.len();
        match two(field.name) {
            true => reader.read(fields, field.name, secrets, complaints),
            false => reader.read_one(fields, field.name, secrets, complaints),
        }
        if complaints.len() > before {
            failed.push(field.name.to_owned());
        }
    }
    let mut settings = Map::new();
    let discovered = known.iter().any(|field| field.name == discovery::SETTING);
    if discovered {
        let before = complaints.len();
        let found = discovery::read(fields, scope, complaints);
        settings.extend(found.map(|setting| (discovery::SETTING.to_owned(), setting)));
        if complaints.len() > before {
            failed.push(discovery::SETTING.to_owned());
        }
    }
    for entry in fields.beside(reference::CONNECTION) {
        if known.iter().any(|field| field.secret && field.name == entry.key)
            || (discovered && entry.key == discovery::SETTING)
        {
            continue;
        }
        let path = fields.path(&entry.key);
        let Some(field) = known.iter().find(|field| field.name == entry.key) else {
            let names: Vec<&str> = known.iter().chain(reference::CONNECTION).map(|field| field.name).collect();
            unknown(entry, &path, &names, complaints);
            continue;
        };
        let before = complaints.len();
        let value = match (field.document, field.file, entry.node.text()) {
            (true, ..) => metadata::read(&entry.node, &path, scope, complaints).await,
            // An export has the text itself in the place of the path.
            (_, true, Some(file)) if !file.trim_start().starts_with("-----BEGIN") => {
                match read_beside(&entry.node, file) {
                    Ok(pem) => Some(json!(pem)),
                    Err(message) => {
                        complaints.add(&entry.node.place, path, message);
                        None
                    }
                }
            }
            _ => Some(entry.node.json()),
        };
        if let Some(value) = value.filter(|value| !value.is_null()) {
            settings.insert(entry.key.clone(), value);
        }
        if complaints.len() > before {
            failed.push(entry.key.clone());
        }
    }
    (Value::Object(settings), failed)
}

/// Settings that name an app of the same tenant, which is started by a login that begins at the upstream.
const STARTS: [&str; 2] = ["allow_idp_initiated", "initiate_login"];

fn apps_resolve(fields: &Fields<'_>, apps: &AppNames<'_>, complaints: &mut Complaints) {
    let kinds = [("client", "client", &apps.clients), ("service_provider", "service provider", &apps.providers)];
    for (setting, (key, what, names)) in STARTS.into_iter().flat_map(|setting| kinds.map(|kind| (setting, kind))) {
        let path = format!("{setting}.{key}");
        let named = fields.node().get(setting).and_then(|node| node.get(key)).and_then(Node::text);
        if let Some(app) = named.filter(|app| !names.contains(app)) {
            let hint = nearest(app, names.iter().copied());
            let hint = hint.map_or_else(String::new, |name| format!("; the nearest is `{name}`"));
            let message = format!("the tenant has no {what} `{app}`{hint}");
            complaints.add(fields.node().place_of(&path), fields.path(&path), message);
        }
    }
}

fn mapping(fields: &mut Fields<'_>, complaints: &mut Complaints) -> Option<MappingSpec> {
    let node = fields.take("mapping")?;
    let mut inner = Fields::of(node, fields.path("mapping"), complaints)?;
    let preset = inner.text("preset", complaints);
    let claims = inner.take("claims").map(|node| (node, node.json()));
    let deny_when = inner.list("deny_when", complaints).iter().map(Node::json).collect();
    let claims = match claims {
        None => Map::new(),
        Some((_, Value::Object(claims))) => claims,
        Some((node, _)) => {
            let message = format!("expected a map of claims, found {}", node.kind());
            complaints.add(&node.place, inner.path("claims"), message);
            Map::new()
        }
    };
    inner.finish(complaints);
    Some(MappingSpec { preset, claims, deny_when })
}

fn check_mapping(
    fields: &Fields<'_>,
    mapping: Option<&MappingSpec>,
    protocol: &str,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) {
    let Some(mapping) = mapping else { return };
    let mut found = (scope.context.check_mapping)(mapping, protocol);
    for complaint in &mut found {
        if !complaint.path.starts_with("mapping") {
            complaint.path = format!("mapping.{}", complaint.path).trim_end_matches('.').to_owned();
        }
    }
    fields.node().locate(fields.own_path(), found, complaints);
}

fn open(
    factory: &dyn AdapterFactory,
    slug: Option<&str>,
    settings: &Value,
    secrets: &Secrets,
    scope: &Scope<'_>,
) -> Vec<Complaint> {
    let slug = slug.unwrap_or("-");
    let clear: BTreeMap<String, Vec<u8>> = secrets
        .0
        .iter()
        .filter_map(|(name, value)| match value {
            SecretValue::Clear(bytes) => Some((name.clone(), bytes.clone())),
            SecretValue::Hashed(_) => None,
        })
        .collect();
    let opened = factory.open(Open {
        tenant: TenantId::from_uuid(Uuid::nil()),
        connection: ConnectionId::from_uuid(Uuid::nil()),
        slug,
        address: format!("{}/t/{}/connections/{slug}", scope.context.base_url, scope.slug),
        settings,
        secrets: &clear,
        services: scope.context.services,
        now: scope.context.services.clock.now(),
    });
    opened.err().unwrap_or_default()
}
