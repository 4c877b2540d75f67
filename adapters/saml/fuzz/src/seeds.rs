//! Where the fuzzer starts: messages as they should be, in many shapes.

use std::path::{Path, PathBuf};

use fedbridge_saml_core::names;
use fedbridge_saml_core::testkit::{Encryption, KeyPlace, Person, ResponsePlan, Sign};
use fedbridge_saml_core::testkit::{wrapped_assertions, wrapped_responses};

use crate::world::{NAME, NOW, WORLD, World};

/// Writes the seeds of a target into the folder that `FUZZ_SEEDS` names; without it, nothing.
///
/// # Panics
/// The folder can't be written.
pub fn write(target: &str, make: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("the folder of the seeds can be made");
    for (at, octets) in make().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{target}-{at:02}")), octets).expect("a seed can be written");
    }
}

/// Responses, right and refused; assertions alone, which the target encrypts; wrapped ones.
pub fn responses() -> Vec<Vec<u8>> {
    let world = &*WORLD;
    let build = |plan: &ResponsePlan| plan.build(&world.idp).expect("a plan can be built");
    let mut found = Vec::new();
    for sign in [Sign::Nothing, Sign::Assertion, Sign::Response, Sign::Both] {
        let mut plan = plan(world);
        plan.sign = sign;
        found.push(build(&plan));
        rich(&mut plan);
        found.push(build(&plan));
    }
    for second in [names::STATUS_NO_PASSIVE, names::STATUS_AUTHN_FAILED] {
        found.push(build(&world.idp.refusal(&world.request, second, NOW)));
    }
    for place in [KeyPlace::InKeyInfo, KeyPlace::Sibling] {
        let mut plan = plan(world);
        plan.encryption = Some(Encryption { place, ..Encryption::to(&world.decryption.certificate) });
        found.push(build(&plan));
        plan.sign = Sign::Both;
        found.push(build(&plan));
    }
    let mut alone = plan(world);
    found.push(alone.assertion.xml());
    rich(&mut alone);
    found.push(alone.assertion.xml());
    found.push(assertion_of(&found[2]));
    found.extend(wrapped_assertions(&found[2], NAME, "mallory").into_iter().map(|attack| attack.xml));
    found.extend(wrapped_responses(&found[4], NAME, "mallory").into_iter().map(|attack| attack.xml));
    found.into_iter().map(String::into_bytes).collect()
}

/// The files of `fixtures/metadata`, and what the scripted provider publishes.
pub fn metadata() -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/metadata");
    let entries = std::fs::read_dir(fixtures).expect("the fixtures are there");
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    let mut found: Vec<_> = files.iter().map(|path| std::fs::read(path).expect("a fixture can be read")).collect();
    let idp = &WORLD.idp;
    found.push(idp.metadata().into_bytes());
    found.push(idp.metadata_with(&[&idp.key, &WORLD.decryption]).into_bytes());
    found
}

/// An unsigned response around whatever stands in the place of its assertion.
pub fn envelope(world: &World, inner: &str) -> String {
    let mut plan = plan(world);
    plan.sign = Sign::Nothing;
    plan.with_assertion = false;
    let empty = plan.build(&world.idp).expect("a plan can be built");
    empty.replacen("</samlp:Response>", &format!("{inner}</samlp:Response>"), 1)
}

fn plan(world: &World) -> ResponsePlan {
    let person = Person::new(NAME).with("mail", &["alice@acme.example"]).with("groups", &["staff", "admins"]);
    world.idp.answer(&world.request, &person, NOW)
}

/// One of everything that an assertion may hold.
fn rich(plan: &mut ResponsePlan) {
    let assertion = &mut plan.assertion;
    if let Some(name) = &mut assertion.name_id {
        name.name_qualifier = Some("https://idp.example/metadata".into());
        name.sp_name_qualifier = Some("https://sp.example".into());
    }
    if let Some(conditions) = &mut assertion.conditions {
        conditions.raw = "<saml:OneTimeUse/><saml:ProxyRestriction Count=\"1\"/>".into();
    }
    if let Some(authn) = assertion.authn.first_mut() {
        authn.authorities = vec!["https://upstream.example".into()];
        authn.session_not_on_or_after = Some("2026-11-22T10:00:00.1234567Z".into());
    }
    if let Some(attribute) = assertion.attributes.first_mut() {
        attribute.name_format = Some("urn:oasis:names:tc:SAML:2.0:attrname-format:uri".into());
        attribute.friendly_name = Some("mail".into());
        attribute.raw = "<saml:AttributeValue><saml:NameID>x</saml:NameID></saml:AttributeValue>".into();
    }
    assertion.raw_advice = Some("<saml:AssertionIDRef>_x</saml:AssertionIDRef>".into());
    plan.raw_extensions = Some("<x xmlns=\"urn:x\"/>".into());
}

/// The signed assertion of a response.
fn assertion_of(response: &str) -> String {
    let start = response.find("<saml:Assertion").unwrap_or_default();
    let end = response.find("</samlp:Response>").unwrap_or(response.len());
    response[start..end].to_owned()
}
