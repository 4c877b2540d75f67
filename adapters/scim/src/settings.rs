//! The settings of a SCIM connection: read strictly, every complaint at once.

use std::collections::BTreeMap;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::Field;
use fedbridge_contract::push::{Belonging, ClaimSource, LoginKey, Precedence, Shut, Unmatched};
use fedbridge_contract::reader::Reader;
use fedbridge_contract::text::expected;
use fedbridge_scim_core::path::{Place, resolve};
use fedbridge_scim_core::resource::{Rules, UnknownAttributes};
use fedbridge_scim_core::schema::{ExtensionAttribute, ExtensionSpec, Kind};
use fedbridge_scim_core::{Profile, ResourceKind, Schemas};
use serde_json::{Map, Value};

use crate::credentials::{self, Credential};
use crate::oauth::{May, OauthClient};

/// The secrets of a connection: one, or two for rotation.
const BEARER_TOKEN: &str = "bearer_token";
const OAUTH_SECRET: &str = "oauth_client_secret";
const BEARER_EXPIRES: &str = "bearer_token_expires";
const OAUTH_EXPIRES: &str = "oauth_client_secret_expires";

pub const FIELDS: &[Field] = &[
    Field::new("profile", "The product that pushes: entra, okta or generic. Default: generic."),
    Field::new(BEARER_TOKEN, "The secret that the product sends: 32 characters or more.").secret(),
    Field::new("bearer_tokens", "Two of them, for rotation.").secret(),
    Field::new(
        BEARER_EXPIRES,
        "The last day on which it is taken, for example 2027-03-01; of two, a list in their order. check and metrics warn.",
    ),
    Field::new(
        "oauth_client_id",
        "A client that gets access tokens from the connection's token endpoint (RFC 6749 section 4.4).",
    ),
    Field::new(OAUTH_SECRET, "The client's secret: 32 characters or more.").secret(),
    Field::new("oauth_client_secrets", "Two of them, for rotation.").secret(),
    Field::new(OAUTH_EXPIRES, "The last day on which it is taken, and tokens for it; of two, a list in their order."),
    Field::new("oauth_scope", "What its tokens may do: read or write. Default: write, which reads too."),
    Field::new("provisions", "Connections whose logins belong to the people that are pushed here."),
    Field::new(
        "match",
        "How a login is compared with a pushed user: scim is an attribute of the user, login is subject, email or an attribute of \
         the login. Default: userName and subject.",
    ),
    Field::new("unmatched", "A login there of somebody who was not pushed: deny or create. Default: deny."),
    Field::new(
        "precedence",
        "Whose value counts for a claim that a login brings too, push or login: for claims by name, and for all others as \
         default. Default: push.",
    ),
    Field::new(
        "shut",
        "What ends for somebody who is switched off: person is everything, connection is what came of the connections that \
         are provisioned. Default: person.",
    ),
    Field::new(
        "guard",
        "How many may be switched off at once: percent, 100 for all, within minutes. Default: 20 within 60.",
    ),
    Field::new("passwords", "Keep passwords that are pushed, for binds and local logins. Default: false."),
    Field::new("unknown_attributes", "What is in no schema is to ignore or to refuse. Default: ignore."),
    Field::new(
        "extensions",
        "Schemas of your own: urn, of (user or group), attributes with name, type, list, required, case_exact.",
    ),
];

/// What a connection was told to do.
pub struct Settings {
    pub profile: Profile,
    pub rules: Rules,
    pub belonging: Belonging,
    /// The path of the attribute that a login is compared with.
    pub match_path: String,
    pub schemas: Schemas,
    pub passwords: bool,
    pub tokens: Vec<Credential>,
    pub oauth: Option<OauthClient>,
}

