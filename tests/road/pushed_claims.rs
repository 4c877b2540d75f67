//! What a directory pushes, as apps see it: at the login, and at the next token.

use fedbridge_contract::http::Method;
use fedbridge_hub::spec::ConfigChange;
use serde_json::{Value, json};

use super::push::world_with;
use super::pushed::provisioned;
use super::{World, client, connection, param};

/// An app that refreshes.
fn shop(groups: &[&str]) -> ConfigChange {
    let ConfigChange::PutApp(mut stored) = client(
        30,
        "shop",
        json!({
            "grant_types": ["authorization_code", "refresh_token"],
            "scopes": ["openid", "email", "profile", "groups", "offline_access"],
        }),
    ) else {
        unreachable!()
    };
    stored.spec.groups = groups.iter().map(|group| (*group).to_owned()).collect();
    ConfigChange::PutApp(stored)
}

fn alice(more: Value) -> Value {
    let mut attributes = json!({ "email": ["alice@acme.example"], "groups": ["it"], "given_name": ["Alice L"] });
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "subject": "alice", "attributes": attributes })
}

async fn world(settings: Value, mapping: Value, groups: &[&str]) -> World {
    let one = connection(2, "one", alice(json!({})), mapping);
    world_with(provisioned(settings), vec![one, shop(groups)]).await
}

impl World {
    async fn shop(&mut self) -> Value {
        let scope = "openid%20email%20profile%20groups%20offline_access";
        let code = param(&self.authorize_for("shop", scope, "").await, "code").unwrap();
        let (status, tokens) = self.try_redeem("shop", &code).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }

    async fn again(&mut self, tokens: &Value) -> Value {
        let (status, tokens) = self.refresh("shop", tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }

    /// At userinfo.
    async fn userinfo(&mut self, tokens: &Value) -> Value {
        let (target, mut input) = self.prepared(Method::Get, "http://127.0.0.1:8080/t/acme/userinfo", String::new());
        input.authorization = Some(format!("Bearer {}", tokens["access_token"].as_str().unwrap()));
        let fedbridge_contract::http::ReplyKind::Body(body) = self.hub.handle(target, input).await.kind else {
            panic!("no body")
        };
        serde_json::from_slice(&body.bytes).unwrap()
    }

    /// A group of these.
    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|member| json!({ "value": member })).collect();
        let (status, group) =
            self.push(Method::Post, "Groups", json!({ "displayName": name, "members": members })).await;
        assert_eq!(status, 201, "{group}");
        group["id"].as_str().unwrap().to_owned()
    }

    async fn leaves(&self, group: &str, member: &str) {
        let remove = json!({ "op": "remove", "path": format!("members[value eq \"{member}\"]") });
        assert_eq!(self.patch(&format!("Groups/{group}"), remove).await.0, 200);
    }
}

fn in_id_token(tokens: &Value, claim: &str) -> Value {
    use base64::Engine as _;
    let body = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let octets = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).unwrap();
    serde_json::from_slice::<Value>(&octets).unwrap()[claim].clone()
}

#[tokio::test]
async fn groups_reach_the_next_token() {
    let mut world = world(json!({}), json!({}), &[]).await;
    let (user, _) = world.pushed("alice").await;
    let tokens = world.shop().await;
    assert_eq!(in_id_token(&tokens, "groups"), json!(["it"]), "the directory pushes no groups yet");
    let staff = world.group("Staff", &[&user]).await;
    let tokens = world.again(&tokens).await;
    assert_eq!(in_id_token(&tokens, "groups"), json!(["Staff"]));
    assert_eq!(world.userinfo(&tokens).await["groups"], json!(["Staff"]));
    let outer = world.group("Outer", &[&staff]).await;
    world.leaves(&staff, &user).await;
    assert_eq!(world.userinfo(&tokens).await["groups"], Value::Null, "at once, with the token from before");
    let tokens = world.again(&tokens).await;
    assert_eq!(in_id_token(&tokens, "groups"), Value::Null, "nobody else's groups come up instead");
    let add = json!({ "op": "add", "path": "members", "value": [{ "value": user }] });
    assert_eq!(world.patch(&format!("Groups/{outer}"), add).await.0, 200);
    assert_eq!(in_id_token(&world.again(&tokens).await, "groups"), json!(["Outer"]));
    // The session serves the next login with what is pushed by now.
    let reply = world.authorize_for("shop", "openid%20groups", "&prompt=none").await;
    let (_, tokens) = world.try_redeem("shop", &param(&reply, "code").unwrap()).await;
    assert_eq!(in_id_token(&tokens, "groups"), json!(["Outer"]));
}

