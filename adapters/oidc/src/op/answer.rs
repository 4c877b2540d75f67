//! The answer of the authorization endpoint: a code, or an error, with `state` and `iss` (RFC 9207).

use std::time::Duration;

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::downstream::{Finish, Finished, Refusal, RefusalKind};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::grant::{GrantRecord, NewGrant};
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::{GrantId, TraceId};
use fedbridge_contract::page::{ErrorPage, Page};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::ticket::ticket;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::hash::sha256;

use super::logout_notice;
use super::memory::{Destination, Pending, ResponseMode, append_query};
use super::settings::ClientSettings;

/// How long a code may be redeemed (RFC 9700 and FAPI 2.0 ask for a minute at most).
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// Turns a finished login into a code and the grant behind it.
pub(crate) fn finish(finish: &Finish<'_>, _permit: &Permit) -> Result<Finished, Refusal> {
    let pending = read(finish.continuation)
        .filter(|pending| pending.app == finish.app.id)
        .ok_or_else(|| Refusal::new(RefusalKind::ServerError, "Something went wrong here. Please try again."))?;
    if !is_registered(finish.app, &pending.destination) {
        let public = "The app's address was taken out of its registration during the login. Please start again.";
        return Err(Refusal::new(RefusalKind::ServerError, public));
    }
    let identity = finish.identity;
    let met = |acr: &String| pending.essential_acr.contains(acr);
    if !pending.essential_acr.is_empty() && !identity.acr.as_ref().is_some_and(met) {
        let public = "The login did not reach the authentication context that the app requires.";
        return Err(Refusal::new(RefusalKind::UnmetAuthnContext, public));
    }
    let id = GrantId::at(finish.now, finish.rng);
    let code = ticket(id.uuid(), finish.rng);
    let protocol = serde_json::to_value(&pending.memory)
        .map_err(|_| Refusal::new(RefusalKind::ServerError, "Something went wrong here. Please try again."))?;
    let record = GrantRecord {
        app: finish.app.id,
        person: identity.person,
        session: identity.session,
        connection: identity.connection.id,
        trace: identity.trace,
        sub: identity.sub.clone(),
        scope: identity.scope.clone(),
        claims: identity.claims.clone(),
        auth_time: identity.auth_time,
        acr: identity.acr.clone(),
        amr: identity.amr.clone(),
        created: finish.now,
        upstream_limit: identity.upstream_limit,
        // The hub writes these.
        epoch: Epoch::default(),
        basis: None,
        protocol,
    };
    let grant = NewGrant { id, record, code_hash: sha256(code.as_bytes()), code_expires: finish.now + CODE_LIFETIME };
    let reply = send(&finish.tenant.issuer, &pending.destination, vec![("code", code)]);
    let participant = logout_notice::participant(finish.app, identity);
    let steps = sent(finish, &pending.destination, participant.is_some());
    Ok(Finished { reply, grant: Some(grant), participant, name_id: None, steps })
}

/// What leaves; the code itself is a secret.
fn sent(finish: &Finish<'_>, destination: &Destination, hears_of_logout: bool) -> TraceLog {
    let identity = finish.identity;
    let mut facts = vec![
        ("redirect_uri", destination.redirect_uri.clone()),
        ("response_mode", destination.mode.name().to_owned()),
        ("code expires in", format!("{} s", CODE_LIFETIME.as_secs())),
        ("sub", identity.sub.clone()),
        ("scope", identity.scope.join(" ")),
    ];
    facts.extend(identity.acr.clone().map(|acr| ("acr", acr)));
    facts.push(("hears of the logout", if hears_of_logout { "yes" } else { "no" }.to_owned()));
    let mut steps = TraceLog::new();
    steps.sent(finish.now, "authorization response with a code", facts);
    steps
}

/// Whether the answer may still go there. The login took a while, and an administrator may
/// have taken the address away meanwhile, perhaps because somebody else has it now.
fn is_registered(app: &App, destination: &Destination) -> bool {
    ClientSettings::of(app).is_ok_and(|settings| settings.has_redirect_uri(&destination.redirect_uri))
}

/// Where the answer goes, for a person to read: the host, or the scheme that a native app has for its own.
pub(crate) fn host(continuation: &[u8]) -> Option<String> {
    let url = url::Url::parse(&read(continuation)?.destination.redirect_uri).ok()?;
    Some(url.host_str().map_or_else(|| format!("{}:", url.scheme()), str::to_owned))
}

/// Tells the app that there will be no code; on a page where the app's address is not good any more.
pub(crate) fn refuse(tenant: &Tenant, continuation: &[u8], refusal: &Refusal, trace: TraceId) -> Reply {
    let page = |status| {
        Reply::page(Page::Error(ErrorPage {
            status,
            tenant: Some(tenant.display_name.clone()),
            sentence: refusal.public.clone(),
            trace: Some(trace),
            way_back: None,
        }))
    };
    let Some(Pending { app, destination, .. }) = read(continuation) else { return page(500) };
    if tenant.app_by_id(app).is_some_and(|app| is_registered(app, &destination)) {
        error(&tenant.issuer, &destination, code_of(refusal.kind), &refusal.public, trace)
    } else {
        page(400)
    }
}

/// RFC 6749 section 4.1.2.1, OpenID Connect Core 3.1.2.6, and the unmet_authentication_requirements extension.
fn code_of(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::LoginRequired => "login_required",
        RefusalKind::InteractionRequired => "interaction_required",
        RefusalKind::AccountSelectionRequired => "account_selection_required",
        RefusalKind::ConsentRequired => "consent_required",
        RefusalKind::AccessDenied => "access_denied",
        RefusalKind::UnmetAuthnContext => "unmet_authentication_requirements",
        RefusalKind::SubjectUnavailable | RefusalKind::ServerError => "server_error",
        RefusalKind::TemporarilyUnavailable => "temporarily_unavailable",
    }
}

pub(crate) fn error(issuer: &str, destination: &Destination, code: &str, public: &str, trace: TraceId) -> Reply {
    let params =
        vec![("error", code.to_owned()), ("error_description", describe(public)), ("trace_id", trace.to_string())];
    send(issuer, destination, params)
}

fn read(continuation: &[u8]) -> Option<Pending> {
    serde_json::from_slice(continuation).ok()
}

fn send(issuer: &str, destination: &Destination, mut params: Vec<(&'static str, String)>) -> Reply {
    if let Some(state) = &destination.state {
        params.push(("state", state.clone()));
    }
    params.push(("iss", issuer.to_owned()));
    match destination.mode {
        ResponseMode::Query => {
            let pairs: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Reply::redirect(append_query(&destination.redirect_uri, &pairs))
        }
        ResponseMode::FormPost => ReplyKind::AutoPost {
            action: destination.redirect_uri.clone(),
            fields: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
        .into(),
    }
}

/// Only the characters that `error_description` may have (RFC 6749 section 4.1.2.1).
fn describe(public: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    public.chars().map(|c| if allowed(c) { c } else { '?' }).take(400).collect()
}
