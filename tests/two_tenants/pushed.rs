//! What a directory has pushed to one tenant, asked for at the other with a token that is good at both.

use serde_json::{Value, json};

use super::rows::{Good, Row, same};
use super::world::{Came, Place, Sent, World};
use crate::support::browser::HTTP;
use crate::support::scripted::SECRET;

const PUSHED: Place = Place::Connection("scim", "scim/v2/**");
const TOKEN: Place = Place::Connection("scim", "scim/token");

/// As the bridge file has it: one token for both tenants, and one of its own.
pub fn connection(slug: &str) -> String {
    format!(
        "      - slug: scim
        protocol: scim
        bearer_tokens: [{{ value: {SECRET} }}, {{ value: {own} }}]
        oauth_client_id: hr
        oauth_client_secrets: [{{ value: {SECRET} }}, {{ value: {own} }}]
",
        own = own_token(slug)
    )
}

fn own_token(slug: &str) -> String {
    format!("a-token-that-is-good-at-{slug}-and-nowhere-else")
}

pub async fn rows(world: &World) -> Vec<Row> {
    let ada = push(world, "Users", json!({ "userName": "ada", "externalId": "7" })).await;
    let group = push(world, "Groups", json!({ "displayName": "Staff", "members": [{ "value": ada }] })).await;
    push(world, "Users", json!({ "userName": "bob" })).await;
    let first: Value = serde_json::from_str(&get(world, "Users?cursor=&count=1").await).unwrap();
    let next = first["nextCursor"].as_str().unwrap();
    let good = || Good::Answer(|came: &Came| came.status == 200 && !came.body.contains("\"totalResults\":0"));
    let ask = |rest: String, query: String, bearer: &str| Sent {
        rest: rest.into(),
        query,
        bearer: Some(bearer.to_owned()),
        ..Sent::default()
    };
    // The secret that it is given for is good at both.
    let at = format!("{}/connections/scim/scim/token", world.own.at);
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(client_form(SECRET)).finish();
    let asked = HTTP.post(at).header("content-type", "application/x-www-form-urlencoded").body(form);
    let given = asked.send().await.unwrap();
    let given: Value = serde_json::from_str(&given.text().await.unwrap()).unwrap();
    let access = given["access_token"].as_str().unwrap().to_owned();
    let client = Sent { form: Some(client_form(&own_token(world.own.slug))), ..Sent::default() };
    let found = |filter: &str| {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        format!("filter={filter}")
    };
    vec![
        same(PUSHED, "a user", good(), ask(format!("Users/{ada}"), String::new(), SECRET)),
        same(PUSHED, "a group", good(), ask(format!("Groups/{group}"), String::new(), SECRET)),
        same(PUSHED, "a name", good(), ask("Users".into(), found("userName eq \"ada\""), SECRET)),
        same(PUSHED, "a member", good(), ask("Groups".into(), found(&format!("members eq \"{ada}\"")), SECRET)),
        same(PUSHED, "a cursor", good(), ask("Users".into(), format!("cursor={next}&count=1"), SECRET)),
        same(PUSHED, "a token", good(), ask("Users".into(), String::new(), &own_token(world.own.slug))),
        same(PUSHED, "an access token", good(), ask("Users".into(), String::new(), &access)),
        same(TOKEN, "an OAuth client's secret", Good::Answer(|came| came.body.contains("access_token")), client),
    ]
}

fn client_form(secret: &str) -> Vec<(String, String)> {
    let form = [("grant_type", "client_credentials"), ("client_id", "hr"), ("client_secret", secret)];
    form.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

async fn push(world: &World, kind: &str, body: Value) -> String {
    let at = format!("{}/connections/scim/scim/v2/{kind}", world.own.at);
    let sent = HTTP.post(at).bearer_auth(SECRET).header("content-type", "application/scim+json");
    let answer = sent.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let made: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

async fn get(world: &World, rest: &str) -> String {
    let at = format!("{}/connections/scim/scim/v2/{rest}", world.own.at);
    HTTP.get(at).bearer_auth(SECRET).send().await.unwrap().text().await.unwrap()
}
