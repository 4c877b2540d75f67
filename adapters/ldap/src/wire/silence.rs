//! A server that hangs: it takes connections and requests, and says nothing. Whoever waits for it would wait until
//! the limits of time are over. So after a moment it is asked, on a connection of its own, whether it is there; one
//! that does not answer that either has failed, and another one is asked. No request goes to two servers while the
//! first may still answer: a wrong password would count twice.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connect::root;
use super::error::WireError;
use super::servers::Server;
use super::upstream::Upstream;

/// How long somebody waits before the server is doubted. With the proof it leaves time for another server in the two
/// seconds that a login's groups have.
const DOUBT: Duration = Duration::from_millis(250);

/// How long a doubted server has to show that it is there.
const PROOF: Duration = Duration::from_millis(500);

impl Upstream {
    /// Does what one server is asked for, until it is found to hang. Where it is the last one that is up, it has all
    /// the time that its limits give it.
    pub(super) async fn unless_silent<T>(
        &self,
        server: &Server,
        work: impl Future<Output = Result<T, WireError>> + Send,
    ) -> Result<T, WireError> {
        // Nobody else could be asked, whatever was found out.
        if self.servers.all().len() == 1 {
            return work.await;
        }
        tokio::select! {
            // What has come counts, however late.
            biased;
            done = work => done,
            error = self.silence(server) => Err(error),
        }
    }

    /// Comes back when the server is known to have failed.
    async fn silence(&self, server: &Server) -> WireError {
        loop {
            let from = self.now();
            sleep(DOUBT).await;
            if self.is_fine(server, from) {
                continue;
            }
            // One asks, and the others wait for what it hears.
            let _asking = server.doubt.lock().await;
            if self.is_fine(server, from) {
                continue;
            }
            if !server.is_down() {
                let proof =
                    timeout(PROOF, Box::pin(self.is_there(server))).await.unwrap_or_else(|_| Err(hangs(server)));
                match proof {
                    Ok(()) => {
                        server.heard(self.now());
                        continue;
                    }
                    // The others have failed meanwhile: the machine or the net is slow, not this server alone.
                    Err(_) if !self.servers.is_another_up(server) => continue,
                    Err(error) => self.failed(server, &error),
                }
            }
            return hangs(server);
        }
    }

    /// Whether there is no reason to give it up: it was heard of since, or there is nobody else.
    fn is_fine(&self, server: &Server, since: Duration) -> bool {
        (!server.is_down() && server.heard_since(since)) || !self.servers.is_another_up(server)
    }

    /// Reads the root entry, as nobody: whoever answers that answers logins too.
    pub(super) async fn is_there(&self, server: &Server) -> Result<(), WireError> {
        let mut channel = self.connector.open(&server.host, server.port).await?;
        root(&mut channel).await?;
        channel.unbind().await;
        Ok(())
    }
}

fn hangs(server: &Server) -> WireError {
    WireError::lost(&server.label, "it takes connections and does not answer")
}
