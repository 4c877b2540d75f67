//! Claims as attributes, which is what the mapping reads: each name has a list of texts. An object's members also
//! stand under their own names with dots between, such as `realm_access.roles`.

use fedbridge_contract::identity::Attributes;
use fedbridge_contract::trace::TraceLog;
use serde_json::{Map, Value};

use crate::checks::{Checked, refuse};
use crate::issuer::several;
use crate::merge::is_about_the_token;
use crate::profiles::IssuerStyle;
use crate::settings::Settings;

/// Values that a person may have at most, and how deep objects are looked into.
const MAX_VALUES: usize = 10_000;
const MAX_DEPTH: usize = 4;

/// The attributes of merged claims. More than anybody needs are refused: which of them were left out could decide who
/// somebody is, and what he may do.
pub fn of(settings: &Settings, claims: &Map<String, Value>, trace: &mut TraceLog) -> Checked<Attributes> {
    let mut made = Flat { attributes: Attributes::new(), values: 0 };
    for (name, value) in claims.iter().filter(|(name, _)| !is_about_the_token(name)) {
        if name == "email_verified" && settings.profile.issuer == IssuerStyle::Entra {
            continue;
        }
        made.add(name, value, 0);
    }
    if settings.profile.issuer == IssuerStyle::Entra && !entra_address_can_be_believed(settings, claims) {
        made.push("email_verified", "false".to_owned());
    }
    if made.values > MAX_VALUES {
        let (most, came) = (format!("{MAX_VALUES} at most"), made.values.to_string());
        return refuse(trace, "values of all claims", "a limit of fedbridge", most, came);
    }
    Ok(made.attributes)
}

/// Whoever administers any directory can write any address into it. It can count (where the connection owns its
/// domain, which the hub judges) if Microsoft says that its owner was verified, or if it is of the one directory that
/// this connection is for, and not of a guest there.
fn entra_address_can_be_believed(settings: &Settings, claims: &Map<String, Value>) -> bool {
    let verified = claims.get("xms_edov").map(|word| match word {
        Value::Bool(word) => *word,
        Value::Number(word) => word.as_i64() == Some(1),
        Value::String(word) => word == "1" || word.eq_ignore_ascii_case("true"),
        _ => false,
    });
    let guest = claims.contains_key("idp");
    verified.unwrap_or(!several(settings) && !guest)
}

struct Flat {
    attributes: Attributes,
    /// How many there are, kept or not.
    values: usize,
}

impl Flat {
    fn add(&mut self, name: &str, value: &Value, depth: usize) {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                self.attributes.declare(name);
                items.iter().filter(|item| !item.is_null()).for_each(|item| self.push(name, text(item)));
            }
            Value::Object(members) => {
                self.push(name, value.to_string());
                if depth < MAX_DEPTH {
                    members.iter().for_each(|(inner, value)| self.add(&format!("{name}.{inner}"), value, depth + 1));
                }
            }
            single => self.push(name, text(single)),
        }
    }

    fn push(&mut self, name: &str, value: String) {
        self.values += 1;
        if self.values <= MAX_VALUES {
            self.attributes.push(name, value);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
