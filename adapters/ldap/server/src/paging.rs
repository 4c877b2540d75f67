//! Paged results (RFC 2696): where a search of this connection goes on, and the cookies that say so.
//!
//! A cookie means something on the connection that it was made for, for the same search by the same identity, and
//! once: the next page has another one. The directory as it was at the first page is kept meanwhile, so that no
//! entry is given twice or left out.

use std::collections::VecDeque;

use bytes::Bytes;
use fedbridge_ldap_core::{Op, Search};
use openssl::memcmp;

use crate::backend::Identity;
use crate::mac::MacKey;
use crate::search::Rest;

/// Paged searches that one connection may have begun. The oldest gives way.
const MOST: usize = 2;

/// Octets of a cookie: the number of the page, and its code.
const NUMBER: usize = 8;
const CODE: usize = 16;

#[derive(Default)]
pub(crate) struct Pages {
    held: VecDeque<Held>,
    /// The number of the last cookie.
    last: u64,
}

/// Where a paged search goes on.
pub(crate) struct Held {
    number: u64,
    search: [u8; 32],
    pub(crate) rest: Rest,
    /// Entries of all pages until now.
    pub(crate) given: u32,
}

/// Tells one search of one identity from any other. Size and time limits may differ from page to page.
pub(crate) fn fingerprint(search: &Search, as_: &Identity) -> [u8; 32] {
    let limitless = Search { size: 0, time: 0, ..search.clone() };
    let who = format!("{as_:?}");
    let mut hash = openssl::sha::Sha256::new();
    hash.update(&(who.len() as u64).to_be_bytes());
    hash.update(who.as_bytes());
    hash.update(&Op::Search(limitless).octets());
    hash.finish()
}

impl Pages {
    /// Keeps the place of a search, and makes the cookie for it.
    pub(crate) fn keep(
        &mut self,
        key: &MacKey,
        connection: u64,
        search: [u8; 32],
        (rest, given): (Rest, u32),
    ) -> Bytes {
        self.last += 1;
        if self.held.len() >= MOST {
            self.held.pop_front();
        }
        self.held.push_back(Held { number: self.last, search, rest, given });
        let code = code(key, connection, self.last, &search);
        [&self.last.to_be_bytes()[..], &code].concat().into()
    }

    /// The place that a cookie means; it is used up. `None`: it is not one of this connection and this search, or
    /// its place was given up.
    pub(crate) fn take(&mut self, key: &MacKey, connection: u64, search: &[u8; 32], cookie: &[u8]) -> Option<Held> {
        let (number, given) = cookie.split_first_chunk::<NUMBER>()?;
        let number = u64::from_be_bytes(*number);
        let right = code(key, connection, number, search);
        if given.len() != CODE || !memcmp::eq(given, &right) {
            return None;
        }
        let at = self.held.iter().position(|held| held.number == number && held.search == *search)?;
        self.held.remove(at)
    }

    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }
}

fn code(key: &MacKey, connection: u64, number: u64, search: &[u8; 32]) -> [u8; CODE] {
    let whole = key.over(&[b"page", &connection.to_be_bytes(), &number.to_be_bytes(), search]);
    let mut code = [0; CODE];
    code.copy_from_slice(&whole[..CODE]);
    code
}
