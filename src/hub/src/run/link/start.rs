//! A person wants to connect one more login.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::LinkProofId;
use fedbridge_contract::ticket::ticket;
use fedbridge_contract::upstream::LoginWish;

use super::{Kept, PROOF, proof_cookie, proof_place};
use crate::ports::{Command, NewProof, Unit};
use crate::run::Hub;
use crate::run::ending::Stop;
use crate::run::record::Purpose;
use crate::run::session::LiveSession;
use crate::run::start::Login;

impl Hub {
    /// Opens a proof for a person who has logged in just now, and sends the browser to the upstream. `slug` names the
    /// connection.
    pub(in crate::run) async fn start_link(&self, mut login: Login, live: LiveSession, slug: &str) -> Reply {
        let tenant = Arc::clone(&login.tenant);
        let person = Some(live.record.subject.display.clone());
        let connection = tenant.connection(slug).filter(|open| open.may_be_connected()).cloned();
        let Some(connection) = connection else {
            let public = "This login can't be connected.";
            let cause = "the connection is gone, switched off, or lets nobody connect it";
            return self.stop(login, Stop::new(RefusalKind::AccessDenied, public, cause), None, person).await;
        };
        match self.open_proof(&login, &live, &connection).await {
            Ok((cookie, proof, secret)) => {
                login.trace.decide("proof", "opened for this person, session, browser and connection", true);
                let asked = LoginWish { force_authn: true, ..LoginWish::default() };
                let login = Login { wish: asked, purpose: Purpose::Link { proof, secret }, ..login };
                let reply = self.begin(login, connection, Some(live.prior())).await;
                reply.with_cookie(proof_cookie(tenant.view.id, cookie))
            }
            Err(stop) => self.stop(login, stop, None, person).await,
        }
    }

    /// The cookie, and what the transaction remembers of the proof.
    async fn open_proof(
        &self,
        login: &Login,
        live: &LiveSession,
        connection: &crate::run::OpenConnection,
    ) -> Result<(String, LinkProofId, [u8; 32]), Stop> {
        let tenant = &login.tenant.view;
        let id = LinkProofId::at(login.started, self.services.rng.as_ref());
        let cookie = ticket(id.uuid(), self.services.rng.as_ref());
        let secret = self.proof_hash(tenant.id, &cookie);
        let own = tenant.connection_by_id(live.stored.connection);
        let kept = Kept {
            account: live.record.subject.display.clone(),
            account_connection: own.map(|view| view.display_name.clone()).unwrap_or_default(),
            identity: None,
        };
        let plain = serde_json::to_vec(&kept).map_err(|_| Stop::broken("a link proof can't be written"))?;
        let proof = NewProof {
            id,
            secret,
            person: live.stored.person,
            connection: connection.view.id,
            session: live.stored.id,
            expires: login.started + PROOF,
            sealed: self.sealer.seal(&proof_place(tenant.id, id), &plain),
        };
        let unit = Unit { commands: vec![Command::OpenLinkProof(proof)], now: login.started };
        self.store.commit(tenant.id, unit).await.map_err(|error| Stop::unavailable(error.to_string()))?;
        Ok((cookie, id, secret))
    }
}
