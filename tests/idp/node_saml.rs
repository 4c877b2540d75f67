//! npm's @node-saml/node-saml.

use super::world::{Name, Wanted, World};

const PERSISTENT: &str = "        name_id: { format: persistent }";

fn with<'a>(settings: &'a [(&'a str, &'a str)], yaml: &'a str) -> Wanted<'a> {
    Wanted { slug: "wiki", peer: "node-saml", settings, yaml }
}

#[tokio::test]
async fn node_saml_logs_in_and_out() {
    World::start(&[with(&[], PERSISTENT)]).await.logs_in_and_out(Name::Kept).await;
}

#[tokio::test]
async fn node_saml_takes_a_signed_assertion_alone_and_a_signed_response_alone() {
    for sign in ["assertion", "response"] {
        let yaml = format!("{PERSISTENT}\n        sign: {sign}");
        World::start(&[with(&[("SP_WANT", sign)], &yaml)]).await.logs_in_and_out(Name::Kept).await;
    }
}

#[tokio::test]
async fn node_saml_decrypts() {
    let yaml = format!("{PERSISTENT}\n        encrypt: true");
    World::start(&[with(&[], &yaml)]).await.logs_in_and_out(Name::Kept).await;
}
