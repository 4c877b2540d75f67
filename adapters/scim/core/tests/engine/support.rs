//! What the tests share.

use std::sync::LazyLock;

use fedbridge_scim_core::patch::{Patch, Patched};
use fedbridge_scim_core::resource::{Draft, Resource, Rules};
use fedbridge_scim_core::schema::{ExtensionAttribute, ExtensionSpec, Kind};
use fedbridge_scim_core::{Fault, Profile, ResourceKind, Schemas};
use serde_json::{Value, json};

pub const BADGE_URN: &str = "urn:example:params:scim:2.0:Badge";

pub static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let attribute = |name: &str, kind, multi_valued| ExtensionAttribute {
        name: name.into(),
        kind,
        multi_valued,
        required: false,
        case_exact: false,
    };
    let badge = ExtensionSpec {
        of: ResourceKind::User,
        urn: BADGE_URN.into(),
        attributes: vec![
            attribute("number", Kind::Integer, false),
            attribute("since", Kind::DateTime, false),
            attribute("doors", Kind::String, true),
        ],
    };
    badge.check().unwrap();
    Schemas::new(&[badge])
});

pub fn user(body: Value) -> Resource {
    draft(ResourceKind::User, body).unwrap().resource
}

pub fn draft(kind: ResourceKind, body: Value) -> Result<Draft, Fault> {
    Draft::read(kind, body, &SCHEMAS, Rules::default())
}

pub fn patch(before: &Resource, operations: Value, profile: &Profile) -> Result<Patched<'static>, Fault> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    Patch::read(before.kind, body, &SCHEMAS)?.apply(before, &SCHEMAS, profile, Rules::default())
}

/// One operation by the generic profile; the document afterwards.
pub fn after(before: &Resource, operation: Value) -> Result<Value, Fault> {
    patch(before, json!([operation]), &Profile::GENERIC).map(|patched| Value::Object(patched.resource.document))
}

pub fn word(fault: &Fault) -> &'static str {
    fault.scim_type.map_or("", |word| word.word())
}

/// Numbers that look random and are the same each time (Steele and others, SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
