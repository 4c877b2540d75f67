//! A provider that accepts everything and never answers, while browsers of its tenant call back: what another tenant's
//! people notice of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};

use crate::chain::{Company, Flow, Upstream};
use crate::http::Connection;
use crate::load::{Call, Lines, Load, Meter};
use crate::op::{Op, OpUpstream, Source};
use crate::upstream::person;

/// Of the tenant whose provider stalls.
pub const TENANT: &str = "stalled";

pub const BROWSERS: usize = 200;

/// They come within the first second, and whoever was refused tries again after a while.
const ARRIVAL: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(5);

pub struct Stalled {
    /// Logins a second at the other tenant.
    pub rate: f64,
    pub before: Load,
    pub during: Load,
    /// How often the browsers called back, and how many of them were waiting at the same time at most.
    pub called_back: usize,
    pub waiting: usize,
    /// Our server's calls that had no answer.
    pub held: usize,
}

/// `calls` are logins at another tenant, at this rate and for so long.
pub fn measure(
    address: SocketAddr,
    op: &Op,
    calls: Vec<Call>,
    rate: f64,
    lasting: Duration,
    meter: &Meter,
) -> anyhow::Result<Stalled> {
    let mut lines = Lines::new(address, calls);
    lines.paced(rate, Duration::from_secs(1), meter)?;
    let before = lines.paced(rate, lasting, meter)?;
    let crowd = Crowd {
        company: Company { host: address.to_string(), tenant: TENANT.to_owned() },
        upstream: op.upstream(Source::IdToken),
        called_back: AtomicUsize::new(0),
        waiting: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    };
    // Each has begun its login before the provider falls silent.
    let callbacks: Vec<_> = (0..BROWSERS).map(|_| crowd.begin(address)).collect::<anyhow::Result<_>>()?;
    op.stall.begin();
    let during = thread::scope(|scope| {
        let (mut ends, mut browsers) = (Vec::new(), Vec::new());
        for (at, (connection, callback)) in callbacks.into_iter().enumerate() {
            let (end, over) = channel();
            let crowd = &crowd;
            ends.push(end);
            browsers.push(scope.spawn(move || crowd.browse(at, connection, callback, &over)));
        }
        let during = lines.paced(rate, lasting, meter);
        drop(ends);
        for browser in browsers {
            browser
                .join()
                .map_err(|_| anyhow!("a browser's thread died"))?
                .context("a browser of the stalled tenant")?;
        }
        during
    })?;
    let held = op.stall.held();
    ensure!(held > 0, "the provider was not called while it stalled");
    let (called_back, waiting) = (crowd.called_back.into_inner(), crowd.most.into_inner());
    Ok(Stalled { rate, before, during, called_back, waiting, held })
}

/// The browsers of the stalled tenant.
struct Crowd {
    company: Company,
    upstream: OpUpstream,
    called_back: AtomicUsize,
    waiting: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    /// A browser that is on its way back: its callback.
    fn begin(&self, address: SocketAddr) -> anyhow::Result<(Connection, Vec<u8>)> {
        let mut connection = Connection::open(address)?;
        let callback = self.callback(&mut connection)?;
        Ok((connection, callback))
    }

    fn callback(&self, connection: &mut Connection) -> anyhow::Result<Vec<u8>> {
        let request = self.company.authorize(self.upstream.slug(), &Flow::new(), "");
        let answer = connection.call(&request)?.expect(303)?;
        self.upstream.answer(&self.company, &answer.location()?, &answer.cookies(), &person(0))
    }

    /// Calls back again and again, until the other end of `over` is gone.
    fn browse(
        &self,
        at: usize,
        mut connection: Connection,
        mut callback: Vec<u8>,
        over: &Receiver<()>,
    ) -> anyhow::Result<()> {
        let mut pause = ARRIVAL.mul_f64(at as f64 / BROWSERS as f64);
        while over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            if pause == AGAIN {
                callback = self.callback(&mut connection)?;
            }
            pause = AGAIN;
            let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(waiting, Ordering::Relaxed);
            self.called_back.fetch_add(1, Ordering::Relaxed);
            let answer = connection.call(&callback);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let location = answer?.location().unwrap_or_default();
            ensure!(!location.contains("code="), "somebody came in while the provider was silent");
        }
        Ok(())
    }
}
