//! A server of this run's own, started by a script of `tests/peers`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

/// It ends when it is dropped.
pub struct Peer(Child);

impl Peer {
    /// Starts the peer with its data in `folder`. Also gives what it prints behind "ready" when it can be used.
    pub fn start(name: &str, folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<(Self, String)> {
        let script = format!("{}/tests/peers/{name}/start.sh", env!("CARGO_MANIFEST_DIR"));
        let mut peer = Command::new(&script)
            .env("PEER_DIR", folder)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{script} could not be run"))?;
        let mut line = String::new();
        if let Some(out) = peer.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Some(ready) = line.trim().strip_prefix("ready ").map(str::to_owned) else {
            let mut said = String::new();
            if let Some(mut err) = peer.stderr.take() {
                err.read_to_string(&mut said)?;
            }
            bail!("{name} did not start: {}", said.trim());
        };
        Ok((Self(peer), ready))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The script ends its server on TERM; after KILL it would take seconds.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
