//! The port to the hub: what stands at a place, and the answer to one request.

use async_trait::async_trait;
use fedbridge_contract::http::{HttpInput, Reply, Route};

use crate::place::Place;

/// Says what stands at a place. Called for each request before its body is
/// read, so it works from memory and never waits.
pub trait Dispatch: Send + Sync {
    /// `None` answers 404: no such tenant, connection or route.
    fn resolve(&self, place: Place<'_>) -> Option<Found>;
}

/// A route with the one who answers it.
pub struct Found {
    /// Its methods are checked here, and `cors` decides the CORS headers.
    pub route: Route,
    /// What stands for the `*` of the route ([`Route::matches`]); empty without one.
    pub rest: String,
    pub handler: Box<dyn Handle>,
}

/// Answers one request. It holds what [`Dispatch::resolve`] found, so that the
/// answer is made from the same snapshot of the configuration.
///
/// The web layer drops the future when the client's connection breaks: what must
/// not stop half-way belongs in a task of its own.
#[async_trait]
pub trait Handle: Send {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply;
}
