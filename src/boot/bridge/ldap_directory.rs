//! What a tenant shows to LDAP clients, in a bridge file.

use fedbridge_contract::ldap_directory::LdapDirectory;
use serde_json::{Map, Value};

use crate::registry;
use crate::settings::complaints::Complaints;

use super::apps;
use super::desired::{DesiredLdapApp, DesiredTenant};
use super::fields::Fields;
use super::ldap_apps;
use super::node::Node;
use super::tenants::{Scope, line};

/// The key of the list of apps, which are objects of their own.
const APPS: &str = "apps";

/// Reads `ldap_directory` with its apps; `connections` are those of the tenant as they are written.
pub fn read(
    tenant: &mut Fields<'_>,
    scope: &Scope<'_>,
    connections: &[Node],
    complaints: &mut Complaints,
) -> (Option<LdapDirectory>, Vec<DesiredLdapApp>) {
    let Some(node) = tenant.take("ldap_directory") else { return (None, Vec::new()) };
    let Some(mut fields) = Fields::of(node, tenant.path("ldap_directory"), complaints) else {
        return (None, Vec::new());
    };
    let apps = ldap_apps::read(fields.list(APPS, complaints), &fields, scope, complaints);
    let mut settings = node.json();
    if let Value::Object(settings) = &mut settings {
        settings.shift_remove(APPS);
    }
    match registry::read_ldap_directory(&settings, scope.slug) {
        Ok(directory) => {
            connections_resolve(&fields, &directory, connections, complaints);
            (Some(directory), apps)
        }
        Err(found) => {
            node.locate(fields.own_path(), found, complaints);
            (None, apps)
        }
    }
}

/// The directory as a bridge file has it.
pub fn written(directory: &LdapDirectory, apps: Vec<Value>) -> Map<String, Value> {
    let mut out = registry::write_ldap_directory(directory);
    if !apps.is_empty() {
        out.insert(APPS.to_owned(), apps.into());
    }
    out
}

/// A client says whose directory it means by a DN, so no two tenants' may overlap.
pub fn bases_are_apart(tenants: &[DesiredTenant], nodes: &[Node], complaints: &mut Complaints) {
    let all: Vec<_> =
        tenants.iter().filter_map(|tenant| Some((tenant, &tenant.extras.ldap.as_ref()?.base_dn))).collect();
    for (at, (tenant, base)) in all.iter().enumerate() {
        if let Some((other, theirs)) = all[..at].iter().find(|(_, theirs)| registry::ldap_bases_clash(base, theirs)) {
            let message = format!(
                "`{base}` and `{theirs}` of the tenant {} overlap; a DN could not be told to be of one of them",
                other.slug
            );
            let path = format!("tenants[{}].ldap_directory.base_dn", tenant.slug);
            complaints.add(line(nodes, tenant, "ldap_directory"), path, message);
        }
    }
}

fn connections_resolve(
    fields: &Fields<'_>,
    directory: &LdapDirectory,
    connections: &[Node],
    complaints: &mut Complaints,
) {
    let speaks = |slug: &str| {
        let named = connections.iter().find(|node| node.get("slug").and_then(Node::text) == Some(slug))?;
        named.get("protocol").and_then(Node::text)
    };
    let of_passwords = directory.password_connections.iter().map(|slug| ("password_connections", slug));
    let passed = directory.pass_through.iter().map(|rule| ("pass_through", &rule.connection));
    for (key, slug) in of_passwords.chain(passed) {
        let message = match speaks(slug) {
            Some("ldap") => continue,
            Some(other) => format!("the connection `{slug}` speaks {other}; it has to be one with `protocol: ldap`"),
            None => {
                apps::no_connection(slug, connections.iter().filter_map(|node| node.get("slug").and_then(Node::text)))
            }
        };
        complaints.add(fields.node().place_of(key), fields.path(key), message);
    }
}
