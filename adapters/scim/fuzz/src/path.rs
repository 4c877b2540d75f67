//! Reads paths, in both languages that have them.

use fedbridge_scim_core::ResourceKind;
use fedbridge_scim_core::patch::PatchPath;
use fedbridge_scim_core::path::{Place, resolve};

use crate::world::SCHEMAS;

/// The octets are a path.
///
/// # Panics
/// A path leads elsewhere in other letters, or as it is written in answers.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    for kind in ResourceKind::ALL {
        let place = resolve(&SCHEMAS, kind, text);
        for same in [text.to_ascii_uppercase(), text.to_ascii_lowercase()] {
            assert_eq!(resolve(&SCHEMAS, kind, &same).ok(), place.as_ref().ok().copied(), "by case: {text}");
        }
        match &place {
            Ok(place) => {
                assert_eq!(resolve(&SCHEMAS, kind, &place.text()), Ok(*place), "another place: {text}");
                let patch = PatchPath::parse(text, &SCHEMAS, kind).expect("an attribute is a path of a patch");
                assert_eq!((patch.place, patch.filter), (*place, None), "{text}");
            }
            Err(unknown) => assert!(unknown.sentence().chars().count() < 400, "a long sentence"),
        }
        if let Ok(path) = PatchPath::parse(text, &SCHEMAS, kind) {
            assert_eq!(path.filter.is_some(), text.contains('['), "brackets: {text}");
            let begin = text.split('[').next().unwrap_or_default().trim();
            let begin = resolve(&SCHEMAS, kind, begin).expect("what stands before the brackets is an attribute");
            let whole = |place| match place {
                Place::Attribute(target) => (target.extension.map(|schema| &schema.urn), Some(&target.attribute.name)),
                Place::Extension(schema) => (Some(&schema.urn), None),
            };
            assert_eq!(whole(path.place), whole(begin), "another attribute: {text}");
        }
    }
}
