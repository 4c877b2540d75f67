//! A directory as one thing: whichever of its servers answers.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::password::Password;
use fedbridge_contract::runtime;
use fedbridge_contract::services::{Clock, Counters, Rng, Services};
use fedbridge_ldap_core::{Code, LdapResult};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::again::Comparison;
use super::bind::{self, BindResult};
use super::channel::Channel;
use super::connect::{Connector, ServerReport, late, root, within};
use super::error::{Stage, WireError};
use super::keeper::{self, Keeper};
use super::pool::Kept;
use super::seam::Library;
use super::search::{Answers, Entries, Search};
use super::servers::{Server, Servers};
use super::session::{AsUser, Lease, Session};
use super::settings::{Account, Encryption, Order, Settings, SettingsError, Timeouts, Where};
use super::srv::Records;
use super::tls::Tls;

/// How long a service account that was refused is not tried again, at first and at most: each try with a wrong password
/// counts towards its lock-out, of which ten in half an hour are a usual setting.
const REFUSED: Duration = Duration::from_secs(15);
const LONGEST_REFUSED: Duration = Duration::from_secs(600);

/// The last refusal of the service account.
struct Refused {
    until: Duration,
    rest: Duration,
    error: WireError,
}

/// A directory.
pub struct Upstream {
    connection: ConnectionId,
    account: Account,
    pub(super) referrals: Arc<[String]>,
    counters: Arc<dyn Counters>,
    rng: Arc<dyn Rng>,
    refused: Mutex<Option<Refused>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeouts: Timeouts,
    pub(super) connector: Connector,
    pub(super) servers: Servers,
    /// Where the list of servers comes from, if not from the settings.
    pub(super) records: Option<Records>,
    pub(super) keeper: Keeper,
}

