//! Patches users and groups, by every profile.

use fedbridge_scim_core::patch::{MemberChange, Patch, Patched};
use fedbridge_scim_core::resource::{Resource, Rules};
use fedbridge_scim_core::{Profile, ResourceKind, json};

use crate::world::{SCHEMAS, draft, is_as_kept, somebody};

/// The first line is a patch, the rest a user or a group, perhaps.
///
/// # Panics
/// What comes out could not have been sent, or is told wrongly.
pub fn check(octets: &[u8]) {
    let (patch, before) = match octets.iter().position(|octet| *octet == b'\n') {
        Some(at) => (&octets[..at], &octets[at + 1..]),
        None => (octets, &[][..]),
    };
    let Ok(body) = json::read(patch) else { return };
    let before = json::read(before).ok();
    for kind in ResourceKind::ALL {
        let Ok(patch) = Patch::read(kind, body.clone(), &SCHEMAS) else { continue };
        let sent = before.clone().and_then(|before| draft(kind, before)).map(|draft| draft.resource);
        let before = sent.unwrap_or_else(|| somebody(kind));
        for profile in &Profile::ALL {
            let alone = patch.is_of_members_alone();
            let Ok(patched) = patch.clone().apply(&before, &SCHEMAS, profile, Rules::default()) else { continue };
            assert!(!alone || patched.leaves_document(), "members alone, and the document changes");
            says_what_it_does(&before, &patched);
        }
    }
}

fn says_what_it_does(before: &Resource, patched: &Patched<'_>) {
    is_as_kept(&patched.resource);
    assert_eq!(patched.resource.kind, before.kind);
    let changed = patched.changes.iter().filter(|change| change.path != "password").count();
    assert_eq!(changed == 0, patched.resource == *before, "changes that are none, or are not told");
    for change in &patched.changes {
        let password = change.path == "password";
        assert!(!password || (change.before.is_none() && change.after.is_none()), "a password is told");
        assert!(password || change.before != change.after, "{} does not change", change.path);
    }
    assert_eq!(patched.password.is_some(), changed < patched.changes.len(), "a password is set and not told");
    assert!(before.kind == ResourceKind::Group || patched.members.is_empty(), "a user has no members");
    for change in &patched.members {
        if let MemberChange::Add(ids) | MemberChange::Remove(ids) | MemberChange::Replace(ids) = change {
            assert!(ids.iter().all(|id| !id.is_empty()), "a member without an id");
        }
    }
}
