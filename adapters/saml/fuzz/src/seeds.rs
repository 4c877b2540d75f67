//! Where the fuzzer starts: messages as they should be, in many shapes.

use std::path::{Path, PathBuf};

use fedbridge_saml_core::names;
use fedbridge_saml_core::testkit::hostile::{Good, MessageKind};
use fedbridge_saml_core::testkit::{
    ContextPlan, Encryption, KeyPlace, LogoutRequestPlan, LogoutResponsePlan, NameIdPlan, NameIdPolicyPlan, Person,
    ResponsePlan, ScriptedSp, Sign, Way, hostile, soap, wrapped_assertions, wrapped_messages, wrapped_responses,
};

use crate::authn_request::{SP, SSO};
use crate::world::{IDP, NAME, NOW, SLO, WORLD, World};

/// Writes the seeds of a target into the folder that `FUZZ_SEEDS` names; without it, nothing.
///
/// # Panics
/// The folder can't be written.
pub fn write(target: &str, make: fn() -> Vec<Vec<u8>>) {
    // In any case, for it makes the keys too: no input shall be charged with that time.
    let seeds = make();
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("the folder of the seeds can be made");
    for (at, octets) in seeds.into_iter().enumerate() {
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
    let hostile = hostile::corpus(&good(world)).expect("a corpus").into_iter().map(|hostile| hostile.octets);
    found.into_iter().map(String::into_bytes).chain(hostile.filter(|octets| octets.len() < 8_192)).collect()
}

/// A right response for the corpus to be made from. Its key is no RSA key, as the corpus would have it, so
/// some forgeries are refused for another reason: good enough to start from.
fn good(world: &World) -> Good<'_> {
    let mut plan = plan(world);
    plan.sign = Sign::Nothing;
    Good {
        kind: MessageKind::Response,
        xml: plan.build(&world.idp).expect("a plan can be built"),
        id: plan.id.clone(),
        key: &world.idp.key,
        victim: NAME,
        captured: "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>".into(),
    }
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
    found.extend(hostile::metadata(&idp.metadata()).into_iter().map(|hostile| hostile.octets));
    let mut sp =
        ScriptedSp::new("https://wiki.example", "https://wiki.example/acs").with_slo("https://wiki.example/slo");
    found.push(sp.metadata_with(&[&idp.key]).into_bytes());
    sp.encryption = Some(idp.key.clone());
    sp.authn_requests_signed = Some(true);
    sp.more_acs = vec!["https://wiki.example/acs2".into()];
    found.push(sp.metadata_with(&[&idp.key, &WORLD.decryption]).into_bytes());
    found.push(idp.metadata_with(&[&idp.key, &WORLD.decryption]).into_bytes());
    found
}

/// Logout messages for the post, bare and signed; with an `s` before it what comes by SOAP, with an `a`
/// what answers our calls.
pub fn logouts() -> Vec<Vec<u8>> {
    let key = &WORLD.idp.key;
    let mut found = Vec::new();
    for plan in logout_requests() {
        found.push(plan.xml().expect("a message"));
        found.push(plan.signed(key).expect("a message"));
        found.push(format!("s{}", plan.soap(key).expect("a message")));
    }
    for plan in logout_responses() {
        found.push(plan.xml());
        found.push(plan.signed(key).expect("a message"));
        found.push(format!("a{}", plan.soap(key).expect("a message")));
        found.push(format!("a{}", soap(&plan.xml())));
    }
    let signed = found[1].clone();
    found
        .extend(wrapped_messages("samlp:LogoutRequest", &signed, NAME, "mallory").into_iter().map(|attack| attack.xml));
    found.into_iter().map(String::into_bytes).collect()
}

/// Queries of redirects, and messages alone.
pub fn queries() -> Vec<Vec<u8>> {
    let key = &WORLD.idp.key;
    let mut found = Vec::new();
    for plan in logout_requests() {
        found.push(plan.xml().expect("a message"));
        found.push(plan.query(None, key).expect("a message"));
        found.push(plan.query(Some("relay state"), key).expect("a message"));
    }
    for plan in logout_responses() {
        found.push(plan.query(Some("relay state"), key).expect("a message"));
    }
    let good = found[2].clone();
    found.extend(hostile::valid_queries(&good).into_iter().map(|(_, query)| query));
    let hostile = hostile::queries(Way::Request, &good).expect("queries");
    // One of them inflates without end, and would only be slow to change.
    let small = hostile.into_iter().map(|hostile| hostile.octets).filter(|octets| octets.len() < 8_192);
    found.into_iter().map(String::into_bytes).chain(small).collect()
}

/// AuthnRequests for the post, bare and signed, and queries of redirects.
pub fn authn_requests() -> Vec<Vec<u8>> {
    let plain = SP.request(SSO, NOW);
    let mut rich = plain.clone();
    rich.force_authn = Some("true".into());
    rich.is_passive = Some("0".into());
    rich.name_id_policy = Some(NameIdPolicyPlan {
        format: Some(names::FORMAT_PERSISTENT.into()),
        sp_name_qualifier: Some(SP.entity_id.clone()),
        allow_create: Some("true".into()),
    });
    rich.context = Some(ContextPlan {
        comparison: Some("minimum".into()),
        classes: vec!["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport".into()],
    });
    rich.proxy_count = Some("1".into());
    rich.raw_extensions = Some("<x xmlns=\"urn:x\"/>".into());
    let mut by_index = plain.clone();
    (by_index.acs, by_index.binding, by_index.acs_index) = (None, None, Some("1".into()));
    let mut found = Vec::new();
    for plan in [plain, rich, by_index] {
        found.push(plan.xml());
        found.push(plan.signed(&SP).expect("a message"));
        found.push(plan.query(&SP, Some("relay state")).expect("a message"));
        found.push(plan.unsigned_query(None).expect("a message"));
    }
    let signed = found[1].clone();
    let attacker = "https://mallory.example/acs";
    found.extend(
        wrapped_messages("samlp:AuthnRequest", &signed, &SP.acs, attacker).into_iter().map(|attack| attack.xml),
    );
    found.into_iter().map(String::into_bytes).collect()
}

fn logout_requests() -> Vec<LogoutRequestPlan> {
    let plain = LogoutRequestPlan::new(IDP, SLO, hostile::somebody(NAME), NOW);
    let mut rich = plain.clone().with_index("_1").with_index("_2");
    rich.asynchronous = true;
    rich.name_id = Some(NameIdPlan {
        name_qualifier: Some(IDP.into()),
        sp_name_qualifier: Some("https://sp.example".into()),
        ..hostile::somebody(NAME)
    });
    let mut encrypted = plain.clone();
    encrypted.encryption = Some(Encryption::to(&WORLD.decryption.certificate));
    vec![plain, rich, encrypted]
}

fn logout_responses() -> Vec<LogoutResponsePlan> {
    let done = LogoutResponsePlan::new(IDP, SLO, crate::logout::seeds_request(), NOW);
    let mut partial = done.clone();
    partial.status = (names::STATUS_RESPONDER.into(), Some(names::STATUS_PARTIAL_LOGOUT.into()));
    vec![done, partial]
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
