//! The way of one logout from ended sessions to its answer: who is told, in which order.

use std::sync::Arc;

use fedbridge_contract::http::Reply;
use fedbridge_contract::logout::{Channel, LogoutEnd};
use futures_util::future::join3;

use super::Run;
use super::conclude::{Reached, not_told};
use super::upstream::Trip;
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

    /// Answers whoever asked as soon as everybody who is to be told stands in the outbox, and goes on behind
    /// the answer.
    pub(in crate::run) async fn answer_at_once(&self, mut run: Run) -> Reply {
        if let Err(error) = self.spread(&run).await {
            return self.cut_short(run, &error).await;
        }
        let end = if self.not_ended(&run).await == 0 { LogoutEnd::Complete } else { LogoutEnd::Partial };
        let reply = self.answer_asker(&run.tenant, &run.record.asker, end, Reached::default()).await;
        run.steps.decide("answer", "at once; everybody else is told behind it", true);
        run.answered = true;
        // No browser is at hand any more.
        run.channel = Channel::Back;
        self.behind.put(run);
        reply
    }

    /// Tells everybody whom a call reaches, and gives back those who are left beside them. Tokens of upstreams
    /// are given back meanwhile, and upstreams that the browser will go to are looked at.
    async fn tell_apps(&self, run: &mut Run) -> Result<(Vec<StoredNotice>, Vec<StoredNotice>), UnitError> {
        let notices = self.spread(run).await?;
        let (tenant, sessions) = (Arc::clone(&run.tenant), std::mem::take(&mut run.sessions));
        let mut kept = std::mem::take(&mut run.kept);
        kept.extend(self.given_up(&tenant, &sessions).await);
        let (tokens, silent) = (self.revoke_tokens(&tenant, kept), self.silent(&tenant, run.id, run.ahead()));
        let (told, revoked, silent) = join3(self.tell_by_channel(run, notices), tokens, silent).await;
        self.leave_out(run, silent).await;
        run.looked = true;
        for one in revoked {
            run.steps.decide("upstream's tokens", format!("{}: {}", one.connection, one.outcome), one.done);
        }
        Ok(told?)
    }

    /// The sessions are over, and the outbox tells whoever is left. More can't be said now.
    async fn cut_short(&self, mut run: Run, error: &UnitError) -> Reply {
        tracing::warn!(%error, "a logout could not be gone on with");
        run.steps.decide("tell the apps", error.to_string(), false);
        let reply = match run.channel {
            Channel::Back => {
                self.answer_asker(&run.tenant, &run.record.asker, LogoutEnd::Partial, Reached::default()).await
            }
            Channel::Front => {
                let sentence = "You are logged out here. Other applications will be told.";
                error_page(503, Some(&run.tenant), sentence, Some(run.trace), None)
            }
        };
        self.record_logout(run, &["whoever is left, until the store answers again".to_owned()]);
        reply
    }

    /// Everybody but the upstreams was told, or given up.
    pub(super) async fn finish_logout(&self, mut run: Run, notices: Vec<StoredNotice>) -> Reply {
        match self.tell_upstreams(&mut run).await {
            None => self.conclude(run, &notices).await,
            Some(Trip { to, reply }) => {
                run.steps.decide("upstream", format!("the browser carries our request to {to}"), true);
                let not_told = not_told(&run, &notices);
                self.record_logout(run, &not_told);
                reply
            }
        }
    }
}
