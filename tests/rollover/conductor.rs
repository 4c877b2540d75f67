//! `fedbridge keys rollover`, as an admin types it.

use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::bridge::Setup;

/// The rollover of one kind of key of the tenant.
#[derive(Clone, Copy)]
pub struct Conductor<'a> {
    pub setup: &'a Setup,
    pub purpose: &'static str,
}

/// How a command ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub text: String,
}

/// The interface promises that every server takes a change over within a second. What is asserted behind this holds
/// on a machine that needs longer, too; only it is worth less there.
pub async fn taken_over() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

impl Conductor<'_> {
    pub fn say(&self, word: &str, more: &[&str]) -> Said {
        let mut arguments = vec!["keys", "rollover", word, "--tenant", "acme", "--purpose", self.purpose];
        arguments.extend(more);
        let output = tokio::task::block_in_place(|| self.setup.run(&arguments));
        let text = [output.stdout, output.stderr].concat();
        Said { code: output.status.code().unwrap(), text: String::from_utf8(text).unwrap() }
    }

    pub fn ok(&self, word: &str, more: &[&str]) -> String {
        let said = self.say(word, more);
        assert_eq!(said.code, 0, "keys rollover {word}: {}", said.text);
        said.text
    }

    /// A switch that must be refused because of this partner.
    pub fn switch_is_refused_for(&self, partner: &str) {
        let said = self.say("switch", &[]);
        assert_eq!(said.code, 2, "{}", said.text);
        assert!(said.text.contains(partner), "{partner} is not named: {}", said.text);
    }

    /// Switches as soon as every partner has the key; that somebody fetched it is known a moment later.
    pub async fn switch(&self) {
        self.as_soon_as_allowed("switch").await;
    }

    /// Retires as soon as every partner has left the old key; that somebody used the new one is known a moment later.
    pub async fn retire(&self) {
        self.as_soon_as_allowed("retire").await;
    }

    async fn as_soon_as_allowed(&self, word: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.say(word, &[]);
            if said.code == 0 {
                return;
            }
            assert!(Instant::now() < until, "{}", said.text);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
