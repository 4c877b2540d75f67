//! People without a login: what an upstream says of them is mapped as a login would be, and kept.
//!
//! [`record`] makes of an entry what is kept, [`decide`] says what becomes of it beside what is known, [`batch`] carries
//! that out. [`sync`] reads a whole directory through it, and [`sweep`] ends whoever is not there any more, but not too
//! many at once. [`login`] keeps what a login brings.

mod appear;
mod batch;
mod decide;
mod groups;
mod known;
mod login;
mod record;
mod sweep;
mod sync;

pub use appear::NotMade;
pub use known::Provisioned;
pub(in crate::run) use known::folded;
pub(in crate::run) use login::Kept;
pub(in crate::run) use record::{Mapped, groups};
pub use sync::{SyncFailed, SyncWish, Synced};
