//! Directories: what a sync reads from an upstream ([`source`], [`pass_through`]), and what a server of directories
//! shows ([`feed`]), whom it lets bind ([`desk`]), and what it learns of apps ([`shapes`]).

mod desk;
mod feed;
mod pass_through;
mod shapes;
mod source;

use std::sync::Arc;

pub use desk::*;
pub use feed::*;
pub use pass_through::*;
pub use shapes::*;
pub use source::*;

/// What the hub gives to a server of directories.
#[derive(Clone)]
pub struct DirectoryServices {
    pub feed: Arc<dyn DirectoryFeed>,
    pub desk: Arc<dyn BindDesk>,
    pub shapes: Arc<dyn ShapeSink>,
}
