//! The command line: one file for each command.
//!
//! Exit codes: 0 done, 1 failed while running, 2 bad input or configuration (nothing was
//! changed), 3 `plan --exit-code` where something would change.

mod admin;
mod app_passwords;
mod apply;
mod check;
mod connections;
mod demo;
mod error;
mod explain;
mod export;
mod guard;
mod keys;
mod ldap;
mod migrate;
mod output;
mod provisioning;
mod reference;
mod revoke;
mod serve;
mod settings_args;
mod sync;
mod trace;
mod users;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::settings::Settings;
pub use apply::beside;
pub use error::CliError;
use settings_args::SettingsArgs;

/// Enterprise federation bridge: every upstream identity becomes OIDC tokens or SAML assertions, and every login is explained.
#[derive(Debug, Parser)]
#[command(name = "fedbridge", version, max_term_width = 110)]
#[command(
    after_help = "Example:\n  fedbridge serve --apply bridge.yaml\n\n`fedbridge COMMAND --help` shows an example of each command."
)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every listener
    Serve(serve::Args),
    /// Show what `apply` would change, and change nothing
    Plan(apply::PlanArgs),
    /// Make the store as a bridge file says, all or nothing
    Apply(apply::ApplyArgs),
    /// Print the store as a bridge file
    Export(export::Args),
    /// Print every setting that a bridge file may have, with its help
    Reference(reference::Args),
    /// Open every connection and app without changing it, and say what is wrong
    Check(check::Args),
    /// Run two sample tenants with one whole login and logout, and stay up
    Demo(demo::Args),
    /// Administrators and API keys
    Admin(admin::Args),
    /// Metadata of connections that is fetched from an address: look at it, approve changes
    Connections(connections::ConnectionsArgs),
    /// Metadata of service providers that is fetched from an address: look at it, approve changes
    #[command(name = "service-providers", visible_alias = "providers")]
    Providers(connections::ProvidersArgs),
    /// Signing keys of the tenants
    Keys(keys::Args),
    /// Apps that speak LDAP: what they must be allowed
    Ldap(ldap::Args),
    /// Apps with a SCIM server of their own: what they should have, and what they have
    Provisioning(provisioning::Args),
    /// End what was given out: to a client, a user, in a tenant and so on
    Revoke(revoke::Args),
    /// People who have logged in: find, disable, unlink, delete them
    Users(users::Args),
    /// Bring the database's schema up to date
    Migrate(migrate::Args),
    /// What was recorded of logins, logouts, tokens and documents, step by step
    Trace(trace::Args),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = run(cli);
    match result {
        Ok(code) => code,
        Err(error) => {
            error.print();
            ExitCode::from(error.code())
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, CliError> {
    if let Command::Reference(args) = &cli.command {
        // Good without any settings.
        return reference::run(args);
    }
    let settings = cli.settings.read()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| CliError::failed("the program could not start", cause))?;
    runtime.block_on(dispatch(settings, cli.command))
}

async fn dispatch(settings: Settings, command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve(args) => serve::run(settings, args).await,
        Command::Plan(args) => apply::plan(settings, args).await,
        Command::Apply(args) => apply::apply(settings, args).await,
        Command::Export(args) => export::run(settings, args).await,
        Command::Reference(args) => reference::run(&args),
        Command::Check(args) => check::run(settings, args).await,
        Command::Demo(args) => demo::run(settings, args).await,
        Command::Admin(args) => admin::run(settings, args).await,
        Command::Connections(args) => connections::connections(settings, args).await,
        Command::Providers(args) => connections::providers(settings, args).await,
        Command::Keys(args) => keys::run(settings, args).await,
        Command::Ldap(args) => ldap::run(settings, args).await,
        Command::Provisioning(args) => provisioning::run(settings, args).await,
        Command::Revoke(args) => revoke::run(settings, args).await,
        Command::Users(args) => users::run(settings, args).await,
        Command::Migrate(args) => migrate::run(settings, args).await,
        Command::Trace(args) => trace::run(settings, args).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_has_an_example() {
        fn look(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help.split_once("Example").map_or("", |(_, example)| example);
            // Of itself, and not of a command that looks like it.
            if !example.lines().any(|line| format!(" {} ", line.trim()).contains(&format!(" {path} "))) {
                missing.push(path.to_owned());
            }
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                look(sub, &format!("{path} {}", sub.get_name()), missing);
            }
        }
        Cli::command().debug_assert();
        let mut missing = Vec::new();
        look(&Cli::command(), "fedbridge", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }
}
