//! The `claims` parameter (OpenID Connect Core 5.5). It asks; the release policy decides.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::authorize::Refused;
use fedbridge_oidc_core::strict_json;

/// The most claims that one request may ask for by name.
const MAX_CLAIMS: usize = 100;

/// The most values that one claim may be asked for with.
const MAX_VALUES: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct ClaimsParameter {
    /// Names asked for, at userinfo or in the ID token, without repeats.
    pub(crate) names: Vec<String>,
    /// Contexts asked for by a voluntary `acr`.
    pub(crate) acr_values: Vec<String>,
    pub(crate) essential_acr: EssentialAcr,
    /// The person must be this one.
    pub(crate) sub: Option<String>,
}

/// One of these must come out; empty: any will do (OpenID Connect Core 5.5.1.1).
#[derive(Debug, Default)]
pub(crate) struct EssentialAcr {
    pub(crate) one_of: Vec<String>,
}

impl ClaimsParameter {
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        let root = strict_json::object(text.as_bytes()).map_err(|_| bad())?;
        let mut out = Self::default();
        let mut seen = HashSet::new();
        for target in ["userinfo", "id_token"] {
            match root.get(target) {
                None | Some(Value::Null) => {}
                Some(Value::Object(claims)) => out.take(claims, &mut seen)?,
                Some(_) => return Err(bad()),
            }
        }
        Ok(out)
    }

    fn take<'a>(&mut self, claims: &'a Map<String, Value>, seen: &mut HashSet<&'a str>) -> Result<(), Refused> {
        for (name, request) in claims {
            let new = seen.insert(name);
            if seen.len() > MAX_CLAIMS {
                return Err(Refused::invalid(format!("The claims parameter asks for more than {MAX_CLAIMS} claims.")));
            }
            let request = match request {
                Value::Null => &Map::new(),
                Value::Object(request) => request,
                _ => return Err(bad()),
            };
            let essential = match request.get("essential") {
                None => false,
                Some(value) => value.as_bool().ok_or_else(bad)?,
            };
            let wanted = wanted(request)?;
            match name.as_str() {
                "acr" if essential => self.essential_acr.one_of.extend(wanted),
                "acr" => self.acr_values.extend(wanted),
                "sub" => {
                    let mut wanted = wanted.into_iter();
                    if let (Some(sub), None) = (wanted.next(), wanted.next()) {
                        if self.sub.as_ref().is_some_and(|there| *there != sub) {
                            return Err(bad());
                        }
                        self.sub = Some(sub);
                    }
                }
                _ if new => self.names.push(name.clone()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The texts of `value` and `values`.
fn wanted(request: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    let mut out: Vec<String> = request.get("value").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
    match request.get("values") {
        None => {}
        Some(Value::Array(values)) if values.len() > MAX_VALUES => {
            let public = format!("The claims parameter lists more than {MAX_VALUES} values for one claim.");
            return Err(Refused::invalid(public));
        }
        Some(Value::Array(values)) => out.extend(values.iter().filter_map(Value::as_str).map(str::to_owned)),
        Some(_) => return Err(bad()),
    }
    Ok(out)
}

fn bad() -> Refused {
    Refused::invalid("The claims parameter is not a claims request as in OpenID Connect Core 5.5.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_the_example_of_the_specification() {
        let asked = ClaimsParameter::read(
            r#"{"userinfo":{"given_name":{"essential":true},"nickname":null,"email":{"essential":true},
                "http://example.info/claims/groups":null},
                "id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}"#,
        )
        .unwrap();
        assert_eq!(asked.names, ["given_name", "nickname", "email", "http://example.info/claims/groups", "auth_time"]);
        assert_eq!(asked.acr_values, ["urn:mace:incommon:iap:silver"]);
        assert!(asked.essential_acr.one_of.is_empty());
    }

    #[test]
    fn essential_acr_and_sub() {
        let asked =
            ClaimsParameter::read(r#"{"id_token":{"acr":{"essential":true,"values":["a","b"]},"sub":{"value":"x"}}}"#)
                .unwrap();
        assert_eq!(asked.essential_acr.one_of, ["a", "b"]);
        assert_eq!(asked.sub.as_deref(), Some("x"));
    }

    #[test]
    fn malformed_requests_are_refused() {
        for bad in [
            "",
            "[]",
            "{",
            r#"{"id_token":[]}"#,
            r#"{"id_token":{"email":"yes"}}"#,
            r#"{"id_token":{"email":{"essential":"yes"}}}"#,
            r#"{"id_token":{"acr":{"values":"x"}}}"#,
            r#"{"id_token":{},"id_token":{}}"#,
            r#"{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}"#,
        ] {
            assert!(ClaimsParameter::read(bad).is_err(), "{bad}");
        }
        let many: Map<String, Value> = (0..=MAX_CLAIMS).map(|n| (format!("c{n}"), Value::Null)).collect();
        assert!(ClaimsParameter::read(&serde_json::json!({ "userinfo": many }).to_string()).is_err());
        let acr = |count: usize| {
            let values: Vec<_> = (0..count).map(|n| format!("urn:{n}")).collect();
            ClaimsParameter::read(&serde_json::json!({"id_token": {"acr": {"values": values}}}).to_string())
        };
        assert_eq!(acr(MAX_VALUES).unwrap().acr_values.len(), MAX_VALUES);
        assert!(acr(MAX_VALUES + 1).unwrap_err().public.contains("more than 100 values"));
    }
}
