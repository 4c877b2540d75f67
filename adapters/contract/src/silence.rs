//! Whether a server gives a sign of life, before a person is sent there.

use std::time::Duration;

use url::Url;

use crate::services::{Egress, EgressLimits};

/// Who has not answered for so long is silent.
pub const SILENCE: Duration = Duration::from_secs(2);

const LIMITS: EgressLimits = EgressLimits { max_body: 256 * 1024, timeout: SILENCE };

/// Why a browser would find nobody at `place`. Of `documents`, which our server has read before, the first one of the
/// same origin is asked for, always anew: any answer, an error too, is a sign of life. `None` also where there is no
/// such document: another server's silence says nothing of this one, and our server may not reach what browsers reach.
pub async fn silence(egress: &dyn Egress, place: &Url, documents: &[&Url]) -> Option<String> {
    let document = documents.iter().find(|document| document.origin() == place.origin())?;
    egress.get(document.as_str(), LIMITS).await.err().filter(|error| error.silent).map(|error| error.to_string())
}
