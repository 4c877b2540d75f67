//! SimpleSAMLphp as a service provider.

use super::world::{Name, Wanted, World};

/// Without this it asks for a transient name, and gets one.
const ASKS: &[(&str, &str)] = &[("SP_NAMEID_FORMAT", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")];

#[tokio::test]
async fn simplesamlphp_logs_in_and_out() {
    let yaml = "        name_id: { format: persistent }";
    let wanted = Wanted { slug: "ssp", peer: "simplesamlphp-sp", settings: ASKS, yaml };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}

#[tokio::test]
async fn simplesamlphp_gets_the_transient_name_that_it_asks_for() {
    let wanted = Wanted { slug: "ssp", peer: "simplesamlphp-sp", settings: &[], yaml: "        encrypt: true" };
    World::start(&[wanted]).await.logs_in_and_out(Name::Fresh).await;
}
