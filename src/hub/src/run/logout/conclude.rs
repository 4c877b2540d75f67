//! The rest of a logout once apps were told, and the one answer to whoever asked.

use std::sync::Arc;

use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::logout::{LogoutEnd, Told};
use fedbridge_contract::page::{LoggedOutPage, NoticeFormPage, Page, WayBack};

use super::Run;
use super::channel::name_of;
use super::record::Asker;
use crate::ports::StoredNotice;
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

impl Hub {
    /// The one answer. `upstream`: what came of telling it, where it was asked.
    pub(super) async fn conclude(&self, mut run: Run, notices: &[StoredNotice], upstream: Option<Told>) -> Reply {
        let mut not_told = not_told(&run.tenant, notices);
        let mut partial = !not_told.is_empty() || notices.iter().any(|notice| notice.told == Some(Told::Partial));
        if let Some(told) = upstream
            && told != Told::Done
        {
            partial = true;
            if told != Told::Partial {
                not_told.push("the login provider".to_owned());
            }
        }
        let going_on = self.not_ended(&run).await;
        if going_on > 0 {
            partial = true;
            not_told.push(format!("{going_on} sessions elsewhere, which go on"));
        }
        let end = if partial { LogoutEnd::Partial } else { LogoutEnd::Complete };
        run.steps.decide("answer", if partial { "partial" } else { "complete" }, true);
        let shown = not_told.clone();
        let reply = self.answer_asker(&run.tenant, &run.record.asker, end, shown).await;
        let reply = framed(reply, run.record.framed_by.as_deref());
        self.record_logout(run, &not_told);
        reply
    }

    /// How many of the sessions could not be ended: those whose logout was never stored.
    async fn not_ended(&self, run: &Run) -> usize {
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
        not_told: Vec<String>,
    ) -> Reply {
        let view = &tenant.view;
        match asker {
            Asker::App { app, continuation } => {
                let side = tenant.apps.get(app).and_then(|open| self.logout_side(open));
                match side {
                    Some(side) => side.conclude(view, continuation, end).await,
                    None => logged_out(tenant, not_told, None),
                }
            }
            Asker::Upstream { connection, continuation } => {
                let open = tenant.connections.get(connection).and_then(|open| open.state.as_ref().ok());
                match open.and_then(|ready| ready.adapter.logout.as_deref()) {
                    Some(side) => side.conclude(view, continuation, end).await,
                    None => logged_out(tenant, not_told, None),
                }
            }
            Asker::Person { return_to: Some(location), agreed: true, .. } => Reply::redirect(location),
            Asker::Person { return_to, label, .. } => {
                let way_back = return_to.as_ref().map(|href| WayBack {
                    label: label.as_ref().map_or_else(|| "Back".to_owned(), |app| format!("Back to {app}")),
                    href: href.clone(),
                });
                logged_out(tenant, not_told, way_back)
            }
            Asker::Replaced | Asker::Administrator | Asker::With(_) => logged_out(tenant, not_told, None),
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

/// Names of the apps that were not told, or have not answered by now.
pub(super) fn not_told(tenant: &TenantSnapshot, notices: &[StoredNotice]) -> Vec<String> {
    let mut names: Vec<String> = notices
        .iter()
        .filter(|notice| !matches!(notice.told, Some(Told::Done | Told::Partial)))
        .map(|notice| name_of(tenant, notice))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn logged_out(tenant: &TenantSnapshot, not_told: Vec<String>, way_back: Option<WayBack>) -> Reply {
    let tenant = tenant.view.display_name.clone();
    Reply::page(Page::LoggedOut(LoggedOutPage { tenant, told: Vec::new(), not_told, way_back }))
}
