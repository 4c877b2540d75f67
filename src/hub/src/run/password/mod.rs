//! Logins by a name and a password that are typed on our page, and checked at the connection's upstream.
//!
//! [`ask`] shows the page, and a transaction [waits](waiting) for what is typed. [`typed`] takes it: a try is
//! [let through](guess) or not, the upstream is asked, and the login goes on, to a [second factor](super::factor) or
//! to its end. A wrong password leaves the page as it is; each try has a record of its own. Where a password has to
//! be changed first, [`change`] does that.

mod ask;
mod change;
mod deadline;
mod device;
mod guess;
mod refusal;
mod typed;
mod waiting;

use serde::{Deserialize, Serialize};

use super::record::Purpose;

pub(super) use guess::{Admitted, Verdict, folded};
pub(super) use typed::{password_side, too_many};
pub(super) use waiting::Waiting;

/// What the page of a password needs to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Typing {
    /// What the login is for.
    purpose: Purpose,
}

/// The longest name, and the longest password, that anybody is asked about, in octets.
const MAX_NAME: usize = 256;
const MAX_PASSWORD: usize = 1024;
