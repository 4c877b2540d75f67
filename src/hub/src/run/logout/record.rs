//! What the hub keeps sealed of a logout between two requests.

use fedbridge_contract::ids::{AppId, ConnectionId, LogoutId, TraceId};
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::run::Initiator;
use crate::run::record::{UpstreamPart, base64_bytes};
use crate::run::snapshot::TenantSnapshot;

/// One ended session: who asked for its end, and who is to be told besides its participants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogoutRecord {
    pub asker: Asker,
    /// Logouts of the other sessions that end with it; each session has its own, so that an app that is
    /// in two of them gets two notices.
    pub beside: Vec<LogoutId>,
    /// The session's upstreams, the newest first. The browser goes to them in this order.
    #[serde(default)]
    pub upstreams: Vec<UpstreamPart>,
    /// The name that the upstream gave.
    pub person: Option<String>,
    pub trace: TraceId,
    pub started: Timestamp,
    /// The origin that may show our progress page in a frame.
    pub framed_by: Option<String>,
}

/// Who gets the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// The person, by way of an app (OpenID Connect RP-Initiated Logout 1.0).
    Person {
        app: Option<AppId>,
        /// The app's name, for the way back.
        label: Option<String>,
        return_to: Option<String>,
        /// By a hint or a pressed button of ours. Without, the address is offered, not followed.
        agreed: bool,
    },
    App {
        app: AppId,
        #[serde(with = "base64_bytes")]
        continuation: Vec<u8>,
    },
    Upstream {
        connection: ConnectionId,
        #[serde(with = "base64_bytes")]
        continuation: Vec<u8>,
    },
    /// Nobody: another person logged in in this browser.
    Replaced,
    /// Nobody who waits: an administrator has ended it.
    Administrator,
    /// Nobody who waits: the person has ended it on the account page.
    Owner,
    /// Nobody: the upstream, asked again, does not know the person any more.
    Withdrawn,
    /// Nobody: the session ends with that of another logout, which answers.
    With(LogoutId),
}

impl Asker {
    /// The connection that is not told, because it asked.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Upstream { connection, .. } => Some(*connection),
            _ => None,
        }
    }

    /// Who has brought the logout about, for whoever hears of it by signals.
    pub fn initiator(&self) -> Initiator {
        match self {
            Self::Person { .. } | Self::App { .. } | Self::Replaced | Self::Owner | Self::With(_) => Initiator::User,
            Self::Administrator => Initiator::Admin,
            Self::Upstream { .. } | Self::Withdrawn => Initiator::Policy,
        }
    }

    /// The app that is not told, because it asked.
    pub fn app(&self) -> Option<AppId> {
        match self {
            Self::Person { app, .. } => *app,
            Self::App { app, .. } => Some(*app),
            Self::Upstream { .. }
            | Self::Replaced
            | Self::Administrator
            | Self::Owner
            | Self::Withdrawn
            | Self::With(_) => None,
        }
    }

    pub fn app_name(&self, tenant: &TenantSnapshot) -> Option<String> {
        tenant.view.app_by_id(self.app()?).map(|app| app.name.clone())
    }

    pub fn connection_name(&self, tenant: &TenantSnapshot) -> Option<String> {
        tenant.view.connection_by_id(self.connection()?).map(|connection| connection.slug.clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_an_adapter_keeps_takes_little_more_than_its_room() {
        let continuation = vec![b'a'; 300];
        let asker = Asker::App { app: AppId::from_uuid(uuid::Uuid::nil()), continuation: continuation.clone() };
        let text = serde_json::to_string(&asker).unwrap();
        assert!(text.len() < 500, "{text}");
        let Asker::App { continuation: read, .. } = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        assert_eq!(read, continuation);
    }
}
