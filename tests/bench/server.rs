//! The release binary as a child process.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::http::{self, Connection};

const PATIENCE: Duration = Duration::from_secs(20);

/// How to start the server: settings of one folder and one database.
pub struct Setup {
    program: PathBuf,
    settings: Vec<(&'static str, String)>,
    log: PathBuf,
    pub address: SocketAddr,
    management: SocketAddr,
}

/// A running `fedbridge serve`. It is killed when it is dropped.
pub struct Server {
    child: Child,
    /// From exec to the first yes of `/readyz`.
    pub ready_after: Duration,
}

impl Setup {
    pub fn new(folder: &Path, database_url: &str) -> anyhow::Result<Self> {
        let (address, management) = (free_address()?, free_address()?);
        let settings = vec![
            ("FEDBRIDGE_BASE_URL", format!("http://{address}")),
            ("FEDBRIDGE_HTTP_LISTEN", address.to_string()),
            ("FEDBRIDGE_MANAGEMENT_LISTEN", management.to_string()),
            ("FEDBRIDGE_DATABASE_URL", database_url.to_owned()),
            // The provider that the bench plays is on this machine.
            ("FEDBRIDGE_EGRESS_ALLOW_LOOPBACK", "true".to_owned()),
            ("FEDBRIDGE_MASTER_KEY_FILE", folder.join("master.key").display().to_string()),
        ];
        Ok(Self { program: program()?, settings, log: folder.join("serve.log"), address, management })
    }

    /// Adds a setting.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.settings.push((name, value));
    }

    /// Applies a bridge file.
    pub fn apply(&self, file: &Path) -> anyhow::Result<()> {
        let output = Command::new(&self.program)
            .args(["apply", "-f"])
            .arg(file)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "fedbridge apply: {}: {}", output.status, said.trim());
        Ok(())
    }

    /// The settings of the server's process.
    pub fn environment(&self) -> impl Iterator<Item = (String, String)> {
        self.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))
    }

    /// Starts the server and waits until it is ready.
    pub fn serve(&self) -> anyhow::Result<Server> {
        self.serve_within(PATIENCE)
    }

    /// The same with another patience.
    pub fn serve_within(&self, patience: Duration) -> anyhow::Result<Server> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let start = Instant::now();
        let child = Command::new(&self.program)
            .arg("serve")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut server = Server { child, ready_after: Duration::ZERO };
        while !self.is_ready() {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}: {}", self.log_tail());
            }
            if start.elapsed() > patience {
                bail!("the server was not ready in {} s: {}", patience.as_secs(), self.log_tail());
            }
            thread::sleep(Duration::from_millis(1));
        }
        server.ready_after = start.elapsed();
        Ok(server)
    }

    fn is_ready(&self) -> bool {
        let request = http::get(&self.management.to_string(), "/readyz", "");
        let ask = || anyhow::Ok(Connection::open(self.management)?.call(&request)?.status);
        ask().is_ok_and(|status| status == 200)
    }

    /// The end of the server's log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop, and waits for it.
    pub fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.ancestors().nth(2).context("the bench is not in cargo's target folder")?.join("fedbridge");
    ensure!(program.exists(), "{} is missing: run cargo build --release --bin fedbridge", program.display());
    Ok(program)
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
