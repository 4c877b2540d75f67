//! An app's own account.

use std::time::Duration;

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::directory::{BindAnswer, BoundBy, Peer};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::password::Password;
use fedbridge_contract::services::{Gate as _, Guess};
use fedbridge_contract::trace::TraceLog;
use uuid::Uuid;

use super::refused;
use crate::run::Hub;
use crate::run::password::Verdict;
use crate::throttle::{DeviceKey, network, octets};

/// How long an address is remembered from which an account has bound.
const REMEMBERED: Duration = Duration::from_secs(180 * 24 * 3600);

impl Hub {
    pub(super) async fn bind_app(&self, tenant: &Tenant, app: &App, password: &Password, peer: Peer) -> BindAnswer {
        let permit = match self.gate.app(tenant, app).await {
            Ok(permit) => permit,
            Err(refusal) => return refused(refusal),
        };
        let account = format!("app {}", app.id);
        let guess = Guess {
            tenant: tenant.id,
            connection: None,
            account: &account,
            peer: peer.ip,
            through: None,
            known_device: None,
            lockout: None,
        };
        let from = self.address(tenant.id, &account, None, peer);
        let admitted = match self.admit(guess, Some(from), &mut TraceLog::new()).await {
            Ok(admitted) => admitted,
            Err(wait) => return BindAnswer::No(format!("too many wrong secrets; again in {} s", wait.as_secs())),
        };
        let digest = self.hasher.digest(password.octets());
        // All of them, so that the time tells nothing.
        let right = app.secret_hashes.iter().fold(false, |right, known| right | same(known, &digest));
        if !right {
            admitted.was(Verdict::Wrong);
            return BindAnswer::No("the app's secret is another one".to_owned());
        }
        admitted.was(Verdict::Right);
        self.devices.know(tenant.id, from, self.services.clock.now(), REMEMBERED);
        BindAnswer::Yes { permit, person: None, by: BoundBy::AppSecret, cached_until: None, warning: None }
    }

    /// What an address, or an app there, is to an account.
    pub(super) fn address(&self, tenant: TenantId, account: &str, app: Option<&App>, peer: Peer) -> DeviceKey {
        let app = app.map_or_else(Uuid::nil, |app| app.id.uuid());
        let what = [account.as_bytes(), app.as_bytes(), &octets(network(peer.ip))].concat();
        self.services.tokens.mac(tenant, "known address", &what)
    }

    /// The account has bound from there.
    pub(super) fn know_address(&self, tenant: TenantId, from: DeviceKey) {
        self.devices.know(tenant, from, self.services.clock.now(), REMEMBERED);
    }
}

/// Compares in a time that depends on nothing.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}
