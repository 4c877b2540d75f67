//! The grammar of an AuthnRequest (SAML core 3.4.1).

use fedbridge_saml_core::grammar::{
    Children, GrammarError, boolean, id, issuer, only_attributes, only_foreign, required_attribute, value,
};
use fedbridge_saml_core::name_id::NameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Element;

/// The most classes, or entries of a list, that are read.
const MOST: usize = 32;

/// The most requesters: each is a provider that stands between.
const MOST_REQUESTERS: usize = 8;

/// The longest name or value, in octets: what an entity ID may have (SAML core 8.3.6).
const LONGEST: usize = 1024;

/// An AuthnRequest as an element says it. Whether anybody vouches for the element is not known here.
#[derive(Debug)]
pub(crate) struct AuthnRequest<'a> {
    pub(crate) id: &'a str,
    pub(crate) version: &'a str,
    pub(crate) issue_instant: &'a str,
    pub(crate) destination: Option<&'a str>,
    pub(crate) issuer: &'a str,
    pub(crate) has_signature: bool,
    pub(crate) subject: Option<Subject<'a>>,
    pub(crate) name_id_policy: Option<NameIdPolicy<'a>>,
    pub(crate) context: Option<RequestedContext<'a>>,
    pub(crate) scoping: Scoping<'a>,
    pub(crate) force_authn: bool,
    pub(crate) is_passive: bool,
    pub(crate) acs: RequestedAcs<'a>,
    /// Which of the app's lists of wanted attributes it means (SAML core 3.4.1).
    pub(crate) attribute_service: Option<u16>,
}

/// Who the person must be.
#[derive(Debug)]
pub(crate) enum Subject<'a> {
    Named(NameId<'a>),
    /// A form that we can't compare: an EncryptedID, a BaseID, or a confirmation of its own.
    Unsupported,
}

#[derive(Debug)]
pub(crate) struct NameIdPolicy<'a> {
    pub(crate) format: Option<&'a str>,
    pub(crate) sp_name_qualifier: Option<&'a str>,
    pub(crate) allow_create: bool,
}

/// SAML core 3.3.2.2.1.
#[derive(Debug)]
pub(crate) struct RequestedContext<'a> {
    pub(crate) comparison: Comparison,
    /// Empty where declarations are asked for, which we have none of.
    pub(crate) classes: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Exact,
    Minimum,
    Maximum,
    Better,
}

/// SAML core 3.4.1.2.
#[derive(Debug, Default)]
pub(crate) struct Scoping<'a> {
    pub(crate) proxy_count: Option<u32>,
    pub(crate) requesters: Vec<&'a str>,
}

/// Where the answer shall go.
#[derive(Debug, Default)]
pub(crate) struct RequestedAcs<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) index: Option<&'a str>,
    pub(crate) binding: Option<&'a str>,
}

const ATTRIBUTES: &[&str] = &[
    "ID",
    "Version",
    "IssueInstant",
    "Destination",
    "Consent",
    "ForceAuthn",
    "IsPassive",
    "ProtocolBinding",
    "AssertionConsumerServiceIndex",
    "AssertionConsumerServiceURL",
    "AttributeConsumingServiceIndex",
    "ProviderName",
];

impl<'a> AuthnRequest<'a> {
    /// # Errors
    /// The element has not the fixed form.
    pub(crate) fn read(element: &'a Element) -> Result<Self, GrammarError> {
        if !element.is(names::PROTOCOL, "AuthnRequest") {
            return Err(GrammarError(format!("the message is {}, not AuthnRequest", element.name())));
        }
        only_attributes(element, ATTRIBUTES)?;
        short_attributes(element)?;
        let mut children = Children::of(element)?;
        let issuer = short("Issuer", issuer(children.required(names::ASSERTION, "Issuer")?)?)?;
        let has_signature = children.optional(names::DSIG, "Signature").is_some();
        if let Some(extensions) = children.optional(names::PROTOCOL, "Extensions") {
            only_foreign(extensions)?;
        }
        let subject = children.optional(names::ASSERTION, "Subject").map(subject).transpose()?;
        let name_id_policy = children.optional(names::PROTOCOL, "NameIDPolicy").map(name_id_policy).transpose()?;
        // What the app would like as conditions; ours are narrower than any (SAML core 3.4.1).
        if let Some(conditions) = children.optional(names::ASSERTION, "Conditions") {
            no_signatures(conditions)?;
        }
        let context = children.optional(names::PROTOCOL, "RequestedAuthnContext").map(context).transpose()?;
        let scoping = children.optional(names::PROTOCOL, "Scoping").map(scoping).transpose()?.unwrap_or_default();
        children.end()?;
        Ok(Self {
            id: id(element)?,
            version: required_attribute(element, "Version")?,
            issue_instant: required_attribute(element, "IssueInstant")?,
            destination: element.attribute("Destination"),
            issuer,
            has_signature,
            subject,
            name_id_policy,
            context,
            scoping,
            force_authn: boolean(element, "", "ForceAuthn")?,
            is_passive: boolean(element, "", "IsPassive")?,
            acs: RequestedAcs {
                url: element.attribute("AssertionConsumerServiceURL"),
                index: element.attribute("AssertionConsumerServiceIndex"),
                binding: element.attribute("ProtocolBinding"),
            },
            attribute_service: element.attribute("AttributeConsumingServiceIndex").map(small_number).transpose()?,
        })
    }
}

