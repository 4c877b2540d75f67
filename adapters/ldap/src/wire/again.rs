//! What changes nothing is asked again where a connection was lost under it.

use std::pin::pin;
use std::sync::Arc;

use fedbridge_ldap_core::{Code, LdapResult};

use super::error::WireError;
use super::search::{Answers, Search};
use super::session::Lease;
use super::upstream::Upstream;

/// How often it is asked.
const TRIES: usize = 3;

/// An operation that changes nothing, so that it can be done twice.
pub(super) trait Harmless: Sync {
    type Answer: Send;

    fn run(&self, lease: &mut Lease) -> impl Future<Output = Result<Self::Answer, WireError>> + Send;

    fn result(answer: &Self::Answer) -> &LdapResult;
}

impl Harmless for Search {
    type Answer = Answers;

    async fn run(&self, lease: &mut Lease) -> Result<Answers, WireError> {
        lease.all(self).await
    }

    fn result(answers: &Answers) -> &LdapResult {
        &answers.result
    }
}

pub(super) struct Comparison<'c> {
    pub dn: &'c str,
    pub attribute: &'c str,
    pub value: &'c [u8],
}

impl Harmless for Comparison<'_> {
    type Answer = LdapResult;

    async fn run(&self, lease: &mut Lease) -> Result<LdapResult, WireError> {
        lease.compare(self.dn, self.attribute, self.value).await
    }

    fn result(result: &LdapResult) -> &LdapResult {
        result
    }
}

impl Upstream {
    /// Does what changes nothing, and does it again where the connection is lost under it, or the server says that it
    /// can't.
    pub(super) async fn again<W: Harmless>(self: &Arc<Self>, work: &W) -> Result<W::Answer, WireError> {
        let mut tried = 0;
        loop {
            let mut lease = self.service().await?;
            let server = Arc::clone(lease.at());
            let done = {
                let run = pin!(work.run(&mut lease));
                self.unless_silent(&server, run).await
            };
            tried += 1;
            match &done {
                Ok(answer) if W::result(answer).code == Code::UNAVAILABLE && self.servers.all().len() > 1 => {
                    self.failed(&server, &WireError::lost(&server.label, "it says that it is unavailable"));
                }
                Ok(_) => {
                    server.heard(self.now());
                    return done;
                }
                // An old connection that is lost says nothing about the server, but about its others.
                Err(WireError::Lost { .. }) if lease.used => server.service.clear(),
                Err(error @ WireError::TimedOut { .. }) => {
                    server.unanswered(error, self.now());
                    return done;
                }
                Err(error) if error.is_the_servers() => self.failed(&server, error),
                Err(_) => return done,
            }
            if tried == TRIES {
                return done;
            }
        }
    }
}
