//! The rest of a logout once apps were told, and the one answer to whoever asked.

use std::sync::Arc;

use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::logout::{LogoutEnd, Told};
use fedbridge_contract::page::{LoggedOutPage, NoticeFormPage, Page, WayBack};

use super::Run;
use super::channel::name_of;
use super::record::Asker;
use super::upstream::upstream_name;
use crate::ports::StoredNotice;
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// Who knows of a logout, and who does not, by the names that people know.
#[derive(Default)]
pub(super) struct Reached {
    pub told: Vec<String>,
    pub not_told: Vec<String>,
}

impl Hub {
    /// The one answer, when everybody was told or given up.
    pub(super) async fn conclude(&self, mut run: Run, notices: &[StoredNotice]) -> Reply {
        let mut reached = Reached { told: names(&run, notices, knows), not_told: not_told(&run, notices) };
        let going_on = self.not_ended(&run).await;
        if going_on > 0 {
            reached.not_told.push(format!("{going_on} sessions elsewhere, which go on"));
            reached.not_told.sort();
        }
        let halfway = |told: Option<Told>| told == Some(Told::Partial);
        let partial = !reached.not_told.is_empty() || !names(&run, notices, halfway).is_empty();
        let end = if partial { LogoutEnd::Partial } else { LogoutEnd::Complete };
        let not_told = reached.not_told.clone();
        let reply = if run.answered {
            run.steps.decide("told", if partial { "not everybody" } else { "everybody" }, true);
            Reply::body(204, "text/plain", "")
        } else {
            run.steps.decide("answer", if partial { "partial" } else { "complete" }, true);
            let reply = self.answer_asker(&run.tenant, &run.record.asker, end, reached).await;
            framed(reply, run.record.framed_by.as_deref())
        };
        self.record_logout(run, &not_told);
        reply
    }

    /// How many of the sessions could not be ended: those whose logout was never stored.
    pub(super) async fn not_ended(&self, run: &Run) -> usize {
        let mut going_on = 0;
        for id in &run.record.beside {
            if !matches!(self.logouts.logout(run.tenant.view.id, *id).await, Ok(Some(_))) {
                going_on += 1;
            }
        }
        going_on
    }

    pub(super) async fn answer_asker(
        &self,
        tenant: &Arc<TenantSnapshot>,
        asker: &Asker,
        end: LogoutEnd,
        reached: Reached,
    ) -> Reply {
        let view = &tenant.view;
        match asker {
            Asker::App { app, continuation } => {
                let side = tenant.apps.get(app).and_then(|open| self.logout_side(open));
                match side {
                    Some(side) => side.conclude(view, continuation, end).await,
                    None => logged_out(tenant, reached, None),
                }
            }
            Asker::Upstream { connection, continuation } => {
                let open = tenant.connections.get(connection).and_then(|open| open.state.as_ref().ok());
                match open.and_then(|ready| ready.adapter.logout.as_deref()) {
                    Some(side) => side.conclude(view, continuation, end).await,
                    None => logged_out(tenant, reached, None),
                }
            }
            Asker::Person { return_to: Some(location), agreed: true, .. } => Reply::redirect(location),
            Asker::Person { return_to, label, .. } => {
                let way_back = return_to.as_ref().map(|href| WayBack {
                    label: label.as_ref().map_or_else(|| "Back".to_owned(), |app| format!("Back to {app}")),
                    href: href.clone(),
                });
                logged_out(tenant, reached, way_back)
            }
            Asker::Replaced | Asker::Administrator | Asker::Owner | Asker::Withdrawn | Asker::With(_) => {
                logged_out(tenant, reached, None)
            }
        }
    }
}

/// An answer that posts itself has to be let into the frame in which the asker shows us.
pub(super) fn framed(reply: Reply, framed_by: Option<&str>) -> Reply {
    match (reply.kind, framed_by) {
        (ReplyKind::AutoPost { action, fields }, Some(origin)) => {
            let framed_by = Some(origin.to_owned());
            let kind = ReplyKind::Page(Page::NoticeForm(NoticeFormPage { action, fields, framed_by }));
            Reply { kind, cookies: reply.cookies, dress: reply.dress }
        }
        (kind, _) => Reply { kind, cookies: reply.cookies, dress: reply.dress },
    }
}

/// Names of the apps and upstreams that were not told, or have not answered by now. Upstreams that nobody has tried
/// to tell yet are not among them.
pub(super) fn not_told(run: &Run, notices: &[StoredNotice]) -> Vec<String> {
    names(run, notices, |told| !knows(told))
}

fn knows(told: Option<Told>) -> bool {
    matches!(told, Some(Told::Done | Told::Partial))
}

/// Names of the apps and upstreams with which it stands like this.
fn names(run: &Run, notices: &[StoredNotice], like: impl Fn(Option<Told>) -> bool) -> Vec<String> {
    let apps = notices.iter().filter(|notice| like(notice.told)).map(|notice| name_of(&run.tenant, notice));
    let upstreams = run.upstreams.iter().filter(|(.., told)| like(Some(*told)));
    let upstreams = upstreams.map(|(_, connection, _)| upstream_name(&run.tenant, *connection));
    let mut names: Vec<_> = apps.chain(upstreams).collect();
    names.sort();
    names.dedup();
    names
}

fn logged_out(tenant: &TenantSnapshot, reached: Reached, way_back: Option<WayBack>) -> Reply {
    let (tenant, Reached { told, not_told }) = (tenant.view.display_name.clone(), reached);
    Reply::page(Page::LoggedOut(LoggedOutPage { tenant, told, not_told, way_back }))
}
