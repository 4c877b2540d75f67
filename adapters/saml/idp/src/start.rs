//! Logins that begin here, without a request of the app (SAML profiles 4.1.5).

use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::time::Timestamp;

use crate::accept::usable;
use crate::acs;
use crate::asked::{Asked, AskedName, hints};
use crate::page::{Exchange, PageError, require};
use crate::settings::SpSettings;
use crate::wish::classes;

const UNKNOWN: PageError = PageError::new(404, "There is no app of this name where a login could start here.");

/// `{issuer}/saml/start/{slug}?target=…`
pub(crate) async fn handle(mut exchange: Exchange<'_>) -> Accepted {
    match examine(&mut exchange).await {
        Ok((app, settings, asked, again)) => {
            let hints = hints(exchange.input);
            match asked.login(exchange.tenant, &app, &settings, hints, again) {
                Ok(login) => Accepted::Login(Box::new(login)),
                Err(_) => exchange.on_page(&PageError::new(500, "Something went wrong here. Please try again.")),
            }
        }
        Err(error) => exchange.on_page(&error),
    }
}

type Start = (std::sync::Arc<App>, std::sync::Arc<SpSettings>, Asked, String);

async fn examine(exchange: &mut Exchange<'_>) -> Result<Start, PageError> {
    let slug = &exchange.input.rest;
    let app = exchange.tenant.app(AppKind::SamlSp, slug).cloned();
    let name = ("App", "SAML profiles 4.1.5");
    require(exchange.trace, name, "a service provider of this tenant", slug, app.is_some(), UNKNOWN)?;
    let app = app.ok_or(UNKNOWN)?;
    exchange.app = Some(app.id);
    let settings = usable(exchange, &app).await?;
    let allowed = settings.unsolicited.as_ref();
    let actual = if allowed.is_some() { "allowed" } else { "not allowed" };
    let name = ("Start without a request", "SAML profiles 4.1.5");
    require(exchange.trace, name, "allowed by the app's settings", actual, allowed.is_some(), UNKNOWN)?;
    let params = exchange.input.query_params();
    let mut targets = params.iter().filter(|(name, _)| name == "target").map(|(_, value)| value);
    let target = targets.next().filter(|target| !target.is_empty());
    let listed = target.is_none_or(|target| allowed.is_some_and(|list| list.contains(target)));
    let fits = listed && targets.next().is_none();
    let bad = PageError::new(400, "The page that should be opened after the login is not registered for this app.");
    let actual = target.map_or("none", String::as_str);
    require(exchange.trace, ("Target", "SAML bindings 3.5.3"), "one of the app's list", actual, fits, bad)?;
    let acs = acs::default(&settings.sp, settings.trust.is_some());
    let nowhere = PageError::new(400, "This app has no address that a login could be sent to.");
    let name = ("Address for the answer", "SAML metadata 2.4.4");
    let actual = acs.map_or("none", |acs| &acs.text);
    require(exchange.trace, name, "one for answers", actual, acs.is_some(), nowhere.clone())?;
    let acs = acs.ok_or(nowhere)?;
    let classes = classes(None, &settings).unwrap_or_default();
    let asked = Asked {
        app: app.id,
        acs: acs.text.clone(),
        by: acs.binding,
        request: None,
        relay_state: target.cloned().or_else(|| settings.default_relay_state.clone()),
        at: exchange.now,
        force_authn: false,
        passive: false,
        classes,
        name: AskedName { may_create: true, ..AskedName::default() },
        requesters: vec![settings.sp.entity_id.clone()],
        proxy_count: None,
        used_until: exchange.now,
        once: None,
    };
    let again = with_target(plain_address(exchange.tenant, &app), target.map(String::as_str));
    Ok((app, settings, asked, again))
}

/// Where a login of this app can be started, if that is allowed.
pub(crate) fn address(tenant: &Tenant, app: &App, target: Option<&str>, now: Timestamp) -> Option<String> {
    let settings = SpSettings::of(app, now).ok()?;
    let targets = settings.unsolicited.as_ref()?;
    // A target that the app does not know would stop the login: it starts at the app's front page then.
    let target = target.filter(|target| targets.iter().any(|known| known == target));
    Some(with_target(plain_address(tenant, app), target))
}

/// The same without a look at whether it is allowed, and without a target. A slug needs no encoding.
pub(crate) fn plain_address(tenant: &Tenant, app: &App) -> String {
    format!("{}/saml/start/{}", tenant.issuer, app.name)
}

fn with_target(address: String, target: Option<&str>) -> String {
    match target {
        None => address,
        Some(target) => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("target", target).finish();
            format!("{address}?{query}")
        }
    }
}
