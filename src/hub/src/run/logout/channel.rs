//! Telling apps by a call of our server, all at once.

use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::logout::{Channel, LogoutCall, Notice, NoticeId, Party, Told};
use futures_util::future::join_all;

use super::{CALL, PATIENCE, Run};
use crate::ports::StoredNotice;
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// When a call that failed is made again, by the outbox.
const AGAIN: Duration = Duration::from_secs(1);

/// How one notice stands after our part.
pub(super) enum Way {
    /// Settled for good, as it says.
    Settled(Told),
    /// A call had no answer: the outbox makes it again.
    Again,
    /// The browser must carry it.
    Browser,
}

impl Hub {
    /// Tells everybody whom a call reaches; gives back the notices with what came of them, and apart from
    /// them those that the browser has to carry.
    pub(super) async fn tell_by_channel(
        &self,
        run: &mut Run,
        notices: Vec<StoredNotice>,
    ) -> Result<(Vec<StoredNotice>, Vec<StoredNotice>), StoreError> {
        let (tenant, clock) = (&run.tenant, &self.services.clock);
        let ways = join_all(notices.into_iter().map(|notice| async {
            let begun = clock.now();
            let way = match notice.told {
                Some(told) => Way::Settled(told),
                None => self.tell(tenant, &notice).await,
            };
            (notice, way, clock.now().since(begun).as_millis())
        }));
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for (mut notice, way, millis) in ways.await {
            let who = name_of(&run.tenant, &notice);
            let (channel, told) = match way {
                Way::Settled(told) => (Channel::Back, Some(told)),
                // No browser is at hand that could.
                Way::Browser if run.channel == Channel::Back => (Channel::Front, Some(Told::Silent)),
                Way::Browser => {
                    left.push(notice);
                    continue;
                }
                Way::Again => (Channel::Back, None),
            };
            self.keep(run, &notice, channel, told).await?;
            run.note(&who, &format!("our server's call, {millis} ms"), told);
            notice.told = told;
            done.push(notice);
        }
        Ok((done, left))
    }

    /// Makes one call, where the app has an address for it.
    pub(super) async fn tell(&self, tenant: &TenantSnapshot, notice: &StoredNotice) -> Way {
        // Our own preparation counts too: signing may wait for its turn.
        let call = self.call(tenant, notice);
        tokio::time::timeout(PATIENCE, call).await.unwrap_or(Way::Again)
    }

    async fn call(&self, tenant: &TenantSnapshot, notice: &StoredNotice) -> Way {
        let Some(open) = tenant.apps.get(&notice.participant.app) else { return Way::Settled(Told::Silent) };
        let Some(side) = self.logout_side(open) else { return Way::Settled(Told::Silent) };
        let party = Party::App(notice.participant.app);
        let call = LogoutCall {
            tenant: &tenant.view,
            app: &open.view,
            participant: &notice.participant,
            session: notice.session,
            id: NoticeId { logout: notice.logout, party },
            now: self.services.clock.now(),
            rng: self.services.rng.as_ref(),
        };
        match side.notice(call).await {
            Ok(Notice::Front(_) | Notice::Frame(_)) => Way::Browser,
            Ok(Notice::Nothing) => Way::Settled(Told::Silent),
            Ok(Notice::Back(post)) => match self.services.egress_to(&tenant.view, party).post(&post, CALL).await {
                Ok(answer) => match side.told(call, &answer).await {
                    Told::Silent => Way::Again,
                    told => Way::Settled(told),
                },
                Err(error) => {
                    tracing::info!(app = %open.view.name, %error, "an app could not be told of a logout");
                    Way::Again
                }
            },
            Err(error) => {
                tracing::warn!(app = %open.view.name, cause = %error.cause, "a logout notice could not be made");
                Way::Settled(Told::Silent)
            }
        }
    }

    /// Settles a notice, or leaves it to the outbox.
    async fn keep(
        &self,
        run: &Run,
        notice: &StoredNotice,
        channel: Channel,
        told: Option<Told>,
    ) -> Result<(), StoreError> {
        let (tenant, app) = (run.tenant.view.id, notice.participant.app);
        let now = self.services.clock.now();
        match told {
            Some(told) => {
                if self.logouts.settle(tenant, notice.logout, app, told, now).await? {
                    self.observer.logout_notice(channel, told);
                }
                Ok(())
            }
            None => self.logouts.put_off(tenant, notice.logout, app, now + AGAIN).await,
        }
    }
}

/// What a person calls the app of a notice.
pub(super) fn name_of(tenant: &TenantSnapshot, notice: &StoredNotice) -> String {
    let app = tenant.view.app_by_id(notice.participant.app);
    app.map_or_else(|| "an app that is gone".to_owned(), |app| app.display_name.clone())
}
