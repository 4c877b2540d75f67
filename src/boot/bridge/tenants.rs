//! The tenants of a bridge file, and the rules that hold between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use fedbridge_contract::text::nearest;
use fedbridge_hub::spec::TenantExtras;

use crate::settings::complaints::{Complaints, Place};

use super::Context;
use super::connections::AppNames;
use super::desired::DesiredTenant;
use super::fields::Fields;
use super::names::{self, Names};
use super::node::Node;
use super::secrets::StoredPaths;
use super::{clients, connections, extras, ldap_directory, metadata, scim_apps, service_providers, signal_receivers};

/// Reads every tenant that can be read, and complains about the rest.
pub async fn read(nodes: &[Node], context: &Context<'_>, complaints: &mut Complaints) -> Vec<DesiredTenant> {
    let mut tenants = Vec::new();
    let mut slugs = Names::default();
    for (index, node) in nodes.iter().enumerate() {
        let path = match node.get("slug").and_then(Node::text) {
            Some(slug) => format!("tenants[{slug}]"),
            None => format!("tenants[{index}]"),
        };
        if let Some(fields) = Fields::of(node, path, complaints) {
            tenants.extend(tenant(fields, &mut slugs, context, complaints).await);
        }
    }
    ldap_directory::bases_are_apart(&tenants, nodes, complaints);
    domains_are_unique(&tenants, nodes, complaints);
    parents_resolve(&tenants, nodes, context, complaints);
    tenants
}

async fn tenant(
    mut fields: Fields<'_>,
    slugs: &mut Names,
    context: &Context<'_>,
    complaints: &mut Complaints,
) -> Option<DesiredTenant> {
    let slug = names::slug(&mut fields, complaints);
    if let Some(slug) = &slug {
        let place = fields.node().place_of("slug");
        slugs.claim(slug, place, &fields.path("slug"), "a tenant", complaints);
        if slug == "system" {
            complaints.add(place, fields.path("slug"), "`system` is reserved; choose another slug");
        }
    }
    let was = names::was(&mut fields, slug.as_deref(), complaints);
    let display_name = fields.text("display_name", complaints);
    let enabled = fields.flag("enabled", true, complaints);
    let parent = fields.text("parent", complaints);
    let domains = names::domains(&mut fields, complaints);
    let extras = extras::read(&mut fields, complaints);
    let stored = StoredPaths::of(context.configuration, slug.as_deref().unwrap_or_default(), was.as_deref());
    let documents = metadata::Known::of(context.configuration, slug.as_deref().unwrap_or_default(), was.as_deref());
    let scope = Scope {
        slug: slug.as_deref().unwrap_or("-"),
        domains: &domains,
        egress_hosts: extras.egress_hosts.as_deref().map(Arc::from),
        stored: &stored,
        documents: &documents,
        context,
    };

    // Apps are named first, because connections may refer to them.
    let client_nodes = fields.list("clients", complaints);
    let provider_nodes = fields.list("service_providers", complaints);
    let apps = AppNames {
        clients: client_nodes.iter().filter_map(|node| node.get("client_id")?.text()).collect(),
        providers: provider_nodes.iter().filter_map(|node| node.get("slug")?.text()).collect(),
    };
    let connection_nodes = fields.list("connections", complaints);
    let connection_slugs: Vec<&str> = connection_nodes.iter().filter_map(|node| node.get("slug")?.text()).collect();
    let connections = connections::read(connection_nodes, &fields, &scope, &apps, complaints).await;
    let clients = clients::read(client_nodes, &fields, &scope, &connection_slugs, complaints);
    let service_providers =
        service_providers::read(provider_nodes, &fields, &scope, &connection_slugs, complaints).await;

    let scim_nodes = fields.list("scim_apps", complaints);
    let scim_apps = scim_apps::read(scim_nodes, &fields, &scope, complaints);
    let receiver_nodes = fields.list(signal_receivers::LIST, complaints);
    let signal_receivers = signal_receivers::read(receiver_nodes, &fields, &scope, &clients, complaints);
    let (ldap, ldap_apps) = ldap_directory::read(&mut fields, &scope, connection_nodes, complaints);
    let place = fields.node().place_of("slug").clone();
    fields.finish(complaints);
    let slug = slug?;
    Some(DesiredTenant {
        place,
        display_name: display_name.unwrap_or_else(|| slug.clone()),
        slug,
        was,
        enabled,
        parent,
        domains,
        extras: TenantExtras { ldap, ..extras },
        connections,
        clients,
        service_providers,
        ldap_apps,
        scim_apps,
        signal_receivers,
    })
}

