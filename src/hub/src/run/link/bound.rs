//! The upstream has proved an identity that is to be connected.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{LinkProofId, TransactionId};
use fedbridge_contract::page::{ConfirmLinkPage, OwnForm, Page};
use fedbridge_contract::trace::Outcome;

use super::{Kept, OVER, Proved, proof_place};
use crate::decide::ReplayInput;
use crate::ports::{Command, StoredProof, Unit};
use crate::run::Hub;
use crate::run::account::account_of;
use crate::run::ending::Stop;
use crate::run::finish::{Basis, Finishing, Who, lost, verified_address};
use crate::run::own::TOKEN;
use crate::run::record::{AskedOnce, UpstreamPart};
use crate::run::snapshot::OpenConnection;
use crate::run::start::{Login, spent};
use crate::run::trace::Ending;

impl Hub {
    /// Binds the proof to the identity, and asks the person. It makes no session and no link.
    pub(in crate::run) async fn identity_to_link(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        who: Who,
        basis: Basis,
        (proof, secret): (LinkProofId, [u8; 32]),
    ) -> Reply {
        let (now, epoch) = (self.services.clock.now(), who.record.epoch);
        let transaction = match &basis {
            Basis::Fresh { transaction, .. } => *transaction,
            Basis::Session { .. } => None,
        };
        let mut replay = None;
        let last = Finishing { login: &mut login, connection: &connection, who: &who, basis: &basis, epoch, now };
        let bound = self.bind(last, transaction, (proof, secret), &mut replay).await;
        let person = Some(who.record.subject.display.clone());
        match bound {
            Ok(bound) => {
                let tenant = Arc::clone(&login.tenant);
                self.record(login, replay, Ending { outcome: Outcome::Success, cause: String::new(), person });
                bound.unwrap_or_else(|| Reply::redirect(account_of(&tenant)))
            }
            Err(stop) => {
                let stop = match transaction {
                    Some(transaction) => self.closed(&mut login, transaction, who.once, stop).await,
                    None => stop,
                };
                self.stop(login, stop, replay, person).await
            }
        }
    }

    /// The page that asks; `None`: the identity is theirs already.
    async fn bind(
        &self,
        mut last: Finishing<'_>,
        transaction: Option<TransactionId>,
        (proof, secret): (LinkProofId, [u8; 32]),
        replay: &mut Option<ReplayInput>,
    ) -> Result<Option<Reply>, Stop> {
        let (tenant, connection) = (last.login.tenant.view.id, last.connection.view.id);
        // The rules of the connection hold here as at a login.
        let claims = self.claims(&mut last, None, replay)?;
        let stored = self.people.link_proof(tenant, proof, &secret, last.now).await?;
        let stored = stored.filter(|stored| stored.connection == connection && stored.subject.is_none());
        let Some((stored, mut kept)) = stored.and_then(|stored| self.opened(tenant, stored)) else {
            let actual = "none: it was used, or is over";
            last.login.trace.check("the proof", "", "one that waits for an identity", actual, false);
            return Err(Stop::new(RefusalKind::AccessDenied, OVER, "no link proof waits for this identity"));
        };
        let subject = &last.who.record.subject;
        let linked = self.store.linked_person(tenant, connection, &subject.key).await?;
        self.same_scope(&mut last).await?;
        let theirs = linked.as_ref().is_some_and(|linked| linked.person == stored.person);
        match linked {
            Some(_) if theirs => {
                last.login.trace.decide("identity", "connected with this person already: nothing to do", true);
            }
            Some(_) => {
                last.login.trace.decide("identity", "connected with somebody else", false);
                let public = "This login belongs to another account. Log in with it, and disconnect it there first.";
                let cause = "the identity is connected with somebody else";
                return Err(Stop::new(RefusalKind::AccessDenied, public, cause));
            }
            None => self.may_come_back(last.login, connection, &subject.key).await?,
        }
        self.gate.login(&last.login.tenant.view, None, &last.connection.view).await?;
        let mut commands: Vec<_> = transaction.map(Command::FinishTransaction).into_iter().collect();
        commands.extend(last.who.once.iter().cloned().map(AskedOnce::from).map(spent));
        let subject_hash = self.subject_hash(tenant, connection, &subject.key);
        if !theirs {
            let email = verified_address(&claims.all).map(|address| self.email_hash(tenant, address));
            let upstream =
                UpstreamPart { connection, subject: subject.key.clone(), session: last.who.record.upstream.clone() };
            kept.identity = Some(Proved { subject: subject.clone(), email, upstream, epoch: last.epoch });
            let plain = serde_json::to_vec(&kept).map_err(|_| Stop::broken("a link proof can't be written"))?;
            let sealed = self.sealer.seal(&proof_place(tenant, proof), &plain);
            commands.push(Command::BindLinkProof { proof, subject: subject_hash, sealed });
        }
        let unit = Unit { commands, now: last.now };
        self.store.commit(tenant, unit).await.map_err(|error| lost(last.login, error))?;
        if theirs {
            return Ok(None);
        }
        last.login.trace.decide("proof", "bound to this very subject; the person is asked", true);
        Ok(Some(self.confirm_page(&last, kept, proof, &subject_hash)))
    }

    pub(super) fn opened(
        &self,
        tenant: fedbridge_contract::ids::TenantId,
        stored: StoredProof,
    ) -> Option<(StoredProof, Kept)> {
        let plain = self.sealer.open(&proof_place(tenant, stored.id), &stored.sealed).ok()?;
        let kept = serde_json::from_slice(&plain).ok()?;
        Some((stored, kept))
    }

    fn confirm_page(&self, last: &Finishing<'_>, kept: Kept, proof: LinkProofId, subject: &[u8; 32]) -> Reply {
        let tenant = &last.login.tenant.view;
        let fields = vec![(TOKEN.to_owned(), self.link_token(tenant.id, proof, subject))];
        let page = ConfirmLinkPage {
            tenant: tenant.display_name.clone(),
            account: kept.account,
            account_connection: kept.account_connection,
            identity: last.who.record.subject.display.clone(),
            connection: last.connection.view.display_name.clone(),
            form: OwnForm { action: format!("{}/account/confirm", tenant.issuer), fields },
        };
        Reply::page(Page::ConfirmLink(page)).in_language(last.login.locale())
    }
}
