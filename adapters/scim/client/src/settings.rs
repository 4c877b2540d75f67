//! The settings of an app that has a SCIM server: read strictly, every complaint at once.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::claims::PROTOCOL_CLAIMS;
use fedbridge_contract::config::App;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::Field;
use fedbridge_contract::loopback::is_https_or_loopback;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::text::expected;
use serde_json::{Map, Value};
use url::Url;

use crate::path::AttributePath;

/// The secrets of an app: one of them.
pub const BEARER_TOKEN: &str = "bearer_token";
pub const CLIENT_SECRET: &str = "client_secret";

pub const FIELDS: &[Field] = &[
    Field::new("base_url", "Where its SCIM server is: https, or http on this machine (egress.allow_loopback).")
        .required(),
    Field::new("token_endpoint", "With client_secret: where the bridge gets its tokens (RFC 6749 section 4.4)."),
    Field::new("client_id", "With client_secret: the bridge's own name there."),
    Field::new("scope", "With client_secret: what it asks for. Default: nothing."),
    Field::new(
        "attributes",
        "What the app gets: { PATH: CLAIM } or { PATH: [CLAIM, CLAIM] }, the first that is there; the path is that of SCIM. Those \
         that are named come on top of the default, null takes one away. Default: userName: [preferred_username, email], \
         name.givenName: given_name, name.familyName: family_name, displayName: name, emails[type eq \"work\"].value: email. \
         externalId is the person's sub.",
    ),
    Field::new(
        "push_groups",
        "Groups that the app gets with their members: all, none, or a list of names. Default: none.",
    ),
    Field::new(
        "remove",
        "What becomes of somebody who has no business there any more: deactivate or delete. Default: deactivate.",
    ),
    Field::new("update", "How somebody is changed: patch (put, where the app knows no PATCH) or put. Default: patch."),
    Field::new(
        "adopt",
        "A user of the app who has the userName of somebody new: unclaimed takes over one without an externalId, any also one \
         with a strange one, never none. So do groups by their names. Default: unclaimed.",
    ),
    Field::new("reconcile", "How often everything that the app has is looked at: from 1m to 30d. Default: 24h."),
    Field::new(
        "guard",
        "The most of its users that may be removed within an hour, in percent; five always may. Default: 20.",
    ),
];

/// Keys of an app that the bridge file's reader consumes; good for a suggestion only.
const ELSEWHERE: &[&str] = &["slug", "was", "name", "enabled", "groups", "claims", BEARER_TOKEN, CLIENT_SECRET];

const MINUTE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Attributes of one app.
const MOST_ATTRIBUTES: usize = 100;

/// What an app is to get, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ScimAppSettings {
    /// Without a slash at its end.
    pub base_url: String,
    /// `None`: a bearer token that is always the same.
    pub grant: Option<ClientCredentials>,
    pub attributes: Vec<Mapped>,
    pub push_groups: PushGroups,
    pub remove: Remove,
    pub update: Update,
    pub adopt: Adopt,
    pub reconcile: Duration,
    /// `None`: no bound.
    pub most_removed: Option<u8>,
}

/// RFC 6749 section 4.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    pub token_endpoint: String,
    pub client_id: String,
    pub scope: Option<String>,
}

/// One attribute, and the claims that it may be made of: the first that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    pub path: AttributePath,
    pub claims: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PushGroups {
    #[default]
    None,
    All,
    Named(Vec<String>),
}

