//! Apache's mod_authnz_ldap: searches, binds and compares on connections that it shares.

use std::path::Path;

use reqwest::Method;

use crate::support::Scratch;
use crate::support::browser::HTTP;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::Directory;

#[tokio::test]
async fn apache_uses_openldap() {
    let scratch = Scratch::new("apache-ldap");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    apache(scratch.path(), &openldap.directory).await;
}

pub async fn apache(dir: &Path, directory: &Directory) {
    let group = directory.group("employees");
    let peer = directory.used_by("apache-ldap", dir, &[("LDAP_GROUP", &group), ("LDAP_PERSON", "alice")]);
    let open = async |page: &str, name: &str, password: &str| {
        let request = HTTP.request(Method::GET, format!("{}/{page}/", peer.url)).basic_auth(name, Some(password));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let pages = ["anybody", "user", "group", "dn", "attribute", "filter"];
    // Connections are used again and again, by the app and by people in turn.
    for _ in 0..3 {
        for page in pages {
            let (status, body) = open(page, "alice", "alice-password").await;
            let log = || std::fs::read_to_string(peer.dir.join("error.log")).unwrap_or_default();
            assert_eq!((status, body.trim()), (200, format!("welcome to {page}").as_str()), "{}", log());
            // Carol is in no group, and is not Alice.
            let expected = if page == "anybody" { 200 } else { 401 };
            assert_eq!(open(page, "carol", "carol-password").await.0, expected, "{page}: {}", log());
        }
        assert_eq!(open("group", "bob", "bob-password").await.0, 200);
    }
    for (name, password) in
        [("alice", "bob-password"), ("alice", ""), ("nobody", "alice-password"), ("*", "alice-password")]
    {
        assert_eq!(open("anybody", name, password).await.0, 401, "{name}");
    }
}
