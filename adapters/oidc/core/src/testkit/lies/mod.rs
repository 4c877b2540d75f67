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

pub use documents::METADATA;
pub use logout::{FRAME, LOGOUT_TOKEN, WAY_BACK};
pub use renewal::RENEWAL;

/// Lies that are told while somebody logs in, by a provider whose metadata is right.
pub const LIES: &[&[Lie]] = &[
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

/// Every lie of every list.
pub fn all_lies() -> impl Iterator<Item = &'static Lie> {
    let others = [METADATA, RENEWAL, LOGOUT_TOKEN, FRAME, WAY_BACK];
    LIES.iter().copied().chain(others).flatten()
}
