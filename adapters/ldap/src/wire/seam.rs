//! The one file that names the LDAP library. What it says is turned into our own types here, without its parsers, which
//! stop the thread at what they did not expect.

use std::collections::HashSet;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_ldap_core as core;
use fedbridge_ldap_core::{Code, Scope};
use ldap3::controls::{Control as LibraryControl, RawControl};
use ldap3::exop::Exop;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, Mod, ResultEntry, SearchOptions, SearchStream, StdStream,
};
use tokio::net::UnixStream;

use super::channel::Channel;
use super::error::{Stage, WireError};
use super::pipe::{self, Guard};
use super::search::{End, Entry, Item, Row, Search};
use super::session::Change;

/// A connection on which somebody is bound, driven by the library. It is closed with the last of its handles.
#[derive(Clone)]
pub(super) struct Library {
    ldap: Ldap,
    line: Arc<Line>,
    server: Arc<str>,
}

struct Line(Arc<Guard>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The messages that answer a search.
pub(super) struct Rows(SearchStream<'static, String, Vec<String>>);

/// Only the scheme is read.
const OVER_A_SOCKET: &str = "ldapi://guarded";

impl Library {
    /// Hands a connection over. Both tasks end when the library's handle is dropped, or the connection ends.
    pub async fn over(channel: Channel) -> Result<Self, WireError> {
        let server = Arc::clone(channel.server());
        let failed = |error: std::io::Error| WireError::NotSent(format!("no socket pair: {error}"));
        let (ours, theirs) = StdUnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let ours = UnixStream::from_std(ours).map_err(failed)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let opened = LdapConnAsync::with_settings(settings, OVER_A_SOCKET).await;
        let (driver, ldap) = opened.map_err(|error| WireError::NotSent(error.to_string()))?;
        let guard = Arc::new(Guard::new());
        let watch = Arc::clone(&guard);
        tokio::spawn(async move { pipe::run(channel, ours, &watch).await });
        // In a task of its own: should it panic after all, the connection is over and nothing else.
        tokio::spawn(driver.drive());
        Ok(Self { ldap, line: Arc::new(Line(guard)), server })
    }

    /// Whether the connection is open still, as far as anybody knows.
    pub fn is_open(&mut self) -> bool {
        !self.ldap.is_closed() && self.line.0.cause().is_none()
    }

    pub async fn search(&mut self, search: &Search, page: Option<core::Control>) -> Result<Rows, WireError> {
        let scope = match search.scope {
            Scope::Base => ldap3::Scope::Base,
            Scope::One => ldap3::Scope::OneLevel,
            Scope::Sub => ldap3::Scope::Subtree,
            Scope::Subordinate => {
                return Err(WireError::NotSent("the scope `subordinate` is not asked of directories".to_owned()));
            }
        };
        let controls: Vec<_> = search.controls.iter().cloned().chain(page).map(raw).collect();
        let options = SearchOptions::new()
            .sizelimit(i32::try_from(search.size).unwrap_or(i32::MAX))
            .timelimit(seconds(search.time))
            .typesonly(search.types_only);
        if !controls.is_empty() {
            self.ldap.with_controls(controls);
        }
        self.ldap.with_search_options(options);
        // The library reads the text back into the same octets: everything that it could take for its own is escaped.
        let filter = search.filter.print();
        let begun = self.ldap.streaming_search(&search.base, scope, &filter, search.attributes.clone()).await;
        begun.map(Rows).map_err(|error| self.error(&error, Stage::Search))
    }

    pub async fn next(&mut self, rows: &mut Rows) -> Result<Row, WireError> {
        match rows.0.next().await {
            Ok(Some(found)) => {
                self.line.0.taken();
                row(found).ok_or_else(|| WireError::lost(&self.server, "an answer to a search can't be read"))
            }
            Ok(None) => {
                let result = rows.0.finish().await;
                let controls = result.ctrls.iter().map(control).collect();
                Ok(Row::End(End { result: self::result(result), controls }))
            }
            Err(error) => Err(self.error(&error, Stage::Search)),
        }
    }

    pub async fn compare(&mut self, dn: &str, name: &str, value: &[u8]) -> Result<core::LdapResult, WireError> {
        let compared = self.ldap.compare(dn, name, value).await;
        compared.map(|compared| result(compared.0)).map_err(|error| self.error(&error, Stage::Operation))
    }

    pub async fn modify(
        &mut self,
        dn: &str,
        changes: &[Change<'_>],
        controls: Vec<core::Control>,
    ) -> Result<(core::LdapResult, Vec<core::Control>), WireError> {
        if !controls.is_empty() {
            self.ldap.with_controls(controls.into_iter().map(raw).collect::<Vec<_>>());
        }
        let values = |values: &[&[u8]]| values.iter().map(|value| value.to_vec()).collect::<HashSet<_>>();
        let change = |change: &Change<'_>| match *change {
            Change::Add(name, added) => Mod::Add(name.as_bytes().to_vec(), values(added)),
            Change::Delete(name, gone) => Mod::Delete(name.as_bytes().to_vec(), values(gone)),
            Change::Replace(name, new) => Mod::Replace(name.as_bytes().to_vec(), values(new)),
        };
        let modified = self.ldap.modify(dn, changes.iter().map(change).collect()).await;
        modified.map(split).map_err(|error| self.error(&error, Stage::Operation))
    }

    pub async fn extended(
        &mut self,
        oid: &str,
        value: Option<Vec<u8>>,
        controls: Vec<core::Control>,
    ) -> Result<(core::LdapResult, Vec<core::Control>, Option<Bytes>), WireError> {
        if !controls.is_empty() {
            self.ldap.with_controls(controls.into_iter().map(raw).collect::<Vec<_>>());
        }
        let answered = self.ldap.extended(Exop { name: Some(oid.to_owned()), val: value }).await;
        let answered = answered.map_err(|error| self.error(&error, Stage::Operation))?;
        let (result, controls) = split(answered.1);
        Ok((result, controls, answered.0.val.map(Bytes::from)))
    }

    fn error(&self, error: &LdapError, stage: Stage) -> WireError {
        match error {
            LdapError::FilterParsing => {
                WireError::NotSent("the filter names an attribute that can't be one".to_owned())
            }
            LdapError::AddNoValues => WireError::NotSent("a change adds no value".to_owned()),
            // The pipe knows why.
            _ => pipe::over(&self.line.0, &self.server, stage),
        }
    }
}

/// The tags of RFC 4511 appendix B.
const ENTRY: u64 = 4;
const REFERENCE: u64 = 19;
const INTERMEDIATE: u64 = 25;

fn row(found: ResultEntry) -> Option<Row> {
    let (tag, controls) = (found.0, found.1);
    let id = tag.id;
    let mut fields = tag.expect_constructed()?.into_iter();
    match id {
        ENTRY => {
            let dn = text(fields.next()?.expect_primitive()?)?;
            let mut attributes = Vec::new();
            for attribute in fields.next()?.expect_constructed()? {
                let mut parts = attribute.expect_constructed()?.into_iter();
                let name = text(parts.next()?.expect_primitive()?)?;
                let values = parts.next()?.expect_constructed()?.into_iter();
                attributes.push((name, values.map(|value| value.expect_primitive()).collect::<Option<_>>()?));
            }
            Some(Row::Item(Item::Entry(Entry { dn, attributes }, controls.iter().map(control).collect())))
        }
        REFERENCE => fields.map(|uri| text(uri.expect_primitive()?)).collect::<Option<_>>().map(Row::Reference),
        INTERMEDIATE => {
            let (mut oid, mut value) = (None, None);
            for field in fields {
                match field.id {
                    0 => oid = Some(text(field.expect_primitive()?)?),
                    _ => value = Some(Bytes::from(field.expect_primitive()?)),
                }
            }
            Some(Row::Item(Item::Intermediate { oid, value }))
        }
        _ => None,
    }
}

fn text(octets: Vec<u8>) -> Option<String> {
    String::from_utf8(octets).ok()
}

fn result(found: ldap3::LdapResult) -> core::LdapResult {
    core::LdapResult { code: Code(found.rc), matched: found.matched, text: found.text, referral: found.refs }
}

fn split(found: ldap3::LdapResult) -> (core::LdapResult, Vec<core::Control>) {
    let controls = found.ctrls.iter().map(control).collect();
    (result(found), controls)
}

fn control(found: &LibraryControl) -> core::Control {
    let raw = &found.1;
    core::Control { oid: raw.ctype.clone(), critical: raw.crit, value: raw.val.clone().map(Bytes::from) }
}

fn raw(control: core::Control) -> RawControl {
    RawControl { ctype: control.oid, crit: control.critical, val: control.value.map(|value| value.to_vec()) }
}

/// LDAP counts in whole seconds; a shorter limit is one.
fn seconds(limit: Duration) -> i32 {
    let up = limit.as_millis().div_ceil(1000);
    i32::try_from(up).unwrap_or(i32::MAX)
}
