//! The load: one thread with many connections, each of which asks as soon as it was answered. What it sends is made
//! before, and of what comes back it looks at as little as it can: it runs on the cores of the servers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::numbers::{Latencies, nanos};

use super::party::Party;
use super::people;
use super::wire::{self, Elements, Scope, equal, tag};

/// Turns that are made before; they are taken again and again.
const MADE: usize = 4_096;

/// What connections do.
pub struct Turns {
    /// Once on each connection.
    first: Option<Request>,
    all: Arc<Vec<Vec<Request>>>,
    connections: usize,
}

struct Request {
    octets: Vec<u8>,
    /// Entries that come before the result.
    entries: usize,
}

pub struct Load {
    pub latencies: Latencies,
    pub wall: Duration,
}

impl Load {
    pub fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.wall.as_secs_f64()
    }
}

impl Turns {
    /// Each finds somebody by `uid`, as the app.
    pub fn searches(party: &Party, people: usize, connections: usize) -> Self {
        let one = |number| vec![search(party, number)];
        Self { first: Some(app_bind(party)), all: made(people, one), connections }
    }

    /// Each binds as somebody.
    pub fn binds(party: &Party, people: usize, connections: usize) -> Self {
        Self { first: None, all: made(people, |number| vec![bind(party, number)]), connections }
    }

    /// Each is what a login at an app takes: the app binds, finds the person, and binds as the person.
    pub fn logins(party: &Party, people: usize, connections: usize) -> Self {
        let one = |number| vec![app_bind(party), search(party, number), bind(party, number)];
        Self { first: None, all: made(people, one), connections }
    }

    pub fn app_binds(party: &Party, connections: usize) -> Self {
        Self { first: None, all: made(1, |_| vec![app_bind(party)]), connections }
    }
}

fn made(people: usize, one: impl Fn(usize) -> Vec<Request>) -> Arc<Vec<Vec<Request>>> {
    let mut seed = 1_u64;
    let mut next = || {
        // Knuth's generator: the same people at each party.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % people
    };
    Arc::new((0..MADE).map(|_| one(next())).collect())
}

fn search(party: &Party, number: usize) -> Request {
    let search = wire::search(&party.people, Scope::Sub, &equal("uid", &people::name(number)), &["uid", "cn", "mail"]);
    Request { octets: wire::message(1, &search), entries: 1 }
}

fn bind(party: &Party, number: usize) -> Request {
    let dn = format!("uid={},{}", people::name(number), party.people);
    Request { octets: wire::message(1, &wire::bind(&dn, &people::password(number))), entries: 0 }
}

fn app_bind(party: &Party) -> Request {
    Request { octets: wire::message(1, &wire::bind(&party.app.0, &party.app.1)), entries: 0 }
}

/// As fast as it goes.
pub fn closed(party: &Party, turns: Turns, lasting: Duration) -> anyhow::Result<Load> {
    on_one_thread(async {
        let mut lines = open(party, &turns).await?;
        let start = Instant::now();
        let until = start + lasting;
        let tasks = lines.drain(..).enumerate().map(|(number, mut line)| {
            let all = Arc::clone(&turns.all);
            let step = MADE / turns.connections.max(1);
            tokio::task::spawn_local(async move {
                let mut latencies = Vec::with_capacity(1 << 16);
                let mut at = number * step;
                while Instant::now() < until {
                    let start = Instant::now();
                    line.turn(&all[at % MADE]).await?;
                    latencies.push(nanos(start.elapsed()));
                    at += 1;
                }
                anyhow::Ok(latencies)
            })
        });
        let mut latencies = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            latencies.extend(task.await??);
        }
        Ok(Load { latencies: Latencies::new(latencies), wall: start.elapsed() })
    })
}

/// At a rate, whether those before are answered or not; where a connection is still busy, the wait counts.
pub fn paced(party: &Party, turns: Turns, rate: f64, lasting: Duration) -> anyhow::Result<Latencies> {
    on_one_thread(async {
        let mut lines = open(party, &turns).await?;
        let start = Instant::now();
        let between = Duration::from_secs_f64(turns.connections as f64 / rate);
        let tasks = lines.drain(..).enumerate().map(|(number, mut line)| {
            let all = Arc::clone(&turns.all);
            let first = between.mul_f64(number as f64 / turns.connections as f64);
            tokio::task::spawn_local(async move {
                let mut latencies = Vec::new();
                let mut due = first;
                while due < lasting {
                    tokio::time::sleep_until((start + due).into()).await;
                    line.turn(&all[latencies.len() % MADE]).await?;
                    latencies.push(nanos((start + due).elapsed()));
                    due += between;
                }
                anyhow::Ok(latencies)
            })
        });
        let mut latencies = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            latencies.extend(task.await??);
        }
        Ok(Latencies::new(latencies))
    })
}

fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

async fn open(party: &Party, turns: &Turns) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for _ in 0..turns.connections {
        let stream = TcpStream::connect(party.address).await?;
        stream.set_nodelay(true)?;
        let mut line = Line { stream, read: Vec::with_capacity(1 << 14), at: 0 };
        if let Some(first) = &turns.first {
            line.ask(first).await?;
        }
        lines.push(line);
    }
    Ok(lines)
}

struct Line {
    stream: TcpStream,
    read: Vec<u8>,
    /// Octets of `read` that were looked at.
    at: usize,
}

impl Line {
    async fn turn(&mut self, requests: &[Request]) -> anyhow::Result<()> {
        for request in requests {
            self.ask(request).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, request: &Request) -> anyhow::Result<()> {
        self.stream.write_all(&request.octets).await?;
        let mut entries = 0;
        loop {
            let Some(length) =
                wire::length_of_first(&self.read[self.at..]).filter(|length| self.at + length <= self.read.len())
            else {
                self.more().await?;
                continue;
            };
            let message = &self.read[self.at..self.at + length];
            self.at += length;
            let (kind, content) = operation(message).context("no LDAP message")?;
            if kind == tag::ENTRY {
                entries += 1;
                continue;
            }
            let (_, code) = Elements(content).next().context("no result")?;
            ensure!(code == [0], "the result is {code:?}: {}", String::from_utf8_lossy(content));
            ensure!(entries == request.entries, "{entries} entries came, {} were due", request.entries);
            return Ok(());
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.read.drain(..self.at);
        self.at = 0;
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }
}

fn operation(message: &[u8]) -> Option<(u8, &[u8])> {
    let (_, inner) = Elements(message).next()?;
    Elements(inner).nth(1)
}
