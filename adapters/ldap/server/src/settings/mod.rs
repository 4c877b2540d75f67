//! The settings of a directory and of its apps: read strictly, every complaint at once.

mod app;
mod directory;
mod fields;

pub use app::{LdapAppSettings, Learn, PasswordKind};
pub(crate) use directory::directory_of;
pub use directory::{bases_clash, read_directory, write_directory};
pub use fields::{DIRECTORY_FIELDS, FIELDS};
