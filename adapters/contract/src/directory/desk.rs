//! Who may bind at a directory of ours.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;

use super::feed::DirectoryPerson;
use super::pass_through::PassThrough;
use crate::config::{App, Tenant};
use crate::ids::{ConnectionId, PersonId, TenantId};
use crate::password::{Password, PasswordWarning, Why};
use crate::proof::Permit;
use crate::services::GateRefusal;
use crate::time::Timestamp;
use crate::trace::TraceLog;

/// Who may bind. It knows no DNs: the server has found out who is meant.
#[async_trait]
pub trait BindDesk: Send + Sync {
    /// An app's own account.
    async fn app(&self, tenant: &Tenant, app: &App, password: &Password, peer: Peer) -> BindAnswer;

    /// A person, by way of an app where the connection is an app's.
    async fn person(&self, ask: PersonBind<'_>, trace: &mut TraceLog) -> BindAnswer;

    /// Whether a cached yes still holds, without asking anybody.
    async fn still(&self, ask: &PersonBind<'_>) -> Result<Permit, GateRefusal>;

    async fn change(&self, ask: PersonBind<'_>, new: &Password, trace: &mut TraceLog) -> BindAnswer;

    fn pass_through(&self, tenant: TenantId, connection: ConnectionId) -> Option<Arc<dyn PassThrough>>;
}

#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub ip: std::net::IpAddr,
    pub encrypted: bool,
}

#[derive(Clone, Copy)]
pub struct PersonBind<'a> {
    pub tenant: &'a Tenant,
    pub app: Option<&'a App>,
    /// `None`: nobody has this name yet; then a password connection may know it.
    pub person: Option<&'a DirectoryPerson>,
    /// As it was typed, or the value of the DN's first attribute.
    pub name: &'a str,
    pub password: &'a Password,
    pub peer: Peer,
    /// As in [`Proof`](crate::password::Prove::thread).
    pub thread: Option<&'a Handle>,
    pub now: Timestamp,
}

#[derive(Debug)]
pub enum BindAnswer {
    /// `cached_until`: the server may remember this yes so long.
    Yes {
        permit: Permit,
        person: Option<PersonId>,
        by: BoundBy,
        cached_until: Option<Timestamp>,
        /// What the upstream's policy says beside its yes.
        warning: Option<PasswordWarning>,
    },
    /// The password is right, and does not do: outside 49 as any other no, and the reason for a client that asks for it.
    /// The reason is one that [may be told](Why::may_be_told).
    Barred {
        reason: Why,
        /// For the trace.
        why: String,
    },
    /// Always 49 outside (RFC 4513 section 6.3.1); the sentence is for the trace.
    No(String),
    /// 51 or 52.
    Busy,
    Unavailable(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundBy {
    AppSecret,
    AppPassword,
    Upstream(ConnectionId),
    LocalPassword,
}
