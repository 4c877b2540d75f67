//! admin create, admin list, admin api-key: credentials that are shown once.

use std::sync::Arc;

use fedbridge_hub::admin::{ApiKey, Setup, parse_key};
use fedbridge_hub::ports::{AdminStore as _, ApiKeyStore as _};
use fedbridge_keys::{AesGcmSealer, MasterKey};
use fedbridge_store::Store;
use serde_json::{Value, json};

use super::{Desk, Ended};

const LATER: &str = "The console and the admin API, which take these credentials, come with a later version";

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_gets_a_code_once() {
    let desk = Desk::new("admin-create");
    desk.run(&["apply"], &desk.good);
    assert!(desk.plain(&["admin", "list"]).out.contains("no administrator yet"));
    assert_eq!(json_of(&desk, &["admin", "list", "--json"]), json!([]));

    let first = desk.plain(&["admin", "create", "--name", "ada"]);
    let code = shown_once(&first);
    assert_eq!(code.len(), 43, "32 octets in base64url");
    assert!(first.err.contains("administrator ada was made, with the role owner"), "{}", first.err);

    let again = desk.plain(&["admin", "create", "--name", "ada"]);
    refused(&again, &["`ada` already", "what to do: ", "fedbridge admin create --name ada --renew"]);
    let renewed = desk.plain(&["admin", "create", "--name", "ada", "--renew"]);
    let second = shown_once(&renewed);
    assert!(second != code && renewed.err.contains("the one before is void"), "{renewed:?}");
    assert_eq!(setup_hash(&desk, "ada").await, openssl::sha::sha256(second.as_bytes()), "the new code alone is good");

    let tenant = ["admin", "create", "--name", "bob@acme.example", "--role", "tenant-admin", "--tenant", "acme"];
    let third = shown_once(&desk.plain(&tenant));
    let list = json_of(&desk, &["admin", "list", "--json"]);
    let seen = list.as_array().unwrap().iter().map(|one| json!([one["name"], one["role"], one["tenant"]]));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [json!(["ada", "owner", null]), json!(["bob@acme.example", "tenant-admin", "acme"])]
    );
    assert_eq!(list[0]["setup"], "pending");
    let lives = seconds(&list[1]["setup_expires"]) - seconds(&list[1]["created"]);
    assert_eq!(lives, 86_400);
    assert!(desk.plain(&["admin", "list"]).out.contains("tenant-admin  acme"));
    in_no_file(&desk, &[code, second, third]);
}