impl Upstream {
    /// Opens no connection.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn open(settings: Settings, services: &Services) -> Result<Arc<Self>, SettingsError> {
        if matches!(settings.account, Account::External)
            && (settings.encryption == Encryption::Clear || settings.tls.client.is_none())
        {
            return Err(SettingsError::ExternalWithoutCertificate);
        }
        let tls = Tls::new(settings.tls)?;
        let (servers, records) = match &settings.servers {
            Where::Listed { servers, .. } if servers.is_empty() => return Err(SettingsError::NoServer),
            Where::Listed { servers, order } => {
                let elsewhere = servers.iter().find(|server| !is_loopback(&server.host));
                if let (Encryption::Clear, Some(server)) = (settings.encryption, elsewhere) {
                    return Err(SettingsError::ClearToElsewhere(server.host.clone()));
                }
                (Servers::new(servers, *order, &settings.pool), None)
            }
            Where::Srv { name, .. } if settings.encryption == Encryption::Clear => {
                return Err(SettingsError::ClearToElsewhere(name.clone()));
            }
            Where::Srv { name, domain } => {
                let records = Records::new(name, domain, settings.encryption, settings.pool);
                (Servers::new(&[], Order::Weighted, &settings.pool), Some(records))
            }
        };
        Ok(Arc::new(Self {
            connection: settings.connection,
            account: settings.account,
            referrals: settings.referrals,
            counters: Arc::clone(&services.counters),
            rng: Arc::clone(&services.rng),
            refused: Mutex::default(),
            clock: Arc::clone(&services.clock),
            timeouts: settings.timeouts,
            connector: Connector {
                dialer: Arc::clone(&services.dialer),
                tenant: settings.tenant,
                tls,
                encryption: settings.encryption,
                timeouts: settings.timeouts,
                max_pdu: settings.max_pdu,
            },
            servers,
            records,
            keeper: Keeper::default(),
        }))
    }

    /// A search whose answer is short: more than 10,000 entries are none. It is asked again where a connection is lost
    /// under it. References are followed to the hosts that the settings name.
    ///
    /// # Errors
    /// [`WireError`]; a result of any code is an answer.
    pub async fn search_all(self: &Arc<Self>, search: &Search) -> Result<Answers, WireError> {
        let begun = self.now();
        let mut answers = self.again(search).await?;
        self.go_on(search, &mut answers).await?;
        self.counters.directory_asked(self.connection, "search", self.now().saturating_sub(begun));
        Ok(answers)
    }

    /// A search whose answer may be long.
    ///
    /// # Errors
    /// No server is reached, or takes the service account.
    pub async fn search(self: &Arc<Self>, search: Search) -> Result<Entries, WireError> {
        Ok(self.service().await?.into_search(self, search))
    }

    /// Whether an entry has a value: compareTrue (6), compareFalse (5), or why that can't be said.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn compare(self: &Arc<Self>, dn: &str, attribute: &str, value: &[u8]) -> Result<LdapResult, WireError> {
        self.again(&Comparison { dn, attribute, value }).await
    }

    /// A connection of the service account, to the first server that has one.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn service(self: &Arc<Self>) -> Result<Lease, WireError> {
        let mut last = None;
        for server in self.candidates().await? {
            let lease = pin!(self.lease(&server));
            match self.unless_silent(&server, lease).await {
                Ok(lease) => return Ok(lease),
                Err(error) if error.is_the_servers() => {
                    self.failed(&server, &error);
                    last = Some(error);
                }
                // Another one may have time.
                Err(WireError::Busy) => last = Some(WireError::Busy),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(WireError::Busy))
    }

    /// Whether a password is right. The connection serves nothing but such questions, and belongs to `thread` where
    /// that is given. `limit`: how long it may take, waiting for a connection and asking a second server included.
    ///
    /// # Errors
    /// [`WireError`]: nobody knows. A refusal, of whatever code, is an answer.
    pub async fn bind(
        self: &Arc<Self>,
        name: &str,
        password: &Password,
        thread: Option<&Handle>,
        limit: Duration,
    ) -> Result<BindResult, WireError> {
        let begun = self.now();
        let mut last = None;
        for server in self.candidates().await? {
            let left = limit.saturating_sub(self.now().saturating_sub(begun));
            let work = pin!(self.bind_at(&server, name, password));
            let work = pin!(self.unless_silent(&server, work));
            let asked = async { timeout(left, work).await };
            let Ok(result) = runtime::within(thread, asked).await else {
                let error = late(&server.label, Stage::Bind);
                server.unanswered(&error, self.now());
                return Err(error);
            };
            match result {
                // It says itself that it can't say.
                Ok(result) if matches!(result.code, Code::BUSY | Code::UNAVAILABLE) => last = Some(Ok(result)),
                Ok(result) => {
                    self.counters.directory_asked(self.connection, "bind", self.now().saturating_sub(begun));
                    return Ok(result);
                }
                Err(error) if error.is_the_servers() => {
                    self.failed(&server, &error);
                    last = Some(Err(error));
                }
                Err(WireError::Busy) => last = Some(Err(WireError::Busy)),
                Err(error) => return Err(error),
            }
        }
        last.unwrap_or(Err(WireError::Busy))
    }

    /// A connection that is a person's where the password is right, for what only they may do. It is a new one, and
    /// closed afterwards.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn as_user(
        self: &Arc<Self>,
        name: &str,
        password: &Password,
        limit: Duration,
    ) -> Result<(BindResult, Option<AsUser>), WireError> {
        let mut last = None;
        for server in self.candidates().await? {
            let work = pin!(async {
                let mut channel = self.connect(&server).await?;
                let result = bind::as_person(&mut channel, name, password).await?;
                if result.code != Code::SUCCESS {
                    return Ok((result, None));
                }
                let session = self.session(channel).await?;
                Ok((result, Some(AsUser(session))))
            });
            let work = pin!(self.unless_silent(&server, work));
            match within(&server.label, Stage::Bind, limit, work).await {
                Err(error) if error.is_the_servers() => {
                    self.failed(&server, &error);
                    last = Some(error);
                }
                settled => return settled,
            }
        }
        Err(last.unwrap_or(WireError::Busy))
    }

    /// Asks each server what it is: reached, believed, bound as the service account, and read. None of the pool's
    /// connections is used, and no server is judged by it.
    pub async fn examine(self: &Arc<Self>) -> Result<Vec<ServerReport>, WireError> {
        if let Some(records) = &self.records {
            records.read(self).await?;
        }
        let mut reports = Vec::new();
        for server in self.servers.all().iter() {
            let opened = self.connector.look(&server.host, server.port, self.connector.encryption).await;
            let (certificate, root) = match opened {
                Err(not) => (not.certificate, Err(not.error)),
                Ok((mut channel, certificate)) => {
                    let asked = async {
                        bind::as_account(&mut channel, &self.account).await?;
                        root(&mut channel).await
                    };
                    (certificate, within(&server.label, Stage::Bind, self.timeouts.bind, asked).await)
                }
            };
            reports.push(ServerReport { server: server.label.clone(), certificate, root });
        }
        Ok(reports)
    }

    /// Whom the settings name, or a name server does, as `host:port`.
    pub fn server_names(&self) -> Vec<String> {
        self.servers.all().iter().map(|server| server.label.clone()).collect()
    }
}

impl Upstream {
    async fn candidates(self: &Arc<Self>) -> Result<Vec<Arc<Server>>, WireError> {
        keeper::keep(self);
        // Later on the keeper reads them again.
        if let Some(records) = &self.records
            && self.servers.all().is_empty()
        {
            records.read(self).await?;
        }
        self.servers.candidates(self.rng.as_ref())
    }

