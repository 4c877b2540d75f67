//! The assertion in its fixed grammar (SAML core 2.3.3), read from verified
//! octets and from nothing else.

use fedbridge_saml_core::grammar::{
    Children, GrammarError, id, issuer, only_attributes, open_attributes, required_attribute, unexpected, value,
};
use fedbridge_saml_core::name_id::NameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Element;

use super::verify::VerifiedAssertion;

/// What a verified assertion says. Texts are as they came.
pub(super) struct Assertion<'a> {
    pub id: &'a str,
    pub version: &'a str,
    pub issue_instant: &'a str,
    pub issuer: &'a str,
    pub subject: Subject<'a>,
    pub conditions: Option<Conditions<'a>>,
    pub authn: Vec<AuthnStatement<'a>>,
    /// Attributes of all statements, in order.
    pub attributes: Vec<MaybeEncrypted<'a>>,
}

pub(super) struct Subject<'a> {
    pub name: Option<Name<'a>>,
    pub confirmations: Vec<Confirmation<'a>>,
}

pub(super) enum Name<'a> {
    Plain(NameId<'a>),
    /// An `EncryptedID` (SAML core 2.2.4).
    Encrypted(&'a Element),
}

/// An `Attribute` or an `EncryptedAttribute`.
#[derive(Clone, Copy)]
pub(super) enum MaybeEncrypted<'a> {
    Plain(&'a Element),
    Encrypted(&'a Element),
}

impl<'a> MaybeEncrypted<'a> {
    pub fn plain(&self) -> Option<&'a Element> {
        match *self {
            Self::Plain(element) => Some(element),
            Self::Encrypted(_) => None,
        }
    }

    pub fn encrypted(&self) -> Option<&'a Element> {
        match *self {
            Self::Encrypted(element) => Some(element),
            Self::Plain(_) => None,
        }
    }
}

pub(super) enum Confirmation<'a> {
    Bearer(ConfirmationData<'a>),
    /// Another method, which this profile has no use for; its data is not read.
    Other,
}

#[derive(Default)]
pub(super) struct ConfirmationData<'a> {
    pub recipient: Option<&'a str>,
    pub not_before: Option<&'a str>,
    pub not_on_or_after: Option<&'a str>,
    pub in_response_to: Option<&'a str>,
}

pub(super) struct Conditions<'a> {
    pub not_before: Option<&'a str>,
    pub not_on_or_after: Option<&'a str>,
    pub items: Vec<Condition<'a>>,
}

pub(super) enum Condition<'a> {
    Audiences(Vec<&'a str>),
    OneTimeUse,
    Proxy {
        count: Option<&'a str>,
        audiences: Vec<&'a str>,
    },
    /// Makes the whole assertion invalid (SAML core 2.5.1).
    Unknown(&'a str),
}

pub(super) struct AuthnStatement<'a> {
    pub instant: &'a str,
    pub session_index: Option<&'a str>,
    pub session_not_on_or_after: Option<&'a str>,
    pub class: Option<&'a str>,
    pub authorities: Vec<&'a str>,
}

/// Reads an assertion.
pub(super) fn read(assertion: &VerifiedAssertion) -> Result<Assertion<'_>, GrammarError> {
    read_element(assertion.element())
}

/// Whether an unverified assertion has the fixed form. Nothing of it is given out but the
/// `Attribute` elements, for [`super::attributes::check_form`].
pub(super) fn check_form(unverified: &Element) -> Result<Vec<&Element>, GrammarError> {
    read_element(unverified).map(|read| read.attributes.iter().filter_map(MaybeEncrypted::plain).collect())
}

fn read_element(root: &Element) -> Result<Assertion<'_>, GrammarError> {
    only_attributes(root, &["ID", "Version", "IssueInstant"])?;
    let mut children = Children::of(root)?;
    let issuer = issuer(children.required(names::ASSERTION, "Issuer")?)?;
    // Its own signature is still there where the response's signature vouches for it.
    children.optional(names::DSIG, "Signature");
    let subject = subject(children.required(names::ASSERTION, "Subject")?)?;
    let conditions = children.optional(names::ASSERTION, "Conditions").map(conditions).transpose()?;
    children.optional(names::ASSERTION, "Advice"); // Dropped unread.
    let mut authn = Vec::new();
    let mut attributes = Vec::new();
    while let Some(statement) = children.any() {
        if statement.is(names::ASSERTION, "AuthnStatement") {
            authn.push(authn_statement(statement)?);
        } else if statement.is(names::ASSERTION, "AttributeStatement") {
            attributes.extend(attribute_statement(statement)?);
        } else {
            return Err(unexpected(root, statement));
        }
    }
    Ok(Assertion {
        id: id(root)?,
        version: required_attribute(root, "Version")?,
        issue_instant: required_attribute(root, "IssueInstant")?,
        issuer,
        subject,
        conditions,
        authn,
        attributes,
    })
}