impl PushGroups {
    pub fn wants(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Remove {
    #[default]
    Deactivate,
    Delete,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Update {
    #[default]
    Patch,
    Put,
}

/// Whom of the app's users somebody new may become, by the name alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Adopt {
    #[default]
    Unclaimed,
    Any,
    Never,
}

impl ScimAppSettings {
    /// The settings of an app, read once for each snapshot.
    ///
    /// # Errors
    /// Every complaint. Settings are checked when they are saved.
    pub fn of(app: &App) -> Result<Arc<Self>, Vec<Complaint>> {
        app.parsed(Self::parse)
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn parse(value: &Value) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new();
        let empty = Map::new();
        let object = value.as_object().unwrap_or(&empty);
        let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        reader.only_keys_beside(object, "", &names, ELSEWHERE);
        if !object.contains_key("base_url") {
            reader.complain("base_url", "missing; it is required");
        }
        let base_url = address(&mut reader, object, "base_url").unwrap_or_default();
        let settings = Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            grant: grant(&mut reader, object),
            attributes: attributes(&mut reader, object),
            push_groups: push_groups(&mut reader, object),
            remove: reader
                .choice(object, "", "remove", &[("deactivate", Remove::Deactivate), ("delete", Remove::Delete)])
                .unwrap_or_default(),
            update: reader
                .choice(object, "", "update", &[("patch", Update::Patch), ("put", Update::Put)])
                .unwrap_or_default(),
            adopt: reader
                .choice(
                    object,
                    "",
                    "adopt",
                    &[("unclaimed", Adopt::Unclaimed), ("any", Adopt::Any), ("never", Adopt::Never)],
                )
                .unwrap_or_default(),
            reconcile: reconcile(&mut reader, object),
            most_removed: guard(&mut reader, object),
        };
        reader.finish(settings)
    }

    /// The claims that the app gets, each once.
    pub fn claims(&self) -> Vec<String> {
        let mut all: Vec<String> = self.attributes.iter().flat_map(|mapped| mapped.claims.iter().cloned()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn address(reader: &mut Reader, object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = reader.text(object, "", key)?;
    match Url::parse(&text) {
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            reader.complain(key, format!("`{text}` has a query or a fragment; leave it out"));
            None
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            reader.complain(key, "an address with a user name or password is not called");
            None
        }
        Ok(url) if is_https_or_loopback(&url) => Some(text),
        Ok(_) => {
            reader.complain(key, format!("`{text}` is not https"));
            None
        }
        Err(error) => {
            reader.complain(key, format!("`{text}` is not an address: {error}"));
            None
        }
    }
}

fn grant(reader: &mut Reader, object: &Map<String, Value>) -> Option<ClientCredentials> {
    let token_endpoint = address(reader, object, "token_endpoint");
    let client_id = reader.text(object, "", "client_id");
    let scope = reader.text(object, "", "scope");
    let there = |key| object.get(key).is_some_and(|value| !value.is_null());
    if !there("token_endpoint") {
        for key in ["client_id", "scope"].into_iter().filter(|key| there(key)) {
            reader.complain(key, "is nothing without a token_endpoint");
        }
        return None;
    }
    if !there("client_id") {
        reader.complain("client_id", "missing; the token_endpoint asks for it");
    }
    Some(ClientCredentials { token_endpoint: token_endpoint?, client_id: client_id?, scope })
}

/// What the app gets where nothing is said.
const USUAL: [(&str, &[&str]); 5] = [
    ("userName", &["preferred_username", "email"]),
    ("name.givenName", &["given_name"]),
    ("name.familyName", &["family_name"]),
    ("displayName", &["name"]),
    ("emails[type eq \"work\"].value", &["email"]),
];

fn attributes(reader: &mut Reader, object: &Map<String, Value>) -> Vec<Mapped> {
    let usual = USUAL.iter().filter_map(|(path, claims)| {
        let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
        Some(Mapped { path: AttributePath::parse(path).ok()?, claims })
    });
    let mut all: Vec<Mapped> = usual.collect();
    let none = Map::new();
    for (text, written) in reader.map(object, "", "attributes").unwrap_or(&none) {
        let at = format!("attributes.{text}");
        let path = match AttributePath::parse(text) {
            Ok(path) => path,
            Err(why) => {
                reader.complain(&at, why);
                continue;
            }
        };
        let claims = claims(reader, &at, written);
        if claims.is_empty() && path.to_string() == "userName" {
            reader.complain(&at, "every user has one; name the claims that it is made of");
        }
        all.retain(|mapped| mapped.path.to_string() != path.to_string());
        if !claims.is_empty() {
            all.push(Mapped { path, claims });
        }
    }
    if all.len() > MOST_ATTRIBUTES {
        reader.complain("attributes", format!("an app gets at most {MOST_ATTRIBUTES} attributes"));
    }
    all
}

fn claims(reader: &mut Reader, at: &str, written: &Value) -> Vec<String> {
    let named: Vec<&Value> = match written {
        Value::Null => return Vec::new(),
        Value::Array(several) => several.iter().collect(),
        one => vec![one],
    };
    let mut claims = Vec::new();
    for one in named {
        match one.as_str() {
            Some(claim) if PROTOCOL_CLAIMS.contains(&claim) => {
                reader.complain(at, format!("`{claim}` is a claim of the protocol, and none of a person"));
            }
            Some(claim) if !claim.trim().is_empty() => claims.push(claim.to_owned()),
            _ => reader.complain(at, expected("the name of a claim", one)),
        }
    }
    claims
}

fn push_groups(reader: &mut Reader, object: &Map<String, Value>) -> PushGroups {
    match object.get("push_groups") {
        Some(Value::Array(_)) => PushGroups::Named(reader.texts(object, "", "push_groups").unwrap_or_default()),
        Some(Value::String(word)) if word == "all" => PushGroups::All,
        Some(Value::String(word)) if word == "none" => PushGroups::None,
        None | Some(Value::Null) => PushGroups::None,
        Some(other) => {
            reader.complain("push_groups", expected("all, none or a list of groups", other));
            PushGroups::None
        }
    }
}

fn reconcile(reader: &mut Reader, object: &Map<String, Value>) -> Duration {
    let every = reader.duration(object, "", "reconcile").unwrap_or(Duration::from_secs(86_400));
    if !(MINUTE..=LONGEST).contains(&every) {
        reader.complain("reconcile", "has to be from 1m to 30d");
    }
    every
}

fn guard(reader: &mut Reader, object: &Map<String, Value>) -> Option<u8> {
    let percent = reader.number(object, "", "guard", (1, 100)).unwrap_or(20);
    u8::try_from(percent).ok().filter(|percent| *percent < 100)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn wrong(settings: Value) -> Vec<String> {
        ScimAppSettings::parse(&settings).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_is_what_most_apps_take() {
        let settings = ScimAppSettings::parse(&json!({ "base_url": "https://app.example/scim/v2/" })).unwrap();
        assert_eq!(settings.base_url, "https://app.example/scim/v2");
        assert_eq!(settings.claims(), ["email", "family_name", "given_name", "name", "preferred_username"]);
        assert_eq!((settings.remove, settings.update), (Remove::Deactivate, Update::Patch));
        assert_eq!((settings.push_groups, settings.most_removed), (PushGroups::None, Some(20)));
    }

    #[test]
    fn attributes_come_on_top() {
        let settings = json!({ "base_url": "https://a.example", "guard": 100, "attributes": {
            "displayName": null, "title": "job", "userName": "email" } });
        let settings = ScimAppSettings::parse(&settings).unwrap();
        let paths: Vec<_> = settings.attributes.iter().map(|mapped| mapped.path.to_string()).collect();
        let work = "emails[type eq \"work\"].value";
        assert_eq!(paths, ["name.givenName", "name.familyName", work, "title", "userName"]);
        assert_eq!(settings.most_removed, None);
    }

    #[test]
    fn every_complaint_comes_at_once() {
        let settings = json!({ "base_url": "http://app.example", "removes": 1, "client_id": "a", "reconcile": "1s",
            "push_groups": "some", "attributes": { "id": "sub", "x y": "a", "userName": null, "title": "sub" } });
        let found = wrong(settings);
        for part in [
            "base_url: `http://app.example` is not https",
            "removes: unknown key; the nearest known one is `remove`",
            "client_id: is nothing",
            "reconcile: has to be",
            "push_groups: expected",
            "attributes.id: id can't be mapped",
            "attributes.x y: ",
            "attributes.userName: every user",
            "attributes.title: `sub` is a claim of the protocol",
        ] {
            assert!(found.iter().any(|line| line.starts_with(part)), "{part}: {found:#?}");
        }
        assert_eq!(wrong(json!({})), ["base_url: missing; it is required"]);
    }
}
