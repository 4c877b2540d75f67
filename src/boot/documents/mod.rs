//! The life of what partners publish: looked at on a schedule and when a key is unknown, put in force
//! where nothing gets weaker, held for approval otherwise. Whatever fails, the last good document stays.

mod ask;
pub mod due;
pub mod gauges;
mod keep;
pub mod lapse;
mod read;
mod record;
pub mod seed;

use fedbridge_hub::ports::StoredDocument;

pub use ask::LookOnDemand;
pub use keep::{Keeper, Published, Seen};
pub use record::Trigger;

/// Whether nobody has read it yet: an address may come into force before what is there (OpenID Connect discovery).
pub fn unread(document: &StoredDocument) -> bool {
    document.current.xml.is_empty()
}
