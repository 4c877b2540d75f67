//! The assertion control (RFC 4528): an operation happens only where a filter fits its entry.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::runtime::within;
use fedbridge_ldap_core::{Code, Filter, LdapResult, Scope, Search};
use tokio::runtime::Handle;

use crate::backend::{Asked, Backend, Identity};

/// Asks whether a filter fits an entry that the reader may see.
///
/// # Errors
/// What the operation is answered with: it does not fit, or nobody can say.
pub(crate) async fn check(
    backend: &dyn Backend,
    as_: &Identity,
    dn: &str,
    filter: &Filter,
    runtime: Option<&Handle>,
) -> Result<(), LdapResult> {
    let search = Search {
        base: dn.to_owned(),
        scope: Scope::Base,
        aliases: 0,
        size: 0,
        time: 0,
        types_only: true,
        filter: filter.clone(),
        attributes: vec!["1.1".to_owned()],
    };
    let mut fits = false;
    let mut fetched = None;
    loop {
        let asked = Asked { search: &search, as_, fetched: fetched.as_ref(), ask_for: 1, after: 0 };
        let page = backend.search(&asked, &mut |_| {
            fits = true;
            false
        });
        if page.missing.is_empty() {
            break;
        }
        fetched = Some(within(runtime, backend.fetch(&page.missing)).await.map_err(|error| silent(&error))?);
    }
    if fits { Ok(()) } else { Err(LdapResult::new(Code::ASSERTION_FAILED, "")) }
}

/// The answer where the store is needed and does not answer.
pub(crate) fn silent(error: &StoreError) -> LdapResult {
    tracing::warn!(%error, "an entry that is not in memory could not be read from the store");
    LdapResult::new(Code::UNAVAILABLE, "the database does not answer; try again")
}
