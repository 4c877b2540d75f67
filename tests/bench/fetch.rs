//! One call to another server alone, through the library that the server's own calls go through: part of the floor of
//! a login by an OpenID provider.

use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::redirect::Policy;
use tokio::runtime::{Builder, Runtime};

use crate::floor::Cost;
use crate::listener::Listener;
use crate::numbers::each;
use crate::proc;

/// About what a token request and its answer hold.
const ASKED: usize = 400;
const ANSWERED: usize = 1_600;

/// A client with a keep-alive connection to a server that answers at once. All of the client runs on the thread that
/// measures; the server's threads do not count.
pub struct Fetch {
    runtime: Runtime,
    client: reqwest::Client,
    address: String,
    _echo: Listener,
}

impl Fetch {
    pub fn new() -> anyhow::Result<Self> {
        let answer = format!("{{\"answer\":\"{}\"}}", "a".repeat(ANSWERED));
        let echo = Listener::start(move |_| Some(answer.clone()))?;
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client, address: format!("http://{}/token", echo.address), _echo: echo })
    }

    /// What one call takes on average, repeated for so long.
    pub fn cost(&self, budget: Duration) -> anyhow::Result<Cost> {
        self.runtime.block_on(async {
            for _ in 0..5 {
                self.call().await?;
            }
            let (cpu, start) = (proc::thread_cpu()?, Instant::now());
            let mut count = 0;
            while start.elapsed() < budget {
                self.call().await?;
                count += 1;
            }
            let wall = start.elapsed();
            Ok(Cost { cpu: each(proc::thread_cpu()? - cpu, count), wall: each(wall, count) })
        })
    }

    async fn call(&self) -> anyhow::Result<()> {
        let request = self.client.post(&self.address).body("b".repeat(ASKED));
        let answer = request.send().await?.bytes().await?;
        ensure!(answer.len() > ANSWERED, "the echo is short");
        Ok(())
    }
}
