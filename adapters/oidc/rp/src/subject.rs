//! Who the person is: the key that finds them again. It holds the issuer, so that nobody of another issuer can ever
//! be the same person here, whatever they are called there.

use fedbridge_contract::identity::UpstreamSubject;
use fedbridge_contract::trace::TraceLog;
use serde_json::{Map, Value, json};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::settings::Settings;

/// The longest value of a claim that is part of a key, in octets.
const MAX_VALUE: usize = 255;

/// Finds the person in the claims of an ID token; userinfo has no say in it.
pub fn find(settings: &Settings, id_token: &Map<String, Value>, trace: &mut TraceLog) -> Checked<UpstreamSubject> {
    let source = "connection setting subject.from";
    let mut key = vec![Value::from(settings.issuer.as_str())];
    let mut shown = Vec::new();
    for claim in &settings.subject {
        let value = match claims::text(id_token, claim) {
            Ok(Some(value)) => value,
            Ok(None) => return refuse(trace, "Subject", source, format!("the claim {claim}"), absent(claim)),
            Err(why) => return refuse(trace, "Subject", source, format!("the claim {claim}"), why.to_string()),
        };
        let fits = (1..=MAX_VALUE).contains(&value.len()) && !value.contains('\0');
        let (expected, actual) = (format!("1 to {MAX_VALUE} octets"), format!("{} octets", value.len()));
        require(trace, &format!("Subject claim {claim}"), source, expected, actual, fits)?;
        key.push(json!([claim, value]));
        shown.push(value);
    }
    let display = shown.join(" ");
    trace.decide("Subject", format!("{display} from {}", settings.subject.join(", ")), true);
    let scope = Some(settings.issuer.clone());
    Ok(UpstreamSubject { key: Value::Array(key).to_string(), display, stable: true, scope })
}

fn absent(claim: &str) -> &'static str {
    match claim {
        "oid" => "none: ask for the scope profile",
        _ => "none",
    }
}

/// How the provider names a person in a logout token: by `sub`, among the people of this issuer.
pub fn logout_key(settings: &Settings, sub: &str) -> String {
    json!([settings.issuer, sub]).to_string()
}
