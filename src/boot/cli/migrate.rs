//! `migrate`: the schema, before a server is started with it.

use std::process::ExitCode;

use crate::foundation::Foundation;
use crate::settings::Settings;

use super::CliError;
use super::output::print;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge migrate --database-url postgres://fedbridge@db/fedbridge\n\n`serve` does this too when it starts, and so does every other command that opens the store."
)]
pub struct Args {}

pub async fn run(settings: Settings, _: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    foundation.store.close().await?;
    print("the schema is up to date\n")?;
    Ok(ExitCode::SUCCESS)
}
