//! Looking at a session's person again, without a password: is the entry still there, and may it still be used?

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::identity::{Attributes, UpstreamTokens};
use fedbridge_contract::services::EgressPost;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{AskedAgain, StillThere, UpstreamRefresh};
use serde_json::json;

use crate::directory::{Directory, SharedDirectory, Told, Trouble};
use crate::find::{self, Found};
use crate::settings::{Settings, WhenSilent};
use crate::verify::tell_standing;
use crate::{attributes, groups, state};

/// How long after its last answer a directory may be silent where `revalidate_when_silent` allows it.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// What is kept of a login for this: nothing secret.
pub(crate) fn to_ask_again(settings: &Settings, place: &str) -> Option<UpstreamTokens> {
    settings.revalidate.is_some().then(|| remembering(place))
}

fn remembering(place: &str) -> UpstreamTokens {
    let memory = json!({ "place": place });
    UpstreamTokens { refresh_token: None, access_token: None, access_expires: None, memory }
}

#[async_trait]
impl UpstreamRefresh for SharedDirectory {
    fn interval(&self) -> Option<Duration> {
        self.0.settings.revalidate
    }

    fn patience(&self) -> Option<Duration> {
        (self.0.settings.when_silent == WhenSilent::Allow).then_some(PATIENCE)
    }

    async fn ask(&self, asked: AskedAgain<'_>, trace: &mut TraceLog) -> StillThere {
        let mut told = Told { now: asked.now, trace };
        match look(&self.0, &asked.subject.key, &mut told).await {
            Ok(Ok((attributes, place))) => {
                StillThere::Yes { attributes: Some(attributes), tokens: remembering(&place) }
            }
            Ok(Err(why)) => {
                let sentence = "Your organization's login service has ended this login. Please log in again.";
                StillThere::No(ProtocolError::new("login_required", sentence, why))
            }
            Err(trouble) => StillThere::Unknown(trouble.public()),
        }
    }

    fn revocation(&self, _: &Tenant, _: &UpstreamTokens, _: Timestamp) -> Option<EgressPost> {
        None
    }
}

/// The attributes as they are now and the DN, or why the person may not go on.
async fn look(
    directory: &Directory,
    key: &str,
    told: &mut Told<'_>,
) -> Result<Result<(Attributes, String), String>, Trouble> {
    let entry = match find::known(directory, key, told).await? {
        Found::One(entry) => entry,
        Found::Nobody(why) => return Ok(Err(format!("the entry is not among the connection's people: {why}"))),
    };
    let barred = state::barred(&entry, told.now);
    tell_standing(barred.as_ref(), told);
    if let Some(barred) = barred {
        directory.accounts.forget(key);
        return Ok(Err(barred.says));
    }
    let groups = groups::of(directory, &entry, told).await?;
    let attributes = attributes::of(&directory.settings, &entry, groups.as_deref(), told.trace)?;
    Ok(Ok((attributes, entry.dn)))
}
