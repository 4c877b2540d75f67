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
        let mut reached = Reached { told: told(&run.tenant, notices), not_told: not_told(&run.tenant, notices) };
        let mut partial = notices.iter().any(|notice| notice.told == Some(Told::Partial));
        for (_, connection, told) in &run.upstreams {
            partial |= *told != Told::Done;
            let name = upstream_name(&run.tenant, *connection);
            match told {
                Told::Done | Told::Partial => reached.told.push(name),
                Told::Refused | Told::Silent => reached.not_told.push(name),
            }
        }
        let going_on = self.not_ended(&run).await;
        if going_on > 0 {
            reached.not_told.push(format!("{going_on} sessions elsewhere, which go on"));
        }
        sorted(&mut reached.told);
        sorted(&mut reached.not_told);
        partial |= !reached.not_told.is_empty();
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

/// Names of the apps that were told.
fn told(tenant: &TenantSnapshot, notices: &[StoredNotice]) -> Vec<String> {
    notices.iter().filter(|notice| knows(notice)).map(|notice| name_of(tenant, notice)).collect()
}

/// Names of the apps that were not told, or have not answered by now.
pub(super) fn not_told(tenant: &TenantSnapshot, notices: &[StoredNotice]) -> Vec<String> {
    let mut names = notices.iter().filter(|notice| !knows(notice)).map(|notice| name_of(tenant, notice)).collect();
    sorted(&mut names);
    names
}

fn knows(notice: &StoredNotice) -> bool {
    matches!(notice.told, Some(Told::Done | Told::Partial))
}

fn sorted(names: &mut Vec<String>) {
    names.sort();
    names.dedup();
}

fn logged_out(tenant: &TenantSnapshot, reached: Reached, way_back: Option<WayBack>) -> Reply {
    let (tenant, Reached { told, not_told }) = (tenant.view.display_name.clone(), reached);
    Reply::page(Page::LoggedOut(LoggedOutPage { tenant, told, not_told, way_back }))
}
