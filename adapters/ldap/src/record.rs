//! Somebody as the directory describes them, without their being here: what a sync takes in.

use fedbridge_contract::directory::ProvisionedRecord;
use fedbridge_contract::password::Why;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use crate::directory::{Directory, Told, Trouble};
use crate::wire::Entry;
use crate::{attributes, groups, key, ranged, state};

/// Makes the record of an entry that was read with [`Directory::wanted`]. Groups are looked for as at a login.
///
/// # Errors
/// The entry has no key, or its groups can't be found out.
pub(crate) async fn of(directory: &Directory, mut entry: Entry, now: Timestamp) -> Result<ProvisionedRecord, Trouble> {
    // Steps of thousands of people belong in no trace.
    let mut trace = TraceLog::new();
    let mut told = Told { now, trace: &mut trace };
    let subject = key::subject(&directory.settings.users, &entry).map_err(Trouble)?;
    ranged::complete(directory, &mut entry, &mut told).await?;
    let groups = groups::of(directory, &entry, &mut told).await?;
    let attributes = attributes::of(&directory.settings, &entry, groups.as_deref(), told.trace)?;
    let disabled = disabled(&entry, now);
    Ok(ProvisionedRecord { subject, place: Some(entry.dn), attributes, disabled })
}

/// What keeps the person out until somebody changes it. Wrong passwords, and a password that is too old, end no session.
pub(crate) fn disabled(entry: &Entry, now: Timestamp) -> Option<String> {
    let barred = state::barred(entry, now)?;
    (!barred.passing && barred.why != Why::PasswordExpired).then_some(barred.says)
}
