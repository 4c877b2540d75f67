//! What a forced switch costs: shows that the partners of these tests are as strict as they say.

use super::upstream::{Company, IDP};
use crate::support::{Database, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_switch_fails_logins_of_a_partner_that_has_not_fetched() {
    let company = Company::start(Database::Sqlite, 1, "6h").await;
    let (idp, conductor) = (&company.idp.partner, company.conductor("saml-signing"));
    // After the first rollover the next key is one that nobody has seen.
    conductor.ok("start", &[]);
    conductor.switch().await;
    idp.be_away(true);
    conductor.ok("retire", &[]);
    conductor.ok("start", &[]);
    conductor.switch_is_refused_for(IDP);
    company.login().await.unwrap();

    conductor.ok("switch", &["--force"]);
    let refused = eventually("the new key signs", async || company.login().await.err()).await;
    for refused in [refused, company.login().await.unwrap_err(), company.login().await.unwrap_err()] {
        assert!(refused.starts_with("the provider refuses"), "{refused}");
    }
    let stale = idp.first_signer();
    idp.be_away(false);
    idp.until("another key first", |keys| keys.prints()[0] != stale).await;
    company.login().await.unwrap();
}
