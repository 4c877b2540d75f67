//! Finds entries: one person by what was typed or by the key, and what all people have in common.

use bytes::Bytes;
use fedbridge_ldap_core::{Code, Dn, Filter, FilterTemplate, Scope, Substrings};

use crate::directory::{Directory, Told, Trouble};
use crate::names::Typed;
use crate::settings::{BindStyle, Users};
use crate::wire::{Answers, AsUser, Entry, Search};
use crate::{key, ranged};

/// What a search for one person gives.
#[derive(Debug)]
pub enum Found {
    One(Entry),
    /// Nobody, or more than one: both are nobody who can log in. The sentence is for the trace.
    Nobody(String),
}

/// The entry of whoever is meant: exactly one, and below the base.
pub(crate) async fn typed(directory: &Directory, typed: &Typed, told: &mut Told<'_>) -> Result<Found, Trouble> {
    let users = &directory.settings.users;
    let search = match typed {
        Typed::Found(filter) => Search::new(&users.base, users.scope, filter.clone()),
        Typed::At(dn) => {
            if let Some(nobody) = placed(users, dn, told) {
                return Ok(nobody);
            }
            Search::new(dn, Scope::Base, Filter::Present("objectClass".to_owned()))
        }
    };
    one(directory, search, told).await
}

/// The entry of a key, as long as it is among the connection's people.
pub(crate) async fn known(directory: &Directory, key: &str, told: &mut Told<'_>) -> Result<Found, Trouble> {
    let users = &directory.settings.users;
    let Some(filter) = key::filter(users, key) else {
        return Ok(Found::Nobody("the key is of another kind than users.key".to_owned()));
    };
    let filter = Filter::And(vec![filter, directory.everybody.clone()]);
    one(directory, Search::new(&users.base, users.scope, filter), told).await
}

/// Reads an entry again where it is.
pub(crate) async fn again(directory: &Directory, dn: &str, told: &mut Told<'_>) -> Result<Found, Trouble> {
    one(directory, Search::new(dn, Scope::Base, Filter::Present("objectClass".to_owned())), told).await
}

/// The entry at a DN, as its person sees it.
pub(crate) async fn as_person(
    directory: &Directory,
    dn: &str,
    session: &mut AsUser,
    told: &mut Told<'_>,
) -> Result<Found, Trouble> {
    let search = Search::new(dn, Scope::Base, Filter::Present("objectClass".to_owned()));
    let search = Search { size: 2, ..search.attributes(&directory.wanted) };
    let answers = directory.search_as(session, "the person's own entry", &search, told).await?;
    Ok(match exactly_one(&directory.settings.users, &search, answers, told)? {
        Ok(entry) => Found::One(entry),
        Err(nobody) => nobody,
    })
}

async fn one(directory: &Directory, search: Search, told: &mut Told<'_>) -> Result<Found, Trouble> {
    // A second entry is enough to know that there is not one.
    let search = Search { size: 2, ..search.attributes(&directory.wanted) };
    let answers = directory.search("search for the person", &search, told).await?;
    match exactly_one(&directory.settings.users, &search, answers, told)? {
        Ok(mut entry) => {
            ranged::complete(directory, &mut entry, told).await?;
            Ok(Found::One(entry))
        }
        Err(nobody) => Ok(nobody),
    }
}

fn exactly_one(
    users: &Users,
    search: &Search,
    answers: Answers,
    told: &mut Told<'_>,
) -> Result<Result<Entry, Found>, Trouble> {
    let missing = answers.result.code == Code::NO_SUCH_OBJECT;
    if missing && search.base == users.base {
        let why = format!("the base {} is not there, or the service account may not see it", users.base);
        told.trace.check("Base", "connection setting users.base", "an entry", &why, false);
        return Err(Trouble(why));
    }
    if !missing && !matches!(answers.result.code, Code::SUCCESS | Code::SIZE_LIMIT) {
        let why = format!("{}: the search fails with {}", answers.server, answers.result.code);
        told.trace.check("Search", "RFC 4511 4.5.2", "success", &why, false);
        return Err(Trouble(why));
    }
    let count = counted(&answers);
    let one = told.trace.check("Entries found", "connection setting users.filter", "exactly one", &count, count == "1");
    match answers.entries.into_iter().next().filter(|_| one) {
        None => Ok(Err(Found::Nobody(format!("{count} entries")))),
        Some(entry) if below(users, &entry.dn) => Ok(Ok(entry)),
        Some(entry) => Ok(Err(outside(users, &entry.dn, told))),
    }
}

