//! fedbridge-store
