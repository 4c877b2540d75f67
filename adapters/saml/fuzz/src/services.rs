//! Services for an adapter under fuzzing: reading a message needs randomness and the gate's word, and
//! nothing else. Whatever else is used is a finding.

use std::sync::Arc;

use fedbridge_contract::services::Services;
use fedbridge_contract::testkit::{Counting, Hands, Keyed, OpenGate, Quiet, bare_services};

use crate::world::NOW;

pub fn services() -> Services {
    Services {
        // The same octets in every run.
        rng: Arc::new(Counting::new()),
        gate: Arc::new(OpenGate),
        tokens: Arc::new(Keyed),
        traces: Arc::new(Quiet),
        ..bare_services(Hands::at(NOW))
    }
}
