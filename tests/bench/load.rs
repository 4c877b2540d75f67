//! The loads: closed loops, and open ones at a given rate.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::http::Connection;
use crate::numbers::{Latencies, each, nanos};
use crate::proc;

/// What one connection does again and again. It checks each answer.
pub type Call = Box<dyn FnMut(&mut Connection) -> anyhow::Result<()> + Send>;

/// Whose CPU is read.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    pub server: u32,
    /// The root of the database's processes, where it has some of its own.
    pub database: Option<u32>,
    pub precision: Precision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// To 10 ms, with all that ended meanwhile: for loads of seconds.
    Ticks,
    /// To the nanosecond, of the threads and processes that are still there: for short loads.
    Nanos,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub server: Duration,
    pub database: Duration,
    /// The load's own, told apart.
    pub load: Duration,
}

/// What a load came to.
#[derive(Debug, Clone)]
pub struct Load {
    pub latencies: Latencies,
    pub wall: Duration,
    pub cpu: Cpu,
}

#[derive(Debug, Clone, Copy)]
pub enum Until {
    Count(usize),
    Time(Duration),
}

/// Connections with their calls.
pub struct Lines {
    address: SocketAddr,
    calls: Vec<Call>,
}

type Reader = fn(u32) -> anyhow::Result<Duration>;

impl Meter {
    pub fn read(&self) -> anyhow::Result<Cpu> {
        let (of_one, of_tree): (Reader, Reader) = match self.precision {
            Precision::Ticks => (proc::cpu, proc::tree_cpu),
            Precision::Nanos => (proc::threads_cpu, proc::tree_threads_cpu),
        };
        Ok(Cpu {
            server: of_one(self.server)?,
            database: self.database.map_or(Ok(Duration::ZERO), of_tree)?,
            load: proc::own_cpu()?,
        })
    }
}

impl Cpu {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            server: self.server.saturating_sub(earlier.server),
            database: self.database.saturating_sub(earlier.database),
            load: self.load.saturating_sub(earlier.load),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            server: self.server + other.server,
            database: self.database + other.database,
            load: self.load + other.load,
        }
    }

    /// Server and database together.
    pub fn product(self) -> Duration {
        self.server + self.database
    }

    pub fn each(self, count: usize) -> Self {
        Self { server: each(self.server, count), database: each(self.database, count), load: each(self.load, count) }
    }
}

impl Load {
    /// Parts of one load, which came one after the other.
    pub fn merged(parts: Vec<Self>) -> Self {
        let wall = parts.iter().map(|part| part.wall).sum();
        let cpu = parts.iter().fold(Cpu::default(), |sum, part| sum.and(part.cpu));
        Self { latencies: Latencies::merged(parts.into_iter().map(|part| part.latencies)), wall, cpu }
    }

    pub fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.wall.as_secs_f64()
    }

    pub fn cpu_each(&self) -> Cpu {
        self.cpu.each(self.latencies.count())
    }
}

impl Lines {
    pub fn new(address: SocketAddr, calls: Vec<Call>) -> Self {
        Self { address, calls }
    }

    /// Every connection asks as soon as it was answered. After the load, what the server does
    /// for it in the background gets `settle` to end, so that its CPU is counted too.
    pub fn closed(&mut self, until: Until, settle: Duration, meter: &Meter) -> anyhow::Result<Load> {
        let taken = AtomicUsize::new(0);
        self.run(settle, meter, |_, start| {
            let taken = &taken;
            move || {
                let more = match until {
                    Until::Count(count) => taken.fetch_add(1, Ordering::Relaxed) < count,
                    Until::Time(lasting) => start.elapsed() < lasting,
                };
                more.then(Instant::now)
            }
        })
    }

    /// Requests at a rate, whether the ones before are answered or not, each at its own moment with
    /// some jitter. Where a connection was still busy at that moment, the wait for it counts.
    pub fn paced(&mut self, rate: f64, lasting: Duration, meter: &Meter) -> anyhow::Result<Load> {
        let between = self.calls.len() as f64 / rate;
        self.run(Duration::ZERO, meter, |line, start| {
            let mut seed = line as u64 + 1;
            let mut turn = 0_u32;
            move || {
                // Knuth's generator; good enough to keep the connections from marching in step.
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let jitter = (seed >> 33) as f64 / (1_u64 << 31) as f64;
                let due = Duration::from_secs_f64((f64::from(turn) + jitter) * between);
                turn += 1;
                (due < lasting).then(|| start + due)
            }
        })
    }

    /// Runs every line on a thread of its own. `schedule` gives a line's next moment.
    fn run<S>(
        &mut self,
        settle: Duration,
        meter: &Meter,
        schedule: impl Fn(usize, Instant) -> S,
    ) -> anyhow::Result<Load>
    where
        S: FnMut() -> Option<Instant> + Send,
    {
        let failed = AtomicBool::new(false);
        // For each run anew: the server hangs up on whoever says nothing while other lines have their turn.
        let opened = self.calls.iter().map(|_| Connection::open(self.address));
        let connections = opened.collect::<anyhow::Result<Vec<_>>>()?;
        let before = meter.read()?;
        let start = Instant::now();
        let lines: anyhow::Result<Vec<Vec<u32>>> = thread::scope(|scope| {
            let lines = connections.into_iter().zip(&mut self.calls).enumerate();
            let threads: Vec<_> = lines
                .map(|(at, (connection, call))| {
                    let next = schedule(at, start);
                    let failed = &failed;
                    scope.spawn(move || line(connection, call, next, failed))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a load thread died"))?).collect()
        });
        let wall = start.elapsed();
        thread::sleep(settle);
        let cpu = meter.read()?.since(before);
        Ok(Load { latencies: Latencies::new(lines?.concat()), wall, cpu })
    }
}

fn line(
    mut connection: Connection,
    call: &mut Call,
    mut next: impl FnMut() -> Option<Instant>,
    failed: &AtomicBool,
) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::with_capacity(1 << 16);
    let mut free = Instant::now();
    while let Some(due) = next() {
        if failed.load(Ordering::Relaxed) {
            break;
        }
        let now = Instant::now();
        if now < due {
            thread::sleep(due - now);
        }
        connection.take_waited();
        if let Err(error) = call(&mut connection) {
            failed.store(true, Ordering::Relaxed);
            return Err(error);
        }
        // Waiting for the connection is the server's doing, sleeping too long is ours.
        let late = free.saturating_duration_since(due);
        latencies.push(nanos(connection.take_waited() + late));
        free = Instant::now();
    }
    Ok(latencies)
}
