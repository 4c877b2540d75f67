//! How the person is named to the app (SAML core 8.3).

use fedbridge_contract::downstream::{Finish, NewNameId, Refusal, RefusalKind};
use fedbridge_contract::ids::{AppId, SessionId, TenantId};
use fedbridge_contract::services::{Rng, Services};
use fedbridge_saml_core::name_id::OwnedNameId;
use fedbridge_saml_core::names;
use serde_json::Value;

use crate::asked::AskedName;
use crate::provider::entity_id;
use crate::settings::{EMAIL, EMAIL_VERIFIED, NameIdRule, NameIdSource, SpSettings};

/// The most characters of a name (SAML core 8.3.7).
const MAX_NAME: usize = 256;

/// Whether the app may have a name of this Format. Random names tell nothing, so they are always to be had.
pub(crate) fn supports(rule: &NameIdRule, format: &str) -> bool {
    [names::FORMAT_PERSISTENT, names::FORMAT_TRANSIENT].contains(&format) || rule.format == format
}

/// The name, and what must be stored with the login where a persistent one was made just now.
///
/// # Errors
/// There is no such name for this person, or the store did not answer.
pub(crate) async fn name_id(
    services: &Services,
    finish: &Finish<'_>,
    settings: &SpSettings,
    asked: &AskedName,
) -> Result<(OwnedNameId, Option<NewNameId>), Refusal> {
    let rule = &settings.name_id;
    let (source, format) = match asked.format.as_deref() {
        Some(names::FORMAT_PERSISTENT) => (&NameIdSource::Persistent, names::FORMAT_PERSISTENT),
        Some(names::FORMAT_TRANSIENT) => (&NameIdSource::Transient, names::FORMAT_TRANSIENT),
        _ => (&rule.source, rule.format.as_str()),
    };
    let (value, new) = match source {
        NameIdSource::Persistent => persistent(services, finish, settings, asked.may_create).await?,
        NameIdSource::Transient => {
            let purpose = "saml transient";
            let (tenant, session) = (finish.tenant.id, finish.identity.session);
            (derived(services, purpose, tenant, session, finish.app.id), None)
        }
        NameIdSource::Claim(claim) => (of_claim(finish.identity.claims.get(claim))?, None),
        NameIdSource::Email { unverified } => (of_email(finish, *unverified)?, None),
    };
    let qualified = format == names::FORMAT_PERSISTENT;
    let name = OwnedNameId {
        value,
        format: Some(format.to_owned()),
        name_qualifier: qualified.then(|| entity_id(finish.tenant)),
        sp_name_qualifier: qualified.then(|| qualifier(settings).to_owned()),
        sp_provided_id: None,
    };
    match &asked.expected {
        Some(expected) if *expected != name.value => {
            let public = "The app asked for another person than the one who is logged in.";
            Err(Refusal::new(RefusalKind::AccessDenied, public))
        }
        _ => Ok((name, new)),
    }
}

/// What one session is called at one app: SessionIndex (SAML core 2.7.2).
pub(crate) fn session_index(services: &Services, tenant: TenantId, session: SessionId, app: AppId) -> String {
    derived(services, "saml session index", tenant, session, app)
}

fn qualifier(settings: &SpSettings) -> &str {
    settings.name_id.affiliation.as_deref().unwrap_or(&settings.sp.entity_id)
}

async fn persistent(
    services: &Services,
    finish: &Finish<'_>,
    settings: &SpSettings,
    may_create: bool,
) -> Result<(String, Option<NewNameId>), Refusal> {
    let (qualifier, person) = (qualifier(settings), finish.identity.person);
    let found = services.name_ids.find(finish.tenant.id, qualifier, person).await.map_err(|_| {
        let public = "The login can't be finished at the moment. Please try again.";
        Refusal::new(RefusalKind::TemporarilyUnavailable, public)
    })?;
    match found {
        Some(value) => Ok((value, None)),
        None if may_create => {
            let value = random(finish.rng);
            Ok((value.clone(), Some(NewNameId { qualifier: qualifier.to_owned(), person, value })))
        }
        None => {
            let public = "The person has no name at this app yet, and the request does not allow making one.";
            Err(Refusal::new(RefusalKind::SubjectUnavailable, public))
        }
    }
}

fn random(rng: &dyn Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    hexadecimal(&bytes)
}

/// The same through the whole session, another one at each app, and nothing to keep.
fn derived(services: &Services, purpose: &str, tenant: TenantId, session: SessionId, app: AppId) -> String {
    let message = [session.uuid().into_bytes(), app.uuid().into_bytes()].concat();
    let mac = services.tokens.mac(tenant, purpose, &message);
    hexadecimal(mac.get(..16).unwrap_or(&mac))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // Writing to a String can't fail.
        text
    })
}

/// Any upstream can say any address. What it does not own names nobody here: the app would take the person
/// for whoever has that address.
fn of_email(finish: &Finish<'_>, unverified: bool) -> Result<String, Refusal> {
    let name = of_claim(finish.identity.claims.get(EMAIL))?;
    if unverified || finish.identity.claims.get(EMAIL_VERIFIED) == Some(&Value::Bool(true)) {
        return Ok(name);
    }
    let public = "The app names people by their e-mail address, and this person's is not verified.";
    let cause = format!(
        "the e-mail address is not verified: its domain is none of the connection `{}`, or somebody says so; \
         `name_id.unverified: allow` would let it name people all the same",
        finish.identity.connection.slug
    );
    Err(Refusal::new(RefusalKind::SubjectUnavailable, public).because(cause))
}

/// A name must arrive as it is: a control character would be replaced on the way, and two people could
/// become one.
fn of_claim(value: Option<&Value>) -> Result<String, Refusal> {
    let text = match value {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let plain = |c: char| !c.is_control() && !matches!(c, '\u{fffd}' | '\u{fffe}' | '\u{ffff}');
    match text {
        Some(text) if !text.trim().is_empty() && text.chars().count() <= MAX_NAME && text.chars().all(plain) => {
            Ok(text)
        }
        Some(_) => {
            let public = "The person's name at this app would be empty, too long, or hold unusable characters.";
            Err(Refusal::new(RefusalKind::SubjectUnavailable, public))
        }
        None => {
            let public = "The person has no value for the name that this app uses.";
            Err(Refusal::new(RefusalKind::SubjectUnavailable, public))
        }
    }
}
