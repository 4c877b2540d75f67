//! Several processes on one PostgreSQL.

use super::Scratch;
use super::bridge::{Bridge, Setup};
use super::browser::Browser;
use super::peers::Peer;
use super::scripted::App;

pub struct Nodes {
    /// Of the first of them.
    pub setup: Setup,
    pub apps: Vec<App>,
    pub bridges: Vec<Bridge>,
    pub scratch: Scratch,
    _postgres: Peer,
}

impl Nodes {
    /// Starts `count` servers with one bridge file. `change` may give each settings of its own.
    pub async fn start(
        count: usize,
        file: impl FnOnce(&Scratch) -> String,
        mut change: impl FnMut(usize, &mut Setup),
    ) -> Self {
        let scratch = Scratch::new("nodes");
        let postgres = Peer::postgres(scratch.path());
        let setup = Setup::postgres(scratch.path(), &postgres.url);
        setup.apply(&scratch, &file(&scratch));
        let mut bridges = vec![setup.serve(&scratch).await];
        for number in 1..count {
            let mut another = setup.another_node();
            change(number, &mut another);
            bridges.push(another.serve(&scratch).await);
        }
        let apps = bridges.iter().map(App::of).collect();
        Self { setup, apps, bridges, scratch, _postgres: postgres }
    }

    /// A browser whose cookies of the first node go to all: a load balancer does the same.
    pub fn everywhere(&self, browser: &Browser) -> Browser {
        let mut browser = browser.clone();
        for app in &self.apps[1..] {
            browser.share_cookies(&self.apps[0].at, &app.at);
        }
        browser
    }
}
