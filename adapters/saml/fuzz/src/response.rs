//! Posts responses to one connection: as they come, newly signed, and encrypted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::testkit::Counting;
use fedbridge_contract::upstream::{Answer, Correlation, LoginOutcome};
use fedbridge_contract::{ids::TransactionId, proof::Minter, trace::TraceLog};
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Limits, SignRequest, SignaturePlace, UnverifiedDocument, sign_enveloped};
use fedbridge_saml_core::testkit::{Encryption, encrypted_assertion};

use crate::seeds;
use crate::world::{NAME, NOW, WORLD, World, posted};

/// # Panics
/// A login was accepted that no key vouched for.
pub fn check(octets: &[u8]) {
    let world = &*WORLD;
    if let Some(name) = post(world, octets) {
        // Every seed's signatures are over logins of this one person.
        assert_eq!(name, NAME, "somebody else got in");
    }
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if text.starts_with("<saml:Assertion") {
        // What comes out of a decryption is read by the same rules.
        if let Ok(encrypted) = encrypted_assertion(text, &Encryption::to(&world.decryption.certificate)) {
            post(world, seeds::envelope(world, &encrypted).as_bytes());
        }
    } else if let Some(signed) = newly_signed(world, octets) {
        // Behind a good signature: the grammar and all the conditions.
        post(world, &signed);
    }
}

/// Signs the first assertion, where there is one and nothing is signed yet.
fn newly_signed(world: &World, octets: &[u8]) -> Option<Vec<u8>> {
    let document = UnverifiedDocument::parse(octets, Limits::message()).ok()?;
    let mut all = document.unverified_root().descendants();
    if all.any(|element| element.is(names::DSIG, "Signature")) {
        return None;
    }
    let assertion = document.unverified_root().child(names::ASSERTION, "Assertion")?;
    let request = SignRequest {
        target_id: assertion.attribute("ID")?,
        place: SignaturePlace::After(names::ASSERTION, "Issuer"),
        certificate: None,
        limits: Limits::message(),
    };
    sign_enveloped(octets, &request, &*world.idp.key).ok()
}

/// The name of who got in.
fn post(world: &World, xml: &[u8]) -> Option<String> {
    let input = posted(&STANDARD.encode(xml));
    let login = world.adapter.login.as_ref()?;
    assert!(matches!(login.correlate(&input), Correlation::Handle(_) | Correlation::Malformed(_)));
    let transaction = TransactionId::random(&Counting::new());
    let fetched = Default::default();
    let answer = Answer {
        tenant: &world.tenant,
        input: &input,
        transaction,
        state: &world.state,
        wish: &world.wish,
        started: NOW,
        fetched: &fetched,
        now: NOW,
    };
    let minter = Minter::for_transaction(world.tenant.id, world.connection, transaction);
    let mut trace = TraceLog::new();
    match world.runtime.block_on(login.complete(answer, minter, &mut trace)) {
        LoginOutcome::Authenticated(identity) => {
            assert!(trace.cause().is_none(), "a login with a failed check");
            assert!(!identity.subject.key.is_empty(), "a login of nobody");
            assert!(!identity.once.is_empty(), "an assertion that could be used again");
            Some(identity.subject.display)
        }
        LoginOutcome::Rejected(_) | LoginOutcome::KeyUnknown(_) => {
            assert!(trace.cause().is_some(), "refused, and the trace does not say why");
            None
        }
        LoginOutcome::UpstreamRefused(_) => None,
    }
}
