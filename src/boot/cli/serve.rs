//! `serve`: applies a file if it is told to, then runs the listeners.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::serve::{self, Schema};
use crate::settings::Settings;

use super::CliError;
use super::apply::before_serving;
use super::output::note;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge serve --config fedbridge.toml --apply bridge.yaml")]
pub struct Args {
    /// Bridge file, or a folder of them, to apply before any listener opens
    #[arg(long, value_name = "FILE")]
    apply: Option<PathBuf>,
    /// Leave the database's schema as it is; `fedbridge migrate` brings it up to date
    #[arg(long)]
    no_migrate: bool,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let schema = if args.no_migrate { Schema::AsItIs } else { Schema::UpToDate };
    if let Some(file) = &args.apply {
        note(before_serving(&settings, schema, file).await?.trim_end());
    }
    serve::run(settings, schema).await?;
    Ok(ExitCode::SUCCESS)
}
