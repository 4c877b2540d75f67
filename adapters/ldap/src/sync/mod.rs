//! Reading the people of a directory, all of them or what has changed.
//!
//! Each way to find changes has a file: [`usn`] and [`dirsync`] of Active Directory, [`syncrepl`] (RFC 4533), and
//! [`modify_timestamp`] where a server offers nothing better. [`cookie`] is what is kept between two runs, [`reading`]
//! goes through a search, [`keys`] finds who is gone where a server does not say, [`group_changes`] who may be in
//! other groups.

mod cookie;
mod dirsync;
mod group_changes;
mod keys;
mod modify_timestamp;
mod reading;
mod syncrepl;
mod usn;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::{DirectorySource, RecordSink, SyncCookie, SyncError, SyncSchedule};

use crate::directory::SharedDirectory;
use crate::flavors::SyncMethod;
use cookie::{Cookie, Mark};
use reading::Reading;

#[async_trait]
impl DirectorySource for SharedDirectory {
    fn schedule(&self) -> SyncSchedule {
        let sync = self.0.settings.sync;
        sync.map_or(SyncSchedule { full: DAY, delta: None, most_missing: 0 }, |sync| sync.schedule)
    }

    async fn full(&self, _: &Tenant, sink: &mut dyn RecordSink) -> Result<SyncCookie, SyncError> {
        let mut reading = Reading::new(&self.0, sink);
        // Read first: a group that changes meanwhile is new to the next delta.
        let groups = group_changes::newest(&self.0).await?;
        let mark = match self.0.settings.sync.map_or(SyncMethod::Keys, |sync| sync.method) {
            SyncMethod::Usn => usn::full(&mut reading).await?,
            SyncMethod::DirSync => dirsync::full(&mut reading).await?,
            SyncMethod::SyncRepl => match syncrepl::full(&mut reading).await? {
                Some(mark) => mark,
                None => modify_timestamp::full(&mut reading).await?,
            },
            SyncMethod::ModifyTimestamp => modify_timestamp::full(&mut reading).await?,
            SyncMethod::Keys => keys::full(&mut reading).await?,
        };
        Cookie::fresh(mark, groups, reading.now).write()
    }

    async fn delta(&self, _: &Tenant, since: &SyncCookie, sink: &mut dyn RecordSink) -> Result<SyncCookie, SyncError> {
        let mut cookie = Cookie::read(since, self.0.settings.sync.map(|sync| sync.method))?;
        let mut reading = Reading::new(&self.0, sink);
        group_changes::look(&self.0, &mut cookie, reading.now).await?;
        cookie.mark = match &cookie.mark {
            Mark::Usn(mark) => usn::delta(&mut reading, mark).await?,
            Mark::DirSync(mark) => dirsync::delta(&mut reading, mark).await?,
            Mark::SyncRepl(mark) => syncrepl::delta(&mut reading, mark).await?,
            Mark::ModifyTimestamp(mark) => modify_timestamp::delta(&mut reading, mark).await?,
            Mark::Keys => {
                keys::compare(&mut reading).await?;
                return cookie.write();
            }
        };
        if cookie.keys_are_due(reading.now) {
            keys::compare(&mut reading).await?;
            cookie.compared(reading.now);
        }
        cookie.write()
    }
}

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
