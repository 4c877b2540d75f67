//! Single logout: the messages of both roles (SAML core 3.7, SAML profiles 4.4).
//!
//! [`mod@write`] makes messages and [`send`] signs them for their way out; [`mod@verify`] takes messages
//! in. A request is believed only under a signature, in both directions and every binding.

pub mod send;
pub mod verify;
pub mod write;

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::logout::Told;

use crate::binding::post::PostMessage;
use crate::binding::redirect::{RedirectMessage, SignedQuery};
use crate::binding::soap::{self, SoapMessage};
use crate::binding::{BindingError, Parameter};
use crate::grammar::GrammarError;
use crate::name_id::OwnedNameId;
use crate::seam::{Element, Limits, UnverifiedDocument};

pub use send::{Answering, notice};
pub use verify::{LogoutParties, verify};
pub use write::{LogoutRequestParts, request, response};

/// A message as a binding carried it; nobody has vouched for it yet.
#[derive(Debug, Clone)]
pub struct Carried {
    octets: Vec<u8>,
    how: How,
    pub relay_state: Option<String>,
}

#[derive(Debug, Clone)]
enum How {
    Redirect(Parameter, Option<SignedQuery>),
    Post(Parameter),
    /// A server called us.
    Soap,
    /// A server answered our call.
    Answer,
}

impl Carried {
    /// By redirect, by a posted form or by SOAP.
    ///
    /// # Errors
    /// The input is none of them.
    pub fn read(input: &HttpInput) -> Result<Self, BindingError> {
        if input.method != Method::Post {
            let RedirectMessage { parameter, xml, relay_state, signature } = RedirectMessage::read(&input.query)?;
            return Ok(Self { octets: xml, how: How::Redirect(parameter, signature), relay_state });
        }
        if soap::is_xml(input.content_type.as_deref()) {
            return Ok(Self { octets: input.body.to_vec(), how: How::Soap, relay_state: None });
        }
        let PostMessage { parameter, xml, relay_state } = PostMessage::read(input)?;
        Ok(Self { octets: xml, how: How::Post(parameter), relay_state })
    }

    /// The body of the answer to a SOAP call of ours.
    pub fn answer(body: &[u8]) -> Self {
        Self { octets: body.to_vec(), how: How::Answer, relay_state: None }
    }

    /// Whether a server brought it, and no browser.
    pub fn is_soap(&self) -> bool {
        matches!(self.how, How::Soap | How::Answer)
    }

    /// Who says that it sent this: good for finding the keys to verify with, and for nothing else.
    /// Blocking: to be called in a turn.
    ///
    /// # Errors
    /// The message can't be read so far.
    pub fn unverified_issuer(&self) -> Result<String, String> {
        let opened = Opened::of(self).map_err(|error| error.to_string())?;
        let message = opened.unverified_message();
        let issuer = message.child(crate::names::ASSERTION, "Issuer");
        let issuer = issuer.ok_or_else(|| GrammarError(format!("{} has no Issuer", message.name())));
        issuer.and_then(crate::grammar::issuer).map(str::to_owned).map_err(|GrammarError(why)| why)
    }

    fn binding(&self) -> &'static str {
        match self.how {
            How::Redirect(..) => "redirect",
            How::Post(_) => "post",
            How::Soap => "SOAP",
            How::Answer => "SOAP, to our call",
        }
    }
}

/// A parsed message.
enum Opened {
    Alone(UnverifiedDocument),
    Enveloped(SoapMessage),
}

impl Opened {
    fn of(carried: &Carried) -> Result<Self, BindingError> {
        if carried.is_soap() {
            Ok(Self::Enveloped(SoapMessage::read(&carried.octets)?))
        } else {
            Ok(Self::Alone(UnverifiedDocument::parse(&carried.octets, Limits::message())?))
        }
    }

    fn document(&self) -> &UnverifiedDocument {
        match self {
            Self::Alone(document) => document,
            Self::Enveloped(message) => message.document(),
        }
    }

    fn unverified_message(&self) -> &Element {
        match self {
            Self::Alone(document) => document.unverified_root(),
            Self::Enveloped(message) => message.unverified_message(),
        }
    }
}

/// What came in and was believed. Only [`verify()`] makes one.
#[derive(Debug)]
pub enum LogoutIn {
    Request(VerifiedLogoutRequest),
    Response(VerifiedLogoutResponse),
}

/// A request whose signature, sender, address and time are right.
#[derive(Debug)]
#[non_exhaustive]
pub struct VerifiedLogoutRequest {
    pub id: String,
    pub name_id: OwnedNameId,
    /// Without one, all sessions of the person are meant (SAML core 3.7.1).
    pub indexes: Vec<String>,
    /// A second request with the same ID is a replay.
    pub once: OneTimeKey,
    /// The sender does not want an answer (Asynchronous Single Logout Profile Extension 2.3).
    pub asynchronous: bool,
}

/// An answer whose sender and address are right.
#[derive(Debug)]
#[non_exhaustive]
pub struct VerifiedLogoutResponse {
    pub in_response_to: String,
    pub told: Told,
}
