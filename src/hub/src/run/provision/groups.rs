//! Groups are there as soon as somebody is in them, and numbered where the tenant numbers.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::GroupId;
use fedbridge_contract::ldap_directory::Posix;

use super::known::folded;
use crate::ports::{Command, PosixOwner, Unit, UnitError};
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// Groups of one unit.
const AT_ONCE: usize = 100;

/// A name that is longer names no group: nothing of ours could show it.
const MOST_LETTERS: usize = 256;

impl TenantSnapshot {
    /// From which numbers people and groups get theirs, where they get any from us.
    pub(in crate::run) fn numbers(&self) -> Option<(u32, u32)> {
        let ldap = self.view.settings.ldap.as_ref()?;
        (ldap.posix == Posix::Allocate).then_some(ldap.uid_range)
    }
}

impl Hub {
    /// Sees to it that these groups are there. Where the tenant neither shows a directory nor tells apps there are none.
    pub(in crate::run) async fn ensure_groups<'n>(
        &self,
        tenant: &TenantSnapshot,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), StoreError> {
        if !tenant.keeps_people() {
            return Ok(());
        }
        let (id, range) = (tenant.view.id, tenant.numbers());
        let names = names.into_iter().filter(|name| !name.trim().is_empty() && name.len() <= MOST_LETTERS);
        let mut wanted = self.provisioned.unknown(id, range.is_some(), names);
        if wanted.is_empty() {
            return Ok(());
        }
        let now = self.services.clock.now();
        let there = self.profiles.groups(id).await?;
        let mut commands = Vec::new();
        for group in there.iter().filter(|group| group.number.is_none()) {
            commands.extend(range.map(|range| Command::GiveNumber { owner: PosixOwner::Group(group.id), range }));
        }
        wanted.sort_by_cached_key(|name| folded(name));
        wanted.dedup_by_key(|name| folded(name));
        let known: std::collections::HashSet<_> = there.iter().map(|group| folded(&group.name)).collect();
        for name in wanted.iter().filter(|name| !known.contains(&folded(name))) {
            let group = GroupId::at(now, self.services.rng.as_ref());
            commands.push(Command::EnsureGroup { id: group, name: (*name).to_owned() });
            commands.extend(range.map(|range| Command::GiveNumber { owner: PosixOwner::Group(group), range }));
        }
        while !commands.is_empty() {
            // A group and its number are two commands that may fall into two units.
            let unit = Unit { commands: commands.drain(..commands.len().min(2 * AT_ONCE)).collect(), now };
            self.profiles.provision(id, unit).await.map_err(refused)?;
        }
        let all = there.iter().map(|group| group.name.as_str()).chain(wanted);
        self.provisioned.know(id, range.is_some(), all);
        Ok(())
    }
}

/// A unit without guards.
pub(super) fn refused(error: UnitError) -> StoreError {
    match error {
        UnitError::Store(error) => error,
        UnitError::Guard(guard) => StoreError(guard.to_string()),
    }
}
