//! What a request asks for beyond a login: names, contexts, providers. By now the address for answers is
//! known to be the app's, so a refusal goes there.

use fedbridge_saml_core::names;

use crate::asked::AskedName;
use crate::name_id::supports;
use crate::request::{AuthnRequest, Comparison, RequestedContext, Subject};
use crate::settings::SpSettings;
use crate::status::Status;

/// What the request wishes of the login.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) classes: Vec<String>,
    pub(crate) name: AskedName,
    /// How many more providers may stand between.
    pub(crate) proxy_count: Option<u32>,
}

/// # Errors
/// The status that the app is told.
pub(crate) fn wishes(request: &AuthnRequest<'_>, settings: &SpSettings) -> Result<Wishes, Status> {
    // Whoever logs people in stands one further on (SAML core 3.4.1.5). The upstream side counts down.
    let proxy_count = request.scoping.proxy_count;
    if proxy_count == Some(0) {
        let public = "The request allows no further provider, and people log in at another one.";
        return Err(Status::responder(names::STATUS_PROXY_COUNT_EXCEEDED, public));
    }
    Ok(Wishes { classes: classes(request.context.as_ref(), settings)?, name: name(request, settings)?, proxy_count })
}

/// The classes that will do, the most wanted first; empty: any.
pub(crate) fn classes(context: Option<&RequestedContext<'_>>, settings: &SpSettings) -> Result<Vec<String>, Status> {
    let order = &settings.authn_contexts;
    let least = settings.minimum_acr.as_ref().and_then(|acr| order.iter().position(|class| class == acr));
    let strong_enough = |class: &String| match least {
        None => true,
        Some(least) => order.iter().position(|known| known == class).is_some_and(|rank| rank >= least),
    };
    let Some(context) = context else {
        return Ok(least.map_or_else(Vec::new, |least| order[least..].to_vec()));
    };
    let mut classes = unfolded(context, order);
    classes.retain(strong_enough);
    if classes.is_empty() {
        let public = "None of the requested authentication contexts is available for this app.";
        return Err(Status::responder(names::STATUS_NO_AUTHN_CONTEXT, public));
    }
    Ok(classes)
}

/// Turns a comparison into a plain list (SAML core 3.3.2.2.1). A class without a place in the order is
/// at least and at most as strong as itself, and nothing more is known of it.
fn unfolded(context: &RequestedContext<'_>, order: &[String]) -> Vec<String> {
    let asked = || context.classes.iter().map(|class| (*class).to_owned());
    let ranks: Vec<usize> =
        context.classes.iter().filter_map(|class| order.iter().position(|known| known == class)).collect();
    let (lowest, highest) = (ranks.iter().min().copied(), ranks.iter().max().copied());
    let mut classes: Vec<String> = match context.comparison {
        Comparison::Exact => asked().collect(),
        Comparison::Minimum => asked().chain(lowest.into_iter().flat_map(|rank| order[rank..].to_vec())).collect(),
        // As strong as possible.
        Comparison::Maximum => {
            highest.into_iter().flat_map(|rank| order[..=rank].iter().rev().cloned()).chain(asked()).collect()
        }
        // Stronger than each of them, so each must have a place.
        Comparison::Better if ranks.len() == context.classes.len() => {
            highest.into_iter().flat_map(|rank| order[rank + 1..].to_vec()).collect()
        }
        Comparison::Better => Vec::new(),
    };
    let mut seen = std::collections::HashSet::new();
    classes.retain(|class| seen.insert(class.clone()));
    classes
}

fn name(request: &AuthnRequest<'_>, settings: &SpSettings) -> Result<AskedName, Status> {
    let invalid = |public: &str| Status::requester(names::STATUS_INVALID_NAME_ID_POLICY, public);
    let expected = match &request.subject {
        None => None,
        Some(Subject::Named(name)) => Some(name.value.to_owned()),
        Some(Subject::Unsupported) => {
            let public = "The request names the person in a form that is not supported here.";
            return Err(Status::requester(STATUS_REQUEST_UNSUPPORTED, public));
        }
    };
    let Some(policy) = &request.name_id_policy else {
        return Ok(AskedName { format: None, may_create: true, expected });
    };
    let format = match policy.format {
        None | Some(names::FORMAT_UNSPECIFIED | names::FORMAT_UNSPECIFIED_20 | names::FORMAT_UNSPECIFIED_10) => None,
        Some(format) if supports(&settings.name_id, format) => Some(format.to_owned()),
        Some(_) => return Err(invalid("The requested format of the name is not available for this app.")),
    };
    let ours = |qualifier: &str| {
        qualifier.is_empty()
            || qualifier == settings.sp.entity_id
            || settings.name_id.affiliation.as_deref() == Some(qualifier)
    };
    if !policy.sp_name_qualifier.is_none_or(ours) {
        return Err(invalid("The request asks for a name in the name space of another app."));
    }
    Ok(AskedName { format, may_create: policy.allow_create, expected })
}

/// SAML core 3.2.2.2.
const STATUS_REQUEST_UNSUPPORTED: &str = "urn:oasis:names:tc:SAML:2.0:status:RequestUnsupported";
