//! `revoke`: which of two apps is meant. What a kill ends is in `tests/revocation.rs`.

use fedbridge_contract::config::AppKind;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_hub::ports::{ConfigStore as _, EpochStore as _};
use fedbridge_saml::testkit::ScriptedSp;

use super::Desk;
use super::admin::store;

/// A client and a service provider may have one name.
#[tokio::test]
async fn a_kill_of_an_app_says_of_which_kind_it_is() {
    let mut desk = Desk::new("revoke-app");
    let metadata = ScriptedSp::new("https://wiki.example/sp", "https://wiki.example/acs").metadata();
    let metadata = desk.scratch.write("sp.xml", &metadata);
    let provider = |slug: &str, entity: &str| {
        let file = metadata.display();
        format!("      - {{ slug: {slug}, entity_id: \"{entity}\", sp_metadata: {{ file: {file} }} }}\n")
    };
    desk.good += &format!("    service_providers:\n{}", provider("app", "https://wiki.example/sp"));
    let applied = desk.run(&["apply"], &desk.good);
    assert_eq!(applied.code, 0, "{applied:?}");

    let killed = desk.plain(&["revoke", "service-provider", "app", "--tenant", "acme"]);
    assert!(killed.code == 0 && killed.out.starts_with("kill 1: what the service provider app had not"), "{killed:?}");
    assert_eq!(kills(&desk).await, [(AppKind::SamlSp, Epoch(1))]);
    let killed = desk.plain(&["revoke", "client", "app", "--tenant", "acme"]);
    assert!(killed.code == 0 && killed.out.starts_with("kill 2: everything that was given out to the client app"));
    assert_eq!(kills(&desk).await, [(AppKind::SamlSp, Epoch(1)), (AppKind::OidcClient, Epoch(2))]);
    let alias = desk.plain(&["revoke", "provider", "app", "--tenant", "acme"]);
    assert_eq!((alias.code, kills(&desk).await.len()), (0, 2));

    desk.good = desk.good.replace("slug: app", "slug: wiki");
    assert_eq!(desk.run(&["apply"], &desk.good).code, 0);
    for (command, name, advice) in [
        ("client", "wiki", "run: fedbridge revoke service-provider wiki --tenant acme"),
        ("provider", "app", "run: fedbridge revoke client app --tenant acme"),
        ("provider", "wiky", "there is no service provider `wiky`; the nearest is `wiki`; nothing was changed"),
    ] {
        let refused = desk.plain(&["revoke", command, name, "--tenant", "acme"]);
        assert!(refused.code == 2 && refused.err.contains(advice), "{refused:?}");
    }
}

/// The apps that were killed, by the number of the kill.
async fn kills(desk: &Desk) -> Vec<(AppKind, Epoch)> {
    let store = store(desk).await;
    let system = store.system();
    let configuration = system.load().await.unwrap();
    let apps: Vec<_> = configuration.tenants.values().flat_map(|tenant| &tenant.apps).collect();
    let kind = |killed| match killed {
        Killed::App(_, id) => apps.iter().find(|app| app.id == id).unwrap().spec.kind,
        other => panic!("{other:?}"),
    };
    let kills = system.epochs_since(Epoch(0)).await.unwrap();
    let mut kills: Vec<_> = kills.into_iter().map(|(killed, epoch)| (kind(killed), epoch)).collect();
    kills.sort_by_key(|(_, epoch)| *epoch);
    store.close().await.unwrap();
    kills
}
