//! A receiver of signals of one tenant, at the other.

use super::rows::{Good, Row, same};
use super::world::{Came, Place, Sent, World};

/// As the bridge file has it: a token of its own in each tenant.
pub fn receiver(slug: &str) -> String {
    format!("    signal_receivers:\n      - slug: siem\n        bearer_token: {{ value: {} }}\n", own_token(slug))
}

fn own_token(slug: &str) -> String {
    format!("what-a-receiver-shows-at-{slug}-and-nowhere-else")
}

/// Nothing is asked for that can be read, so who is known is told what is wrong with it.
pub fn rows(world: &World) -> Vec<Row> {
    let shown = |form| Sent { bearer: Some(own_token(world.own.slug)), form, ..Sent::default() };
    let known: fn(&Came) -> bool = |came| matches!(came.status, 200 | 400 | 404);
    let row = |route, form| same(Place::Tenant(route), "a receiver's token", Good::Answer(known), shown(form));
    vec![
        row("signals/stream", None),
        row("signals/status", None),
        row("signals/verify", Some(Vec::new())),
        row("signals/subjects/add", Some(Vec::new())),
        row("signals/subjects/remove", Some(Vec::new())),
        row("signals/poll", Some(Vec::new())),
    ]
}
