//! Shared signals from outside: what a receiver gets when a directory switches somebody off, and what it can ask for.

mod poll;
mod push;
mod receiver;
mod scim;

use openssl::pkey::PKey;
use serde_json::{Value, json};

use crate::scim::client::{Directory, connection};
use crate::support::Scratch;
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::HTTP;
use crate::support::scripted::{App, bridge_file_with, idp};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

/// What the receivers of the two tenants show.
const TOKEN: &str = "a-token-that-a-receiver-shows-0123456789";
const OTHER_TOKEN: &str = "a-token-that-another-one-shows-0123456789";

/// Two tenants with a directory each. `receivers` is of the first, `others` of the second.
async fn world(receivers: &str, others: &str) -> World {
    let (scratch, idp) = (Scratch::new("signals"), idp());
    let setup = Setup::sqlite(scratch.path());
    let hr = connection("hr", "        provisions: [idp]\n");
    let first = bridge_file_with(&scratch, &idp, &hr, "");
    let second = connection("hr", "");
    let file = format!(
        "{first}    signal_receivers:\n{receivers}  - slug: globex\n    connections:\n{second}    signal_receivers:\n{others}"
    );
    setup.apply(&scratch, &file);
    let bridge = setup.serve(&scratch).await;
    World { idp, bridge, _scratch: scratch }
}

fn receiver(slug: &str, token: &str, more: &str) -> String {
    format!("      - slug: {slug}\n        bearer_token: {{ value: {token} }}\n{more}")
}

struct World {
    idp: fedbridge_saml::testkit::ScriptedIdp,
    bridge: Bridge,
    _scratch: Scratch,
}

impl World {
    fn issuer(&self, tenant: &str) -> String {
        format!("{}/t/{tenant}", self.bridge.base_url)
    }

    fn directory(&self, tenant: &str) -> Directory {
        Directory::of(&self.issuer(tenant), "hr")
    }

    fn app(&self) -> App {
        App::of(&self.bridge)
    }

    /// A request of a receiver.
    async fn ask(&self, method: reqwest::Method, path: &str, token: &str, body: Value) -> (u16, Value) {
        let request = HTTP.request(method, format!("{}/signals/{path}", self.issuer("acme"))).bearer_auth(token);
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// The claims of a token of this tenant, whose signature and kind are looked at.
    async fn read(&self, tenant: &str, token: &str) -> Value {
        let keys = HTTP.get(format!("{}/jwks", self.issuer(tenant))).send().await.unwrap();
        let keys: Value = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
        let (header, signed) = (octets(header), &token[..token.len() - signature.len() - 1]);
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["typ"], &header["alg"]), (&json!("secevent+jwt"), &json!("RS256")));
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
        let number = |name: &str| openssl::bn::BigNum::from_slice(&octets(key[name].as_str().unwrap())).unwrap();
        let key = PKey::from_rsa(openssl::rsa::Rsa::from_public_components(number("n"), number("e")).unwrap()).unwrap();
        let mut verifier = openssl::sign::Verifier::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
        assert!(verifier.verify_oneshot(&octets(signature), signed.as_bytes()).unwrap(), "the signature");
        serde_json::from_slice(&octets(claims)).unwrap()
    }
}

fn octets(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The one event of a token.
fn event(claims: &Value) -> String {
    let events = claims["events"].as_object().unwrap();
    assert_eq!(events.len(), 1, "{claims}");
    events.keys().next().unwrap().clone()
}
