//! How fast client credentials are handled, beside the ES256 signature alone. One thread, no
//! network and no store: what is left is the provider's own work.
//!
//! `cargo run --release -p fedbridge-oidc --example token_rate`
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../tests/op/support/mod.rs"]
mod support;

use support::{SECRET, basic, world};
use tokio::time::Instant;

const ROUNDS: u32 = 20_000;

fn main() {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(measure());
}

async fn measure() {
    let world = world();
    let signer = world.acme.keys.oidc[0].signer.clone();
    let message = [b'x'; 500];
    let header = basic("machine", SECRET);
    let params = [("grant_type", "client_credentials"), ("scope", "api:read")];
    for name in ["warm-up", "measured"] {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            signer.sign(&message).unwrap();
        }
        let sign = start.elapsed();
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let answer = world.post("token", Some(&header), &params).await;
            assert_eq!(answer.status, 200);
        }
        let whole = start.elapsed();
        let each = |time: std::time::Duration| time.as_secs_f64() * 1e6 / f64::from(ROUNDS);
        println!(
            "{name}: ES256 {:.1} us ({:.0}/s), client_credentials {:.1} us ({:.0}/s), besides the signature {:.1} us, \
             {:.0}% of the signing rate",
            each(sign),
            1e6 / each(sign),
            each(whole),
            1e6 / each(whole),
            each(whole) - each(sign),
            100.0 * each(sign) / each(whole)
        );
    }
}
