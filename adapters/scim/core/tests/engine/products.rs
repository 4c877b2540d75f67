//! What Entra ID and Okta send, by their documentation, and what is kept then. The bodies are in `fixtures/scim`.

use std::path::Path;

use fedbridge_scim_core::resource::Resource;
use fedbridge_scim_core::{Profile, ResourceKind};
use serde_json::Value;

use crate::support::{draft, patch};

/// A sequence: the first body makes the resource, each further one changes it; behind each stands what is kept.
fn replay(name: &str, profile: &Profile) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/scim").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let sequence = fedbridge_scim_core::json::read(&text).unwrap();
    let kind = match sequence["kind"].as_str() {
        Some("Group") => ResourceKind::Group,
        _ => ResourceKind::User,
    };
    let mut resource: Option<Resource> = None;
    for step in sequence["steps"].as_array().unwrap() {
        let (what, body) = (step["what"].as_str().unwrap(), step["body"].clone());
        let (next, members) = match (step["method"].as_str().unwrap(), &resource) {
            ("POST" | "PUT", _) => {
                let draft = draft(kind, body).unwrap_or_else(|fault| panic!("{what}: {fault}"));
                (draft.resource, serde_json::json!(draft.members))
            }
            ("PATCH", Some(before)) => {
                let patched = patch(before, body["Operations"].clone(), profile);
                let patched = patched.unwrap_or_else(|fault| panic!("{what}: {fault}"));
                let members: Vec<_> = patched.members.iter().map(|change| format!("{change:?}")).collect();
                (patched.resource, serde_json::json!(members))
            }
            other => panic!("{what}: {}", other.0),
        };
        assert_eq!(Value::Object(next.document.clone()), step["kept"], "{what}");
        if let Some(wanted) = step.get("members") {
            assert_eq!(&members, wanted, "{what}");
        }
        resource = Some(next);
    }
}

#[test]
fn entra_pushes_a_user() {
    replay("entra-user.json", &Profile::ENTRA);
}

#[test]
fn entra_pushes_a_group() {
    replay("entra-group.json", &Profile::ENTRA);
}

#[test]
fn okta_pushes_a_user() {
    replay("okta-user.json", &Profile::OKTA);
}

#[test]
fn okta_pushes_a_group() {
    replay("okta-group.json", &Profile::OKTA);
}
