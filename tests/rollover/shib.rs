//! A real service provider, which fetches the bridge's metadata by itself while the bridge rolls its key.

use std::sync::Arc;

use fedbridge_saml::seam::Fingerprint;
use fedbridge_saml::testkit::PublishedKeys;

use super::conductor::Conductor;
use super::crowd::{Crowd, Login};
use super::upstream::page;
use crate::idp::world::{Wanted, World};
use crate::support::browser::Browser;

const PERSISTENT: &str = "        name_id: { format: persistent }";

/// The upstream was configured by hand, so the admin gives his word for it; mod_shib is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn mod_shib_lets_everybody_in_while_we_roll() {
    let settings: &[_] = &[("SP_REFRESH", "sp=shib")];
    let world = World::start(&[Wanted { slug: "shib", peer: "apache-shib", settings, yaml: PERSISTENT }]).await;
    let world = Arc::new(world);
    let visited = Arc::clone(&world);
    let crowd = Crowd::of(2, move || {
        let world = Arc::clone(&visited);
        async move { login(&world).await }
    });
    crowd.more(4).await;
    let mut active = vec![signer(&world).await];
    let conductor = Conductor { setup: &world.setup, purpose: "saml-signing" };
    for _ in 0..2 {
        conductor.ok("start", &[]);
        conductor.ok("confirm", &["--partner", "connection/idp"]);
        conductor.switch().await;
        crowd.more(6).await;
        conductor.ok("rollback", &[]);
        crowd.more(6).await;
        conductor.switch().await;
        crowd.more(6).await;
        conductor.ok("retire", &[]);
        crowd.more(6).await;
        active.push(signer(&world).await);
    }
    let logins = crowd.all_were_let_in().await;
    assert!(logins > 50, "{logins} logins are too few to tell");
    assert!(active[0] != active[1] && active[1] != active[2], "{active:?}");
}

async fn login(world: &World) -> Login {
    let answer = world.open(&mut Browser::new(), &world.providers[0].url).await;
    if answer.status == 200 && answer.body.contains("name_id") {
        Ok(())
    } else {
        Err(page("mod_shib lets nobody in", &answer))
    }
}

/// The key that signs, as the bridge's metadata has it.
async fn signer(world: &World) -> Fingerprint {
    let metadata = Browser::new().get(&format!("{}/saml/metadata", world.app.at)).await.body;
    PublishedKeys::read(&metadata).unwrap().prints()[0]
}
