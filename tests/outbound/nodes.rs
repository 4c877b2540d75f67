//! Two nodes on one database: whoever they tell the app of is there once, also where one of them dies on the way.

use super::front::Front;
use super::world::{APP_TOKEN, Remote, asked, directory, file, push, tenant};
use crate::support::nodes::Nodes;
use crate::support::peers::Peer;
use crate::support::{Scratch, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there_twice() {
    let scratch = Scratch::new("outbound-nodes");
    let peer = Peer::start("scim2-server", scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let (app, front) = (Remote::of(&peer), Front::of(&peer.url).await);
    let whole = file(&tenant("acme", &front.url, "        push_groups: all\n"));
    let mut nodes = Nodes::start(2, |_| whole, |_, _| {}).await;
    let directories: Vec<_> = nodes.bridges.iter().map(|bridge| directory(bridge, "acme")).collect();
    for number in 0..20 {
        push(&directories[number % 2], &format!("user{number}")).await;
    }
    eventually("20 are there", async || (app.all("Users").await.len() == 20).then_some(())).await;
    assert_eq!(front.count("POST"), 20, "each was made once");

    // The node that has the turn may be the one that dies; the other one takes over when its lease is over.
    for number in 20..40 {
        push(&directories[1], &format!("user{number}")).await;
        if number == 30 {
            nodes.bridges.remove(0).kill();
        }
    }
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(90);
    while app.all("Users").await.len() < 40 {
        assert!(tokio::time::Instant::now() < until, "{}", nodes.bridges[0].log());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    eventually("nothing is left to do", async || {
        let output = nodes.setup.run(&["provisioning", "run", "acme/wiki"]);
        output.status.success().then_some(())
    })
    .await;
    let plan = asked(&nodes.setup, "plan");
    assert!(plan["users"].as_array().unwrap().iter().all(|step| step["do"] == "nothing"), "{plan:#}");
    assert_eq!(app.all("Users").await.len(), 40);
}
