//! What stands encrypted inside a verified assertion: the name of the person and single attributes
//! (SAML core 2.2.4 and 2.7.3.2).

use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::grammar::GrammarError;
use fedbridge_saml_core::name_id::NameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Element, VerifiedElement};

use super::assertion::{Assertion, MaybeEncrypted, Name};
use super::checks::{Checked, Stop, grammar, require};
use super::decryption::{Decryption, opened};
use super::verify::VerifiedAssertion;

/// Encrypted attributes in one assertion; each costs a private-key operation for each key.
const MOST_ATTRIBUTES: usize = 16;

/// The decrypted parts, which what is read from them borrows.
#[derive(Default)]
pub(super) struct Opened {
    name_id: Option<VerifiedElement>,
    /// In the order of the assertion.
    attributes: Vec<VerifiedElement>,
}

impl Opened {
    /// Decrypts every part. The ciphertexts are under the assertion's signature, so what they hold is
    /// verified as well.
    pub fn of(
        assertion: &VerifiedAssertion,
        read: &Assertion<'_>,
        decryption: &Decryption<'_>,
        trace: &mut TraceLog,
    ) -> Checked<Self> {
        let encrypted: Vec<&Element> = read.attributes.iter().filter_map(MaybeEncrypted::encrypted).collect();
        if !encrypted.is_empty() {
            let (number, expected) = (encrypted.len(), format!("at most {MOST_ATTRIBUTES}"));
            require(trace, "Encrypted attributes", "", expected, number.to_string(), number <= MOST_ATTRIBUTES)?;
        }
        let mut open = |part: &Element, what: &str, name: &str| {
            let inside = opened(trace, what, decryption.inside(assertion.verified(), part))?;
            let root = inside.element();
            let fits = root.is(names::ASSERTION, name);
            require(trace, "Decrypted element", "SAML core 6", name, root.name(), fits)?;
            Ok::<_, Stop>(inside)
        };
        let name_id = match read.subject.name {
            Some(Name::Encrypted(part)) => Some(open(part, "a name", "NameID")?),
            _ => None,
        };
        let attributes = encrypted.into_iter().map(|part| open(part, "an attribute", "Attribute"));
        let attributes = attributes.collect::<Checked<_>>()?;
        Ok(Self { name_id, attributes })
    }

    /// The name of the person, wherever it stood.
    pub fn name_id<'a>(&'a self, read: &Assertion<'a>, trace: &mut TraceLog) -> Checked<Option<NameId<'a>>> {
        match (&read.subject.name, &self.name_id) {
            (Some(Name::Plain(name)), _) => Ok(Some(*name)),
            (_, Some(inside)) => {
                let name = NameId::read(inside.element());
                grammar(trace, "Form of the name", "SAML core 2.2.3", name).map(Some)
            }
            (_, None) => Ok(None),
        }
    }

    /// All attributes in the order of the assertion.
    pub fn attributes<'a>(&'a self, read: &Assertion<'a>) -> Result<Vec<&'a Element>, GrammarError> {
        let mut decrypted = self.attributes.iter().map(VerifiedElement::element);
        let each = read.attributes.iter().map(|item| match item {
            MaybeEncrypted::Plain(element) => Ok(*element),
            MaybeEncrypted::Encrypted(_) => {
                decrypted.next().ok_or_else(|| GrammarError("an attribute was not decrypted".into()))
            }
        });
        each.collect()
    }
}
