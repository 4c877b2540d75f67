//! Browsers that an account was logged in with: other people's guesses don't keep the person out there.

use std::time::Duration;

use fedbridge_contract::http::{HttpInput, Reply, SameSite, SetCookie};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::random_text;

use crate::run::Hub;
use crate::throttle::DeviceKey;

/// How long a browser is remembered behind its last login.
const REMEMBERED: Duration = Duration::from_secs(180 * 24 * 3600);

impl Hub {
    /// What this browser is to an account, as [`Guess::account`](fedbridge_contract::services::Guess) names it. It
    /// says nothing about whether the account was ever logged in with it.
    pub(super) fn browser(&self, tenant: TenantId, account: &str, input: &HttpInput) -> Option<DeviceKey> {
        cookie(tenant, input).map(|cookie| self.browser_key(tenant, account, cookie))
    }

    /// The account was logged in with this browser.
    pub(super) fn know_browser(&self, tenant: TenantId, account: &str, input: &HttpInput, reply: Reply) -> Reply {
        let now = self.services.clock.now();
        let there = cookie(tenant, input).map(str::to_owned);
        let value = there.unwrap_or_else(|| random_text::<32>(self.services.rng.as_ref()));
        self.devices.know(tenant, self.browser_key(tenant, account, &value), now, REMEMBERED);
        let max_age_seconds = Some(REMEMBERED.as_secs().cast_signed());
        reply.with_cookie(SetCookie { name: cookie_name(tenant), value, max_age_seconds, same_site: SameSite::Lax })
    }

    fn browser_key(&self, tenant: TenantId, account: &str, cookie: &str) -> DeviceKey {
        let what = format!("{account}\n{cookie}");
        self.services.tokens.mac(tenant, "known browser", what.as_bytes())
    }
}

/// What does not look like one of ours is none.
fn cookie(tenant: TenantId, input: &HttpInput) -> Option<&str> {
    let ours = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    input.cookie(&cookie_name(tenant)).filter(|value| value.len() == 43 && value.bytes().all(ours))
}

fn cookie_name(tenant: TenantId) -> String {
    format!("{tenant}-d")
}
