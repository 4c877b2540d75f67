//! The lies, in the order of the requirements on relying parties. Each names the check that must find it.

mod callback;
mod claims;
mod documents;
mod headers;
mod keys;
mod logout;
mod renewal;
mod userinfo;

use super::lie::Lie;

/// Lies that are told while somebody logs in.
pub const LIES: &[&[Lie]] = &[
    documents::METADATA,
    callback::ANSWER,
    documents::TOKEN_ANSWER,
    headers::HEADER,
    headers::SIGNATURE,
    claims::PARTIES,
    claims::TIMES,
    claims::LOGIN,
    claims::SUBJECT,
    claims::JSON,
    keys::KEY_SET,
    userinfo::USERINFO,
    userinfo::SIGNED,
];

/// Lies of later: renewals and logouts.
pub const LATER: &[&[Lie]] = &[renewal::RENEWAL, logout::LOGOUT_TOKEN, logout::FRONT_CHANNEL, logout::LOGGED_OUT];
