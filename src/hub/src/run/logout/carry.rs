//! The way of one logout from ended sessions to its answer: who is told, one after the other.

use fedbridge_contract::http::Reply;
use fedbridge_contract::logout::{Channel, LogoutEnd};

use super::Run;
use super::conclude::not_told;
use super::upstream::UpstreamTold;
use crate::ports::{StoredNotice, UnitError};
use crate::run::{Hub, error_page};

impl Hub {
    /// From ended sessions to the first answer: the page with frames where the browser must tell somebody.
    pub(in crate::run) async fn carry_on(&self, mut run: Run) -> Reply {
        match self.tell_apps(&mut run).await {
            Ok((done, left)) if left.is_empty() => self.finish_logout(run, done).await,
            Ok((done, left)) => self.show_frames(run, &done, &left),
            Err(error) => self.cut_short(run, &error).await,
        }
    }

    /// Tells everybody whom a call reaches, and gives back those who are left beside them.
    async fn tell_apps(&self, run: &mut Run) -> Result<(Vec<StoredNotice>, Vec<StoredNotice>), UnitError> {
        let notices = self.spread(run).await?;
        Ok(self.tell_by_channel(run, notices).await?)
    }

    /// The sessions are over, and the outbox tells whoever is left. More can't be said now.
    async fn cut_short(&self, mut run: Run, error: &UnitError) -> Reply {
        tracing::warn!(%error, "a logout could not be gone on with");
        run.steps.decide("tell the apps", error.to_string(), false);
        let reply = match run.channel {
            Channel::Back => self.answer_asker(&run.tenant, &run.record.asker, LogoutEnd::Partial, Vec::new()).await,
            Channel::Front => {
                let sentence = "You are logged out here. Other applications will be told.";
                error_page(503, Some(&run.tenant), sentence, Some(run.trace), None)
            }
        };
        self.record_logout(run, &["whoever is left, until the store answers again".to_owned()]);
        reply
    }

    /// Everybody but the upstream was told, or given up.
    pub(super) async fn finish_logout(&self, mut run: Run, notices: Vec<StoredNotice>) -> Reply {
        match self.tell_upstream(&mut run).await {
            UpstreamTold::Answered(told) => self.conclude(run, &notices, told).await,
            UpstreamTold::Sent(reply) => {
                run.steps.decide("upstream", "the browser carries our request there", true);
                let not_told = not_told(&run.tenant, &notices);
                self.record_logout(run, &not_told);
                reply
            }
        }
    }
}
