//! PyPI's python3-saml and pysaml2.

use super::world::{Name, Wanted, World};

const PERSISTENT: &str = "        name_id: { format: persistent }";

#[tokio::test]
async fn python3_saml_logs_in_and_out() {
    let wanted = Wanted { slug: "one", peer: "python3-saml", settings: &[], yaml: PERSISTENT };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}

#[tokio::test]
async fn pysaml2_logs_in_and_out() {
    let wanted = Wanted { slug: "py", peer: "pysaml2-sp", settings: &[], yaml: PERSISTENT };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}
