//! `demo`: what `make demo` runs.

use std::process::ExitCode;

use crate::demo;
use crate::settings::Settings;

use super::CliError;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge demo")]
pub struct Args {}

pub async fn run(settings: Settings, _: Args) -> Result<ExitCode, CliError> {
    demo::run(settings).await?;
    Ok(ExitCode::SUCCESS)
}
