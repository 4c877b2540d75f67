//! Modify, add, delete and rename: never done here, and never answered as if they were.

use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_ldap_core::{Code, Control, LdapResult, Write};
use tokio::time::Instant;

use crate::backend::{Identity, Seen};
use crate::controls::{self, With};
use crate::session::{Flow, Session};
use crate::trace::{self, Over};

impl Session {
    pub(crate) fn refuse_to_write(
        &mut self,
        id: i32,
        kind: Write,
        dn: &str,
        controls: &[Control],
        received: Instant,
    ) -> Flow {
        let operation = match kind {
            Write::Modify => "modify",
            Write::Add => "add",
            Write::Delete => "delete",
            Write::Rename => "modify DN",
        };
        let result = match (controls::read(controls, With::Other), self.who.identity) {
            (Err(result), _) => result,
            (_, Identity::Anonymous) => LdapResult::new(Code::INSUFFICIENT_ACCESS, "nothing is changed here"),
            _ => LdapResult::new(Code::UNWILLING, "nothing is changed here: people come from their own directories"),
        };
        let backend = self.who.tenant().and_then(|tenant| self.server.directories.of(tenant));
        if let Some(backend) = backend.filter(|_| self.who.identity != Identity::Anonymous) {
            let now = self.server.services.clock.now();
            backend.learn(&self.who.identity, &Seen::Refused { operation }, now);
            let facts = self.pipe.facts();
            let mut steps = TraceLog::new();
            steps.received(now, operation, false, [vec![("dn", dn.to_owned())], trace::about(facts)].concat());
            let over = Over {
                tenant: backend.tenant(),
                kind: "refused",
                app: self.who.identity.app(),
                connection: None,
                person: None,
                began: now,
                outcome: Outcome::Refused,
                cause: format!("{operation}: {}", result.code),
                steps,
            };
            self.server.record(facts, over);
        }
        self.server.count("write", self.pipe.facts(), dn, result.code, received);
        self.done(id, kind.into(), result, &[]);
        Flow::Go
    }
}
