//! The claims of a grant between logins.

use std::sync::Arc;

use async_trait::async_trait;

use crate::claims::Claims;
use crate::config::Tenant;
use crate::grant::Grant;
use crate::services::Closed;
use crate::time::Timestamp;

/// What a grant's claims are by now, where a directory that pushes the person may have said something else since.
#[async_trait]
pub trait CurrentClaims: Send + Sync {
    /// Cheap for people whom nobody pushes: then no statement is made.
    async fn current(&self, tenant: &Arc<Tenant>, grant: &Grant, now: Timestamp) -> Current;
}

#[derive(Debug, Clone, PartialEq)]
pub enum Current {
    AsGranted,
    /// In the place of the grant's.
    Changed(Claims),
    /// The rules keep the person out of the app by now. The sentence is for the trace.
    Denied(String),
    /// Nobody can say at the moment.
    Unknown(String),
}

#[async_trait]
impl CurrentClaims for Closed {
    async fn current(&self, _: &Arc<Tenant>, _: &Grant, _: Timestamp) -> Current {
        Current::AsGranted
    }
}
