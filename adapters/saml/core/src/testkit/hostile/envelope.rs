//! The same in SOAP: what is wrong about a document stands around the envelope then, what is wrong about a
//! message or its signature inside.

use super::super::{ScriptError, sign_message, soap};
use super::{Good, Hostile, between, parse, shape, signature};

/// Everything that an entry point for SOAP must refuse, where it demands a signature over the message.
///
/// # Errors
/// A signature could not be made.
pub fn calls(good: &Good<'_>) -> Result<Vec<Hostile>, ScriptError> {
    let signed = sign_message(&good.xml, &good.id, good.key)?;
    let mut all = parse::refused(&soap(&signed));
    let mut messages = signature::refused(good, &signed)?;
    messages.extend(shape::refused(good, &signed)?);
    for Hostile { name, octets, reason } in messages {
        // Whoever is called knows the address: the message need not say it.
        if name == "no Destination, though signed" {
            continue;
        }
        let reason = if name == "two documents" { "ID appears twice" } else { reason };
        let message = String::from_utf8(octets).map_err(ScriptError::of)?;
        all.push(Hostile::new(name, reason, soap(&message)));
    }
    all.extend(envelopes(good, &signed));
    Ok(all)
}

/// Right calls in forms that are rare and legal.
///
/// # Errors
/// A signature could not be made.
pub fn valid_calls(good: &Good<'_>) -> Result<Vec<(String, Vec<u8>)>, ScriptError> {
    let signed = sign_message(&good.xml, &good.id, good.key)?;
    let envelope = soap(&signed);
    let mut all = parse::accepted(&envelope);
    let mut messages = signature::accepted(good)?;
    messages.extend(shape::accepted(good)?);
    let unaddressed = between(&good.xml, " Destination=\"", "\"", "");
    messages.push(("no Destination".into(), sign_message(&unaddressed, &good.id, good.key)?.into_bytes()));
    for (name, octets) in messages {
        all.push((name, soap(&String::from_utf8(octets).map_err(ScriptError::of)?).into_bytes()));
    }
    let header = |markup: &str| envelope.replacen("<soap:Body>", &format!("{markup}<soap:Body>"), 1).into_bytes();
    all.push(("an empty header".into(), header("<soap:Header/>")));
    all.push((
        "a header that may be passed over".into(),
        header("<soap:Header><x xmlns=\"urn:x\" soap:mustUnderstand=\"0\">y</x></soap:Header>"),
    ));
    all.push(("a namespace of the envelope that nobody uses".into(), {
        envelope.replacen("<soap:Envelope ", "<soap:Envelope xmlns:x=\"urn:x\" ", 1).into_bytes()
    }));
    Ok(all)
}

fn envelopes(good: &Good<'_>, signed: &str) -> Vec<Hostile> {
    let envelope = soap(signed);
    let header =
        |markup: &str| envelope.replacen("<soap:Body>", &format!("<soap:Header>{markup}</soap:Header><soap:Body>"), 1);
    let namespace = "http://schemas.xmlsoap.org/soap/envelope/";
    [
        ("no envelope", "not an Envelope", signed.to_owned()),
        ("an envelope of SOAP 1.2", "not an Envelope", {
            envelope.replace(namespace, "http://www.w3.org/2003/05/soap-envelope")
        }),
        ("an envelope without a namespace", "not an Envelope", {
            envelope.replace(&format!("soap:Envelope xmlns:soap=\"{namespace}\""), "Envelope").replace("soap:", "")
        }),
        ("two messages", "one element", soap(&format!("{signed}{}", good.xml.replace(&good.id, "_b")))),
        ("an unsigned message before the signed one", "one element", {
            soap(&format!("{}{signed}", good.xml.replace(&good.id, "_b")))
        }),
        ("no message", "one element", soap("")),
        ("text beside the message", "text stands", soap(&format!("{signed}text"))),
        ("two bodies", "a Body, and before it at most a Header", {
            envelope.replacen("<soap:Body>", "<soap:Body/><soap:Body>", 1)
        }),
        ("something behind the body", "a Body, and before it at most a Header", {
            envelope.replace("</soap:Body>", "</soap:Body><x xmlns=\"urn:x\"/>")
        }),
        ("the signed message in the header, another in the body", "not signed|ID appears twice", {
            soap(&good.xml.replace(&good.id, "_b")).replacen(
                "<soap:Body>",
                &format!("<soap:Header>{signed}</soap:Header><soap:Body>"),
                1,
            )
        }),
        ("a header that must be understood", "must be understood", {
            header("<x xmlns=\"urn:x\" soap:mustUnderstand=\"1\"/>")
        }),
        ("a fault", "a SOAP fault", {
            soap("<soap:Fault><faultcode>soap:Client</faultcode><faultstring>x</faultstring></soap:Fault>")
        }),
        ("not signed", "not signed", soap(&good.xml)),
    ]
    .into_iter()
    .map(|(name, reason, text)| Hostile::new(name, reason, text))
    .collect()
}