impl Settings {
    pub fn parse(settings: &Value, secrets: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new();
        let empty = Map::new();
        let object = settings.as_object().unwrap_or(&empty);
        let known: Vec<_> = FIELDS.iter().filter(|field| !field.secret).map(|field| field.name).collect();
        reader.only_keys(object, "", &known);
        let profiles: Vec<_> = Profile::ALL.iter().map(|profile| (profile.name, *profile)).collect();
        let profile = reader.choice(object, "", "profile", &profiles).unwrap_or(Profile::GENERIC);
        let unknown = [("ignore", UnknownAttributes::Ignore), ("refuse", UnknownAttributes::Refuse)];
        let unknown = reader.choice(object, "", "unknown_attributes", &unknown).unwrap_or_default();
        let extensions = extensions(&mut reader, object);
        let schemas = Schemas::new(&extensions);
        let (match_path, login) = matching(&mut reader, object, &schemas);
        let (most_shut, guard_minutes) = guard(&mut reader, object);
        let belonging = Belonging {
            provisions: reader.texts(object, "", "provisions").unwrap_or_default(),
            login,
            unmatched: reader
                .choice(object, "", "unmatched", &[("deny", Unmatched::Deny), ("create", Unmatched::Create)])
                .unwrap_or_default(),
            shut: reader
                .choice(object, "", "shut", &[("person", Shut::Person), ("connection", Shut::Connection)])
                .unwrap_or_default(),
            precedence: precedence(&mut reader, object),
            most_shut,
            guard_minutes,
        };
        let passwords = reader.boolean(object, "", "passwords").unwrap_or(false);
        let tokens = credentials::read(&mut reader, object, secrets, (BEARER_TOKEN, BEARER_EXPIRES));
        let oauth = oauth(&mut reader, object, secrets);
        if tokens.is_empty() && oauth.is_none() {
            reader.complain(BEARER_TOKEN, "is missing, and there is no OAuth client: nobody can push");
        }
        let rules = Rules { unknown };
        reader.finish(Self { profile, rules, belonging, match_path, schemas, passwords, tokens, oauth })
    }

    /// All secrets of the connection.
    pub fn credentials(&self) -> impl Iterator<Item = &Credential> {
        self.tokens.iter().chain(self.oauth.iter().flat_map(|client| &client.secrets))
    }
}

fn oauth(reader: &mut Reader, object: &Map<String, Value>, secrets: &BTreeMap<String, Vec<u8>>) -> Option<OauthClient> {
    let id = reader.text(object, "", "oauth_client_id");
    let may = reader.choice(object, "", "oauth_scope", &May::ALL).unwrap_or(May::Write);
    let secrets = credentials::read(reader, object, secrets, (OAUTH_SECRET, OAUTH_EXPIRES));
    match (id, secrets.is_empty()) {
        (Some(id), false) => Some(OauthClient { id, secrets, may }),
        (Some(_), true) => {
            reader.complain(OAUTH_SECRET, "is missing: an OAuth client has a secret");
            None
        }
        (None, false) => {
            reader.complain("oauth_client_id", "is missing: a secret alone names no client");
            None
        }
        (None, true) => None,
    }
}

fn matching(reader: &mut Reader, object: &Map<String, Value>, schemas: &Schemas) -> (String, LoginKey) {
    let none = Map::new();
    let matching = reader.map(object, "", "match").unwrap_or(&none);
    reader.only_keys(matching, "match", &["scim", "login"]);
    let path = reader.text(matching, "match", "scim").unwrap_or_else(|| "userName".to_owned());
    match resolve(schemas, ResourceKind::User, &path) {
        Ok(Place::Attribute(_)) => {}
        Ok(Place::Extension(_)) => reader.complain("match.scim", "is a schema, and no attribute"),
        Err(unknown) => reader.complain("match.scim", unknown.sentence()),
    }
    let login = match reader.text(matching, "match", "login").as_deref() {
        None | Some("subject") => LoginKey::Subject,
        Some("email") => LoginKey::Email,
        Some(attribute) => LoginKey::Attribute(attribute.to_owned()),
    };
    (path, login)
}

