//! Keys roll over under a continuous loop of logins, and nobody notices. The partners here are strict: each
//! believes only what it fetched last of the bridge's metadata, and rolls its own key as AD FS does.

mod conductor;
mod crowd;
mod downstream;
mod forced;
mod nodes;
mod partner;
mod shib;
mod surprise;
mod upstream;