/// How many came. A search that was cut short may have missed another.
fn counted(answers: &Answers) -> String {
    match (answers.entries.len(), answers.result.code) {
        (count @ 0..2, Code::SIZE_LIMIT) => format!("{count}, and more that the server holds back"),
        (2.., _) => "2 or more".to_owned(),
        (count, _) => count.to_string(),
    }
}

/// Whether a DN is where people are. What is no DN is nowhere.
pub(crate) fn below(users: &Users, dn: &str) -> bool {
    Dn::parse(dn).is_ok_and(|dn| dn.is_under(&users.base_dn))
}

/// A DN that was made of a name: `Some` where nobody can be there.
pub(crate) fn placed(users: &Users, dn: &str, told: &mut Told<'_>) -> Option<Found> {
    (!below(users, dn)).then(|| outside(users, dn, told))
}

fn outside(users: &Users, dn: &str, told: &mut Told<'_>) -> Found {
    told.trace.check("Place", "connection setting users.base", format!("below {}", users.base), dn, false);
    Found::Nobody(format!("{dn} is outside of {}", users.base))
}

/// The filter that finds everybody whom `users.filter` finds by some name: a comparison with what was typed becomes a
/// question whether there is anything.
pub fn everybody(users: &Users) -> Filter {
    match users.bind {
        BindStyle::Template(_) => Filter::Present("objectClass".to_owned()),
        _ => any(&users.filter),
    }
}

/// Stands for what was typed. Nobody writes it into a filter.
const ANYTHING: &str = "\u{1}anything\u{1}";

fn any(template: &FilterTemplate) -> Filter {
    loosened(template.fill(&[("username", ANYTHING), ("local", ANYTHING), ("domain", ANYTHING)]))
}

fn loosened(filter: Filter) -> Filter {
    let typed = |value: &Bytes| value.windows(ANYTHING.len()).any(|window| window == ANYTHING.as_bytes());
    match filter {
        Filter::And(inner) => Filter::And(inner.into_iter().map(loosened).collect()),
        Filter::Or(inner) => Filter::Or(inner.into_iter().map(loosened).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(loosened(*inner))),
        Filter::Equal(name, value)
        | Filter::AtLeast(name, value)
        | Filter::AtMost(name, value)
        | Filter::Approximately(name, value)
            if typed(&value) =>
        {
            Filter::Present(name)
        }
        Filter::Substrings(name, Substrings { first, any, last })
            if first.iter().chain(&any).chain(&last).any(typed) =>
        {
            Filter::Present(name)
        }
        Filter::Extensible { attribute: Some(name), value, .. } if typed(&value) => Filter::Present(name),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_whoever_some_name_finds() {
        for (template, everybody) in [
            ("(uid={username})", "(uid=*)"),
            (
                "(&(objectClass=person)(|(uid={username})(mail={username}@acme.example)))",
                "(&(objectClass=person)(|(uid=*)(mail=*)))",
            ),
            ("(&(cn=a{local}*)(sn=b*))", "(&(cn=*)(sn=b*))"),
            ("(&(uid:caseExactMatch:={local})(!(pwdAccountLockedTime=*)))", "(&(uid=*)(!(pwdAccountLockedTime=*)))"),
        ] {
            let template = FilterTemplate::parse(template, &["username", "local", "domain"]).unwrap();
            assert_eq!(any(&template).print(), everybody);
        }
    }
}
