//! Signatures that no honest provider makes: other algorithms, other references,
//! more of everything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

use super::ScriptError;
use crate::names;
use crate::seam::{Limits, UnverifiedDocument};

const C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// How to sign. [`Forgery::honest`] is right in everything; change what shall be wrong.
pub struct Forgery<'a> {
    /// An HMAC key too: [`PKey::hmac`].
    pub key: &'a PKey<Private>,
    pub signature_method: &'a str,
    pub digest_method: &'a str,
    /// The digest that is really used, in signature and reference.
    pub digest: MessageDigest,
    /// Changes SignedInfo before it is signed.
    pub signed_info: &'a dyn Fn(String) -> String,
    /// Changes the finished Signature.
    pub signature: &'a dyn Fn(String) -> String,
}

impl<'a> Forgery<'a> {
    pub fn honest(key: &'a PKey<Private>) -> Self {
        Self {
            key,
            signature_method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest_method: "http://www.w3.org/2001/04/xmlenc#sha256",
            digest: MessageDigest::sha256(),
            signed_info: &|info| info,
            signature: &|signature| signature,
        }
    }
}

/// Signs the element with this ID and puts the signature right after its Issuer.
pub fn forge(xml: &str, id: &str, how: &Forgery<'_>) -> Result<String, ScriptError> {
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).map_err(ScriptError::of)?;
    let target = document.unverified_root().descendants().find(|element| element.attribute("ID") == Some(id));
    let target = target.ok_or_else(|| ScriptError(format!("no element has the ID {id}")))?;
    let octets = document.canonicalize(target).map_err(ScriptError::of)?;
    let digest = STANDARD.encode(hash(how.digest, &octets).map_err(ScriptError::of)?);

    let info = (how.signed_info)(format!(
        "<ds:SignedInfo xmlns:ds=\"{ds}\"><ds:CanonicalizationMethod Algorithm=\"{C14N}\"/>\
         <ds:SignatureMethod Algorithm=\"{method}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"{ds}enveloped-signature\"/><ds:Transform Algorithm=\"{C14N}\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{digest_method}\"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>\
         </ds:SignedInfo>",
        ds = names::DSIG,
        method = how.signature_method,
        digest_method = how.digest_method,
    ));
    let value = sign(&canonical(&info), how)?;
    let signature = (how.signature)(format!(
        "<ds:Signature xmlns:ds=\"{}\">{info}<ds:SignatureValue>{}</ds:SignatureValue></ds:Signature>",
        names::DSIG,
        STANDARD.encode(value)
    ));
    insert_after_issuer(xml, id, &signature)
}

/// What a signature over this SignedInfo covers; where our parser refuses it, it is taken as it stands.
fn canonical(info: &str) -> Vec<u8> {
    let parsed = UnverifiedDocument::parse(info.as_bytes(), Limits::metadata()).ok();
    let octets = parsed.and_then(|document| document.canonicalize(document.unverified_root()).ok());
    octets.unwrap_or_else(|| info.as_bytes().to_vec())
}

fn sign(octets: &[u8], how: &Forgery<'_>) -> Result<Vec<u8>, ScriptError> {
    let mut signer = Signer::new(how.digest, how.key).map_err(ScriptError::of)?;
    signer.sign_oneshot_to_vec(octets).map_err(ScriptError::of)
}

fn insert_after_issuer(xml: &str, id: &str, markup: &str) -> Result<String, ScriptError> {
    const END: &str = "</saml:Issuer>";
    let start = xml.find(&format!("ID=\"{id}\"")).ok_or_else(|| ScriptError("the ID is gone".into()))?;
    let (before, rest) = xml.split_at(start);
    let issuer = rest.find(END).ok_or_else(|| ScriptError("the element has no Issuer".into()))?;
    let (head, tail) = rest.split_at(issuer + END.len());
    Ok(format!("{before}{head}{markup}{tail}"))
}
