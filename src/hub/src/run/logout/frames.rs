//! Telling apps by way of the browser: one page with a frame for each, and the addresses behind it.
//!
//! An address holds a key besides the logout's id: every party learns the id, as part of the ID of its
//! own request, and only this browser may see the requests to the others. A cookie would not do: the
//! upstream may show the page in a frame of its own, and browsers keep cookies from there.

use std::sync::Arc;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::ids::{AppId, LogoutId};
use fedbridge_contract::logout::{Channel, LogoutCall, Notice, NoticeId, Party, Told};
use fedbridge_contract::page::{LoggingOutPage, NoticeFormPage, NoticedPage, Page};
use fedbridge_contract::upstream::Challenge;

use super::channel::name_of;
use super::conclude::not_told;
use super::{KEPT, OVER, Run, away, word};
use crate::ports::{Command, StoredLogout, StoredNotice, Unit, UnitError};
use crate::run::form_token::same;
use crate::run::snapshot::TenantSnapshot;
use crate::run::{Hub, error_page};

/// What the person waits at most, from the start of the logout.
const WAIT: i64 = 4000;

/// How often a browser may go on after the frames: each time the upstream is told once more.
const GOES_ON: u32 = 3;

/// The addresses of a logout under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutStep {
    /// One frame: it leads on to its app.
    Frame,
    /// Whether anybody is waited for.
    Poll,
    /// What comes after the frames.
    Next,
}

impl LogoutStep {
    pub fn at(path: &str) -> Option<(Route, Self)> {
        let (path, step) = match path {
            "logout/frame" => ("logout/frame", Self::Frame),
            "logout/poll" => ("logout/poll", Self::Poll),
            "logout/next" => ("logout/next", Self::Next),
            _ => return None,
        };
        Some((Route::new(path, &[Method::Get]), step))
    }
}

impl Hub {
    /// The page that has a frame for everybody who is left.
    pub(super) fn show_frames(&self, mut run: Run, done: &[StoredNotice], left: &[StoredNotice]) -> Reply {
        let tenant = Arc::clone(&run.tenant);
        let address = |step: &str, logout: LogoutId| {
            let key = self.page_key(&tenant, logout);
            format!("{}/logout/{step}?id={logout}&key={key}", tenant.view.issuer)
        };
        let frames =
            left.iter().map(|notice| format!("{}&app={}", address("frame", notice.logout), notice.participant.app));
        let waited = self.services.clock.now().millis() - run.record.started.millis();
        let wait = (WAIT - waited).div_euclid(1000).clamp(1, 4);
        let page = LoggingOutPage {
            tenant: tenant.view.display_name.clone(),
            frames: frames.collect(),
            poll: address("poll", run.id),
            next: address("next", run.id),
            wait_seconds: u8::try_from(wait).unwrap_or(1),
            frame_origins: self.frame_origins(&tenant, left),
            framed_by: run.record.framed_by.clone(),
        };
        let names: Vec<_> = left.iter().map(|notice| name_of(&tenant, notice)).collect();
        run.steps.decide("frames", format!("the browser tells {}", names.join(", ")), true);
        let not_told = not_told(&run, done);
        self.record_logout(run, &not_told);
        Reply::page(Page::LoggingOut(page))
    }

    /// The registered origins alone, where every frame shows its app's (Front-Channel Logout 1.0, section 2).
    /// Other frames may go on to further hosts of their app, so the page's policy names schemes.
    fn frame_origins(&self, tenant: &TenantSnapshot, left: &[StoredNotice]) -> Vec<String> {
        let origin = |notice: &StoredNotice| {
            let open = tenant.apps.get(&notice.participant.app)?;
            self.logout_side(open)?.frame_origin(&open.view)
        };
        left.iter().map(origin).collect::<Option<Vec<_>>>().unwrap_or_else(|| {
            let schemes: &[&str] =
                if tenant.view.base_url.starts_with("https:") { &["https:"] } else { &["https:", "http:"] };
            schemes.iter().map(|&scheme| scheme.to_owned()).collect()
        })
    }

    /// Answers one of the page's addresses.
    pub(in crate::run) async fn logout_step(
        &self,
        tenant: Arc<TenantSnapshot>,
        step: LogoutStep,
        input: &HttpInput,
    ) -> Reply {
        let (mut run, stored) = match self.under_way(&tenant, input).await {
            Ok(Some(found)) => found,
            Ok(None) => return error_page(404, Some(&tenant), OVER, None, None),
            Err(error) => return away(&tenant, error),
        };
        match step {
            LogoutStep::Frame => self.frame(run, stored, input).await,
            LogoutStep::Poll => match self.notices(&mut run).await {
                Ok(notices) if notices.iter().any(waited_for) => Reply::body(202, "text/plain", ""),
                Ok(_) => Reply::body(204, "text/plain", ""),
                Err(error) => away(&tenant, error),
            },
            LogoutStep::Next => match self.goes_on(&run).await {
                Ok(Some(visit)) => match self.notices(&mut run).await {
                    Ok(notices) => {
                        // The upstreams were looked at when the page was made. Who comes again may come from a dead one.
                        run.looked = visit == 0;
                        self.after_frames(run, notices).await
                    }
                    Err(error) => away(&tenant, error),
                },
                Ok(None) => error_page(404, Some(&tenant), OVER, None, None),
                Err(error) => away(&tenant, error),
            },
        }
    }

