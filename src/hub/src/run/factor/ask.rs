//! The page that asks for a second factor.

use std::sync::Arc;

use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::page::{Page, SecondFactorPage};
use fedbridge_contract::services::random_text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Held, rp_id};
use crate::ports::{FactorKind, Passkey, StoredFactor};
use crate::run::Hub;
use crate::run::answer::Found;
use crate::run::finish::Who;
use crate::run::record::Purpose;
use crate::run::snapshot::OpenConnection;
use crate::run::start::Login;

/// What the page needs to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Asking {
    pub held: Held,
    pub person: PersonId,
    /// What a passkey has to answer, base64url.
    pub challenge: String,
}

impl Hub {
    pub(super) async fn ask_for_factor(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        who: Who,
        found: Found,
        (person, factors): (PersonId, Vec<StoredFactor>),
    ) -> Reply {
        let challenge = random_text::<32>(self.services.rng.as_ref());
        let asking = Asking { held: Held::of(&login, &who), person, challenge };
        let session = found.record.session;
        let waiting = match self.waiting(&login, &connection, session, Purpose::SecondFactor, &asking) {
            Ok(waiting) => waiting,
            Err(stop) => return self.give_up(login, found.id, stop).await,
        };
        let super::Waiting { open, handle, cookie } = waiting;
        match self.hand_over(&mut login, &who, &found, open).await {
            Ok(()) => self.factor_page(&login, &asking, &factors, &handle, None).with_cookie(cookie),
            Err(stop) => self.stop(login, stop, None, Some(who.record.subject.display)).await,
        }
    }

    pub(super) fn factor_page(
        &self,
        login: &Login,
        asking: &Asking,
        factors: &[StoredFactor],
        handle: &str,
        complaint: Option<&str>,
    ) -> Reply {
        let has = |kind| factors.iter().any(|factor| factor.kind == kind);
        let page = SecondFactorPage {
            tenant: login.tenant.view.display_name.clone(),
            person: asking.held.identity.subject.display.clone(),
            totp: has(FactorKind::Totp),
            recovery: has(FactorKind::Recovery),
            passkey: rp_id(&login.tenant.view).and_then(|rp_id| options(factors, &asking.challenge, &rp_id)),
            complaint: complaint.map(str::to_owned),
            onward: self.onward(login),
            form: self.waiting_form(login, "factor", handle),
        };
        Reply::page(Page::SecondFactor(page)).in_language(login.locale())
    }
}

/// PublicKeyCredentialRequestOptions (WebAuthn 3 section 5.5), where there is a passkey.
fn options(factors: &[StoredFactor], challenge: &str, rp_id: &str) -> Option<String> {
    let known = credentials(factors);
    let options = json!({
        "challenge": challenge,
        "rpId": rp_id,
        "allowCredentials": known,
        "userVerification": "preferred",
        "timeout": 300_000,
    });
    (!known.is_empty()).then(|| options.to_string())
}

/// PublicKeyCredentialDescriptors (WebAuthn 3 section 5.8.3).
pub(super) fn credentials(factors: &[StoredFactor]) -> Vec<Value> {
    let passkeys = factors.iter().filter_map(passkey);
    passkeys.map(|passkey| json!({ "type": "public-key", "id": passkey.id })).collect()
}

pub(super) fn passkey(factor: &StoredFactor) -> Option<Passkey> {
    let kept = Some(factor).filter(|factor| factor.kind == FactorKind::Passkey)?;
    serde_json::from_slice(&kept.secret).ok()
}
