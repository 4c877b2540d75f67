//! The built binary as a server on free ports.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::browser::HTTP;
use super::{Scratch, eventually, free_port};

/// How long a server may take to start.
const STARTED: Duration = Duration::from_secs(60);

/// A running `fedbridge serve`. It is killed when it is dropped.
pub struct Bridge {
    child: Child,
    pub base_url: String,
    pub management: String,
    log: PathBuf,
}

/// Settings of one server.
pub struct Setup {
    pub settings: Vec<(String, String)>,
    pub base_url: String,
    pub listen: String,
    pub management: String,
}

/// The program under test: the one that cargo has built beside the tests, or `FEDBRIDGE_PROGRAM`, which may be a build
/// for release.
fn program() -> String {
    std::env::var("FEDBRIDGE_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_fedbridge").to_owned())
}

impl Setup {
    /// A server on free ports whose SQLite store and master key are in `dir`.
    pub fn sqlite(dir: &Path) -> Self {
        let database = format!("sqlite://{}", dir.join("fedbridge.db").display());
        Self::new(dir, &database, &format!("127.0.0.1:{}", free_port()))
    }

    pub fn postgres(dir: &Path, database_url: &str) -> Self {
        Self::new(dir, database_url, &format!("127.0.0.1:{}", free_port()))
    }

    pub fn new(dir: &Path, database_url: &str, listen: &str) -> Self {
        let management = format!("127.0.0.1:{}", free_port());
        let base_url = format!("http://{listen}");
        let settings = [
            ("FEDBRIDGE_BASE_URL", base_url.clone()),
            ("FEDBRIDGE_HTTP_LISTEN", listen.to_owned()),
            ("FEDBRIDGE_MANAGEMENT_LISTEN", management.clone()),
            ("FEDBRIDGE_DATABASE_URL", database_url.to_owned()),
            ("FEDBRIDGE_MASTER_KEY_FILE", dir.join("master.key").display().to_string()),
            ("FEDBRIDGE_EGRESS_ALLOW_LOOPBACK", "true".to_owned()),
            // A busy machine, or a disk that stalls, makes servers that hear of nothing for longer than the usual
            // second, and then refuse all. Tests of that set it themselves.
            ("FEDBRIDGE_REVOCATION_LEASE", "30s".to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { settings, base_url, listen: listen.to_owned(), management }
    }

    /// A second node on the same store: other ports, the same public address.
    pub fn another_node(&self) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let management = format!("127.0.0.1:{}", free_port());
        let (settings, base_url) = (self.settings.clone(), self.base_url.clone());
        let mut another = Self { settings, base_url, listen: listen.clone(), management: management.clone() };
        another.set("FEDBRIDGE_HTTP_LISTEN", &listen);
        another.set("FEDBRIDGE_MANAGEMENT_LISTEN", &management);
        another
    }

    /// Gives a setting another value, or adds it.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.settings.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.settings.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Runs a command that ends.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .args(arguments)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed, and gives back what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "fedbridge {arguments:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// Applies a bridge file given as text.
    pub fn apply(&self, scratch: &Scratch, yaml: &str) -> String {
        let file = scratch.write("bridge.yaml", yaml);
        self.ok(&["apply", "-f", file.to_str().unwrap()])
    }

    /// Starts the server and waits until it is ready.
    pub async fn serve(&self, scratch: &Scratch) -> Bridge {
        self.serve_with(scratch, &[]).await
    }

    pub async fn serve_with(&self, scratch: &Scratch, arguments: &[&str]) -> Bridge {
        let log = scratch.path().join(format!("serve-{}.log", self.management.replace(':', "-")));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = Command::new(program())
            .arg("serve")
            .args(arguments)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut bridge = Bridge {
            child,
            base_url: format!("http://{}", self.listen),
            management: format!("http://{}", self.management),
            log,
        };
        bridge.wait_until_ready().await;
        bridge
    }
}

impl Bridge {
    async fn wait_until_ready(&mut self) {
        let until = Instant::now() + STARTED;
        while Instant::now() < until {
            if let Ok(answer) = HTTP.get(format!("{}/readyz", self.management)).send().await
                && answer.status() == 200
            {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server was not ready in {STARTED:?}: {}", self.log());
    }

    /// Makes a change of the configuration, and waits until this server has it.
    pub async fn takes_over(&self, change: impl FnOnce()) {
        let taken_over = || self.log().matches("configuration taken over").count();
        let before = taken_over();
        change();
        eventually("the server takes the change over", async || (taken_over() > before).then_some(())).await;
    }

    /// Of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// kill -9.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and the exit status of the graceful stop.
    pub fn stop(mut self) -> std::process::ExitStatus {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- server log\n{}", self.log());
        }
    }
}
