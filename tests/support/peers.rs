//! Real peers, started by the scripts of `tests/peers`. A peer that is missing
//! fails the test with the script's own line, which names the command to run.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, REPOSITORY, free_port};

/// A running peer. It ends when it is dropped.
pub struct Peer {
    child: Child,
    pub dir: PathBuf,
    /// The address that the peer said it is ready at.
    pub url: String,
}

/// A peer that was started and may not be ready yet.
pub struct Starting {
    child: Child,
    name: String,
    dir: PathBuf,
}

impl Starting {
    /// Several peers that are started first and waited for afterwards come up side by side.
    pub fn peer(name: &str, dir: &Path, settings: &[(&str, &str)]) -> Self {
        let dir = dir.join(name);
        let child = Command::new(format!("{REPOSITORY}/tests/peers/{name}/start.sh"))
            .env("PEER_DIR", &dir)
            .env("PEER_PORT", free_port().to_string())
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("peer {name}: {error}"));
        Self { child, name: name.to_owned(), dir }
    }

    /// # Panics
    /// With what the peer said, when it did not start.
    pub fn ready(self) -> Peer {
        let Self { mut child, name, dir } = self;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("ready ") else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("peer {name} did not start: {said}");
        };
        let url = url.to_owned();
        Peer { child, dir, url }
    }
}

impl Peer {
    pub fn start(name: &str, dir: &Path, settings: &[(&str, &str)]) -> Self {
        Starting::peer(name, dir, settings).ready()
    }

    /// It loses what it holds when the machine dies, and waits for no disk.
    pub fn postgres(dir: &Path) -> Self {
        Self::start("postgres", dir, &[("PG_DURABLE", "0")])
    }

    /// As a company would run it.
    pub fn durable_postgres(dir: &Path) -> Self {
        Self::start("postgres", dir, &[])
    }

    /// It is gone: nobody listens there any more. What it was stays known.
    ///
    /// # Panics
    /// When somebody goes on to listen.
    pub fn die(&mut self) {
        self.end();
        let url = url::Url::parse(&self.url).unwrap();
        let address = (url.host_str().unwrap(), url.port().unwrap());
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < until, "{} does not end", self.url);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its watcher ends what belongs to it a moment later.
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The last lines of what it logged.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.dir.join("peer.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Changes the behaviour of a running SimpleSAMLphp.
    pub fn turn_knobs(&self, knobs: &Value) {
        let fresh = self.dir.join("knobs.new");
        std::fs::write(&fresh, knobs.to_string()).unwrap();
        std::fs::rename(fresh, self.dir.join("knobs.json")).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Logs a person in with Chromium and gives back what the script saw.
///
/// # Panics
/// With the script's report when the login did not end as expected.
pub fn chromium_login(settings: &[(&str, &str)]) -> Value {
    let output = Command::new("node")
        .arg(format!("{REPOSITORY}/tests/peers/node/login.mjs"))
        .envs(settings.iter().copied())
        .output()
        .expect("node is missing: install Node.js 20");
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("login.mjs: {said}{}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "login.mjs: {report:#}");
    report
}
