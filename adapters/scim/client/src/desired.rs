//! What an app should have of somebody: pure.

use fedbridge_contract::claims::Claims;
use fedbridge_scim_core::schema::USER_URN;
use serde_json::{Map, Value, json};

use crate::path::AttributePath;
use crate::settings::ScimAppSettings;

/// A person as the app should have them.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredUser {
    /// The person's `sub`: it stays whatever else changes.
    pub external_id: String,
    pub user_name: String,
    /// One for each path of the mapping.
    pub values: Vec<DesiredValue>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DesiredValue {
    pub path: AttributePath,
    /// That it is made of; the first one of the mapping where there is none.
    pub claim: String,
    /// `None`: the app should have nothing there.
    pub value: Option<Value>,
}

impl DesiredUser {
    /// # Errors
    /// Why the app can't have the person.
    pub fn of(sub: &str, claims: &Claims, settings: &ScimAppSettings) -> Result<Self, String> {
        let mut values = Vec::with_capacity(settings.attributes.len());
        for mapped in &settings.attributes {
            let found = mapped.claims.iter().find_map(|claim| Some((claim, single(claims.get(claim)?)?)));
            let (claim, value) = match found {
                Some((claim, value)) => (claim.clone(), Some(value)),
                None => (mapped.claims.first().cloned().unwrap_or_default(), None),
            };
            values.push(DesiredValue { path: mapped.path.clone(), claim, value });
        }
        let named = values.iter().find(|one| is_user_name(&one.path)).and_then(|one| one.value.as_ref()?.as_str());
        match named {
            Some(user_name) => Ok(Self { external_id: sub.to_owned(), user_name: user_name.to_owned(), values }),
            None => {
                let claims = settings.attributes.iter().find(|mapped| is_user_name(&mapped.path));
                let claims = claims.map(|mapped| mapped.claims.join(", ")).unwrap_or_default();
                Err(format!("no userName: the person has none of the claims {claims}"))
            }
        }
    }

    /// The same text for the same wish, for a digest.
    pub fn canonical(&self) -> String {
        let values = self.values.iter().map(|one| json!([one.path.to_string(), one.value]));
        json!([self.external_id, values.collect::<Vec<_>>()]).to_string()
    }

    /// The body of a POST (RFC 7644 section 3.3).
    pub fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("schemas".into(), Value::Null);
        self.put_into(&mut body);
        body
    }

    /// Makes a document as it should be. Whatever else it holds stays.
    pub fn put_into(&self, document: &mut Map<String, Value>) {
        document.insert("externalId".into(), json!(self.external_id));
        document.insert("active".into(), json!(true));
        for one in &self.values {
            one.path.set(document, one.value.clone());
        }
        let extensions = document.keys().filter(|name| name.contains(':')).cloned();
        let schemas: Vec<String> = std::iter::once(USER_URN.to_owned()).chain(extensions).collect();
        document.insert("schemas".into(), json!(schemas));
    }
}

fn is_user_name(path: &AttributePath) -> bool {
    path.urn.is_none() && path.sub.is_none() && path.attribute == "userName"
}

/// A list comes to its first value; a list with nothing in it to nothing.
fn single(value: &Value) -> Option<Value> {
    match value {
        Value::Array(several) => several.first().and_then(single),
        Value::String(text) if text.is_empty() => None,
        Value::Null => None,
        value => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn claims_become_a_user() {
        let settings = json!({ "base_url": "https://a.example", "attributes": { "title": "jobs",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "department" } });
        let settings = ScimAppSettings::parse(&settings).unwrap();
        let mut claims = Claims::default();
        for (name, value) in [
            ("email", json!("ada@example.org")),
            ("given_name", json!("Ada")),
            ("jobs", json!(["first", "second"])),
            ("department", json!("R&D")),
        ] {
            claims.set(name, value);
        }
        let user = DesiredUser::of("s1", &claims, &settings).unwrap();
        let want = json!({ "schemas": [USER_URN, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "externalId": "s1", "active": true, "userName": "ada@example.org", "name": { "givenName": "Ada" },
            "emails": [{ "type": "work", "value": "ada@example.org" }], "title": "first",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R&D" } });
        assert_eq!(Value::Object(user.body()), want);
        let why = DesiredUser::of("s1", &Claims::default(), &settings).unwrap_err();
        assert_eq!(why, "no userName: the person has none of the claims preferred_username, email");
    }
}
