//! Authentication requests (SAML core 3.4.1).

use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Begun, Challenge, LoginWish, Start};
use url::Url;

use super::ServiceProvider;
use super::state::RequestState;
use crate::settings::{Comparison, ResponseBinding, Settings};
use fedbridge_saml_core::binding::{self, Parameter, redirect};
use fedbridge_saml_core::metadata::{RequestBinding, SsoEndpoint};
use fedbridge_saml_core::names;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::signing::{SignError, sign_message};
use fedbridge_saml_core::writer::XmlWriter;

/// Makes the request, and what must be remembered until its answer.
pub(super) fn begin(sp: &ServiceProvider, start: &Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError> {
    // Past validUntil nothing of the provider may be used any more (SAML metadata 4.3.1).
    let until = sp.idp.valid_until.map_or_else(|| "no limit".into(), Timestamp::rfc3339);
    if !trace.check(
        "Provider metadata is valid",
        "SAML metadata 2.3.2",
        format!("before {until}"),
        start.now.rfc3339(),
        !sp.idp.expired(start.now),
    ) {
        return Err(failed(format!("the metadata of the identity provider expired at {until}")));
    }
    let endpoint = endpoint(sp).ok_or_else(|| failed("the identity provider has no single sign-on address".into()))?;
    let forced = forced(&sp.settings, start.wish);
    let request = AuthnRequest {
        id: message_id(&*sp.services.rng),
        issued: start.now,
        destination: endpoint.location.as_str(),
        forced,
        passive: start.wish.passive,
        contexts: passed_contexts(&sp.settings, start.wish),
        scoping: sp.settings.scoping.then_some(start.wish),
    };
    let hint = sp.settings.login_hint_parameter.as_deref().zip(start.wish.login_hint.as_deref());
    let keys = sp.signs_requests().then_some(&*start.tenant.keys);
    let target = with_hint(&endpoint.location, hint);
    let challenge = match endpoint.binding {
        RequestBinding::Redirect => {
            let xml = request.xml(sp);
            redirect::send(&target, Parameter::SamlRequest, &xml, Some(start.handle), keys).map(Challenge::Redirect)
        }
        RequestBinding::Post => post(&request, sp, &target, start.handle, keys),
    }
    .map_err(|error| failed(error.to_string()))?;
    trace.sent(
        start.now,
        "AuthnRequest",
        vec![
            ("id", request.id.clone()),
            ("destination", request.destination.to_owned()),
            ("binding", binding_name(endpoint.binding).to_owned()),
            ("issuer", sp.entity_id.clone()),
            ("signed", keys.is_some().to_string()),
            ("force_authn", forced.to_string()),
            ("is_passive", request.passive.to_string()),
        ],
    );
    let signer = keys.and_then(KeyRing::saml_signer);
    let state = RequestState {
        connection: sp.connection,
        request: request.id,
        idp: sp.idp.entity_id.clone(),
        forced,
        signed_by: signer.map(|key| key.signer.kid().to_owned()),
    };
    Ok(Begun { challenge, state: state.to_bytes() })
}

fn failed(cause: String) -> ProtocolError {
    ProtocolError::new("server_error", "The login can't be started at the moment.", cause)
}

fn endpoint(sp: &ServiceProvider) -> Option<&SsoEndpoint> {
    match sp.settings.request_binding {
        Some(binding) => sp.idp.endpoint(binding),
        None => sp.idp.endpoint(RequestBinding::Redirect).or_else(|| sp.idp.endpoint(RequestBinding::Post)),
    }
}

/// A request that may show no page can't ask for a new authentication just because it has a
/// `max_age`: the age is checked when the answer comes. It can when it says so itself.
fn forced(settings: &Settings, wish: &LoginWish) -> bool {
    settings.force_authn || wish.force_authn || (wish.max_age.is_some() && !wish.passive)
}

/// The contexts that the app requires, where the connection passes them on. What the connection
/// requires itself comes first: then the app's are for the hub to compare.
pub(super) fn passed_contexts<'a>(settings: &Settings, wish: &'a LoginWish) -> &'a [String] {
    let own = settings.requested_authn_context.as_ref().is_some_and(|context| context.required);
    if settings.pass_authn_context && wish.acr_required && !own { &wish.acr_values } else { &[] }
}

