//! Debian's LemonLDAP::NG in front of the bridge: RS256, no `sid`, no back channel. It tells of a logout by a frame
//! that names the person.

use super::company::{Company, Op, SECRET};
use crate::support::Database;
use crate::support::browser::Browser;

const DWHO: (&str, &str) = ("dwho", "dwho");

async fn company(database: Database) -> Company {
    Company::start(database, async |scratch, address| {
        let peer = Op::peer("lemonldap", scratch, address, &[]);
        let yaml = format!(
            "        profile: lemonldap
        client_secret: {{ value: {SECRET} }}
        scopes: [openid, profile, email, groups, offline_access]
        front_channel_sid: subject
        mapping:
          claims:
            groups: {{ from: [groups] }}
"
        );
        Op { issuer: peer.url.clone(), person: DWHO, yaml, peer: Some(peer) }
    })
    .await
}

#[tokio::test]
async fn logs_in_and_out() {
    let company = company(Database::Sqlite).await;
    let mut browser = Browser::new();
    let told = company.login(&mut browser).await;
    assert_eq!(told["id_token"]["email"], "dwho@badwolf.org", "{told:#}");
    assert_eq!(told["userinfo"]["name"], "Doctor Who", "{told:#}");
    // LemonLDAP::NG keeps groups in a hash and tells them in any order.
    let mut groups: Vec<_> =
        told["userinfo"]["groups"].as_array().unwrap().iter().map(|group| group.as_str().unwrap()).collect();
    groups.sort_unstable();
    assert_eq!(groups, ["timelords", "users"], "{told:#}");
    company.refresh(&mut browser).await;
    company.log_out_of_app(&mut browser).await;

    let again = company.login(&mut browser).await;
    assert_eq!(again["sub"], told["sub"], "the same person is somebody else");
    let mut phone = Browser::new();
    company.login(&mut phone).await;
    company.log_out_of_op(&mut browser, &format!("{}/?logout=1", company.op.issuer)).await;
    assert!(company.app_knows(&mut phone).await, "a frame in one browser ended another one's session");
}