#[test]
fn what_is_wrong_with_an_administrator_is_said_at_once() {
    let desk = Desk::new("admin-wrong");
    desk.run(&["apply"], &desk.good);
    let all = desk.plain(&["admin", "create", "--name", "Ada L", "--role", "audtor", "--tenant", "acne"]);
    refused(
        &all,
        &[
            "--name: `Ada L` can't be a name; a name has ",
            "--role: there is no role `audtor`; the nearest is `auditor`",
            "--tenant: there is no tenant `acne`; the nearest is `acme`",
            "what to do: ",
        ],
    );
    let of = |rest: &[&str]| desk.plain(&[&["admin", "create", "--name", "bob"], rest].concat());
    refused(&of(&["--role", "tenant-admin"]), &["--tenant: a tenant-admin needs the tenant to govern"]);
    refused(&of(&["--role", "operator", "--tenant", "acme"]), &["--tenant: owners and operators govern the whole"]);
    refused(&of(&["--renew"]), &["there is no administrator `bob`", "what to do: "]);
    assert_eq!(of(&["--renew", "--role", "owner"]).code, 2);
    assert_eq!(desk.plain(&["admin", "create"]).code, 2);
    assert_eq!(json_of(&desk, &["admin", "list", "--json"]), json!([]), "nothing was changed");

    shown_once(&of(&[]));
    let next = desk.plain(&["admin", "create", "--name", "eve"]);
    refused(&next, &["--role: there is an owner already, so say the role: owner, operator, "]);
    refused(&desk.plain(&["admin", "create", "--name", "bbo", "--renew"]), &["the nearest is `bob`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_is_made_rotated_and_revoked() {
    let desk = Desk::new("admin-api-key");
    desk.run(&["apply"], &desk.good);
    assert!(desk.plain(&["admin", "api-key", "list"]).out.contains("no API key yet"));
    let first = shown_once(&desk.plain(&create("ci", &["--scope", "traces:read", "config:read", "--expires", "90d"])));
    let other = create("ci", &["--scope", "audit:read", "--expires", "1d", "--tenant", "acme"]);
    let other = shown_once(&desk.plain(&other));
    assert!(first.starts_with("fbk_") && parse_key(&first).is_some(), "{first}");
    let now = fedbridge_contract::time::Timestamp::from_millis;
    let key = stored(&desk, &first).await;
    let (made, end) = (now(key.created.millis()), key.expires);
    assert!(good(&key, &first, made) && !good(&key, &other, made) && !good(&key, &first, end));

    let list = json_of(&desk, &["admin", "api-key", "list", "--json"]);
    assert_eq!(
        (&list[0]["name"], &list[0]["tenant"], &list[1]["tenant"]),
        (&json!("ci"), &json!(null), &json!("acme"))
    );
    assert_eq!(list[0]["scopes"], json!(["config:read", "traces:read"]));
    assert_eq!((&list[0]["rotated"], &list[0]["revoked"]), (&json!(null), &json!(null)));
    assert_eq!(seconds(&list[0]["expires"]) - seconds(&list[0]["created"]), 90 * 86_400);

    let rotated = desk.plain(&["admin", "api-key", "rotate", "ci"]);
    let second = shown_once(&rotated);
    assert!(rotated.err.contains("the text before stays good until "), "{}", rotated.err);
    let key = stored(&desk, &second).await;
    let overlap = key.rotated.unwrap() + std::time::Duration::from_secs(86_400);
    assert!(
        good(&key, &first, now(overlap.millis() - 1)) && !good(&key, &first, overlap) && good(&key, &second, overlap)
    );

    let third = desk.plain(&["admin", "api-key", "rotate", "ci", "--overlap", "0s"]);
    assert!(third.err.contains("both texts before are void now"), "{}", third.err);
    let third = shown_once(&third);
    let key = stored(&desk, &third).await;
    let at = key.rotated.unwrap();
    assert!(good(&key, &third, at) && !good(&key, &second, at) && !good(&key, &first, at));

    let revoked = desk.plain(&["admin", "api-key", "revoke", "ci"]);
    assert_eq!((revoked.code, revoked.out.as_str()), (0, "API key ci is revoked\n"), "{revoked:?}");
    assert!(!good(&stored(&desk, &third).await, &third, at));
    let list = json_of(&desk, &["admin", "api-key", "list", "--json"]);
    assert_eq!((&list[0]["state"], &list[1]["state"]), (&json!("revoked"), &json!("active")), "the tenant's stays");
    let again = desk.plain(&["admin", "api-key", "revoke", "ci"]);
    assert!(again.code == 0 && again.out.contains("was revoked before; nothing was changed"), "{again:?}");
    refused(&desk.plain(&["admin", "api-key", "rotate", "ci"]), &["`ci` is revoked", "what to do: make a new key"]);
    let table = desk.plain(&["admin", "api-key", "list"]).out + &list.to_string();
    let all = [first, second, third, other];
    assert!(all.iter().all(|text| !table.contains(&text[text.len() - 43..])), "{table}");
    in_no_file(&desk, &all);
}

#[test]
fn what_is_wrong_with_an_api_key_is_said_at_once() {
    let desk = Desk::new("admin-api-key-wrong");
    desk.run(&["apply"], &desk.good);
    let flags = ["--scope", "config:raed", "--scope", "people", "--expires", "900d", "--tenant", "acne"];
    refused(
        &desk.plain(&create("CI", &flags)),
        &[
            "--name: `CI` can't be a name",
            "--scope: there is no scope `config:raed`; the nearest is `config:read`",
            "--scope: there is no scope `people`",
            "--expires: `900d` is too long; at most 366d",
            "--tenant: there is no tenant `acne`; the nearest is `acme`",
            "what to do: ",
        ],
    );
    for (expires, message) in [("soon", "`soon` is not a duration"), ("0d", "good for no time")] {
        refused(&desk.plain(&create("ci", &["--scope", "config:read", "--expires", expires])), &[message]);
    }
    assert_eq!(desk.plain(&create("ci", &["--scope", "config:read"])).code, 2, "a key has an expiry");
    assert_eq!(desk.plain(&create("ci", &["--expires", "1d"])).code, 2, "a key has a scope");
    assert_eq!(json_of(&desk, &["admin", "api-key", "list", "--json"]), json!([]), "nothing was changed");

    let good = create("ci", &["--scope", "config:read", "--expires", "1d", "--tenant", "acme"]);
    shown_once(&desk.plain(&good));
    refused(&desk.plain(&good), &["there is an API key `ci` already", "what to do: choose another name"]);
    let of = |rest: &[&str]| desk.plain(&[&["admin", "api-key"], rest].concat());
    refused(&of(&["revoke", "ci"]), &["the tenant `acme` has one: add --tenant acme", "what to do: "]);
    refused(&of(&["rotate", "c1", "--tenant", "acme"]), &["`c1` of this tenant; the nearest is `ci`"]);
    refused(&of(&["rotate", "ci", "--tenant", "acme", "--overlap", "40d"]), &["--overlap: `40d` is too long"]);
    assert_eq!(json_of(&desk, &["admin", "api-key", "list", "--json"])[0]["rotated"], json!(null));
}

#[test]
fn help_says_that_the_console_comes_later() {
    let desk = Desk::new("admin-help");
    for command in [&["create"][..], &["api-key"], &["api-key", "create"], &["api-key", "rotate"], &[]] {
        let help = desk.plain(&[&["admin"], command, &["--help"]].concat());
        assert!(help.out.contains(LATER) && !help.out.contains("/api/"), "{}", help.out);
    }
}

fn create<'a>(name: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["admin", "api-key", "create", "--name", name], rest].concat()
}

/// Standard output is the credential and nothing else.
fn shown_once(ended: &Ended) -> String {
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("shown once") && ended.err.contains(LATER), "{}", ended.err);
    let text = ended.out.strip_suffix('\n').unwrap();
    assert!(!text.is_empty() && !text.contains(char::is_whitespace), "{text}");
    assert!(!ended.err.contains(text));
    text.to_owned()
}

