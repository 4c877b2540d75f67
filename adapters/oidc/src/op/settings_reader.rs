//! The reader of settings, which both roles share.

pub(crate) use fedbridge_oidc_core::settings_reader::Reader;