fn subject(element: &Element) -> Result<Subject<'_>, GrammarError> {
    only_attributes(element, &[])?;
    let mut children = Children::of(element)?;
    let name = match children.optional(names::ASSERTION, "NameID") {
        Some(plain) => Some(Name::Plain(NameId::read(plain)?)),
        None => children.optional(names::ASSERTION, "EncryptedID").map(Name::Encrypted),
    };
    let confirmations = children.many(names::ASSERTION, "SubjectConfirmation");
    children.end()?;
    Ok(Subject { name, confirmations: confirmations.into_iter().map(confirmation).collect::<Result<_, _>>()? })
}

fn confirmation(element: &Element) -> Result<Confirmation<'_>, GrammarError> {
    only_attributes(element, &["Method"])?;
    if required_attribute(element, "Method")? != names::METHOD_BEARER {
        return Ok(Confirmation::Other);
    }
    let mut children = Children::of(element)?;
    // Whoever may confirm instead of the subject (SAML core 2.4.1.1): a bearer is not asked for a name.
    if children.optional(names::ASSERTION, "NameID").is_some() {
        return Err(GrammarError("a bearer SubjectConfirmation names another subject".into()));
    }
    let data = children.optional(names::ASSERTION, "SubjectConfirmationData");
    children.end()?;
    Ok(Confirmation::Bearer(data.map(confirmation_data).transpose()?.unwrap_or_default()))
}

fn confirmation_data(element: &Element) -> Result<ConfirmationData<'_>, GrammarError> {
    open_attributes(element, &["Recipient", "NotBefore", "NotOnOrAfter", "InResponseTo", "Address"])?;
    Children::of(element)?.end()?;
    Ok(ConfirmationData {
        recipient: element.attribute("Recipient"),
        not_before: element.attribute("NotBefore"),
        not_on_or_after: element.attribute("NotOnOrAfter"),
        in_response_to: element.attribute("InResponseTo"),
    })
}

fn conditions(element: &Element) -> Result<Conditions<'_>, GrammarError> {
    only_attributes(element, &["NotBefore", "NotOnOrAfter"])?;
    let mut children = Children::of(element)?;
    let mut items = Vec::new();
    while let Some(child) = children.any() {
        items.push(condition(child)?);
    }
    Ok(Conditions {
        not_before: element.attribute("NotBefore"),
        not_on_or_after: element.attribute("NotOnOrAfter"),
        items,
    })
}

fn condition(element: &Element) -> Result<Condition<'_>, GrammarError> {
    if element.namespace() != names::ASSERTION {
        return Ok(Condition::Unknown(element.name()));
    }
    match element.name() {
        "AudienceRestriction" => {
            only_attributes(element, &[])?;
            Ok(Condition::Audiences(audiences(element)?))
        }
        "OneTimeUse" => {
            only_attributes(element, &[])?;
            Children::of(element)?.end()?;
            Ok(Condition::OneTimeUse)
        }
        "ProxyRestriction" => {
            only_attributes(element, &["Count"])?;
            Ok(Condition::Proxy { count: element.attribute("Count"), audiences: audiences(element)? })
        }
        other => Ok(Condition::Unknown(other)),
    }
}

fn audiences(element: &Element) -> Result<Vec<&str>, GrammarError> {
    let mut children = Children::of(element)?;
    let audiences = children.many(names::ASSERTION, "Audience");
    children.end()?;
    audiences
        .into_iter()
        .map(|audience| {
            only_attributes(audience, &[])?;
            value(audience)
        })
        .collect()
}

fn authn_statement(element: &Element) -> Result<AuthnStatement<'_>, GrammarError> {
    only_attributes(element, &["AuthnInstant", "SessionIndex", "SessionNotOnOrAfter"])?;
    let mut children = Children::of(element)?;
    children.optional(names::ASSERTION, "SubjectLocality");
    let context = children.required(names::ASSERTION, "AuthnContext")?;
    children.end()?;

    only_attributes(context, &[])?;
    let mut inner = Children::of(context)?;
    let class = inner.optional(names::ASSERTION, "AuthnContextClassRef").map(value).transpose()?;
    // A declaration says more than any mapping of ours could use: dropped unread.
    if inner.optional(names::ASSERTION, "AuthnContextDecl").is_none() {
        inner.optional(names::ASSERTION, "AuthnContextDeclRef");
    }
    let authorities = inner.many(names::ASSERTION, "AuthenticatingAuthority");
    inner.end()?;
    Ok(AuthnStatement {
        instant: required_attribute(element, "AuthnInstant")?,
        session_index: element.attribute("SessionIndex"),
        session_not_on_or_after: element.attribute("SessionNotOnOrAfter"),
        class,
        authorities: authorities.into_iter().map(value).collect::<Result<_, _>>()?,
    })
}

fn attribute_statement(element: &Element) -> Result<Vec<MaybeEncrypted<'_>>, GrammarError> {
    only_attributes(element, &[])?;
    let mut children = Children::of(element)?;
    let mut attributes = Vec::new();
    loop {
        if let Some(plain) = children.optional(names::ASSERTION, "Attribute") {
            attributes.push(MaybeEncrypted::Plain(plain));
        } else if let Some(encrypted) = children.optional(names::ASSERTION, "EncryptedAttribute") {
            attributes.push(MaybeEncrypted::Encrypted(encrypted));
        } else {
            break;
        }
    }
    children.end()?;
    Ok(attributes)
}
