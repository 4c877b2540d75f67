//! Passwords of people for single apps, for protocols that know nothing but a password: made here, shown once, good in
//! one app, and taken back without changing anything else.

mod admin;
mod hasher;
mod manage;
mod token;

use fedbridge_contract::config::{App, AppKind};
use serde_json::Value;

pub use admin::{AppPasswordRefused, GivenAppPassword};
pub(super) use hasher::Busy;
pub use hasher::Hasher;
pub(super) use token::AppToken;

/// The most that a person has for one app.
const MOST: usize = 5;

/// What people may bind with by way of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    /// The password of the connection that a person comes from.
    pub upstream: bool,
    /// The same with a comma and a code behind it.
    pub otp_suffix: bool,
    pub app_password: bool,
}

impl Allowed {
    /// As the app's settings say, which its adapter has checked. Without an app: what somebody types as everywhere.
    pub fn by(app: Option<&App>) -> Self {
        let usual = Self { upstream: true, otp_suffix: false, app_password: true };
        match app.and_then(|app| app.settings.get("passwords")) {
            Some(Value::Array(words)) => {
                let has = |wanted: &str| words.iter().any(|word| word == wanted);
                Self { upstream: has("upstream"), otp_suffix: has("otp_suffix"), app_password: has("app_password") }
            }
            _ => usual,
        }
    }
}

/// Whether people can have passwords for this app.
fn takes_app_passwords(app: &App) -> bool {
    app.kind == AppKind::LdapApp && app.enabled && Allowed::by(Some(app)).app_password
}
