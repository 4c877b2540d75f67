//! One entry out of all that upstreams say of a person.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::directory::{DirectoryPerson, KnownLogin, PosixNumbers};
use fedbridge_contract::ldap_directory::Posix;
use fedbridge_contract::time::Timestamp;
use serde_json::Value;

use crate::ports::{ProfiledPerson, StoredProfile};
use crate::run::snapshot::TenantSnapshot;

pub(super) fn directory_person(tenant: &TenantSnapshot, person: ProfiledPerson) -> DirectoryPerson {
    let ProfiledPerson { person: id, disabled, epoch, created, number, profiles } = person;
    let changed = profiles.iter().map(|profile| profile.changed).max().unwrap_or(created);
    let checks_passwords = |profile: &StoredProfile| {
        let open = tenant.connections.get(&profile.connection);
        open.is_some_and(|open| open.state.as_ref().is_ok_and(|ready| ready.adapter.password.is_some()))
    };
    let logins = profiles.iter().filter(|profile| profile.disabled.is_none() && checks_passwords(profile));
    let logins = logins.map(|profile| KnownLogin {
        connection: profile.connection,
        key: profile.subject_key.clone(),
        place: profile.profile.place.clone(),
    });
    let logins = logins.collect();
    let best = best(profiles);
    let kept_out = best.as_ref().is_none_or(|best| best.disabled.is_some());
    let claims = best.map(|best| best.profile.claims).unwrap_or_default();
    let posix = posix(tenant, number, &claims);
    DirectoryPerson { id, claims, logins, disabled: disabled || kept_out, epoch, posix, created, changed }
}

/// The upstream whose word counts: one that lets the person in before one that does not, then by how it speaks, then
/// the newest. Words of several are not mixed: who reads them would see a person whom no upstream knows.
pub(in crate::run) fn best(profiles: Vec<StoredProfile>) -> Option<StoredProfile> {
    let rank = |it: &StoredProfile| -> (bool, _, Timestamp) { (it.disabled.is_none(), it.source, it.changed) };
    profiles.into_iter().max_by_key(rank)
}

fn posix(tenant: &TenantSnapshot, number: Option<u32>, claims: &Claims) -> Option<PosixNumbers> {
    match tenant.view.settings.ldap.as_ref()?.posix {
        Posix::Off => None,
        // The person's own group, whether or not it is shown.
        Posix::Allocate => number.map(|number| PosixNumbers { uid: number, gid: number }),
        Posix::Upstream => {
            let uid = number_of(claims.get("uid_number")?)?;
            let gid = claims.get("gid_number").and_then(number_of).unwrap_or(uid);
            Some(PosixNumbers { uid, gid })
        }
    }
}

fn number_of(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        Value::Array(several) => several.first().and_then(number_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::ids::ConnectionId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::ports::{Profile, ProfileSource};

    #[test]
    fn one_upstream_speaks_for_a_person() {
        let said = |name: &str, source, disabled: bool, changed| StoredProfile {
            connection: ConnectionId::from_uuid(Uuid::nil()),
            source,
            subject_key: name.to_owned(),
            profile: Profile::default(),
            disabled: disabled.then(|| "locked".to_owned()),
            created: Timestamp::from_millis(0),
            changed: Timestamp::from_millis(changed),
        };
        let best = |all: &[StoredProfile]| best(all.to_vec()).map(|it| it.subject_key);
        let login = said("login", ProfileSource::Login, false, 9);
        let sync = said("sync", ProfileSource::Sync, false, 1);
        let newer = said("newer", ProfileSource::Sync, false, 2);
        let push = said("push", ProfileSource::Push, true, 5);
        assert_eq!(best(&[login.clone(), push.clone()]).as_deref(), Some("login"), "a locked one says nothing");
        assert_eq!(best(&[login.clone(), sync.clone()]).as_deref(), Some("sync"));
        assert_eq!(best(&[newer, sync.clone()]).as_deref(), Some("newer"));
        assert_eq!(best(&[push]).as_deref(), Some("push"));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn numbers_of_an_upstream_come_in_any_form() {
        for (value, number) in
            [(json!(1000), Some(1000)), (json!("1000"), Some(1000)), (json!(["7", "8"]), Some(7)), (json!(-1), None)]
        {
            assert_eq!(number_of(&value), number, "{value}");
        }
    }
}