    /// Counts a visit, durably, from 0. `None`: it is none of the few that are allowed.
    async fn goes_on(&self, run: &Run) -> Result<Option<u32>, StoreError> {
        let (tenant, now) = (run.tenant.view.id, self.services.clock.now());
        for visit in 0..GOES_ON {
            let (purpose, key) = ("logout.next".to_owned(), format!("{}/{visit}", run.id));
            let commands = vec![Command::Once { purpose, key, expires: run.record.started + KEPT }];
            match self.store.commit(tenant, Unit { commands, now }).await {
                Ok(()) => return Ok(Some(visit)),
                Err(UnitError::Guard(_)) => {}
                Err(UnitError::Store(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn after_frames(&self, mut run: Run, notices: Vec<StoredNotice>) -> Reply {
        for notice in &notices {
            let who = name_of(&run.tenant, notice);
            let outcome = format!("{who}: {}", word(notice.told));
            run.steps.decide("told", outcome, notice.told == Some(Told::Done));
        }
        self.finish_logout(run, notices).await
    }

    /// Sends a frame on to its app.
    async fn frame(&self, run: Run, stored: StoredLogout, input: &HttpInput) -> Reply {
        let app = param(input, "app").and_then(|app| app.parse::<AppId>().ok());
        let tenant = &run.tenant;
        let notice = stored.notices.iter().find(|notice| Some(notice.participant.app) == app && notice.told.is_none());
        let (Some(notice), Some(open)) = (notice, app.and_then(|app| tenant.apps.get(&app))) else {
            return noticed(tenant);
        };
        let Some(side) = self.logout_side(open) else { return noticed(tenant) };
        let now = self.services.clock.now();
        let call = LogoutCall {
            tenant: &tenant.view,
            app: &open.view,
            participant: &notice.participant,
            session: notice.session,
            id: NoticeId { logout: notice.logout, party: Party::App(open.view.id) },
            now,
            rng: self.services.rng.as_ref(),
        };
        match side.notice(call).await {
            Ok(Notice::Front(Challenge::Redirect(location))) => Reply::redirect(location),
            Ok(Notice::Front(Challenge::AutoPost { action, fields })) => {
                let framed_by = run.record.framed_by.clone();
                Reply::page(Page::NoticeForm(NoticeFormPage { action, fields, framed_by }))
            }
            Ok(Notice::Frame(location)) => {
                // Nobody answers: that the browser goes there is all that can be known.
                match self.logouts.settle(tenant.view.id, notice.logout, open.view.id, Told::Done, now).await {
                    Ok(settled) => {
                        if settled {
                            self.observer.logout_notice(Channel::Front, Told::Done);
                        }
                        Reply::redirect(location)
                    }
                    Err(error) => away(tenant, error),
                }
            }
            Ok(Notice::Nothing | Notice::Back(_)) => noticed(tenant),
            Err(error) => {
                tracing::warn!(app = %open.view.name, cause = %error.cause, "a logout notice could not be made");
                noticed(tenant)
            }
        }
    }

    /// The logout of an address, where its key is right.
    async fn under_way(
        &self,
        tenant: &Arc<TenantSnapshot>,
        input: &HttpInput,
    ) -> Result<Option<(Run, StoredLogout)>, StoreError> {
        let id = param(input, "id").and_then(|id| id.parse::<LogoutId>().ok());
        let (Some(id), Some(key)) = (id, param(input, "key")) else { return Ok(None) };
        if !same(&key, &self.page_key(tenant, id)) {
            return Ok(None);
        }
        self.load_logout(tenant, id).await
    }

    fn page_key(&self, tenant: &TenantSnapshot, logout: LogoutId) -> String {
        self.short_token(tenant.view.id, "logout page", logout.uuid().as_bytes())
    }
}

/// What a frame shows when there is nothing left to do in it.
pub(super) fn noticed(tenant: &TenantSnapshot) -> Reply {
    Reply::page(Page::Noticed(NoticedPage { tenant: tenant.view.display_name.clone() }))
}

/// A frame's answer is still to come. Calls that failed are the outbox's, and nobody waits for them.
fn waited_for(notice: &StoredNotice) -> bool {
    notice.told.is_none() && notice.attempts == 0
}

fn param(input: &HttpInput, name: &str) -> Option<String> {
    input.query_params().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
