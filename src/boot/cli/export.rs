//! `export`: the store as a bridge file.

use std::process::ExitCode;

use fedbridge_hub::ports::ConfigStore as _;

use crate::bridge::export::export;
use crate::foundation::Foundation;
use crate::settings::Settings;

use super::CliError;
use super::output::print;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge export > bridge.yaml\n\nSecrets come out as { stored: PATH }; `apply` takes them where the store has them.\nIt opens the store, and brings its schema up to date."
)]
pub struct Args {}

pub async fn run(settings: Settings, _: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    print(&export(&foundation.system.load().await?))?;
    foundation.store.close().await?;
    Ok(ExitCode::SUCCESS)
}
