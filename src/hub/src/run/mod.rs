//! The asynchronous side of the hub: a login from request to answer.
//!
//! `dispatch` finds who a request is for. [`start`](Hub) takes an app's login
//! request to a connection, `answer` takes the upstream's answer in, and `finish`
//! is the one step that every login passes, whatever its two protocols are.

mod account;
mod answer;
mod app_password;
mod base32;
mod choose;
mod consent;
mod desk;
mod dispatch;
mod ending;
mod epochs;
pub mod explain;
mod factor;
mod feed;
mod finish;
mod form_token;
mod gate;
mod gather;
mod kill;
mod lines;
mod link;
mod logout;
mod outbound;
mod own;
mod password;
mod provision;
mod push;
mod record;
mod revalidate;
mod session;
mod shapes;
mod signal;
mod snapshot;
mod start;
mod trace;
mod unsolicited;

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{TenantId, TraceId};
use fedbridge_contract::logout::{Channel, Party, Told};
use fedbridge_contract::page::{ErrorPage, Page, WayBack};
use fedbridge_contract::push::PushPlace;
use fedbridge_contract::services::Services;

use crate::mapping::AppRules;
use crate::ports::{
    AppPasswordStore, EpochStore, FactorCrypto, FactorStore, LoginStore, LogoutStore, PeopleStore, ProfileNews,
    ProfileStore, ProvisionedStore, PushedStore, PushedWork, Sealer, SyncStore, UpstreamTokenStore,
};
use crate::throttle::KnownDevices;

pub use app_password::{AppPasswordRefused, GivenAppPassword, Hasher};
pub use desk::HubDesk;
pub use dispatch::{Resolved, Target};
pub use epochs::Epochs;
pub use feed::HubFeed;
pub use gate::HubGate;
pub use gather::{Gathering, Teller};
pub use kill::PersonKilled;
pub use lines::Lines;
pub use logout::Behind;
pub use outbound::{Entitled, Standing, ToldApp, same_group};
pub use own::{Act, OwnPage};
pub use provision::{NotMade, Provisioned, SyncFailed, SyncWish, Synced};
pub use push::{HubCurrentClaims, HubPushDesk};
pub use revalidate::HubRevalidator;
pub use shapes::Shapes;
pub use signal::{Happened, Initiator};
pub use snapshot::{Builder, Lapsed, OpenApp, OpenConnection, Ready, Snapshot, Snapshots, TenantSnapshot};
pub use trace::{Recorder, RecorderStats, TracePayload, trace_place};

/// The hub with everything it works over.
pub struct Hub {
    pub snapshots: Arc<Snapshots>,
    pub store: Arc<dyn LoginStore>,
    pub logouts: Arc<dyn LogoutStore>,
    pub people: Arc<dyn PeopleStore>,
    pub upstream_tokens: Arc<dyn UpstreamTokenStore>,
    pub profiles: Arc<dyn ProfileStore>,
    pub profile_news: Arc<dyn ProfileNews>,
    pub profile_syncs: Arc<dyn SyncStore>,
    /// Whom apps with a SCIM server have.
    pub outbound: Arc<dyn ProvisionedStore>,
    pub pushed: Arc<dyn PushedStore>,
    pub pushed_work: Arc<dyn PushedWork>,
    /// One after the other is switched off by a connection, so that its guard counts each.
    pub shutting: Lines<PushPlace>,
    /// What this node has kept of people.
    pub provisioned: Provisioned,
    pub kills: Arc<dyn EpochStore>,
    pub factors: Arc<dyn FactorStore>,
    pub app_passwords: Arc<dyn AppPasswordStore>,
    pub hasher: Hasher,
    pub crypto: Arc<dyn FactorCrypto>,
    /// From where accounts were logged in with.
    pub devices: Arc<KnownDevices>,
    /// Logouts that were answered before everybody was told.
    pub behind: Behind,
    pub refresher: Arc<dyn Refresher>,
    pub sealer: Arc<dyn Sealer>,
    /// The same that adapters ask.
    pub gate: Arc<HubGate>,
    pub services: Services,
    pub downstreams: Vec<Arc<dyn Downstream>>,
    pub recorder: Recorder,
    pub observer: Arc<dyn Observer>,
    /// The rules that hold where no app asks: none.
    pub no_app: AppRules,
}

/// Counts logins for the metrics page.
pub trait Observer: Send + Sync {
    /// `result` is `success`, `refused` or `error`; `seconds` run from the app's request to our answer.
    fn login(&self, tenant: &str, connection: &str, result: &'static str, seconds: f64);

    /// One party was told of a logout, or could not be.
    fn logout_notice(&self, channel: Channel, told: Told);

    /// So many signals were `sent`, `refused` by the receiver, `failed` for now, or `expired`.
    fn signals(&self, _result: &'static str, _count: u64) {}
}

/// Looks at a partner's document now, because a key of it is not known. It limits its own rate.
#[async_trait]
pub trait Refresher: Send + Sync {
    async fn refresh(&self, tenant: TenantId, party: Party) -> Refreshed;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// A new snapshot is in force.
    Changed,
    Unchanged,
    /// It was looked at a short time ago, or nobody looks here.
    Limited,
}

/// For whoever fetches no documents.
pub struct NeverRefreshed;

#[async_trait]
impl Refresher for NeverRefreshed {
    async fn refresh(&self, _: TenantId, _: Party) -> Refreshed {
        Refreshed::Limited
    }
}

impl Hub {
    fn new_trace_id(&self) -> TraceId {
        TraceId::at(self.services.clock.now(), self.services.rng.as_ref())
    }

    fn downstream(&self, kind: AppKind) -> Option<&Arc<dyn Downstream>> {
        self.downstreams.iter().find(|downstream| downstream.kind() == kind)
    }
}

/// A page with one plain sentence. What went wrong inside is in the trace.
fn error_page(
    status: u16,
    tenant: Option<&TenantSnapshot>,
    sentence: impl Into<String>,
    trace: Option<TraceId>,
    again: Option<&str>,
) -> Reply {
    Reply::page(Page::Error(ErrorPage {
        status,
        tenant: tenant.map(|tenant| tenant.view.display_name.clone()),
        sentence: sentence.into(),
        trace,
        way_back: again.map(|href| WayBack { label: "Try again".into(), href: href.to_owned() }),
    }))
}
