//! Apps with a SCIM server of their own, in a bridge file.

use fedbridge_contract::config::AppKind;
use fedbridge_hub::spec::{AppSpec, SubjectType};
use serde_json::{Map, Value};

use crate::registry;
use crate::settings::complaints::Complaints;

use super::desired::{DesiredScimApp, Secrets};
use super::fields::Fields;
use super::names::{self, Names};
use super::node::Node;
use super::secrets::{Keep, Owner, Reader};
use super::tenants::Scope;
use super::{apps, reference};

const BEARER_TOKEN: &str = "bearer_token";
const CLIENT_SECRET: &str = "client_secret";

/// Reads the apps of a tenant that its people are kept in step at.
pub fn read(
    nodes: &[Node],
    tenant: &Fields<'_>,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) -> Vec<DesiredScimApp> {
    let mut apps = Vec::new();
    let mut slugs = Names::default();
    for (index, node) in nodes.iter().enumerate() {
        let name = node.get("slug").and_then(Node::text).map_or_else(|| index.to_string(), str::to_owned);
        let path = tenant.path(&format!("scim_apps[{name}]"));
        if let Some(fields) = Fields::of(node, path, complaints) {
            apps.extend(app(fields, &mut slugs, scope, complaints));
        }
    }
    apps
}

fn app(
    mut fields: Fields<'_>,
    slugs: &mut Names,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) -> Option<DesiredScimApp> {
    let slug = names::slug(&mut fields, complaints);
    if let Some(slug) = &slug {
        slugs.claim(slug, fields.node().place_of("slug"), &fields.path("slug"), "a SCIM app", complaints);
    }
    let was = names::was(&mut fields, slug.as_deref(), complaints);
    let name = fields.text("name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let groups = fields.texts("groups", complaints).unwrap_or_default().into_iter().map(|(group, _)| group).collect();
    let claims = apps::claims(&mut fields, complaints);
    let secrets = secrets(&mut fields, slug.as_deref(), was.as_deref(), scope, complaints);
    let mut settings = Map::new();
    for entry in fields.beside(reference::SCIM_APP) {
        let value = entry.node.json();
        if !value.is_null() {
            settings.insert(entry.key.clone(), value);
        }
    }
    let settings = Value::Object(settings);
    let known_as = slug.clone().unwrap_or_default();
    let app = DesiredScimApp {
        place: fields.node().place_of("slug").clone(),
        name: name.unwrap_or_else(|| known_as.clone()),
        slug: known_as,
        was,
        enabled,
        groups,
        claims,
        release: registry::scim_app_claims(&settings),
        settings,
        secrets,
    };
    let mut found = registry::check_scim_app(&app.settings);
    found.extend((scope.context.check_app_rules)(&app_spec(&app)));
    fields.node().locate(fields.own_path(), found, complaints);
    slug.map(|_| app)
}

/// One of two: a token that stays, or a secret that tokens are fetched with.
fn secrets(
    fields: &mut Fields<'_>,
    slug: Option<&str>,
    was: Option<&str>,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) -> Secrets {
    let reader = Reader {
        env: scope.context.env,
        stored: scope.stored,
        keep: Keep::Clear,
        owner: Owner { kind: "scim_apps", name: slug.unwrap_or_default(), was },
    };
    let mut secrets = Secrets::default();
    let before = complaints.len();
    reader.read_one(fields, BEARER_TOKEN, &mut secrets, complaints);
    reader.read_one(fields, CLIENT_SECRET, &mut secrets, complaints);
    if complaints.len() > before {
        return secrets;
    }
    let fetches = fields.node().get("token_endpoint").is_some_and(|node| !node.json().is_null());
    let has = |name| secrets.0.contains_key(name);
    let wrong = match (has(BEARER_TOKEN), has(CLIENT_SECRET), fetches) {
        (true, false, false) | (false, true, true) => None,
        (true, true, _) => Some((CLIENT_SECRET, "`bearer_token` is there too; keep one of the two")),
        (true, false, true) => Some((BEARER_TOKEN, "with a `token_endpoint` the bridge needs a `client_secret`")),
        (false, true, false) => Some((CLIENT_SECRET, "it is nothing without a `token_endpoint`")),
        (false, false, _) => Some((
            BEARER_TOKEN,
            "missing; the bridge calls the app with it, or with a `token_endpoint`, `client_id` and `client_secret`",
        )),
    };
    if let Some((key, message)) = wrong {
        complaints.add(fields.node().place_of(key), fields.path(key), message);
    }
    secrets
}

/// The stored form of a SCIM app.
pub fn app_spec(app: &DesiredScimApp) -> AppSpec {
    AppSpec {
        kind: AppKind::ScimApp,
        name: app.slug.clone(),
        protocol_name: None,
        display_name: app.name.clone(),
        enabled: app.enabled,
        connections: None,
        release: app.release.clone(),
        claims: app.claims.clone(),
        subject_type: SubjectType::Public,
        groups: app.groups.clone(),
        settings: app.settings.clone(),
    }
}
