//! `users explain`: what is known of a person without a login, and who says it.

use fedbridge_contract::ids::PersonId;
use fedbridge_contract::trace::{clip, visible};
use fedbridge_hub::ports::{ProfileSource, ProfileStore as _, StoredProfile};
use fedbridge_hub::run::TenantSnapshot;

use crate::foundation::Foundation;

use super::CliError;

/// Gives back what is printed.
pub async fn explain(foundation: &Foundation, tenant: &TenantSnapshot, person: PersonId) -> Result<String, CliError> {
    let found = foundation.store.profiled(tenant.view.id, &[person]).await?;
    let mut text = format!("{person}\n");
    let Some(found) = found.into_iter().next() else {
        text.push_str("  nothing is kept: the tenant shows no directory, or the person did not log in since it does\n");
        return Ok(text);
    };
    if found.disabled {
        text.push_str("  disabled by an administrator, or switched off by the directory that pushes them\n");
    }
    if let Some(number) = found.number {
        text.push_str(&format!("  POSIX number {number}\n"));
    }
    for profile in &found.profiles {
        text.push_str(&said(tenant, profile));
    }
    Ok(text)
}

fn said(tenant: &TenantSnapshot, profile: &StoredProfile) -> String {
    let slug =
        tenant.view.connection_by_id(profile.connection).map_or("a connection that is gone", |it| it.slug.as_str());
    let how = match profile.source {
        ProfileSource::Login => "a login",
        ProfileSource::Sync => "a sync",
        ProfileSource::Push => "a push",
    };
    let mut text = format!("\n{slug}, by {how}, since {}\n", profile.changed.rfc3339_seconds());
    let mut line = |key: &str, value: String| text.push_str(&format!("  {key:<10} {}\n", clip(visible(value))));
    line("subject", profile.subject_key.clone());
    if let Some(place) = &profile.profile.place {
        line("entry", place.clone());
    }
    line("state", profile.disabled.clone().map_or_else(|| "comes in".to_owned(), |why| format!("kept out: {why}")));
    for (claim, value) in profile.profile.claims.iter() {
        line("claim", format!("{claim} = {value}"));
    }
    for (name, values) in profile.profile.attributes.iter() {
        line("attribute", format!("{name}: {}", values.join(" | ")));
    }
    text
}
