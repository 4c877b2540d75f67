//! Whether some group has changed. A person's own entry does not say so: `memberOf` is worked out, or written without a
//! trace, and who was taken out of a group is named nowhere. Then everybody is read again, some minutes later at the
//! latest.

use fedbridge_contract::directory::SyncError;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::value::time;
use fedbridge_ldap_core::{Filter, Scope};
use openssl::sha::Sha256;

use super::cookie::Cookie;
use super::reading::{ended, unavailable};
use crate::directory::Directory;
use crate::wire::{Item, Search};

const PAGE: u32 = 500;

/// When an entry was changed last.
pub(super) fn time_attribute(directory: &Directory) -> &'static str {
    // There, modifyTimestamp is worked out and can't be searched for.
    if directory.settings.flavor.is_active_directory() { "whenChanged" } else { "modifyTimestamp" }
}

/// The groups that were changed last, as text that another change makes another one; `None`: the connection has no
/// groups.
pub(super) async fn newest(directory: &Directory) -> Result<Option<String>, SyncError> {
    seen(directory, 0).await
}

/// Notes whether a group has changed since.
///
/// # Errors
/// A full run is due for it.
pub(super) async fn look(directory: &Directory, cookie: &mut Cookie, now: Timestamp) -> Result<(), SyncError> {
    if !cookie.regrouped
        && let Some(before) = &cookie.groups
    {
        let from = before.split_once(' ').and_then(|(from, _)| from.parse().ok()).unwrap_or(0);
        cookie.regrouped = seen(directory, from).await?.as_ref() != Some(before);
    }
    match cookie.regrouping_is_due(now) {
        true => Err(SyncError::FullNeeded("a group has changed".to_owned())),
        false => Ok(()),
    }
}

/// The newest time that is not before `from`, and a hash of all groups that were changed then.
async fn seen(directory: &Directory, from: i64) -> Result<Option<String>, SyncError> {
    let Some(groups) = &directory.settings.groups else { return Ok(None) };
    let attribute = time_attribute(directory);
    let printed = time::print(from).unwrap_or_else(|| "19700101000000Z".to_owned());
    let members = ["member", "uniqueMember", "memberUid", "memberURL"];
    let filter = Filter::And(vec![
        Filter::Or(members.iter().map(|name| Filter::Present((*name).to_owned())).collect()),
        Filter::AtLeast(attribute.to_owned(), printed.into_bytes().into()),
    ]);
    let search = Search::new(&groups.base, Scope::Sub, filter).attributes([attribute, "entryCSN", "uSNChanged"]);
    let search = Search { page: Some(PAGE), ..search };
    let mut entries = directory.upstream.search(search).await.map_err(unavailable)?;
    let (mut newest, mut of_newest) = (from, Vec::new());
    while let Some(item) = entries.next().await.map_err(unavailable)? {
        let Item::Entry(entry, _) = item else { continue };
        let Some(at) = entry.text(attribute).and_then(time::parse) else { continue };
        if at > newest {
            (newest, of_newest) = (at, Vec::new());
        }
        if at == newest {
            // Two changes of one second have different numbers, where the server counts them.
            let number = entry.text("entryCSN").or_else(|| entry.text("uSNChanged")).unwrap_or_default();
            of_newest.push(format!("{} {number}", entry.dn));
        }
    }
    ended(&mut entries, &groups.base)?;
    of_newest.sort();
    let mut hash = Sha256::new();
    of_newest.iter().for_each(|one| hash.update(one.as_bytes()));
    let hash: String = hash.finish().iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(Some(format!("{newest} {hash}")))
}