fn refused(ended: &Ended, want: &[&str]) {
    assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{ended:?}");
    assert!(ended.err.starts_with("error: ") && ended.err.contains("nothing was changed\n  cause: "), "{}", ended.err);
    for want in want {
        assert!(ended.err.contains(want), "{want} in {}", ended.err);
    }
}

fn json_of(desk: &Desk, command: &[&str]) -> Value {
    serde_json::from_str(&desk.plain(command).out).unwrap()
}

/// Whole seconds of a time as RFC 3339.
fn seconds(time: &Value) -> i64 {
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(time.as_str().unwrap(), rfc3339).unwrap().unix_timestamp()
}

/// Credentials are not sealed, so any master key opens this store.
pub async fn store(desk: &Desk) -> Store {
    let sealer = Arc::new(AesGcmSealer::new(MasterKey::from_bytes([0; 32])).unwrap());
    let url = format!("sqlite://{}", desk.scratch.path().join("fedbridge.db").display());
    Store::open(&url, sealer, Default::default()).await.unwrap()
}

async fn stored(desk: &Desk, text: &str) -> ApiKey {
    let store = store(desk).await;
    let key = store.system().api_key(parse_key(text).unwrap()).await.unwrap().unwrap();
    store.close().await.unwrap();
    key
}

async fn setup_hash(desk: &Desk, name: &str) -> [u8; 32] {
    let store = store(desk).await;
    let all = store.system().administrators().await.unwrap();
    store.close().await.unwrap();
    match all.iter().find(|one| one.name == name).unwrap().setup {
        Setup::Pending(code) => code.hash,
        Setup::Done => panic!("no code waits"),
    }
}

fn good(key: &ApiKey, text: &str, now: fedbridge_contract::time::Timestamp) -> bool {
    key.accepts(&openssl::sha::sha256(text.as_bytes()), now)
}

/// No file of the store holds one of these, nor a key's secret part alone.
fn in_no_file(desk: &Desk, credentials: &[String]) {
    let mut sizes = 0;
    for entry in std::fs::read_dir(desk.scratch.path()).unwrap() {
        let octets = std::fs::read(entry.unwrap().path()).unwrap();
        sizes += octets.len();
        for text in credentials {
            let secret = &text.as_bytes()[text.len() - 43..];
            assert!(!octets.windows(secret.len()).any(|part| part == secret), "a credential lies there in clear");
        }
    }
    assert!(sizes > 10_000, "the store is there");
}