#[tokio::test]
async fn each_claim_comes_from_where_it_is_wanted() {
    let named = json!({ "userName": "alice", "title": "Dr", "name": { "givenName": "Ada", "familyName": "King" } });
    for (precedence, given_name) in [
        (json!({}), "Ada"),
        (json!({ "given_name": "login" }), "Alice L"),
        (json!({ "default": "login" }), "Alice L"),
        (json!({ "default": "login", "given_name": "push" }), "Ada"),
    ] {
        let mapping = json!({ "claims": { "nickname": { "cel": "user.title + ' ' + user.name.familyName" } } });
        let mut world = world(json!({ "precedence": precedence }), mapping, &[]).await;
        assert_eq!(world.push(Method::Post, "Users", named.clone()).await.0, 201);
        let tokens = world.shop().await;
        assert_eq!(in_id_token(&tokens, "given_name"), given_name, "{precedence}");
        assert_eq!(in_id_token(&tokens, "family_name"), "King", "a login that does not say it takes nothing away");
        assert_eq!(in_id_token(&tokens, "nickname"), "Dr King", "rules see the record");
        assert_eq!(in_id_token(&tokens, "email"), "alice@acme.example");
    }
}

#[tokio::test]
async fn who_loses_the_apps_group_loses_the_app() {
    let mut world = world(json!({}), json!({}), &["Staff"]).await;
    let (user, person) = world.pushed("alice").await;
    let staff = world.group("Staff", &[&user]).await;
    let tokens = world.shop().await;
    let unrevoked = async |world: &World| {
        use fedbridge_hub::ports::PeopleStore as _;
        world.foundation.store.unrevoked(super::push::tenant(), person, world.now()).await.unwrap().len()
    };
    assert_eq!(unrevoked(&world).await, 1);
    world.leaves(&staff, &user).await;
    assert_eq!(unrevoked(&world).await, 0, "before the change is answered");
    let (status, refused) = world.refresh("shop", tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")), "{refused}");
    assert_eq!(world.userinfo(&tokens).await["error"], "invalid_token");
    let reply = world.authorize_for("shop", "openid%20groups", "").await;
    assert_eq!(param(&reply, "error").as_deref(), Some("access_denied"));
    assert!(world.newest_cause().await.1.contains("Staff"));
}

/// Somebody is found by the address that a connection vouches for, to be asked about or to be ended; never by what
/// another one has pushed.
#[tokio::test]
async fn a_pushed_address_is_no_word_of_the_login() {
    use fedbridge_hub::ports::PeopleStore as _;
    let mut world = world(json!({}), json!({}), &[]).await;
    let named = json!({ "userName": "alice", "emails": [{ "value": "ada@acme.example" }] });
    assert_eq!(world.push(Method::Post, "Users", named).await.0, 201);
    let tokens = world.shop().await;
    assert_eq!(in_id_token(&tokens, "email"), "ada@acme.example");
    let by = async |address: &str| {
        let hash = world.hub.services.tokens.mac(super::push::tenant(), "verified e-mail", address.as_bytes());
        let found = world.foundation.store.by_email(super::push::tenant(), &hash).await.unwrap();
        found.into_iter().map(|one| one.connection).collect::<Vec<_>>()
    };
    assert_eq!(by("alice@acme.example").await, [super::id(2)]);
    assert_eq!(by("ada@acme.example").await, [super::push::hr()]);
}
