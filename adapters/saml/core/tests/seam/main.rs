//! The XML security seam against good and hostile input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod closed;
mod decrypt;
mod differential;
mod encrypt;
mod keys;
mod message;
mod parse;
mod sign;
mod signature_form;
mod signxml;
mod verify;
mod wrapping;
mod xmlsec1;