struct AuthnRequest<'a> {
    id: String,
    issued: Timestamp,
    destination: &'a str,
    forced: bool,
    passive: bool,
    /// Asked for in place of the connection's own; empty: those.
    contexts: &'a [String],
    scoping: Option<&'a LoginWish>,
}

impl AuthnRequest<'_> {
    fn xml(&self, sp: &ServiceProvider) -> String {
        let mut xml = XmlWriter::new();
        xml.open("samlp:AuthnRequest")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("xmlns:saml", names::ASSERTION)
            .attr("ID", &self.id)
            .attr("Version", "2.0")
            .attr("IssueInstant", &self.issued.rfc3339_seconds())
            .attr("Destination", self.destination)
            .attr_if("ForceAuthn", self.forced.then_some("true"))
            .attr_if("IsPassive", self.passive.then_some("true"));
        match sp.settings.acs_index {
            Some(index) => xml.attr("AssertionConsumerServiceIndex", &index.to_string()),
            None => match sp.settings.response_binding {
                ResponseBinding::Post => {
                    xml.attr("ProtocolBinding", names::BINDING_POST).attr("AssertionConsumerServiceURL", &sp.acs)
                }
                ResponseBinding::Artifact => xml
                    .attr("ProtocolBinding", names::BINDING_ARTIFACT)
                    .attr("AssertionConsumerServiceURL", &sp.artifact),
            },
        };
        xml.leaf("saml:Issuer", &sp.entity_id);
        if let Some(policy) = &sp.settings.name_id_policy {
            xml.open("samlp:NameIDPolicy")
                .attr_if("Format", policy.format.as_deref())
                .attr_if("SPNameQualifier", policy.sp_name_qualifier.as_deref())
                .attr_if("AllowCreate", policy.allow_create.map(|allow| if allow { "true" } else { "false" }))
                .close();
        }
        let own = sp.settings.requested_authn_context.as_ref();
        let own = own.map(|context| (context.comparison, context.classes.as_slice()));
        let passed = Some((Comparison::Exact, self.contexts)).filter(|(_, classes)| !classes.is_empty());
        if let Some((comparison, classes)) = passed.or(own) {
            xml.open("samlp:RequestedAuthnContext").attr("Comparison", comparison.name());
            for class in classes {
                xml.leaf("saml:AuthnContextClassRef", class);
            }
            xml.close();
        }
        if let Some(wish) = self.scoping {
            scoping(&mut xml, wish);
        }
        xml.finish()
    }
}

/// Who asks, and how many more may stand between; we are one of them (SAML core 3.4.1.2, 3.4.1.5.1).
fn scoping(xml: &mut XmlWriter, wish: &LoginWish) {
    if wish.proxy_count.is_none() && wish.requesters.is_empty() {
        return;
    }
    let count = wish.proxy_count.map(|count| count.saturating_sub(1).to_string());
    xml.open("samlp:Scoping").attr_if("ProxyCount", count.as_deref());
    for requester in &wish.requesters {
        xml.leaf("samlp:RequesterID", requester);
    }
    xml.close();
}

/// A request that is posted carries its signature inside.
fn post(
    request: &AuthnRequest<'_>,
    sp: &ServiceProvider,
    target: &Url,
    relay_state: &str,
    keys: Option<&KeyRing>,
) -> Result<Challenge, SignError> {
    let xml = request.xml(sp);
    let xml = match keys {
        Some(keys) => sign_message(&xml, &request.id, keys)?,
        None => xml.into_bytes(),
    };
    Ok(binding::post::send(target, Parameter::SamlRequest, &xml, Some(relay_state)))
}

/// Vendors take a hint as a parameter of their own; Entra refuses a Subject in the request.
fn with_hint(location: &Url, hint: Option<(&str, &str)>) -> Url {
    let mut target = location.clone();
    if let Some((name, value)) = hint {
        target.query_pairs_mut().append_pair(name, value);
    }
    target
}

fn binding_name(binding: RequestBinding) -> &'static str {
    match binding {
        RequestBinding::Redirect => "redirect",
        RequestBinding::Post => "post",
    }
}
