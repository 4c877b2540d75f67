//! Asking an adapter for everything that is wrong with an object's settings.

use fedbridge_contract::error::Complaint;
use serde_json::{Map, Value};

/// Everything that `ask` says about the settings. What could not be read (`failed`) is complained
/// about already, so it is not missed again. An adapter may stop at the first kind of mistake, so
/// it is asked once more without the settings that it refused.
pub fn everything(settings: &Value, mut failed: Vec<String>, ask: impl Fn(&Value) -> Vec<Complaint>) -> Vec<Complaint> {
    let known = |failed: &[String], complaint: &Complaint| failed.iter().any(|key| first_step(&complaint.path) == key);
    let mut found = ask(settings);
    found.retain(|complaint| !known(&failed, complaint));
    let refused: Vec<String> = found.iter().map(|complaint| first_step(&complaint.path).to_owned()).collect();
    let mut rest = settings.clone();
    if let Value::Object(rest) = &mut rest {
        rest.retain(|key, _| !refused.contains(key));
        if rest.len() < settings.as_object().map_or(0, Map::len) {
            failed.extend(refused);
            let again = ask(&Value::Object(rest.clone()));
            found.extend(again.into_iter().filter(|complaint| !known(&failed, complaint)));
        }
    }
    found
}

fn first_step(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}
