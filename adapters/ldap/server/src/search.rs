//! Searches (RFC 4511 section 4.5): in steps, so that none holds up the others.

mod steps;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_ldap_core::control::PagedResults;
use fedbridge_ldap_core::{Code, Control, Done, LdapResult, Search, envelope};
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::assertion;
use crate::backend::{Backend, Beyond, Elsewhere, Fetched, Found, Identity, Limits, Page, Seen};
use crate::controls::{self, Understood, With};
use crate::limits::bearable;
use crate::session::{Flow, Session};
use crate::standing::{ENDED, Fallen};
use crate::trace::{self, Over};

/// Entries of an upstream that wait for room.
const AHEAD: usize = 16;

/// The greatest size that a search may ask for (RFC 4511 section 4.1.1).
const UNLIMITED: u32 = i32::MAX as u32;

/// How long a search goes on before it is asked again whether its owner may.
const STANDS: Duration = Duration::from_millis(100);

/// A search that is under way.
pub(crate) struct Running {
    pub(crate) id: i32,
    search: Search,
    as_: Identity,
    /// OIDs, as they came.
    controls: Vec<String>,
    rest: Rest,
    /// Entries of this answer.
    given: u32,
    most: u32,
    page: Option<PageOf>,
    received: Instant,
    until: Instant,
    asked_gate: Instant,
}

/// What is known of a paged search besides.
struct PageOf {
    fingerprint: [u8; 32],
    /// Entries of the pages before.
    before: u32,
    /// Whether the client's own limit is what ends it here.
    last: bool,
}

/// What of a search is still to be given.
pub(crate) struct Rest {
    /// The directory as it was when the search began.
    backend: Arc<dyn Backend>,
    source: Source,
    /// How many entries there may be in all; 0 where upstreams have a part in it.
    estimate: u32,
    /// Subtrees of upstreams, after what is ours.
    beyond: VecDeque<Beyond>,
    /// What an upstream's part ended with, where the other parts go on.
    trouble: Option<Code>,
}

enum Source {
    Ours {
        after: u32,
        entries: Entries,
    },
    /// An upstream's subtree: what came ahead, and the call.
    Upstreams {
        ahead: VecDeque<Found>,
        arriving: mpsc::Receiver<Found>,
        call: Call<Page>,
        /// The search is for more than the subtree.
        is_a_part: bool,
    },
    Over,
}

/// Those beyond memory that a step needs.
enum Entries {
    None,
    Coming(Call<Read>),
    Came(Result<Read, JoinError>),
    Here(Fetched),
}

/// `None`: it took longer than the search may.
type Read = Option<Result<Fetched, StoreError>>;

/// A call that ends with whoever waits for it.
struct Call<T>(JoinHandle<T>);

impl<T: Send + 'static> Call<T> {
    /// `runtime`: what it opens belongs there.
    fn begin(runtime: Option<&Handle>, call: impl Future<Output = T> + Send + 'static) -> Self {
        Self(match runtime {
            Some(runtime) => runtime.spawn(call),
            None => tokio::spawn(call),
        })
    }
}

