//! `provisions`: which connections' people another one pushes.

use fedbridge_contract::push::Belonging;
use fedbridge_contract::text::nearest;

use crate::settings::complaints::Complaints;

use super::desired::DesiredConnection;
use super::fields::Fields;
use super::node::Node;
use super::tenants::Scope;

/// Each name is one of the tenant's connections by which people log in, and the people of one connection are pushed by
/// one other: of two nobody could say whose word counts.
pub fn check(
    nodes: &[Node],
    tenant: &Fields<'_>,
    connections: &[DesiredConnection],
    scope: &Scope<'_>,
    complaints: &mut Complaints,
) {
    let logs_in = |connection: &&DesiredConnection| {
        scope.context.registry.find(&connection.protocol).is_none_or(|factory| factory.can_log_in())
    };
    let by_login: Vec<&str> = connections.iter().filter(logs_in).map(|connection| connection.slug.as_str()).collect();
    let mut taken: Vec<(&str, &str)> = Vec::new();
    for connection in connections {
        let slug = connection.slug.as_str();
        for (at, name) in Belonging::names(&connection.settings).enumerate() {
            let message = if let Some((_, other)) = taken.iter().find(|(it, _)| *it == name) {
                format!("the people of `{name}` are pushed by the connection {other} already")
            } else if by_login.contains(&name) {
                taken.push((name, slug));
                continue;
            } else if connections.iter().any(|it| it.slug == name) {
                format!("nobody logs in by the connection `{name}`")
            } else {
                let hint = nearest(name, by_login.iter().copied());
                let hint = hint.map_or_else(String::new, |name| format!("; the nearest is `{name}`"));
                format!("the tenant has no connection `{name}`{hint}")
            };
            let step = format!("provisions[{at}]");
            let node = nodes.iter().find(|node| node.get("slug").and_then(Node::text) == Some(slug));
            let place = node.map_or(&connection.place, |node| node.place_of(&step));
            complaints.add(place, tenant.path(&format!("connections[{slug}].{step}")), message);
        }
    }
}