fn precedence(reader: &mut Reader, object: &Map<String, Value>) -> Precedence {
    let words = [("push", ClaimSource::Push), ("login", ClaimSource::Login)];
    let none = Map::new();
    let named = reader.map(object, "", "precedence").unwrap_or(&none);
    let mut found = Precedence::default();
    for claim in named.keys() {
        let Some(source) = reader.choice(named, "precedence", claim, &words) else { continue };
        match claim.as_str() {
            "default" => found.otherwise = source,
            _ => drop(found.claims.insert(claim.clone(), source)),
        }
    }
    found
}

fn guard(reader: &mut Reader, object: &Map<String, Value>) -> (Option<u8>, u16) {
    let none = Map::new();
    let guard = reader.map(object, "", "guard").unwrap_or(&none);
    reader.only_keys(guard, "guard", &["percent", "minutes"]);
    let percent = reader.number(guard, "guard", "percent", (1, 100)).unwrap_or(20);
    let minutes = reader.number(guard, "guard", "minutes", (1, 1440)).unwrap_or(60);
    let percent = u8::try_from(percent).unwrap_or(100);
    ((percent < 100).then_some(percent), u16::try_from(minutes).unwrap_or(60))
}

fn extensions(reader: &mut Reader, object: &Map<String, Value>) -> Vec<ExtensionSpec> {
    let list = match object.get("extensions") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            reader.complain("extensions", expected("a list of schemas", other));
            return Vec::new();
        }
    };
    let mut found: Vec<ExtensionSpec> = Vec::new();
    for (at, one) in list.iter().enumerate() {
        let path = format!("extensions[{at}]");
        let Some(one) = one.as_object() else {
            reader.complain(&path, expected("a map", one));
            continue;
        };
        reader.only_keys(one, &path, &["urn", "of", "attributes"]);
        let kinds = [("user", ResourceKind::User), ("group", ResourceKind::Group)];
        let spec = ExtensionSpec {
            of: reader.choice(one, &path, "of", &kinds).unwrap_or(ResourceKind::User),
            urn: reader.text(one, &path, "urn").unwrap_or_default(),
            attributes: attributes(reader, one, &path),
        };
        if let Err(why) = spec.check() {
            reader.complain(&path, why);
        } else if found.iter().any(|other| other.urn.eq_ignore_ascii_case(&spec.urn)) {
            reader.complain(&path, format!("{} comes twice", spec.urn));
        } else {
            found.push(spec);
        }
    }
    found
}

fn attributes(reader: &mut Reader, extension: &Map<String, Value>, path: &str) -> Vec<ExtensionAttribute> {
    let Some(Value::Array(list)) = extension.get("attributes") else {
        reader.complain(&format!("{path}.attributes"), "is missing: a list of attributes");
        return Vec::new();
    };
    let kinds = [
        ("string", Kind::String),
        ("boolean", Kind::Boolean),
        ("decimal", Kind::Decimal),
        ("integer", Kind::Integer),
        ("dateTime", Kind::DateTime),
        ("binary", Kind::Binary),
        ("reference", Kind::Reference),
    ];
    let mut found = Vec::new();
    for (at, one) in list.iter().enumerate() {
        let path = format!("{path}.attributes[{at}]");
        let Some(one) = one.as_object() else {
            reader.complain(&path, expected("a map", one));
            continue;
        };
        reader.only_keys(one, &path, &["name", "type", "list", "required", "case_exact"]);
        found.push(ExtensionAttribute {
            name: reader.text(one, &path, "name").unwrap_or_default(),
            kind: reader.choice(one, &path, "type", &kinds).unwrap_or(Kind::String),
            multi_valued: reader.boolean(one, &path, "list").unwrap_or(false),
            required: reader.boolean(one, &path, "required").unwrap_or(false),
            case_exact: reader.boolean(one, &path, "case_exact").unwrap_or(false),
        });
    }
    found
}
