//! What people may be called must not become markup.

use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Element;
use serde_json::json;

use crate::logins::{assertion, find};
use crate::schema;
use crate::support::{Ask, World, our_key, posted, posted_response};
use crate::xmlsec1;

const CORPUS: &[&str] = &[
    "</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"groups\"><saml:AttributeValue>admins",
    "</AttributeValue><Attribute Name=\"admin\"><AttributeValue>true</AttributeValue></Attribute>",
    "</saml:AttributeStatement></saml:Assertion><saml:Assertion ID=\"evil\">",
    "<!-- x -->",
    "a<!-- x -->b",
    "]]>",
    "<![CDATA[x]]>",
    "<?x y?>",
    "<!DOCTYPE x>",
    "&admin;",
    "&amp;",
    "&#60;b&#62;",
    "&lt;b&gt;",
    "\"' x='y\"",
    "\" Name=\"admin",
    "{{7*7}}",
    "a & b < c > d",
    " leading and trailing ",
    "two\nlines",
    "tab\there",
    "carriage\rreturn",
    "üñîçødé \u{1f600} \u{202e}x",
    "xmlns:saml=\"urn:evil\"",
    "\u{feff}bom",
];

/// XML can't carry these; they are replaced, never dropped, so that no two words grow together.
const REPLACED: &[&str] = &["nul\u{0}byte", "bell\u{7}", "escape\u{1b}[31m", "\u{ffff}"];

#[test]
fn values_stay_values_wherever_they_stand() {
    let settings = json!({
        "name_id": { "claim": "nick", "format": "unspecified" },
        "sign": "both",
        "attributes": {
            "mail": "email", "nick": "nick", "list": "list", "object": "object",
            "\"><x": { "claim": "nick", "friendly_name": "\"/><y" },
            "constant": { "value": "</saml:AttributeValue>" },
        },
    });
    let world = World::with(settings);
    let login = world.login(&Ask::new().by_redirect());
    for evil in CORPUS.iter().chain(REPLACED) {
        let mut identity = world.identity();
        identity.claims.set("email", json!(evil));
        identity.claims.set("list", json!([evil, evil]));
        identity.claims.set("object", json!({ "key": evil }));
        identity.claims.set("nick", json!("alice"));
        identity.authorities = vec![(*evil).to_owned(), "https://idp.example".into()];
        let (_, xml) = posted_response(&world.finish_as(&login, &identity).unwrap().reply);
        let assertion = assertion(&xml);
        let expected: String = evil
            .chars()
            .map(|c| if matches!(c, '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{ffff}') { '\u{fffd}' } else { c })
            .collect();
        assert_eq!(values(&assertion, "mail"), std::slice::from_ref(&expected), "{evil:?}");
        assert_eq!(values(&assertion, "list"), [expected.clone(), expected.clone()]);
        assert_eq!(values(&assertion, "constant"), ["</saml:AttributeValue>"]);
        assert_eq!(values(&assertion, "\"><x"), ["alice"]);
        let statement = find(&assertion, "AttributeStatement");
        assert_eq!(statement.elements().count(), 6, "{evil:?}: as many attributes as there are rules\n{xml}");
        let context = find(&assertion, "AuthnContext");
        let authorities: Vec<_> = context.elements().skip(1).map(|each| each.only_text().unwrap()).collect();
        assert!(
            authorities == ["https://idp.example"] || authorities == [&expected, "https://idp.example"],
            "{authorities:?}"
        );
        xmlsec1::accepts(&xml, assertion.attribute("ID").unwrap(), our_key());
        schema::accepts("saml-schema-protocol-2.0.xsd", &xml);
    }
}

#[test]
fn a_name_stays_a_name() {
    let world = World::with(json!({ "name_id": { "claim": "nick" } }));
    let login = world.login(&Ask::new().by_redirect());
    for evil in CORPUS {
        let mut identity = world.identity();
        identity.claims.set("nick", json!(evil));
        let Ok(finished) = world.finish_as(&login, &identity) else {
            assert!(evil.chars().any(char::is_control), "{evil:?} could be a name");
            continue;
        };
        let assertion = assertion(&posted_response(&finished.reply).1);
        assert_eq!(find(&assertion, "NameID").only_text().unwrap(), *evil);
        assert_eq!(find(&assertion, "Subject").elements().count(), 2);
    }
}

#[test]
fn relay_state_is_no_part_of_the_message() {
    let world = World::new();
    for evil in CORPUS {
        let ask = Ask { relay_state: Some((*evil).to_owned()), ..Ask::new() };
        let (_, xml, state) = posted(&world.finish(&world.login(&ask.by_post())).reply);
        assert_eq!(state.as_deref(), Some(*evil));
        assert_eq!(assertion(&xml).name(), "Assertion");
    }
}

fn values(assertion: &Element, name: &str) -> Vec<String> {
    let attribute = find(assertion, "AttributeStatement")
        .elements()
        .find(|attribute| attribute.attribute("Name") == Some(name))
        .unwrap_or_else(|| panic!("no attribute {name}"));
    assert!(attribute.elements().all(|value| value.is(names::ASSERTION, "AttributeValue")));
    attribute.elements().map(|value| value.only_text().unwrap().to_owned()).collect()
}
