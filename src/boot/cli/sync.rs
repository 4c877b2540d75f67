//! `connections sync`: reads the people of a directory now.

use std::sync::Arc;

use fedbridge_hub::run::{SyncFailed, SyncWish, Synced, TenantSnapshot};

use crate::foundation::Foundation;
use crate::metrics::Metrics;
use crate::registry;
use crate::wiring::wire;

use super::CliError;
use super::revoke::{tenant, unknown};

#[derive(Debug, clap::Args)]
pub struct SyncArgs {
    /// TENANT/CONNECTION
    name: String,
    /// Read everybody, not only what has changed
    #[arg(long)]
    full: bool,
    /// End also those who are missing where they are very many
    #[arg(long)]
    allow_missing: bool,
}

/// Gives back what is printed.
pub async fn sync(foundation: &Foundation, args: &SyncArgs) -> Result<String, CliError> {
    registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
    let wired = wire(foundation, registry::upstreams(), Arc::new(Metrics)).await?;
    let done = async {
        let (slug, connection) = args.name.split_once('/').unwrap_or((&args.name, ""));
        let tenant: Arc<TenantSnapshot> = tenant(&wired, slug)?;
        let slugs = tenant.view.connections.iter().map(|it| it.slug.as_str());
        let open = tenant.connection(connection).ok_or_else(|| unknown("connection", connection, slugs))?;
        let wish = SyncWish { full: args.full || args.allow_missing, allow_missing: args.allow_missing };
        wired.hub.sync(&tenant, open, wish).await.map_err(|failed| refused(&args.name, &failed))
    };
    let done = done.await;
    wired.recorder.flush().await;
    let synced = done?;
    match &synced.stopped {
        None => Ok(format!("{}: {}\n", args.name, words(&synced))),
        Some(why) => {
            let sentence = format!("nobody was ended: {why}");
            let advice = "look at the settings and the directory; if it is right, run this with --allow-missing";
            Err(CliError::refused(sentence, vec![words(&synced)]).advise(advice))
        }
    }
}

fn words(synced: &Synced) -> String {
    let what = if synced.full { "everybody was read" } else { "what has changed was read" };
    let Synced { seen, created, changed, left_out, failed, ended, .. } = synced;
    format!(
        "{what}: {seen} seen, {created} new, {changed} changed, {ended} ended, {left_out} left out, {failed} failed"
    )
}

fn refused(name: &str, failed: &SyncFailed) -> CliError {
    let error = CliError::failed(format!("{name} was not read to its end"), failed);
    match failed {
        SyncFailed::NoDirectory => error.advise("give the connection `sync` in the bridge file"),
        SyncFailed::Taken => error.advise("wait until it is done; traces of the kind `sync` tell what came of it"),
        _ => error,
    }
}
