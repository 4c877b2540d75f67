//! fedbridge-hub