impl<T> Call<T> {
    /// What came of it, once; `None`: nothing yet. An error: it has ended without a word.
    fn taken(&mut self) -> Option<Result<T, JoinError>> {
        if self.0.is_finished() { FutureExt::now_or_never(&mut self.0) } else { None }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a step ended.
enum Step {
    More,
    Over(LdapResult),
}

impl Session {
    pub(crate) async fn search(&mut self, id: i32, search: Search, controls: &[Control], received: Instant) -> Flow {
        let understood = match bearable(&search).and_then(|()| controls::read(controls, With::Search)) {
            Ok(understood) => understood,
            Err(result) => return self.refuse_search(id, &search, result, received),
        };
        if let Some(page) = self.common(id, &search) {
            let code = page.code;
            let result = LdapResult { matched: page.matched, ..LdapResult::new(code, "") };
            self.done(id, Done::Search, result, &[]);
            self.server.count_search(self.pipe.facts(), &search, (code, 1), received);
            return Flow::Go;
        }
        let backend = match self.directory(&search.base) {
            Ok(backend) => backend,
            Err(result) => return self.refuse_search(id, &search, result, received),
        };
        match self.stands(backend.as_ref()).await {
            Ok(()) => {}
            Err(Fallen::Unsure(result)) => return self.refuse_search(id, &search, result, received),
            Err(Fallen::Ended) => return ENDED,
        }
        if let Some(filter) = &understood.assertion {
            let (identity, runtime) = (&self.who.identity, self.server.rules.runtime.as_ref());
            if let Err(result) = assertion::check(backend.as_ref(), identity, &search.base, filter, runtime).await {
                return self.refuse_search(id, &search, result, received);
            }
        }
        let oids = controls.iter().map(|control| control.oid.clone()).collect();
        match self.begin(id, search, (understood, oids), backend, received) {
            Ok(running) => {
                self.running.push_back(running);
                self.step(self.running.len() - 1).await
            }
            Err(refused) => {
                let (search, result) = *refused;
                self.refuse_search(id, &search, result, received)
            }
        }
    }

    /// The root DSE and the subschema entry, which are everybody's.
    fn common(&mut self, id: i32, search: &Search) -> Option<Page> {
        let tenant = self.who.tenant();
        let (facts, output) = self.pipe.facts_and_output();
        self.server.directories.common(search, facts, tenant, &mut |found| {
            put(id, &found, output);
            true
        })
    }

    fn begin(
        &mut self,
        id: i32,
        search: Search,
        (understood, controls): (Understood, Vec<String>),
        backend: Arc<dyn Backend>,
        received: Instant,
    ) -> Result<Running, Box<(Search, LdapResult)>> {
        let as_ = self.who.identity;
        let limits = backend.limits(&as_);
        let time = match search.time {
            0 => limits.time,
            seconds => limits.time.min(Duration::from_secs(seconds.into())),
        };
        let limits = Limits { time, ..limits };
        let (rest, most, page) = match understood.paged {
            None => {
                let most = smaller(search.size, limits.size);
                (self.whole(&search, Limits { size: most, ..limits }, backend), most, None)
            }
            Some(paged) => match self.page(&search, &paged, limits, backend) {
                Ok((rest, most, page)) => (rest, most, Some(page)),
                Err(result) => return Err(Box::new((search, result))),
            },
        };
        let until = received + time;
        Ok(Running { id, search, as_, controls, rest, given: 0, most, page, received, until, asked_gate: received })
    }

    /// All that a search is to give, at its beginning.
    fn whole(&self, search: &Search, limits: Limits, backend: Arc<dyn Backend>) -> Rest {
        let as_ = &self.who.identity;
        if let Some(elsewhere) = backend.elsewhere(as_, &search.base) {
            let source = upstreams(self.server.rules.runtime.as_ref(), elsewhere, search.clone(), limits, false);
            return Rest { backend, source, estimate: 0, beyond: VecDeque::new(), trouble: None };
        }
        let beyond = backend.beyond(as_, &search.base, search.scope).into();
        let source = Source::Ours { after: 0, entries: Entries::None };
        Rest { backend, source, estimate: 0, beyond, trouble: None }
    }

    /// Where a page begins, and how long it is.
    fn page(
        &mut self,
        search: &Search,
        paged: &PagedResults,
        limits: Limits,
        backend: Arc<dyn Backend>,
    ) -> Result<(Rest, u32, PageOf), LdapResult> {
        let fingerprint = crate::paging::fingerprint(search, &self.who.identity);
        let (rest, before) = if paged.cookie.is_empty() {
            (self.whole(search, Limits { size: smaller(search.size, UNLIMITED), ..limits }, backend), 0)
        } else {
            let held = self.pages.take(&self.server.key, self.number, &fingerprint, &paged.cookie);
            let wrong = || LdapResult::new(Code::UNWILLING, "the cookie is not one of this search; begin it anew");
            let held = held.ok_or_else(wrong)?;
            (held.rest, held.given)
        };
        let page = paged.size.min(limits.size);
        let left = if search.size == 0 { u32::MAX } else { search.size.saturating_sub(before) };
        let page_of = PageOf { fingerprint, before, last: left <= page };
        Ok((rest, page.min(left), page_of))
    }

    /// Takes all searches that can go on a step further.
    ///
    /// # Errors
    /// The connection ends.
    pub(crate) async fn go_on(&mut self) -> Result<(), Flow> {
        if self.running.is_empty() {
            return Ok(());
        }
        // Each one that is there now has one step; those that end make place.
        for _ in 0..self.running.len() {
            if self.pipe.has_room() {
                match self.step(0).await {
                    Flow::Go => {}
                    end => return Err(end),
                }
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// One step of one search, which goes to the end of the line where it is not over.
    async fn step(&mut self, at: usize) -> Flow {
        let Some(mut running) = self.running.remove(at) else { return Flow::Go };
        let now = Instant::now();
        if now.duration_since(running.asked_gate) >= STANDS {
            running.asked_gate = now;
            let backend = Arc::clone(&running.rest.backend);
            match self.stands(backend.as_ref()).await {
                Ok(()) => {}
                Err(Fallen::Unsure(result)) => {
                    self.end(&running, result, &[]);
                    return Flow::Go;
                }
                Err(Fallen::Ended) => return ENDED,
            }
        }
        match running.step(&mut self.pipe, now, self.server.rules.runtime.as_ref()) {
            Step::More => self.running.push_back(running),
            Step::Over(result) => {
                let controls = self.cookie(&mut running, &result);
                self.end(&running, result, &controls);
            }
        }
        Flow::Go
    }

    /// The answer of a paged search says where it goes on.
    fn cookie(&mut self, running: &mut Running, result: &LdapResult) -> Vec<Control> {
        let Some(page) = &running.page else { return Vec::new() };
        let size = running.rest.estimate;
        let goes_on = result.code == Code::SUCCESS && running.most > 0 && !running.rest.is_over();
        let cookie = if goes_on {
            let place = (running.rest.taken(), page.before.saturating_add(running.given));
            self.pages.keep(&self.server.key, self.number, page.fingerprint, place)
        } else {
            Default::default()
        };
        vec![PagedResults { size, cookie }.control(false)]
    }

    fn end(&mut self, running: &Running, result: LdapResult, controls: &[Control]) {
        let (code, given) = (result.code, running.given);
        let now = self.server.services.clock.now();
        let backend = Arc::clone(&running.rest.backend);
        let seen = Seen::Search { search: &running.search, controls: &running.controls, given };
        backend.learn(&running.as_, &seen, now);
        self.server.count_search(self.pipe.facts(), &running.search, (code, given), running.received);
        self.trace_search(backend.as_ref(), &running.search, &result, given);
        self.done(running.id, Done::Search, result, controls);
    }

    fn refuse_search(&mut self, id: i32, search: &Search, result: LdapResult, received: Instant) -> Flow {
        self.server.count_search(self.pipe.facts(), search, (result.code, 0), received);
        let backend = self.who.tenant().and_then(|tenant| self.server.directories.of(tenant));
        if let Some(backend) = backend {
            self.trace_search(backend.as_ref(), search, &result, 0);
        }
        self.done(id, Done::Search, result, &[]);
        Flow::Go
    }

    fn trace_search(&self, backend: &dyn Backend, search: &Search, result: &LdapResult, given: u32) {
        let now = self.server.services.clock.now();
        let (tenant, app) = (backend.tenant(), self.who.identity.app());
        let (outcome, cause) = trace::outcome(result);
        // Whoever looks for what is not there is no news, and comes in thousands.
        let usual = matches!(result.code, Code::SUCCESS | Code::NO_SUCH_OBJECT | Code::SIZE_LIMIT);
        if usual && !self.server.samples.due(tenant.id, app, "search", now) {
            return;
        }
        let mut steps = TraceLog::new();
        steps.received(now, "search", false, [trace::shape(search), trace::about(self.pipe.facts())].concat());
        steps.decide("entries", given.to_string(), true);
        let over = Over {
            tenant,
            kind: "search",
            app,
            connection: None,
            person: None,
            began: now,
            outcome: if usual { Outcome::Success } else { outcome },
            cause,
            steps,
        };
        self.server.record(self.pipe.facts(), over);
    }
}

impl Rest {
    fn is_over(&self) -> bool {
        matches!(self.source, Source::Over)
    }

    /// All that is left; nothing stays here.
    fn taken(&mut self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            source: std::mem::replace(&mut self.source, Source::Over),
            estimate: self.estimate,
            beyond: std::mem::take(&mut self.beyond),
            trouble: self.trouble,
        }
    }
}

fn upstreams(
    runtime: Option<&Handle>,
    elsewhere: Arc<dyn Elsewhere>,
    search: Search,
    limits: Limits,
    is_a_part: bool,
) -> Source {
    let (out, arriving) = mpsc::channel(AHEAD);
    let call = async move {
        let late = |_| Page::ended(Code::TIME_LIMIT, String::new());
        tokio::time::timeout(limits.time, elsewhere.search(search, limits, out)).await.unwrap_or_else(late)
    };
    Source::Upstreams { ahead: VecDeque::new(), arriving, call: Call::begin(runtime, call), is_a_part }
}

fn put(id: i32, found: &Found, output: &mut bytes::BytesMut) {
    let (Found::Entry(octets) | Found::Reference(octets)) = found;
    envelope(id, octets, &[], output);
}

/// The smaller one, where zero of the client's is no limit.
fn smaller(of_client: u32, ours: u32) -> u32 {
    if of_client == 0 { ours } else { of_client.min(ours) }
}
