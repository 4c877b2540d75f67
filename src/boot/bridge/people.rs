//! `people` of a connection: who may become a person here, and what is done about an address that is known.

use fedbridge_hub::spec::{Create, PeopleSpec, SameEmail};
use serde_json::{Map, Value, json};

use crate::settings::complaints::Complaints;

use super::fields::Fields;
use super::names;

const CREATE: [(&str, Create); 3] =
    [("everybody", Create::Everybody), ("listed", Create::Listed), ("nobody", Create::Nobody)];
const SAME_EMAIL: [(&str, SameEmail); 3] =
    [("separate", SameEmail::Separate), ("ask", SameEmail::Ask), ("refuse", SameEmail::Refuse)];

/// What holds where nothing is written. Anybody can have an account at Google with an address of another company,
/// so an address that is known already is for an administrator there.
fn default_for(profile: Option<&str>) -> PeopleSpec {
    match profile {
        Some("google") => PeopleSpec { same_email: SameEmail::Refuse, ..PeopleSpec::default() },
        _ => PeopleSpec::default(),
    }
}

/// Reads the setting of a connection.
pub fn read(connection: &mut Fields<'_>, complaints: &mut Complaints) -> PeopleSpec {
    let profile = connection.node().get("profile").and_then(|node| node.text());
    let mut people = default_for(profile);
    let Some(node) = connection.take("people") else { return people };
    let Some(mut fields) = Fields::of(node, connection.path("people"), complaints) else { return people };
    people.create = fields.choice("create", &CREATE, complaints).unwrap_or(people.create);
    people.domains = names::domains(&mut fields, complaints);
    let groups = fields.texts("groups", complaints).unwrap_or_default();
    people.groups = groups.into_iter().map(|(group, _)| group).collect();
    people.same_email = fields.choice("same_email", &SAME_EMAIL, complaints).unwrap_or(people.same_email);
    people.linking = fields.flag("linking", people.linking, complaints);
    let listed = !people.domains.is_empty() || !people.groups.is_empty();
    match people.create {
        Create::Listed if !listed => {
            let message = "listed people need `domains` or `groups`; without them nobody could log in";
            complaints.add(node.place_of("create"), fields.path("create"), message);
        }
        Create::Everybody | Create::Nobody if listed => {
            let key = if people.domains.is_empty() { "groups" } else { "domains" };
            complaints.add(node.place_of(key), fields.path(key), "only counts with `create: listed`");
        }
        _ => {}
    }
    fields.finish(complaints);
    people
}

/// The setting as a bridge file has it; empty where nothing needs to be written.
pub fn written(people: &PeopleSpec, settings: &Value) -> Map<String, Value> {
    let default = default_for(settings.get("profile").and_then(Value::as_str));
    let mut out = Map::new();
    let mut put = |key: &str, differs: bool, value: Value| {
        if differs {
            out.insert(key.to_owned(), value);
        }
    };
    put("create", people.create != default.create, json!(people.create));
    put("domains", people.domains != default.domains, json!(people.domains));
    put("groups", people.groups != default.groups, json!(people.groups));
    put("same_email", people.same_email != default.same_email, json!(people.same_email));
    put("linking", people.linking != default.linking, json!(people.linking));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fedbridge_hub::spec::Configuration;

    use super::*;
    use crate::bridge::tests::load_text;

    async fn read_lines(name: &str, lines: &str) -> Result<PeopleSpec, Vec<String>> {
        let start = "version: 1\ntenants:\n  - slug: acme\n    connections:\n      - slug: op\n        protocol: oidc\n        \
                     issuer: https://op.example\n";
        let read = load_text(name, &format!("{start}{lines}"), &Configuration::default()).await;
        let short = |line: String| line.split_once("bridge.yaml:").map_or(line.clone(), |(_, rest)| rest.to_owned());
        read.map(|mut desired| desired.tenants.remove(0).connections.remove(0).people)
            .map_err(|found| found.iter().map(|complaint| short(complaint.to_string())).collect())
    }

    #[tokio::test]
    async fn people_are_read_and_written_as_they_were() {
        assert_eq!(read_lines("people-none", "").await.unwrap(), PeopleSpec::default());
        assert!(written(&PeopleSpec::default(), &Value::Null).is_empty());
        let lines = "        people: { create: listed, domains: [Acme.Example], groups: [staff], same_email: ask, linking: false }\n";
        let people = read_lines("people-read", lines).await.unwrap();
        let want = PeopleSpec {
            create: Create::Listed,
            domains: vec!["acme.example".into()],
            groups: vec!["staff".into()],
            same_email: SameEmail::Ask,
            linking: false,
        };
        assert_eq!(people, want);
        let again = Value::Object(written(&people, &Value::Null));
        assert_eq!(read_lines("people-again", &format!("        people: {again}\n")).await.unwrap(), want);
    }

    /// Google's addresses are anybody's: what is safe there is the default, and an export keeps what was written.
    #[tokio::test]
    async fn google_refuses_an_address_that_is_known() {
        let google = "        profile: google\n";
        let people = read_lines("people-google", google).await.unwrap();
        assert_eq!(people.same_email, SameEmail::Refuse);
        let settings = json!({ "profile": "google" });
        assert!(written(&people, &settings).is_empty());
        let lines = format!("{google}        people: {{ same_email: separate }}\n");
        let people = read_lines("people-google-again", &lines).await.unwrap();
        assert_eq!(Value::Object(written(&people, &settings)), json!({ "same_email": "separate" }));
    }

    #[tokio::test]
    async fn wrong_people_are_complained_about_with_their_line() {
        for (lines, want) in [
            ("people: everybody", "people: expected a map, found text"),
            ("people: { create: all }", "people.create: expected one of everybody, listed, nobody, found `all`"),
            ("people: { create: listed }", "people.create: listed people need `domains` or `groups`"),
            ("people: { domains: [acme.example] }", "people.domains: only counts with `create: listed`"),
            ("people: { create: nobody, groups: [staff] }", "people.groups: only counts with `create: listed`"),
            ("people: { create: listed, domains: [\"@acme\"] }", "people.domains[0]: `@acme` is not a mail domain"),
            ("people: { same_email: link }", "people.same_email: expected one of separate, ask, refuse, found `link`"),
            ("people: { linking: maybe }", "people.linking: expected true or false, found text"),
            ("people: { same_mail: ask }", "people.same_mail: unknown key; the nearest known one is `same_email`"),
        ] {
            let found = read_lines("people-wrong", &format!("        {lines}\n")).await.unwrap_err();
            let want = format!("8: tenants[acme].connections[op].{want}");
            assert!(found.iter().any(|line| line.starts_with(&want)), "{want}: {found:#?}");
        }
    }
}
