//! `make bench`: complete logins, single sign-on and single requests against the release
//! binary on loopback, beside the floor of the same run: the same cryptography alone, and
//! one durable commit. Then what a stalled provider does to others, what a request costs
//! with much in the store, LDAP beside slapd, and SCIM beside scim2-server and SCIMMY.
//! Nothing here asserts a time; a wrong answer ends the run.
//!
//! The load comes from threads with one keep-alive connection each. CPU is read from
//! /proc: the server and the database's processes, never the load's own.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)] // A measurement asks the clock itself.

mod chain;
mod commit;
mod configuration;
mod fetch;
mod floor;
mod http;
mod ldap;
mod listener;
mod load;
mod numbers;
mod oidc;
mod op;
mod options;
mod peer;
mod postgres;
mod proc;
mod report;
mod requests;
mod run;
mod scale;
mod scim;
mod server;
mod sso;
mod stalled;
mod targets;
mod upstream;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use options::Options;

fn main() -> anyhow::Result<()> {
    let options = Options::from_environment()?;
    fedbridge_saml::init().context("the XML security library")?;
    let scratch = Scratch::new()?;
    report::print_machine(&options);
    let (mut runs, mut scales) = (Vec::new(), Vec::new());
    for database in &options.databases {
        let folder = scratch.0.join(database.name());
        std::fs::create_dir_all(&folder)?;
        let run = run::run(*database, &folder, &options).with_context(|| format!("on {}", database.name()))?;
        report::print_run(&run);
        runs.push(run);
        // Its database goes before the next one comes: they are large.
        let folder = folder.join("scale");
        std::fs::create_dir_all(&folder)?;
        let scale = scale::run(*database, &folder, &options).with_context(|| format!("on {}", database.name()))?;
        scale.iter().for_each(scale::print);
        scales.extend(scale);
        std::fs::remove_dir_all(&folder)?;
    }
    let ldap = options.ldap.then(|| ldap::run(&scratch.0, &options)).transpose().context("LDAP")?;
    ldap.iter().for_each(ldap::print);
    let scims = options.scim.iter().map(|database| {
        let run = scim::run(&scratch.0, *database, &options).with_context(|| format!("SCIM on {}", database.name()))?;
        scim::print(&run);
        Ok(run)
    });
    let scims = scims.collect::<anyhow::Result<Vec<_>>>()?;
    let mut targets = targets::of(&runs, &scales, &options);
    targets.extend(ldap.iter().flat_map(ldap::targets));
    targets.extend(scims.iter().flat_map(scim::targets));
    report::print_targets(&targets);
    let file = target_folder()?.join("bench.json");
    std::fs::write(
        &file,
        serde_json::to_string_pretty(&report::json(&options, (&runs, &scales, ldap.as_ref(), &scims), &targets))?,
    )?;
    println!("\nall figures: {}", file.display());
    Ok(())
}

/// Where cargo puts its output: this program is in `release/examples` below it.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    program.ancestors().nth(3).map(Path::to_owned).context("the program is not in cargo's target folder")
}

/// A folder on disk that goes at the end. PostgreSQL's own user must reach it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("fedbridge-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
