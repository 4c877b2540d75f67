//! Connections to OpenID providers on the command line: their documents, and the keys of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Desk, Ended};
use crate::support::eventually;

/// A provider that publishes its document as soon as it is told to.
async fn provider() -> (String, Arc<AtomicBool>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let up = Arc::new(AtomicBool::new(false));
    let (own, open) = (issuer.clone(), Arc::clone(&up));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 2048];
            let _ = socket.read(&mut buffer).await;
            let body = serde_json::json!({
                "issuer": own,
                "authorization_endpoint": format!("{own}/authorize"),
                "token_endpoint": format!("{own}/token"),
                "jwks_uri": format!("{own}/jwks"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            });
            let (status, body) = match open.load(Ordering::SeqCst) {
                true => ("200 OK", body.to_string()),
                false => ("503 Service Unavailable", String::new()),
            };
            let head = "content-type: application/json\r\ncache-control: max-age=60\r\nconnection: close";
            let answer = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (issuer, up)
}

fn file(issuer: &str, more: &str) -> String {
    format!(
        "version: 1\ntenants:\n  - slug: acme\n    connections:\n      - slug: op\n        protocol: oidc\n        \
         issuer: {issuer}\n        client_id: bridge\n{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_stops_no_apply_and_is_read_when_it_is_up() {
    let (issuer, up) = provider().await;
    let desk = Desk::new("openid");
    let yaml = file(&issuer, "");
    let applied = desk.run(&["apply"], &yaml);
    assert_eq!((applied.code, applied.out.as_str()), (0, "+ tenant acme\n+ connection acme/op\n"), "{}", applied.err);
    assert_eq!(desk.run(&["plan", "--exit-code"], &yaml).out, "nothing to change\n");
    let exported = desk.plain(&["export"]).out;
    assert!(exported.contains("protocol: oidc") && !exported.contains("discovery"), "{exported}");
    assert_eq!(desk.run(&["plan"], &exported).out, "nothing to change\n");
    let listed = desk.plain(&["connections", "list"]).out;
    let row = |listed: &str| listed.lines().find(|line| line.starts_with("acme/op")).unwrap().to_owned();
    assert!(
        row(&listed).contains("not read yet") && row(&listed).contains("/.well-known/openid-configuration"),
        "{listed}"
    );
    let check = desk.plain(&["check"]).out;
    assert!(check.lines().any(|line| line.contains("acme/op") && line.contains("was not read yet")), "{check}");
    let refused = desk.plain(&["connections", "refresh", "acme/op"]);
    assert!(refused.code == 1 && refused.err.contains("there is none in force yet"), "{refused:?}");
    let check = desk.plain(&["check"]).out;
    assert!(check.contains("nobody can log in, because ") && check.contains("answered with status 503"), "{check}");

    up.store(true, Ordering::SeqCst);
    let read = desk.plain(&["connections", "refresh", "acme/op"]).out;
    let keys = "acme/op: its keys are fetched anew when they are used next\n";
    assert_eq!(read, format!("acme/op: a new document is in force\n{keys}"));
    assert_eq!(desk.plain(&["connections", "refresh", "acme/op"]).out, format!("acme/op: nothing is new\n{keys}"));
    let listed = desk.plain(&["connections", "list"]).out;
    assert!(row(&listed).contains(" fine "), "{listed}");
    assert_eq!(desk.run(&["plan"], &yaml).out, "nothing to change\n", "the file has no part in it");
    let check = desk.plain(&["check"]).out;
    assert!(!check.contains("not read yet") && !check.contains('✗'), "{check}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_reads_the_document_of_a_new_connection_at_once() {
    let (issuer, up) = provider().await;
    up.store(true, Ordering::SeqCst);
    let desk = Desk::new("openid-server");
    let _bridge = desk.setup.serve(&desk.scratch).await;
    assert_eq!(desk.run(&["apply"], &file(&issuer, "")).code, 0);
    let read = |line: &str| line.starts_with("acme/op") && line.contains(" fine ");
    let listed = async || desk.plain(&["connections", "list"]).out.lines().any(read).then_some(());
    eventually("the list has the document", listed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_secret_has_keys_that_rotate_by_command() {
    let (issuer, _) = provider().await;
    let desk = Desk::new("openid-keys");
    let yaml = file(&issuer, "");
    assert_eq!(desk.run(&["apply"], &yaml).code, 0);
    let keys = |desk: &Desk| -> Vec<Vec<String>> {
        let listed = desk.plain(&["keys", "list"]).out;
        let of = listed.lines().filter(|line| line.starts_with("acme/op"));
        of.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    };
    let with = |keys: &[Vec<String>], state: &str| -> Vec<String> {
        keys.iter().filter(|key| key[3] == state).map(|key| key[5].clone()).collect()
    };
    let first = keys(&desk);
    assert!(first.iter().all(|key| key[1] == "oidc-client" && key[2] == "ES256"), "{first:?}");
    assert_eq!((with(&first, "active").len(), with(&first, "next").len()), (1, 1));
    assert_eq!(desk.plain(&["keys", "rotate"]).code, 0);
    assert_eq!(keys(&desk), first, "the tenant's rotation leaves them alone");
    let rotated = desk.plain(&["keys", "rotate", "--connection", "acme/op"]);
    assert_eq!((rotated.code, rotated.out.lines().count()), (0, 3), "{rotated:?}");
    let wait = "wait until the provider has read our key set again before you rotate once more";
    assert!(rotated.err.contains(wait) && rotated.err.contains("published less than an hour ago"), "{rotated:?}");
    let second = keys(&desk);
    assert_eq!(with(&second, "active"), with(&first, "next"), "the key that was published ahead");
    assert_eq!(with(&second, "retiring"), with(&first, "active"));
    let decryption = ["keys", "rotate", "--connection", "acme/op", "--decryption"];
    for lines in [1, 2] {
        let made = desk.plain(&decryption);
        assert!(
            made.code == 0
                && made.err.is_empty()
                && made.out.contains("oidc-decryption")
                && made.out.lines().count() == lines,
            "{made:?}"
        );
    }
    assert_eq!(with(&keys(&desk), "active").len(), 2, "one signs, one opens");
    let Ended { code, err, .. } = desk.plain(&["keys", "rotate", "--connection", "acme/opp"]);
    assert!(code == 2 && err.contains("the nearest is `acme/op`"), "{err}");

    // With another algorithm the old keys sign no more; with a secret none is made.
    let other = file(&issuer, "        client_assertion_alg: EdDSA\n");
    let changed = desk.run(&["apply"], &other).out;
    assert_eq!(changed, "~ connection acme/op: client_assertion_alg\n~ connection acme/op: a client key for EdDSA\n");
    let third = keys(&desk);
    assert!(third.iter().filter(|key| key[2] == "ES256").all(|key| key[3] == "retiring"), "{third:?}");
    assert_eq!(desk.plain(&["keys", "rotate", "--connection", "acme/op"]).out.lines().count(), 3, "of EdDSA alone");
    // Where all else was given by hand, there are keys to fetch all the same.
    let by_hand = file(
        &issuer,
        &format!(
            "        discovery: off\n        metadata: {{ authorization_endpoint: {issuer}/a, token_endpoint: {issuer}/t, \
             jwks_uri: {issuer}/jwks }}\n"
        ),
    );
    assert_eq!(desk.run(&["apply"], &by_hand).code, 0);
    let refreshed = desk.plain(&["connections", "refresh", "acme/op"]);
    assert_eq!(refreshed.out, "acme/op: its keys are fetched anew when they are used next\n", "{}", refreshed.err);
    assert_eq!(desk.plain(&["connections", "refresh", "acme/opp"]).code, 2);

    let short = file(&issuer, "        client_secret: { value: hunter2 }\n");
    let refused = desk.run(&["apply"], &short);
    assert!(refused.code == 2 && refused.err.contains("needs at least 32"), "{}", refused.err);
    assert!(!refused.err.contains("hunter2"));
}
