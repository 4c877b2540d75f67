//! fedbridge-fake