    async fn lease(self: &Arc<Self>, server: &Arc<Server>) -> Result<Lease, WireError> {
        let place = server.service.place(self.timeouts.connect).await?;
        still_up(server)?;
        while let Some(mut kept) = server.service.take(self.now()) {
            if kept.thing.is_usable() {
                return Ok(Lease::new(kept, Arc::clone(server), Arc::clone(&self.clock), true, place));
            }
        }
        let session = Box::pin(self.bound(self.connect(server))).await?;
        server.heard(self.now());
        let kept = Kept::new(session, self.now());
        Ok(Lease::new(kept, Arc::clone(server), Arc::clone(&self.clock), false, place))
    }

    async fn bind_at(&self, server: &Server, name: &str, password: &Password) -> Result<BindResult, WireError> {
        let _place = server.users.place(self.timeouts.bind).await?;
        still_up(server)?;
        while let Some(mut kept) = server.users.take(self.now()) {
            if !kept.thing.is_quiet() {
                continue;
            }
            match bind::as_person(&mut kept.thing, name, password).await {
                Ok(result) => {
                    self.put_back(server, kept, &result);
                    return Ok(result);
                }
                // It was old: the others are as old.
                Err(WireError::Lost { .. }) => server.users.clear(),
                Err(error) => return Err(error),
            }
        }
        let mut channel = self.connect(server).await?;
        let result = bind::as_person(&mut channel, name, password).await?;
        self.put_back(server, Kept::new(channel, self.now()), &result);
        Ok(result)
    }

    /// A connection stays useful after a yes and after a wrong password: the next bind puts another in the place of
    /// whoever is bound (RFC 4511 section 4.2.1). After any other answer it is closed.
    fn put_back(&self, server: &Server, kept: Kept<Channel>, result: &BindResult) {
        server.heard(self.now());
        if matches!(result.code, Code::SUCCESS | Code::INVALID_CREDENTIALS) {
            server.users.put(kept, self.now());
        }
    }

    /// What is seldom needed lies in memory of its own, here and elsewhere in this file: a future is as long as the
    /// longest of its ways, and is copied whole wherever it is begun.
    async fn connect(&self, server: &Server) -> Result<Channel, WireError> {
        let begun = self.now();
        let channel = Box::pin(self.connector.open(&server.host, server.port)).await?;
        self.counters.directory_asked(self.connection, "connect", self.now().saturating_sub(begun));
        Ok(channel)
    }

    /// Opens a connection and binds the service account, unless that was refused of late.
    pub(super) async fn bound(
        &self,
        opened: impl Future<Output = Result<Channel, WireError>> + Send,
    ) -> Result<Session, WireError> {
        let rest = self.may_bind()?;
        let mut channel = opened.await?;
        let server = Arc::clone(channel.server());
        let bound = bind::as_account(&mut channel, &self.account);
        let bound = within(&server, Stage::Bind, self.timeouts.bind, bound).await;
        match &bound {
            Ok(()) => *self.refused() = None,
            Err(error @ WireError::AccountRefused { .. }) => {
                *self.refused() = Some(Refused { until: self.now() + rest, rest, error: error.clone() });
            }
            // No answer is no refusal.
            Err(_) => {}
        }
        bound?;
        self.session(channel).await
    }

    /// How long the account rests if it is refused now.
    fn may_bind(&self) -> Result<Duration, WireError> {
        let now = self.now();
        match &mut *self.refused() {
            None => Ok(REFUSED),
            Some(refused) if now < refused.until => Err(refused.error.clone()),
            Some(refused) => {
                // One tries; the others wait for what comes of it.
                refused.until = now + refused.rest;
                Ok((refused.rest * 2).min(LONGEST_REFUSED))
            }
        }
    }

    async fn session(&self, channel: Channel) -> Result<Session, WireError> {
        let server = Arc::clone(channel.server());
        Ok(Session::new(Library::over(channel).await?, server, self.timeouts.search))
    }

    pub(super) fn failed(&self, server: &Server, error: &WireError) {
        // Known already: whoever comes with it has heard of it, and has not tried again.
        if server.trouble().as_ref() != Some(error) {
            server.failed(error, self.now());
            self.keeper.wake();
        }
    }

    fn refused(&self) -> MutexGuard<'_, Option<Refused>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.steady()
    }
}

/// A server may have failed while somebody waited for a connection to it; then the next one is asked at once.
fn still_up(server: &Server) -> Result<(), WireError> {
    server.trouble().map_or(Ok(()), Err)
}

fn is_loopback(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
