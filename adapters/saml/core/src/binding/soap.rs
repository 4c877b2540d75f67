//! SOAP 1.1 between servers (SAML bindings 3.2).

use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::services::EgressPost;

use super::BindingError;
use crate::seam::{Element, Limits, UnverifiedDocument};
use crate::writer::XmlWriter;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// SOAP 1.1 section 6: both directions.
const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// Puts a message that this crate has written into an envelope.
pub fn envelope(message: &str) -> String {
    let mut xml = XmlWriter::new();
    xml.open("soap:Envelope").attr("xmlns:soap", SOAP).open("soap:Body").raw(message);
    xml.finish()
}

/// A message on its way to another server.
pub fn send(url: &str, message: &str) -> EgressPost {
    EgressPost {
        url: url.to_owned(),
        content_type: CONTENT_TYPE.to_owned(),
        // SAML bindings 3.2.3.1; SOAP 1.1 wants the header to be there.
        headers: vec![("soapaction".to_owned(), "\"http://www.oasis-open.org/committees/security\"".to_owned())],
        body: envelope(message),
    }
}

/// The answer to a message of another server; not to be cached (SAML bindings 3.2.3.2).
pub fn reply(message: &str) -> Reply {
    body(200, envelope(message))
}

/// What stops a message before SAML can answer it (SOAP 1.1 section 4.4). `code` is `Client`,
/// `Server` or `MustUnderstand`.
pub fn fault(code: &str, text: &str) -> Reply {
    let mut xml = XmlWriter::new();
    xml.open("soap:Fault").leaf("faultcode", &format!("soap:{code}")).leaf("faultstring", text);
    body(500, envelope(&xml.finish()))
}

fn body(status: u16, xml: String) -> Reply {
    Reply::body(status, CONTENT_TYPE, xml).with_header("cache-control", "no-cache, no-store")
}

/// An envelope with one message in its body. The message is verified where it stands: a signature
/// in it may need the namespaces around it.
pub struct SoapMessage {
    document: UnverifiedDocument,
}

impl SoapMessage {
    /// Reads a request. A form that a browser can post never gets here.
    ///
    /// # Errors
    /// It is no SOAP of the one form that is accepted.
    pub fn receive(input: &HttpInput) -> Result<Self, BindingError> {
        if !is_xml(input.content_type.as_deref()) {
            return Err(BindingError::NotXmlType);
        }
        Self::read(&input.body)
    }

    /// Reads an envelope. Headers are passed over unread, unless one must be understood.
    ///
    /// # Errors
    /// It is no SOAP of the one form that is accepted, or a fault.
    pub fn read(octets: &[u8]) -> Result<Self, BindingError> {
        let document = UnverifiedDocument::parse(octets, Limits::message())?;
        let message = message(document.unverified_root())?;
        if message.is(SOAP, "Fault") {
            let text = message.child("", "faultstring").and_then(|text| text.only_text().ok());
            return Err(BindingError::Fault(text.unwrap_or("without a text").chars().take(200).collect()));
        }
        Ok(Self { document })
    }

    /// The whole envelope, to verify the message in.
    pub fn document(&self) -> &UnverifiedDocument {
        &self.document
    }

    /// The message, unverified.
    pub fn unverified_message(&self) -> &Element {
        // `read` has looked: the root stands in only where that can't be.
        message(self.document.unverified_root()).unwrap_or_else(|_| self.document.unverified_root())
    }
}

/// Whether a body is `text/xml` (SOAP 1.1 section 6), parameters aside. pysaml2 says `application/soap+xml`,
/// as SOAP 1.2 does. Pages of others can send neither type across sites unasked.
pub fn is_xml(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["text/xml", "application/soap+xml"].iter().any(|known| essence.eq_ignore_ascii_case(known))
}

fn message(root: &Element) -> Result<&Element, BindingError> {
    if !root.is(SOAP, "Envelope") {
        return Err(BindingError::NotSoap("the root is not an Envelope"));
    }
    let stray = |_| BindingError::NotSoap("text stands between elements");
    let parts = root.only_elements().map_err(stray)?;
    let body = match parts.as_slice() {
        [body] => body,
        [header, body] if header.is(SOAP, "Header") => {
            let demanding =
                |entry: &Element| entry.attribute_ns(SOAP, "mustUnderstand").is_some_and(|value| value != "0");
            if header.elements().any(demanding) {
                return Err(BindingError::MustUnderstand);
            }
            body
        }
        _ => return Err(BindingError::NotSoap("the Envelope must hold a Body, and before it at most a Header")),
    };
    if !body.is(SOAP, "Body") {
        return Err(BindingError::NotSoap("the Envelope has no Body"));
    }
    match body.only_elements().map_err(stray)?.as_slice() {
        [message] => Ok(message),
        _ => Err(BindingError::NotSoap("the Body must hold one element")),
    }
}
