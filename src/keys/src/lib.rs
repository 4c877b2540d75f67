//! fedbridge-keys
