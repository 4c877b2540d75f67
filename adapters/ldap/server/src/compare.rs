//! Compares (RFC 4511 section 4.10).

use fedbridge_contract::runtime::within;
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::{Code, Control, Done, LdapResult};
use tokio::time::Instant;

use crate::assertion::{self, silent};
use crate::backend::{Backend, Comparison, Seen};
use crate::controls::{self, With};
use crate::session::{Flow, Session};
use crate::standing::{ENDED, Fallen};
use crate::trace::{self, Over};

impl Session {
    pub(crate) async fn compare(
        &mut self,
        id: i32,
        (dn, attribute, value): (&str, &str, &[u8]),
        controls: &[Control],
        received: Instant,
    ) -> Flow {
        let understood = controls::read(controls, With::Compare);
        let found = understood.and_then(|understood| Ok((understood, self.directory(dn)?)));
        let result = match found {
            Err(result) => result,
            Ok((understood, backend)) => match self.stands(backend.as_ref()).await {
                Err(Fallen::Ended) => return ENDED,
                Err(Fallen::Unsure(result)) => result,
                Ok(()) => {
                    let (identity, runtime) = (&self.who.identity, self.server.rules.runtime.as_ref());
                    let asserted = match &understood.assertion {
                        Some(filter) => assertion::check(backend.as_ref(), identity, dn, filter, runtime).await,
                        None => Ok(()),
                    };
                    let result = match asserted {
                        Ok(()) => self.compared(backend.as_ref(), (dn, attribute, value)).await,
                        Err(result) => result,
                    };
                    self.trace_compare(backend.as_ref(), (dn, attribute), &result);
                    result
                }
            },
        };
        self.server.count("compare", self.pipe.facts(), dn, result.code, received);
        self.done(id, Done::Compare, result, &[]);
        Flow::Go
    }

    async fn compared(&self, backend: &dyn Backend, (dn, attribute, value): (&str, &str, &[u8])) -> LdapResult {
        let (identity, runtime) = (&self.who.identity, self.server.rules.runtime.as_ref());
        let (code, matched) = match backend.elsewhere(identity, dn) {
            Some(elsewhere) => within(runtime, elsewhere.compare(dn, attribute, value)).await,
            None => {
                let what = Comparison { dn, attribute, value, fetched: None };
                match backend.compare(identity, &what) {
                    Ok(compared) => compared,
                    Err(missing) => match within(runtime, backend.fetch(&[missing])).await {
                        Err(error) => return silent(&error),
                        // It was read, so it is missing no more.
                        Ok(fetched) => backend
                            .compare(identity, &Comparison { fetched: Some(&fetched), ..what })
                            .unwrap_or((Code::OTHER, String::new())),
                    },
                }
            }
        };
        LdapResult { matched, ..LdapResult::new(code, "") }
    }

    fn trace_compare(&self, backend: &dyn Backend, (dn, attribute): (&str, &str), result: &LdapResult) {
        let now = self.server.services.clock.now();
        let (tenant, app) = (backend.tenant(), self.who.identity.app());
        backend.learn(&self.who.identity, &Seen::Compare { dn, attribute }, now);
        let (outcome, cause) = trace::outcome(result);
        let usual = matches!(result.code, Code::COMPARE_TRUE | Code::COMPARE_FALSE | Code::NO_SUCH_OBJECT);
        if usual && !self.server.samples.due(tenant.id, app, "compare", now) {
            return;
        }
        let facts = self.pipe.facts();
        let mut steps = TraceLog::new();
        let what = vec![("dn", dn.to_owned()), ("attribute", attribute.to_owned())];
        steps.received(now, "compare", false, [what, trace::about(facts)].concat());
        let over =
            Over { tenant, kind: "compare", app, connection: None, person: None, began: now, outcome, cause, steps };
        self.server.record(facts, over);
    }
}
