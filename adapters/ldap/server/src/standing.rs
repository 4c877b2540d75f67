//! Whether somebody who has bound may still do what they do: the gate is asked before every operation.

use fedbridge_contract::directory::BoundBy;
use fedbridge_contract::services::{Bound, GateRefusal};
use fedbridge_ldap_core::{Code, LdapResult};

use crate::backend::{Backend, Identity};
use crate::session::{Flow, Session};

/// Why an operation does not happen.
pub(crate) enum Fallen {
    /// Nobody can say now.
    Unsure(LdapResult),
    /// The identity is none any more: the connection ends (RFC 4511 section 4.4.1, strongerAuthRequired).
    Ended,
}

/// What a client is told whose identity has ended.
pub(crate) const ENDED: Flow =
    Flow::Disconnect(Code::STRONGER_AUTH_REQUIRED, "whoever is bound here was disabled or ended; bind again");

impl Session {
    /// # Errors
    /// The identity has fallen, or nobody can say.
    pub(crate) async fn stands(&self, backend: &dyn Backend) -> Result<(), Fallen> {
        let (gate, tenant) = (&self.server.services.gate, backend.tenant());
        let permit = match self.who.identity {
            Identity::Anonymous => return Ok(()),
            Identity::App { app, epoch } => {
                let app = tenant.app_by_id(app).ok_or(Fallen::Ended)?;
                gate.app_token(tenant, app, epoch).await
            }
            Identity::Person { id, by_app, epoch } => {
                let person = backend.standing(id).ok_or(Fallen::Ended)?;
                let app = match by_app {
                    Some(app) => Some(tenant.app_by_id(app).ok_or(Fallen::Ended)?.as_ref()),
                    None => None,
                };
                let bound = Bound {
                    tenant,
                    app,
                    connection: match self.who.by {
                        Some(BoundBy::Upstream(connection)) => Some(connection),
                        _ => None,
                    },
                    person_disabled: person.disabled,
                    person: person.epoch,
                    given_out: epoch,
                };
                gate.bind(&bound).await
            }
        };
        match permit {
            Ok(_) => Ok(()),
            Err(GateRefusal::Unsure) => {
                Err(Fallen::Unsure(LdapResult::new(Code::UNAVAILABLE, "the database does not answer; try again")))
            }
            Err(_) => Err(Fallen::Ended),
        }
    }
}
