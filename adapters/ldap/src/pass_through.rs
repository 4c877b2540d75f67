//! Subtrees of the directory for our own LDAP server, as they are: what is asked there is asked here, as the service
//! account. Passwords are in no answer and in no question.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::directory::{PassThrough, PassedResult, PassedSearch};
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::{Code, Dn, Entry, Filter, LdapResult, Op, Scope};
use tokio::sync::mpsc::Sender;

use crate::attributes::is_secret;
use crate::directory::{Directory, SharedDirectory};
use crate::wire::{self, Item, Search, WireError};

/// How long a search may go on that names no limit.
const LONGEST: Duration = Duration::from_secs(120);

/// Entries that are fetched at once.
const PAGE: u32 = 500;

#[async_trait]
impl PassThrough for SharedDirectory {
    async fn search(&self, passed: PassedSearch, sink: Sender<Bytes>) -> PassedResult {
        let Some(search) = asked(&self.0, &passed) else { return ended(Code::NO_SUCH_OBJECT) };
        if mentions_a_secret(&search.filter) {
            return ended(Code::UNWILLING);
        }
        let limit = if passed.time_limit.is_zero() { LONGEST } else { passed.time_limit };
        let through = hand_on(&self.0, search, &sink);
        tokio::time::timeout(limit, through).await.unwrap_or_else(|_| ended(Code::TIME_LIMIT))
    }

    async fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> PassedResult {
        if !is_ours(&self.0, dn) {
            return ended(Code::NO_SUCH_OBJECT);
        }
        if is_secret_description(attribute) {
            return ended(Code::NO_SUCH_ATTRIBUTE);
        }
        match self.0.upstream.compare(dn, attribute, value).await {
            Ok(result) => of(&result),
            Err(error) => failed(&error),
        }
    }
}

/// The search as the directory is asked; `None`: it has nothing there that is ours to show.
fn asked(directory: &Directory, passed: &PassedSearch) -> Option<Search> {
    let scope = Scope::of(i64::from(passed.scope))?;
    let filter = Filter::decode(&passed.filter).ok()?;
    is_ours(directory, &passed.base).then(|| Search {
        size: passed.size_limit,
        time: passed.time_limit,
        page: Some(PAGE),
        ..Search::new(&passed.base, scope, filter).attributes(&passed.attributes)
    })
}

/// Whether a name is below one of the connection's bases.
fn is_ours(directory: &Directory, dn: &str) -> bool {
    let settings = &directory.settings;
    let groups = settings.groups.as_ref().map(|groups| &groups.base_dn);
    Dn::parse(dn).is_ok_and(|dn| groups.into_iter().chain([&settings.users.base_dn]).any(|base| dn.is_under(base)))
}

async fn hand_on(directory: &Directory, search: Search, sink: &Sender<Bytes>) -> PassedResult {
    let mut entries = match directory.upstream.search(search).await {
        Ok(entries) => entries,
        Err(error) => return failed(&error),
    };
    loop {
        match entries.next().await {
            Ok(Some(Item::Entry(entry, _))) => {
                if sink.send(written(entry)).await.is_err() {
                    // Nobody listens any more; a connection that can't be freed is closed.
                    let _ = entries.stop().await;
                    return ended(Code::SIZE_LIMIT);
                }
            }
            Ok(Some(Item::Intermediate { .. })) => {}
            Ok(None) => return entries.result().map_or_else(|| ended(Code::OTHER), |(result, _)| of(result)),
            Err(error) => return failed(&error),
        }
    }
}

/// The octets of a SearchResultEntry.
fn written(entry: wire::Entry) -> Bytes {
    let attributes = entry.attributes.into_iter().filter(|(description, _)| !is_secret_description(description));
    let attributes = attributes.map(|(name, values)| (name, values.into_iter().map(Bytes::from).collect()));
    Op::Entry(Entry { dn: entry.dn, attributes: attributes.collect() }).octets()
}

/// A question about a password would be answered by who is found.
fn mentions_a_secret(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().any(mentions_a_secret),
        Filter::Not(not) => mentions_a_secret(not),
        Filter::Equal(name, _)
        | Filter::Substrings(name, _)
        | Filter::AtLeast(name, _)
        | Filter::AtMost(name, _)
        | Filter::Present(name)
        | Filter::Approximately(name, _) => is_secret_description(name),
        // Without a name it asks all attributes that the rule is for.
        Filter::Extensible { attribute, .. } => attribute.as_deref().is_none_or(is_secret_description),
    }
}

fn is_secret_description(description: &str) -> bool {
    let parsed = Description::of(description);
    is_secret(parsed.base) || parsed.known().is_some_and(|known| is_secret(known.name()))
}

fn of(result: &LdapResult) -> PassedResult {
    PassedResult { code: result.code.0, matched_dn: result.matched.clone() }
}

fn ended(code: Code) -> PassedResult {
    PassedResult { code: code.0, matched_dn: String::new() }
}

fn failed(error: &WireError) -> PassedResult {
    ended(if *error == WireError::Busy { Code::BUSY } else { Code::UNAVAILABLE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_in_no_question() {
        for (filter, expected) in [
            ("(uid=a)", false),
            ("(userPassword=*)", true),
            ("(&(uid=a)(!(USERPASSWORD;x=a)))", true),
            ("(2.5.4.35=a)", true),
            ("(|(cn=a*)(unicodePwd>=a))", true),
            ("(:caseExactMatch:=a)", true),
            ("(cn:caseExactMatch:=a)", false),
        ] {
            assert_eq!(mentions_a_secret(&Filter::parse(filter).unwrap()), expected, "{filter}");
        }
    }
}
