//! Two servers on one database roll together.

use super::crowd::Crowd;
use super::upstream::Company;
use crate::support::scripted::now;
use crate::support::{Database, eventually};

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
    let new = idp.first_signer();
    let switched = async || {
        let before = idp.verified(old);
        crowd.more(8).await;
        // Each of the two people may have one login that began before.
        (idp.verified(old) <= before + 2).then_some(())
    };
    eventually("no node signs with the old key", switched).await;
    assert!(idp.verified(new) > 8);
    idp.be_away(true);
    conductor.ok("retire", &[]);
    crowd.more(8).await;
    a_date_switches(&company, &crowd).await;
    crowd.all_were_let_in().await;
}

/// The workers of both nodes look at the date, which is past at once. It counts from when the provider has
/// fetched the key, and one of them switches for both.
async fn a_date_switches(company: &Company, crowd: &Crowd) {
    let (idp, conductor) = (&company.idp.partner, company.conductor("saml-signing"));
    let stale = idp.believed().prints();
    conductor.ok("start", &["--switch-at", &now().rfc3339_seconds()]);
    crowd.more(4).await;
    idp.be_away(false);
    let next = idp.key_besides(&stale).await;
    idp.until("the next key first", |keys| keys.prints()[0] == next).await;
    crowd.more(4).await;
    assert!(idp.verified(next) > 0, "the next key never signed");
}