/// The tenant around an object that is being read.
pub struct Scope<'a> {
    pub slug: &'a str,
    pub domains: &'a [String],
    /// Hosts that may be fetched from; `None`: all public ones.
    pub egress_hosts: Option<Arc<[String]>>,
    pub stored: &'a StoredPaths,
    /// What was fetched already.
    pub documents: &'a metadata::Known,
    pub context: &'a Context<'a>,
}

/// The line of a field of the tenant with this slug.
pub fn line<'a>(nodes: &'a [Node], tenant: &'a DesiredTenant, path: &str) -> &'a Place {
    let node = nodes.iter().find(|node| node.get("slug").and_then(Node::text) == Some(tenant.slug.as_str()));
    node.map_or(&tenant.place, |node| node.place_of(path))
}

fn domains_are_unique(tenants: &[DesiredTenant], nodes: &[Node], complaints: &mut Complaints) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for tenant in tenants {
        for domain in &tenant.domains {
            match owners.get(domain.as_str()) {
                Some(owner) if *owner != tenant.slug => {
                    let message =
                        format!("the domain {domain} belongs to the tenant {owner} already; a domain has one tenant");
                    complaints.add(
                        line(nodes, tenant, "domains"),
                        format!("tenants[{}].domains", tenant.slug),
                        message,
                    );
                }
                _ => {
                    owners.insert(domain, &tenant.slug);
                }
            }
        }
    }
}

fn parents_resolve(tenants: &[DesiredTenant], nodes: &[Node], context: &Context<'_>, complaints: &mut Complaints) {
    let stored: BTreeMap<&str, Option<&str>> = context
        .configuration
        .tenants
        .values()
        .map(|tenant| {
            let parent = tenant.tenant.spec.parent.and_then(|id| context.configuration.tenants.get(&id));
            (tenant.tenant.spec.slug.as_str(), parent.map(|parent| parent.tenant.spec.slug.as_str()))
        })
        .collect();
    let parent_of = |slug: &str| -> Option<&str> {
        match tenants.iter().find(|tenant| tenant.slug == slug) {
            Some(tenant) => tenant.parent.as_deref(),
            None => stored.get(slug).copied().flatten(),
        }
    };
    for tenant in tenants {
        let Some(parent) = &tenant.parent else { continue };
        let place = line(nodes, tenant, "parent");
        let path = format!("tenants[{}].parent", tenant.slug);
        let known = || tenants.iter().map(|tenant| tenant.slug.as_str()).chain(stored.keys().copied());
        if !known().any(|slug| slug == parent) {
            let others = known().filter(|slug| *slug != tenant.slug);
            let hint = nearest(parent, others).map_or_else(String::new, |slug| format!("; the nearest is `{slug}`"));
            complaints.add(place, path, format!("there is no tenant `{parent}`{hint}"));
            continue;
        }
        let mut at = parent.as_str();
        for _ in 0..=tenants.len() + stored.len() {
            if at == tenant.slug {
                let message = format!("the tenant stands under itself by way of `{parent}`; break the circle");
                complaints.add(place, &path, message);
                break;
            }
            match parent_of(at) {
                Some(next) => at = next,
                None => break,
            }
        }
    }
}
