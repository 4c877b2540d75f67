//! Complete logins by an upstream that speaks OpenID Connect, and their floor, in turns: what slows the machine
//! down for a while slows both.

use std::sync::Arc;
use std::time::Duration;

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;

use crate::chain::Steps;
use crate::commit::{self, CommitAt};
use crate::fetch::Fetch;
use crate::floor::{self, Cost};
use crate::load::{Call, Lines, Load, Meter, Until};
use crate::numbers::{Latencies, each};
use crate::op::Source;

const ROUNDS: usize = 5;
/// Of each operation of the floor, in each round.
const BUDGET: Duration = Duration::from_millis(200);
const COMMITS: usize = 200;
const WARM_UP: usize = 100;
/// Traces are written in the background, within some 50 ms.
const SETTLE: Duration = Duration::from_millis(500);

pub struct OidcLogins {
    pub floor: OidcFloor,
    pub logins: Vec<(Source, Load, [Latencies; 4])>,
}

/// What no login by an OpenID provider can do without:
/// - the signature of its ID token, RS256, is verified;
/// - the app's two tokens are signed, ES256;
/// - the hashes of a login (see [`floor::hashes`]);
/// - one durable commit;
/// - a call to the token endpoint, and one to userinfo where it is asked: an HTTP request and its answer over a
///   connection that is there, at the client's side alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct OidcFloor {
    pub verify: Cost,
    pub es256: Cost,
    pub hashes: Cost,
    pub commit: Cost,
    pub call: Cost,
}

impl OidcFloor {
    /// CPU of a login that does nothing else.
    pub fn login(&self, source: Source) -> Duration {
        let calls = source.calls() * self.call.cpu;
        self.verify.cpu + 2 * self.es256.cpu + self.hashes.cpu + self.commit.cpu + calls
    }

    /// The average of some rounds.
    fn average(rounds: &[Self]) -> Self {
        let part = |of: fn(&Self) -> Cost| Cost {
            cpu: each(rounds.iter().map(|round| of(round).cpu).sum(), rounds.len()),
            wall: each(rounds.iter().map(|round| of(round).wall).sum(), rounds.len()),
        };
        Self {
            verify: part(|round| round.verify),
            es256: part(|round| round.es256),
            hashes: part(|round| round.hashes),
            commit: part(|round| round.commit),
            call: part(|round| round.call),
        }
    }
}

/// What a load is made of: the calls of one kind of login, and where their steps are noted.
pub struct Plan {
    pub source: Source,
    pub calls: Vec<Call>,
    pub steps: Arc<Steps>,
    pub warm_up: Vec<Call>,
}

/// `count` logins of each kind.
pub fn measure(
    address: std::net::SocketAddr,
    plans: Vec<Plan>,
    count: usize,
    commits: &CommitAt<'_>,
    meter: &Meter,
) -> anyhow::Result<OidcLogins> {
    let floor = Parts::new()?;
    let mut kinds = Vec::new();
    for plan in plans {
        Lines::new(address, plan.warm_up).closed(Until::Count(WARM_UP), SETTLE, meter)?;
        kinds.push((plan.source, Lines::new(address, plan.calls), plan.steps, Vec::new()));
    }
    let mut floors = Vec::new();
    for _ in 0..ROUNDS {
        floors.push(floor.round(commits)?);
        for (_, lines, _, loads) in &mut kinds {
            loads.push(lines.closed(Until::Count(count.div_ceil(ROUNDS)), SETTLE, meter)?);
        }
    }
    let mut logins = Vec::new();
    for (source, lines, steps, loads) in kinds {
        drop(lines);
        let steps = Arc::into_inner(steps).ok_or_else(|| anyhow::anyhow!("a load still runs"))?;
        logins.push((source, Load::merged(loads), steps.latencies()));
    }
    Ok(OidcLogins { floor: OidcFloor::average(&floors), logins })
}

/// What the floor's operations work on.
struct Parts {
    rsa: PKey<Private>,
    signature: Vec<u8>,
    ec: EcKey<Private>,
    fetch: Fetch,
}

impl Parts {
    fn new() -> anyhow::Result<Self> {
        let rsa = PKey::from_rsa(Rsa::generate(2048)?)?;
        let signature = Signer::new(MessageDigest::sha256(), &rsa)?.sign_oneshot_to_vec(&floor::QUERY)?;
        let ec = EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?;
        Ok(Self { rsa, signature, ec, fetch: Fetch::new()? })
    }

    fn round(&self, commits: &CommitAt<'_>) -> anyhow::Result<OidcFloor> {
        Ok(OidcFloor {
            verify: floor::repeat_alone(BUDGET, || floor::rsa_verify(&self.rsa, &self.signature))?,
            es256: floor::repeat_alone(BUDGET, || floor::es256(&self.ec))?,
            hashes: floor::repeat_alone(BUDGET, floor::hashes)?,
            commit: commit::measure(commits, COMMITS)?,
            call: self.fetch.cost(BUDGET)?,
        })
    }
}
