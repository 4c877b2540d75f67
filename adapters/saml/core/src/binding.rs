//! How messages travel (SAML bindings 3): what every binding has in common.
//!
//! Nothing that a binding reads is vouched for yet. [`crate::trust`] verifies it.

pub mod artifact;
pub mod post;
pub mod redirect;
pub mod soap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::seam::ParseRefusal;

/// The largest message parameter, in octets of base64. SAML sets no bound; real ones have some 10 KB.
pub const MAX_ENCODED: usize = 512 * 1024;

/// Whether a message is a request or an answer: in redirect and post the parameter's name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    SamlRequest,
    SamlResponse,
}

impl Parameter {
    pub const fn name(self) -> &'static str {
        match self {
            Self::SamlRequest => "SAMLRequest",
            Self::SamlResponse => "SAMLResponse",
        }
    }
}

/// Why no message could be read. The texts are for the trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    #[error("not a form that was posted")]
    NotAForm,
    #[error("SAML parameters in the query of a POST")]
    ParametersInQuery,
    #[error("no SAMLRequest and no SAMLResponse")]
    NoMessage,
    #[error("both a SAMLRequest and a SAMLResponse")]
    TwoMessages,
    #[error("the parameter {0} came twice")]
    Repeated(&'static str),
    #[error("the parameter {0} does not belong to this binding")]
    Misplaced(&'static str),
    #[error("the name of the parameter {0} is percent-encoded")]
    EncodedName(&'static str),
    #[error("the SAMLEncoding is not DEFLATE")]
    Encoding,
    #[error("a Signature without a SigAlg, or a SigAlg without a Signature")]
    HalfSigned,
    #[error("{0} is not base64")]
    NotBase64(&'static str),
    #[error("the message has {0} octets of base64, more than {MAX_ENCODED}")]
    TooLarge(usize),
    #[error("the message inflates to more than {} octets", redirect::MAX_INFLATED)]
    InflatesTooFar,
    #[error("the message is not raw DEFLATE")]
    NotDeflate,
    #[error("the SOAP body is not text/xml")]
    NotXmlType,
    #[error(transparent)]
    Xml(#[from] ParseRefusal),
    #[error("not a SOAP 1.1 envelope with one message in its body: {0}")]
    NotSoap(&'static str),
    #[error("a SOAP header must be understood, and none is known here")]
    MustUnderstand,
    #[error("a SOAP fault: {0}")]
    Fault(String),
    #[error("not an artifact of type 4")]
    NotAnArtifact,
}

/// Undoes the form encoding of one name or value (URL Standard, section 5.1): `+` is a space, and `%`
/// with two hexadecimal digits an octet.
pub fn form_octets(encoded: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        octets.extend_from_slice(&rest[..at]);
        let (octet, taken) = match rest[at..] {
            [b'+', ..] => (b' ', 1),
            [_, high, low, ..] => hexadecimal(high, low).map_or((b'%', 1), |octet| (octet, 3)),
            _ => (b'%', 1),
        };
        octets.push(octet);
        rest = &rest[at + taken..];
    }
    octets.extend_from_slice(rest);
    octets
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// The text of an encoded value; empty counts as absent.
fn form_text(encoded: &[u8]) -> Option<String> {
    let octets = form_octets(encoded);
    (!octets.is_empty()).then(|| String::from_utf8_lossy(&octets).into_owned())
}

/// Name and value of each parameter, both still encoded.
fn pairs(encoded: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    encoded.split(|&byte| byte == b'&').map(|field| {
        let end = field.iter().position(|&byte| byte == b'=').unwrap_or(field.len());
        (&field[..end], field.get(end + 1..).unwrap_or_default())
    })
}

/// Base64 with padding; line breaks may stand in it (RFC 2045 section 6.8), nothing else.
fn base64_octets(text: &[u8]) -> Option<Vec<u8>> {
    // Most senders write one line, and a break is no base64: only a refusal makes it worth a look.
    STANDARD.decode(text).ok().or_else(|| {
        let joined: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        STANDARD.decode(joined).ok()
    })
}

/// Decodes one message parameter, whose size is bounded first.
fn message_octets(encoded: &[u8]) -> Result<Vec<u8>, BindingError> {
    let text = form_octets(encoded);
    if text.len() > MAX_ENCODED {
        return Err(BindingError::TooLarge(text.len()));
    }
    base64_octets(&text).ok_or(BindingError::NotBase64("the message"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn form_encoding_is_undone_as_the_url_standard_says() {
        for encoded in
            ["", "a", "a+b", "%2B%2f%3D", "%", "a%", "%4", "%4g", "%%41", "+%20+", "%E4%F6", "=%3d=", "a%00b"]
        {
            let pair = format!("v={encoded}");
            let expected = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned();
            assert_eq!(String::from_utf8_lossy(&form_octets(encoded.as_bytes())), expected, "{encoded}");
        }
    }

    #[test]
    fn base64_is_strict() {
        assert_eq!(base64_octets(b"YWJj\r\nZA==").unwrap(), b"abcd");
        for bad in ["YWJjZA", "YWJj ZA==", "YWJjZA==\t", "YWJj-_==", "YWJjZA==YWJj", "YWJjZB=="] {
            assert_eq!(base64_octets(bad.as_bytes()), None, "{bad}");
        }
    }
}
