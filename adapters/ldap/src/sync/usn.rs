//! Changes by the update sequence number (MS-ADTS section 3.1.1.1.9): each domain controller counts for itself, so the
//! numbers of one say nothing at another, or after it was restored.

use std::collections::HashSet;

use fedbridge_contract::directory::{Seen, SyncError};
use fedbridge_ldap_core::control::SHOW_DELETED;
use fedbridge_ldap_core::value::uuid;
use fedbridge_ldap_core::{Control, Dn, Filter, Scope};
use serde::{Deserialize, Serialize};

use super::cookie::Mark;
use super::reading::{People, Reading, read_one};
use crate::wire::Lease;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UsnMark {
    controller: Controller,
    /// The highest number that was committed before the first entry was read.
    usn: u64,
}

/// Whose numbers they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Controller {
    /// Its `dsServiceName`.
    service: String,
    /// Another one after a restore (MS-DRSR section 5.91). `None`: the service account may not read it.
    invocation: Option<String>,
}

/// What a controller says of itself.
struct Here {
    controller: Controller,
    usn: u64,
    /// The domain's own naming context.
    domain: String,
}

pub(super) async fn full(reading: &mut Reading<'_>) -> Result<Mark, SyncError> {
    let mut lease = reading.lease().await?;
    let Here { controller, usn, .. } = here(&mut lease).await?;
    let search = reading.search(None);
    reading.people(lease, search, &mut People { keys: None, newest: None }).await?;
    Ok(Mark::Usn(UsnMark { controller, usn }))
}

pub(super) async fn delta(reading: &mut Reading<'_>, mark: &UsnMark) -> Result<Mark, SyncError> {
    let mut lease = reading.lease().await?;
    let here = here(&mut lease).await?;
    if here.controller != mark.controller {
        let why = format!("another domain controller answers, or it was restored: {}", here.controller.service);
        return Err(SyncError::FullNeeded(why));
    }
    if here.usn < mark.usn {
        return Err(SyncError::FullNeeded(format!("{} has gone back in its numbers", here.controller.service)));
    }
    let next = UsnMark { controller: here.controller, usn: here.usn };
    if here.usn == mark.usn {
        return Ok(Mark::Usn(next));
    }
    let changed = Filter::AtLeast("uSNChanged".to_owned(), (mark.usn + 1).to_string().into_bytes().into());
    let mut there = HashSet::new();
    let search = reading.search(Some(changed.clone()));
    let mut people = People { keys: Some(&mut there), newest: None };
    let lease = same(reading.people(lease, search, &mut people).await?)?;
    let mut gone = Vec::new();
    // Whoever was moved out of the base, or changed so that the filter finds them no more.
    let person = Filter::Equal("objectClass".to_owned(), b"person".to_vec().into());
    let anywhere = Filter::And(vec![person, changed.clone()]);
    let what = (here.domain.as_str(), Scope::Sub, anywhere);
    let lease = same(reading.keys(lease, what, Vec::new(), |key, _| gone.push(key)).await?)?;
    // Without the right to see them nothing comes: then a comparison of all keys finds who is missing.
    let dead = Filter::Equal("isDeleted".to_owned(), b"TRUE".to_vec().into());
    let what = (here.domain.as_str(), Scope::Sub, Filter::And(vec![dead, changed]));
    let show = vec![Control::new(SHOW_DELETED, true)];
    match reading.keys(lease, what, show, |key, _| gone.push(key)).await {
        Ok(_) | Err(SyncError::Refused(_)) => {}
        Err(error) => return Err(error),
    }
    for key in gone.into_iter().filter(|key| !there.contains(key)) {
        reading.say(Seen::Gone(key)).await?;
    }
    Ok(Mark::Usn(next))
}

/// All searches of a run are at one controller.
fn same(lease: Option<Lease>) -> Result<Lease, SyncError> {
    lease.ok_or_else(|| SyncError::Unavailable("the search went on at another server".to_owned()))
}

async fn here(lease: &mut Lease) -> Result<Here, SyncError> {
    let root = read_one(lease, "", &["dsServiceName", "highestCommittedUSN", "defaultNamingContext"]).await?;
    let root = root.ok_or_else(|| SyncError::Refused("the server says nothing of itself".to_owned()))?;
    let text = |name: &str| {
        let value = root.text(name).map(str::to_owned);
        value.ok_or_else(|| {
            SyncError::Refused(format!("the server does not say its {name}: is it a domain controller?"))
        })
    };
    let (service, domain) = (text("dsServiceName")?, text("defaultNamingContext")?);
    let usn = text("highestCommittedUSN")?;
    let usn = usn.parse().map_err(|_| SyncError::Refused(format!("highestCommittedUSN is `{usn}`")))?;
    if Dn::parse(&service).is_err() {
        return Err(SyncError::Refused("dsServiceName is no DN".to_owned()));
    }
    let settings = read_one(lease, &service, &["invocationId"]).await?;
    let invocation = settings.and_then(|entry| uuid::guid_to_text(entry.values("invocationId").first()?));
    Ok(Here { controller: Controller { service, invocation }, usn, domain })
}
