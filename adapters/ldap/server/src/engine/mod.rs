//! Searches over an index.
//!
//! ```text
//! filter -> compile.rs   once for each kind of entry: names to numbers, values prepared, what the view denies taken out
//!        -> plan.rs      who can match at all
//!        -> evaluate.rs  each of those, in three values (RFC 4511 section 4.5.1.7)
//!        -> select.rs    what of the entry goes out
//! node.rs says what an entry holds; search.rs goes through them; partly.rs sees whom memory does not have whole.
//! ```

mod compile;
mod evaluate;
mod node;
mod partly;
mod plan;
mod search;
mod select;

pub use compile::{Incomparable, comparison};
pub use evaluate::Truth;
pub use node::Node;
pub use search::{base_of, node_at, search};
