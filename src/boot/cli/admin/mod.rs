//! `admin`: accounts of administrators, and API keys for programs.
//!
//! What they are made for, the console and the admin API, is not part of this version; every help
//! text and every new credential says so.

mod account;
mod api_key;

use std::process::ExitCode;

use fedbridge_contract::text::nearest;
use fedbridge_hub::admin::Reach;
use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_hub::spec::Configuration;

use crate::foundation::Foundation;
use crate::settings::Settings;

use super::CliError;

/// The sentence that keeps people from looking for the console.
macro_rules! later {
    () => {
        "The console and the admin API, which take these credentials, come with a later version of fedbridge."
    };
}
use later;

#[derive(Debug, clap::Args)]
#[command(after_help = concat!(
    "Examples:\n  fedbridge admin create --name ada\n  fedbridge admin api-key create --name ci --scope config:read traces:read --expires 90d\n\n",
    later!()
))]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make an account for an administrator, and print its one-time setup code
    #[command(after_help = concat!(
        "Examples:\n  fedbridge admin create --name ada\n  fedbridge admin create --name bob@acme.example --role tenant-admin --tenant acme\n  fedbridge admin create --name ada --renew\n\nOnly the code goes to standard output. It is kept as a hash, and can't be shown again.\n",
        later!()
    ))]
    Create(account::CreateArgs),
    /// Show the administrators
    #[command(after_help = "Example:\n  fedbridge admin list --json")]
    List(account::ListArgs),
    /// API keys: made, listed, revoked, rotated
    #[command(after_help = concat!("Example:\n  fedbridge admin api-key list\n\n", later!()))]
    ApiKey(api_key::Args),
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    let configuration = foundation.system.load().await?;
    match args.command {
        Command::Create(args) => account::create(&foundation, &configuration, args).await?,
        Command::List(args) => account::list(&foundation, &configuration, args).await?,
        Command::ApiKey(args) => api_key::run(&foundation, &configuration, args).await?,
    }
    foundation.store.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// What `--tenant` means. A slug that nobody has is one more thing that is wrong.
fn reach(configuration: &Configuration, tenant: Option<&str>, wrong: &mut Vec<String>) -> Option<Reach> {
    let Some(slug) = tenant else { return Some(Reach::Installation) };
    let found = configuration.tenants.values().find(|tenant| tenant.tenant.spec.slug == slug);
    if found.is_none() {
        let slugs = configuration.tenants.values().map(|tenant| tenant.tenant.spec.slug.as_str());
        wrong.push(format!("--tenant: there is no tenant `{}`{}", safe(slug), near(slug, slugs)));
    }
    found.map(|tenant| Reach::Tenant(tenant.tenant.id))
}

/// The slug of the tenant that something belongs to.
fn tenant_slug(configuration: &Configuration, reach: Reach) -> Option<String> {
    let tenant = reach.tenant()?;
    // A tenant that was deleted between two reads has no slug any more.
    Some(configuration.tenants.get(&tenant).map_or_else(|| tenant.to_string(), |it| it.tenant.spec.slug.clone()))
}

fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; the nearest is `{near}`"))
}

/// What somebody typed, made harmless for a terminal.
fn safe(text: &str) -> String {
    fedbridge_contract::trace::clip(text.to_owned())
}
