//! Two servers on one database roll together.

use super::upstream::Company;
use crate::support::Database;

/// Each login begins at one node and ends at the other; the provider fetches from both in turn.
#[tokio::test(flavor = "multi_thread")]
async fn one_command_switches_both_nodes_and_fails_no_login() {
    let company = Company::start(Database::Postgres, 2, "1s").await;
    let (idp, conductor) = (&company.idp.partner, company.conductor("saml-signing"));
    let crowd = company.crowd(2);
    crowd.more(4).await;
    idp.announce();
    idp.publisher.taken().await;
    idp.switch();
    crowd.more(4).await;

    let old = idp.first_signer();
    conductor.ok("start", &[]);
    idp.until("the next key", |keys| keys.signing.len() == 2).await;
    conductor.switch().await;
    idp.until("the new key first", |keys| keys.prints()[0] != old).await;
    crowd.more(4).await;
    // The interface promises that a node follows within a second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (before, new) = (idp.verified(old), idp.first_signer());
    crowd.more(8).await;
    assert!(idp.verified(old) <= before + 2, "a node still signs with the old key");
    assert!(idp.verified(new) > 8);
    conductor.ok("retire", &[]);
    crowd.more(8).await;
    crowd.all_were_let_in().await;
}
