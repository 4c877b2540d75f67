//! What the metrics learn of each request.

use std::time::Duration;

/// Takes note of each answered request. Called on the worker, so it must be quick.
pub trait Observe: Send + Sync {
    fn served(&self, served: &Served<'_>);
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The route as the adapter declared it, so that the number of names stays small; `unmatched`
    /// where nothing stands at the path.
    pub route: &'static str,
    /// `None` where nothing stands at the path, so that guesses make no new names.
    pub tenant: Option<&'a str>,
    /// `GET`, `POST`, `HEAD`, `OPTIONS` or `other`.
    pub method: &'static str,
    pub status: u16,
    /// From the request's head to the rendered answer, the reading of its body included.
    pub elapsed: Duration,
}

/// Takes no note.
impl Observe for () {
    fn served(&self, _: &Served<'_>) {}
}
