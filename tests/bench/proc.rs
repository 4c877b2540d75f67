//! CPU time and memory of processes, from /proc (proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// Linux counts in hundredths of a second towards user space, on every machine.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process with all its threads, those that ended included.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = Stat::read(pid)?;
    Ok(TICK * stat.own)
}

/// CPU time of this very process.
pub fn own_cpu() -> anyhow::Result<Duration> {
    cpu(std::process::id())
}

/// CPU time of a process and all below it, those that ended included.
pub fn tree_cpu(root: u32) -> anyhow::Result<Duration> {
    Ok(TICK * tree(root)?.iter().map(|stat| stat.own + stat.ended).sum())
}

/// CPU time of the threads that a process has now. A thread that sleeps is up to date.
pub fn threads_cpu(pid: u32) -> anyhow::Result<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?;
    // One that ends at this very moment is left out.
    let texts = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok());
    texts.map(|text| on_cpu(&text)).sum()
}

/// The same of a process and all that are below it now.
pub fn tree_threads_cpu(root: u32) -> anyhow::Result<Duration> {
    Ok(tree(root)?.iter().filter_map(|stat| threads_cpu(stat.pid).ok()).sum())
}

/// A process and all below it.
fn tree(root: u32) -> anyhow::Result<Vec<Stat>> {
    let all = fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Stat::read(pid).ok());
    let (mut inside, mut others): (Vec<Stat>, Vec<Stat>) = all.partition(|stat| stat.pid == root);
    ensure!(!inside.is_empty(), "the process is gone");
    let mut at = 0;
    while let Some(parent) = inside.get(at).map(|stat| stat.pid) {
        let (children, rest) = others.into_iter().partition(|stat| stat.parent == parent);
        inside.extend::<Vec<Stat>>(children);
        others = rest;
        at += 1;
    }
    Ok(inside)
}

/// CPU time of this thread. The kernel brings it up to date some hundred times a second.
pub fn thread_cpu() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    on_cpu(&text)
}

fn on_cpu(schedstat: &str) -> anyhow::Result<Duration> {
    let nanos = schedstat.split(' ').next().and_then(|word| word.parse().ok()).context("schedstat has another form")?;
    Ok(Duration::from_nanos(nanos))
}

/// Resident memory in octets.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    pub peak: u64,
}

pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kibibytes = |name: &str| -> anyhow::Result<u64> {
        let line = text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name} in status"))?;
        let number = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        number.map(|kib: u64| kib * 1024).with_context(|| format!("{name} is not a number"))
    };
    Ok(Memory { resident: kibibytes("VmRSS:")?, peak: kibibytes("VmHWM:")? })
}

struct Stat {
    pid: u32,
    parent: u32,
    /// Ticks of the process itself, and of its children that ended and were waited for.
    own: u32,
    ended: u32,
}

impl Stat {
    fn read(pid: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name stands in brackets and may hold anything; the state follows it.
        let (_, rest) = text.rsplit_once(") ").context("stat has another form")?;
        let words: Vec<&str> = rest.split(' ').collect();
        let number = |field: usize| -> anyhow::Result<u32> {
            let word = words.get(field - 3).context("stat is too short")?;
            word.parse().context("stat has another form")
        };
        Ok(Self { pid, parent: number(4)?, own: number(14)? + number(15)?, ended: number(16)? + number(17)? })
    }
}
