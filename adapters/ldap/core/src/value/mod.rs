//! Values that directories keep in forms of their own: octets that are ids, and times.

pub mod password;
pub mod sid;
pub mod time;
pub mod uuid;
