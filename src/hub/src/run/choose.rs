//! Which connection a login goes to: pure, so that a preview gives the same answer.

use std::sync::Arc;

use fedbridge_contract::config::App;
use fedbridge_contract::downstream::ConnectionHints;
use fedbridge_contract::trace::TraceLog;

use super::snapshot::{OpenConnection, TenantSnapshot};

pub enum Choice {
    Go(Arc<OpenConnection>),
    /// A page asks, in this order.
    Ask(Vec<Arc<OpenConnection>>),
    /// The sentence is for the person.
    Refuse(&'static str),
}

/// Chooses by `connection=`, then by domain, then by there being one.
///
/// Only connections count that can log a person in, are enabled, and that the app may use.
pub fn choose(
    tenant: &TenantSnapshot,
    app: Option<&App>,
    hints: &ConnectionHints,
    ask: bool,
    trace: &mut TraceLog,
) -> Choice {
    let mut candidates: Vec<_> = tenant
        .view
        .connections
        .iter()
        .filter_map(|view| tenant.connections.get(&view.id))
        .filter(|open| open.can_log_in && open.view.enabled && app.is_none_or(|app| app.allows(open.view.id)))
        .cloned()
        .collect();
    if let Some(slug) = &hints.connection {
        return match candidates.into_iter().find(|open| open.view.slug == *slug) {
            Some(open) => {
                trace.decide("connection", format!("`{slug}`, asked for by the connection parameter"), true);
                Choice::Go(open)
            }
            None => {
                trace.decide("connection", format!("`{slug}` was asked for, and this app can't use it"), false);
                Choice::Refuse("This way to log in is not available for this application.")
            }
        };
    }
    if !ask && let Some(domain) = hinted_domain(hints) {
        let owner =
            candidates.iter().find(|open| open.view.domains.iter().any(|own| own.eq_ignore_ascii_case(&domain)));
        if let Some(open) = owner {
            trace.decide("connection", format!("`{}`, which owns the domain {domain}", open.view.slug), true);
            return Choice::Go(Arc::clone(open));
        }
    }
    match candidates.len() {
        0 => {
            trace.decide("connection", "no enabled connection can log a person in to this app", false);
            Choice::Refuse("No way to log in is set up for this application.")
        }
        1 if !ask => {
            let open = candidates.remove(0);
            trace.decide("connection", format!("`{}`, the only one", open.view.slug), true);
            Choice::Go(open)
        }
        count => {
            trace.decide("connection", format!("a page asks, {count} connections"), true);
            Choice::Ask(candidates)
        }
    }
}

/// The domain of `domain_hint`, or of a `login_hint` that looks like an e-mail address.
fn hinted_domain(hints: &ConnectionHints) -> Option<String> {
    if let Some(domain) = &hints.domain_hint {
        return Some(domain.trim().to_ascii_lowercase());
    }
    let (local, domain) = hints.login_hint.as_deref()?.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then(|| domain.trim().to_ascii_lowercase())
}
