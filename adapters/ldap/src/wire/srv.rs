//! Servers that a name server lists (RFC 2782).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedbridge_contract::egress::SrvRecord;

use super::error::WireError;
use super::servers::Server;
use super::settings::{Encryption, Pool, ServerAddress};
use super::upstream::Upstream;

/// How long an answer of a name server holds at least, and at most, whatever it says itself.
const LEAST: Duration = Duration::from_secs(60);
const MOST: Duration = Duration::from_secs(3600);

/// How long nobody is asked after a failure.
const PAUSE: Duration = Duration::from_secs(15);

/// Servers that are taken of one answer.
const MOST_SERVERS: usize = 32;

/// The SRV records of one name.
pub(super) struct Records {
    name: String,
    /// What their hosts must be below.
    domain: String,
    encryption: Encryption,
    pool: Pool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: Duration,
    /// Why the last look-up failed.
    trouble: Option<WireError>,
}

impl Records {
    pub fn new(name: &str, domain: &str, encryption: Encryption, pool: Pool) -> Self {
        let state = Mutex::default();
        Self { name: name.to_owned(), domain: domain.to_owned(), encryption, pool, state }
    }

    pub fn are_due(&self, now: Duration) -> bool {
        now >= self.state().until
    }

    /// Reads the records and replaces the list of servers.
    pub async fn read(&self, upstream: &Upstream) -> Result<(), WireError> {
        let now = upstream.now();
        if let State { until, trouble: Some(error) } = &*self.state()
            && now < *until
        {
            return Err(error.clone());
        }
        let found = upstream.connector.dialer.srv(&self.name, upstream.timeouts.connect).await;
        let read = found.map_err(|error| format!("the SRV records of {} are not read: {error}", self.name));
        let usable = read.and_then(|records| {
            let until = records.iter().map(|record| record.valid_for).min().unwrap_or(LEAST).clamp(LEAST, MOST);
            let servers: Vec<_> = records.iter().take(MOST_SERVERS).filter_map(|record| self.server(record)).collect();
            match servers.is_empty() {
                true => Err(format!("no SRV record of {} names a host below {}", self.name, self.domain)),
                false => Ok((servers, until)),
            }
        });
        match usable {
            Ok((servers, until)) => {
                upstream.servers.replace(servers);
                *self.state() = State { until: now + until, trouble: None };
                Ok(())
            }
            Err(cause) => {
                let error = WireError::Unreachable { server: self.name.clone(), cause };
                *self.state() = State { until: now + PAUSE, trouble: Some(error.clone()) };
                Err(error)
            }
        }
    }

    fn server(&self, record: &SrvRecord) -> Option<Server> {
        let host = record.host.trim_end_matches('.').to_ascii_lowercase();
        // The answer is not signed: a host elsewhere could have a certificate of its own that is good.
        host.strip_suffix(&self.domain)?.strip_suffix('.').filter(|label| !label.is_empty())?;
        // Active Directory lists the port without TLS.
        let port = if self.encryption == Encryption::Tls && record.port == 389 { 636 } else { record.port };
        let address = ServerAddress { host, port, weight: record.weight };
        Some(Server::new(&address, record.priority, &self.pool))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
