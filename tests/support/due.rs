//! What only time makes due, at once.

use std::time::Duration;

use fedbridge::Foundation;
use fedbridge::settings::Settings;
use fedbridge_contract::ids::SessionId;
use fedbridge_hub::ports::{ConfigStore as _, KeptTokens, Turn, UpstreamTokenStore as _};
use serde_json::Value;

use super::bridge::Setup;

/// An upstream is to be asked again about the session of this ID token at its next refresh, as if the time until then
/// had passed.
pub async fn make_due(setup: &Setup, connection: &str, id_token: &Value) {
    let settings = Settings::read(None, setup.settings.iter().cloned(), &[]).unwrap();
    let Foundation { store, system, clock, .. } = Foundation::open_as_is(&settings).await.unwrap();
    let all = system.load().await.unwrap();
    let acme = all.tenants.values().find(|tenant| tenant.tenant.spec.slug == "acme").unwrap();
    let connection = acme.connections.iter().find(|found| found.spec.slug == connection).unwrap().id;
    let session: SessionId = id_token["sid"].as_str().unwrap().parse().unwrap();
    let (tenant, now) = (acme.tenant.id, clock.now());
    let tomorrow = now + Duration::from_secs(24 * 3600);
    let lease = tomorrow + Duration::from_secs(10);
    let turn = store.take_turn(tenant, session, connection, tomorrow, lease).await.unwrap();
    let Turn::Yours(kept) = turn else { panic!("nobody would ask: {turn:?}") };
    let due = KeptTokens { due: now, ..kept };
    assert!(store.keep(tenant, session, lease, &due).await.unwrap(), "somebody else asked meanwhile");
}
