//! Real peers, started by the scripts of `tests/peers`. A peer that is missing
//! fails the test with the script's own line, which names the command to run.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::REPOSITORY;

/// A running peer. It ends when it is dropped.
pub struct Peer {
    child: Child,
    pub dir: PathBuf,
    /// The address that the peer said it is ready at.
    pub url: String,
}

impl Peer {
    pub fn start(name: &str, dir: &Path, settings: &[(&str, &str)]) -> Self {
        let dir = dir.join(name);
        let mut child = Command::new(format!("{REPOSITORY}/tests/peers/{name}/start.sh"))
            .env("PEER_DIR", &dir)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("peer {name}: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("ready ") else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("peer {name} did not start: {said}");
        };
        let url = url.to_owned();
        Self { child, dir, url }
    }

    pub fn postgres(dir: &Path) -> Self {
        Self::start("postgres", dir, &[])
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
        let _ = self.child.kill();
        let _ = self.child.wait();
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
