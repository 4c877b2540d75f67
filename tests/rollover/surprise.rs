//! A provider that signs with a new key before the bridge has looked at its metadata.

use super::upstream::Company;
use crate::support::Database;

/// Each of the people who come first with the new key makes the bridge look. It looks once, and lets all in.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_announced_in_time_fails_no_login() {
    let company = Company::start(Database::Sqlite, 1, "6h").await;
    let crowd = company.crowd(4);
    crowd.more(4).await;
    let idp = &company.idp.partner;
    idp.announce();
    idp.switch();
    crowd.more(20).await;
    assert_eq!(idp.publisher.given(), 1, "one look is enough for all");
    assert_eq!(idp.number_of_own_keys(), 2);
    crowd.all_were_let_in().await;
}
