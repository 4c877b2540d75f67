//! Downstream SAML service providers of a bridge file.

use std::collections::BTreeMap;
use std::sync::Arc;

use fedbridge_contract::claims::PROTOCOL_CLAIMS;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::Downstream;
use fedbridge_hub::spec::{AppSpec, SubjectType};
use serde_json::{Map, Value};

use crate::settings::complaints::Complaints;

use super::desired::DesiredProvider;
use super::fields::Fields;
use super::names::{self, Names};
use super::node::Node;
use super::tenants::Scope;
use super::{apps, ask, metadata, reference};

/// The setting that names the other side's document.
const METADATA: &str = "sp_metadata";

/// Reads the service providers of a tenant.
pub async fn read(
    nodes: &[Node],
    tenant: &Fields<'_>,
    scope: &Scope<'_>,
    connections: &[&str],
    complaints: &mut Complaints,
) -> Vec<DesiredProvider> {
    let mut providers = Vec::new();
    let (Some(first), downstream) = (nodes.first(), downstream(scope)) else { return providers };
    let Some(downstream) = downstream else {
        let message = "downstream SAML is not supported by this version; remove it";
        complaints.add(&first.place, tenant.path("service_providers"), message);
        return providers;
    };
    let mut slugs = Names::default();
    let mut entities: BTreeMap<String, String> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let name = node.get("slug").and_then(Node::text).map_or_else(|| index.to_string(), str::to_owned);
        let path = tenant.path(&format!("service_providers[{name}]"));
        let Some(fields) = Fields::of(node, path.clone(), complaints) else { continue };
        let Some(provider) = provider(fields, &mut slugs, scope, connections, downstream, complaints).await else {
            continue;
        };
        if let Some(entity) = &provider.entity_id {
            match entities.get(entity) {
                Some(other) => {
                    let message = format!(
                        "the entity ID {entity} is that of the service provider `{other}` already; \
                         its requests could not be told apart"
                    );
                    complaints.add(node.place_of(METADATA), format!("{path}.{METADATA}"), message);
                }
                None => {
                    entities.insert(entity.clone(), provider.slug.clone());
                }
            }
        }
        providers.push(provider);
    }
    providers
}

fn downstream<'s>(scope: &Scope<'s>) -> Option<&'s Arc<dyn Downstream>> {
    scope.context.downstreams.iter().find(|downstream| downstream.kind() == AppKind::SamlSp)
}

async fn provider(
    mut fields: Fields<'_>,
    slugs: &mut Names,
    scope: &Scope<'_>,
    connections: &[&str],
    downstream: &Arc<dyn Downstream>,
    complaints: &mut Complaints,
) -> Option<DesiredProvider> {
    let slug = names::slug(&mut fields, complaints);
    if let Some(slug) = &slug {
        slugs.claim(slug, fields.node().place_of("slug"), &fields.path("slug"), "a service provider", complaints);
    }
    let was = names::was(&mut fields, slug.as_deref(), complaints);
    let name = fields.text("name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let connections = apps::connections(&mut fields, connections, complaints);
    let claims = apps::claims(&mut fields, complaints);
    let groups = fields.texts("groups", complaints).unwrap_or_default().into_iter().map(|(group, _)| group).collect();

    let mut settings = Map::new();
    let mut failed = Vec::new();
    if let Some(node) = fields.take(METADATA) {
        let before = complaints.len();
        let read = metadata::read(node, &fields.path(METADATA), scope, complaints).await;
        settings.extend(read.map(|value| (METADATA.to_owned(), value)));
        if complaints.len() > before {
            failed.push(METADATA.to_owned());
        }
    }
    for entry in fields.beside(reference::SERVICE_PROVIDER).into_iter().filter(|entry| entry.key != METADATA) {
        let value = entry.node.json();
        if !value.is_null() {
            settings.insert(entry.key.clone(), value);
        }
    }
    let settings = Value::Object(settings);
    let known_as = slug.clone().unwrap_or_default();
    let mut found = ask::everything(&settings, failed, |settings| {
        let now = scope.context.services.clock.now();
        let found = downstream.check_app(&known_as, settings, 0);
        if found.is_empty() { metadata::signed(downstream.documents(), settings, now) } else { found }
    });
    let provider = DesiredProvider {
        place: fields.node().place_of("slug").clone(),
        entity_id: downstream.protocol_name(&known_as, &settings),
        name: name.unwrap_or_else(|| known_as.clone()),
        slug: known_as,
        was,
        enabled,
        connections,
        release: released(downstream.as_ref(), &settings),
        claims,
        groups,
        settings,
    };
    found.extend((scope.context.check_app_rules)(&app_spec(&provider)));
    fields.node().locate(fields.own_path(), found, complaints);
    slug.map(|_| provider)
}

/// A service provider has no scopes, so what it is configured to get is what it may get. Claims of the
/// protocol need no release.
fn released(downstream: &dyn Downstream, settings: &Value) -> Vec<String> {
    let claims = downstream.released_claims(settings).into_iter();
    claims.filter(|claim| !claim.is_empty() && !PROTOCOL_CLAIMS.contains(&claim.as_str())).collect()
}

/// The stored form of a service provider; its connections are filled in once they have ids.
pub fn app_spec(provider: &DesiredProvider) -> AppSpec {
    AppSpec {
        kind: AppKind::SamlSp,
        name: provider.slug.clone(),
        protocol_name: provider.entity_id.clone(),
        display_name: provider.name.clone(),
        enabled: provider.enabled,
        connections: None,
        release: provider.release.clone(),
        claims: provider.claims.clone(),
        subject_type: SubjectType::Public,
        groups: provider.groups.clone(),
        settings: provider.settings.clone(),
    }
}
