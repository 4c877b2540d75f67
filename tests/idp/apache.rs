//! Apache's mod_auth_mellon (Lasso) and mod_shib (OpenSAML), each in a server of its own.

use super::world::{Name, Wanted, World};

const PERSISTENT: &str = "        name_id: { format: persistent }";

/// Mellon's own metadata and requests ask for a transient name, whatever the bridge would give by itself.
#[tokio::test]
async fn mod_auth_mellon_logs_in_and_out() {
    let wanted = Wanted { slug: "mellon", peer: "apache-mellon", settings: &[], yaml: PERSISTENT };
    World::start(&[wanted]).await.logs_in_and_out(Name::Fresh).await;
}

#[tokio::test]
async fn mod_shib_logs_in_and_out() {
    let wanted = Wanted { slug: "shib", peer: "apache-shib", settings: &[], yaml: PERSISTENT };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}

#[tokio::test]
async fn mod_shib_decrypts() {
    let yaml = format!("{PERSISTENT}\n        encrypt: true");
    let wanted = Wanted { slug: "shib", peer: "apache-shib", settings: &[], yaml: &yaml };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}
