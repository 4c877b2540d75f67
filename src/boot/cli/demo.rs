//! `demo`: what `make demo` runs.

use std::process::ExitCode;

use crate::demo;
use crate::settings::Settings;

use super::CliError;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge demo")]
pub struct Args {
    /// Loopback port of the demo's scripted identity provider and app
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    port: u16,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    demo::run(settings, args.port).await?;
    Ok(ExitCode::SUCCESS)
}
