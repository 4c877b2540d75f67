//! Apps that speak LDAP, in a bridge file.

use fedbridge_contract::config::AppKind;
use fedbridge_hub::spec::{AppSpec, SubjectType};
use serde_json::{Map, Value};

use crate::registry;
use crate::settings::complaints::Complaints;

use super::desired::{DesiredLdapApp, Secrets};
use super::fields::Fields;
use super::names::{self, Names};
use super::node::Node;
use super::reference;
use super::secrets::{Keep, Owner, Reader};
use super::tenants::Scope;

/// Reads the apps of a directory.
pub fn read(
    nodes: &[Node],
    directory: &Fields<'_>,
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) -> Vec<DesiredLdapApp> {
    let mut apps = Vec::new();
    let mut slugs = Names::default();
    for (index, node) in nodes.iter().enumerate() {
        let name = node.get("slug").and_then(Node::text).map_or_else(|| index.to_string(), str::to_owned);
        let path = directory.path(&format!("apps[{name}]"));
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
) -> Option<DesiredLdapApp> {
    let slug = names::slug(&mut fields, complaints);
    if let Some(slug) = &slug {
        slugs.claim(slug, fields.node().place_of("slug"), &fields.path("slug"), "an LDAP app", complaints);
    }
    let was = names::was(&mut fields, slug.as_deref(), complaints);
    let name = fields.text("name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let groups = fields.texts("groups", complaints).unwrap_or_default().into_iter().map(|(group, _)| group).collect();
    let mut secrets = Secrets::default();
    let before = complaints.len();
    let reader = Reader {
        env: scope.context.env,
        stored: scope.stored,
        // Old apps have the passwords that they have: one of any length is taken, so it is sealed.
        keep: Keep::Clear,
        owner: Owner { kind: "ldap_directory/apps", name: slug.as_deref().unwrap_or_default(), was: was.as_deref() },
    };
    reader.read(&mut fields, "bind_password", &mut secrets, complaints);
    let secrets_are_fine = complaints.len() == before;

    let mut settings = Map::new();
    for entry in fields.beside(reference::LDAP_APP) {
        let value = entry.node.json();
        if !value.is_null() {
            settings.insert(entry.key.clone(), value);
        }
    }
    if secrets.0.is_empty() && secrets_are_fine && !settings.contains_key("client_certificate") {
        let message = "missing; the app binds with it, or with a client_certificate";
        complaints.add(fields.node().place_of("slug"), fields.path("bind_password"), message);
    }
    let known_as = slug.clone().unwrap_or_default();
    let app = DesiredLdapApp {
        place: fields.node().place_of("slug").clone(),
        name: name.unwrap_or_else(|| known_as.clone()),
        slug: known_as,
        was,
        enabled,
        groups,
        settings: Value::Object(settings),
        secrets,
    };
    let found = registry::check_ldap_app(&app.settings);
    fields.node().locate(fields.own_path(), found, complaints);
    slug.map(|_| app)
}

/// The stored form of an LDAP app.
pub fn app_spec(app: &DesiredLdapApp) -> AppSpec {
    AppSpec {
        kind: AppKind::LdapApp,
        name: app.slug.clone(),
        protocol_name: None,
        display_name: app.name.clone(),
        enabled: app.enabled,
        connections: None,
        release: Vec::new(),
        claims: Map::new(),
        subject_type: SubjectType::Public,
        groups: app.groups.clone(),
        settings: app.settings.clone(),
    }
}