/// An xs:unsignedShort.
fn small_number(text: &str) -> Result<u16, GrammarError> {
    let number = text.trim().parse();
    number.map_err(|_| GrammarError("AttributeConsumingServiceIndex is not a number from 0 to 65535".into()))
}

fn subject(element: &Element) -> Result<Subject<'_>, GrammarError> {
    only_attributes(element, &[])?;
    no_signatures(element)?;
    let mut children = Children::of(element)?;
    let Some(name) = children.optional(names::ASSERTION, "NameID") else {
        return Ok(Subject::Unsupported);
    };
    short_attributes(name)?;
    let name = NameId::read(name)?;
    short("NameID", name.value)?;
    match children.any() {
        None => Ok(Subject::Named(name)),
        Some(_) => Ok(Subject::Unsupported),
    }
}

/// Conditions and subjects are part of the request; an assertion or a signature in there is of use to
/// nobody but an attacker.
fn no_signatures(element: &Element) -> Result<(), GrammarError> {
    let foreign = element.descendants().find(|inner| {
        inner.is(names::DSIG, "Signature")
            || inner.is(names::ASSERTION, "Assertion")
            || inner.namespace() == names::PROTOCOL
    });
    match foreign {
        None => Ok(()),
        Some(inner) => Err(GrammarError(format!("{} may not hold {} here", element.name(), inner.name()))),
    }
}

fn name_id_policy(element: &Element) -> Result<NameIdPolicy<'_>, GrammarError> {
    only_attributes(element, &["Format", "SPNameQualifier", "AllowCreate"])?;
    short_attributes(element)?;
    Children::of(element)?.end()?;
    Ok(NameIdPolicy {
        format: element.attribute("Format"),
        sp_name_qualifier: element.attribute("SPNameQualifier"),
        allow_create: boolean(element, "", "AllowCreate")?,
    })
}

fn context(element: &Element) -> Result<RequestedContext<'_>, GrammarError> {
    only_attributes(element, &["Comparison"])?;
    let comparison = match element.attribute("Comparison") {
        None | Some("exact") => Comparison::Exact,
        Some("minimum") => Comparison::Minimum,
        Some("maximum") => Comparison::Maximum,
        Some("better") => Comparison::Better,
        Some(_) => return Err(GrammarError("Comparison is none of exact, minimum, maximum and better".into())),
    };
    let mut children = Children::of(element)?;
    let classes = children.many(names::ASSERTION, "AuthnContextClassRef");
    let declarations = children.many(names::ASSERTION, "AuthnContextDeclRef");
    children.end()?;
    if classes.is_empty() == declarations.is_empty() {
        return Err(GrammarError("RequestedAuthnContext must hold classes or declarations".into()));
    }
    let classes = few(classes, MOST, "AuthnContextClassRef")?;
    Ok(RequestedContext { comparison, classes })
}

fn scoping(element: &Element) -> Result<Scoping<'_>, GrammarError> {
    only_attributes(element, &["ProxyCount"])?;
    let proxy_count = match element.attribute("ProxyCount") {
        None => None,
        Some(text) => {
            let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
            Some(number.ok_or_else(|| GrammarError("ProxyCount is not a small number".into()))?)
        }
    };
    let mut children = Children::of(element)?;
    // Which providers to ask is our own choice; the list is a wish (SAML core 3.4.1.3).
    if let Some(list) = children.optional(names::PROTOCOL, "IDPList") {
        only_known(list)?;
    }
    let requesters = children.many(names::PROTOCOL, "RequesterID");
    children.end()?;
    Ok(Scoping { proxy_count, requesters: few(requesters, MOST_REQUESTERS, "RequesterID")? })
}

fn only_known(list: &Element) -> Result<(), GrammarError> {
    let mut children = Children::of(list)?;
    if children.many(names::PROTOCOL, "IDPEntry").len() > MOST {
        return Err(GrammarError(format!("IDPList has more than {MOST} entries")));
    }
    children.optional(names::PROTOCOL, "GetComplete");
    children.end()
}

fn few<'a>(elements: Vec<&'a Element>, most: usize, name: &str) -> Result<Vec<&'a str>, GrammarError> {
    if elements.len() > most {
        return Err(GrammarError(format!("there are more than {most} times {name}")));
    }
    elements.into_iter().map(|element| short(name, value(element)?)).collect()
}

/// What is kept until the answer must be small: anybody can send a request that nobody signed.
fn short<'a>(name: &str, text: &'a str) -> Result<&'a str, GrammarError> {
    if text.len() > LONGEST {
        return Err(GrammarError(format!("{name} has {} octets, more than {LONGEST}", text.len())));
    }
    Ok(text)
}

fn short_attributes(element: &Element) -> Result<(), GrammarError> {
    element.attributes().iter().try_for_each(|attribute| short(&attribute.name, &attribute.value).map(drop))
}
