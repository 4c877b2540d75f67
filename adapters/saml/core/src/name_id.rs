//! Names of people (SAML core 2.2.2 and 2.2.3).

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::grammar::{GrammarError, only_attributes, text};
use crate::names;
use crate::seam::Element;
use crate::writer::XmlWriter;

/// A name with its qualifiers, as an element says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameId<'a> {
    pub value: &'a str,
    pub format: Option<&'a str>,
    pub name_qualifier: Option<&'a str>,
    pub sp_name_qualifier: Option<&'a str>,
    pub sp_provided_id: Option<&'a str>,
}

impl<'a> NameId<'a> {
    /// The value is the whole text; elements inside it are refused, and comments and processing
    /// instructions never get past the parser.
    ///
    /// # Errors
    /// The element has an attribute of another name, or no plain text.
    pub fn read(element: &'a Element) -> Result<Self, GrammarError> {
        only_attributes(element, &["Format", "NameQualifier", "SPNameQualifier", "SPProvidedID"])?;
        Ok(Self {
            value: text(element)?,
            format: element.attribute("Format"),
            name_qualifier: element.attribute("NameQualifier"),
            sp_name_qualifier: element.attribute("SPNameQualifier"),
            sp_provided_id: element.attribute("SPProvidedID"),
        })
    }

    pub fn to_owned(&self) -> OwnedNameId {
        OwnedNameId {
            value: self.value.to_owned(),
            format: self.format.map(str::to_owned),
            name_qualifier: self.name_qualifier.map(str::to_owned),
            sp_name_qualifier: self.sp_name_qualifier.map(str::to_owned),
            sp_provided_id: self.sp_provided_id.map(str::to_owned),
        }
    }
}

/// A name that is kept: a LogoutRequest must repeat it as it was (SAML profiles 4.4.4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedNameId {
    #[serde(rename = "name_id")]
    pub value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_provided_id: Option<String>,
}

impl OwnedNameId {
    /// What finds a session by its name, alike for all ways of writing one name: without a Format it is
    /// unspecified, and a qualifier that names the party it stands for may be left out (SAML core 8.3.7;
    /// peers do the same with other formats).
    pub fn key(&self, idp: &str, sp: &str) -> String {
        let format = match self.format.as_deref() {
            None | Some(names::FORMAT_UNSPECIFIED_20 | names::FORMAT_UNSPECIFIED_10) => names::FORMAT_UNSPECIFIED,
            Some(format) => format,
        };
        let qualifier = self.name_qualifier.as_deref().filter(|&qualifier| qualifier != idp);
        let sp_qualifier = self.sp_name_qualifier.as_deref().filter(|&qualifier| qualifier != sp);
        json!([format, qualifier, sp_qualifier, self.value]).to_string()
    }

    /// Writes it as `saml:NameID`. The prefix is declared by whoever writes the element around it.
    pub fn write(&self, xml: &mut XmlWriter) {
        xml.open("saml:NameID")
            .attr_if("NameQualifier", self.name_qualifier.as_deref())
            .attr_if("SPNameQualifier", self.sp_name_qualifier.as_deref())
            .attr_if("Format", self.format.as_deref())
            .attr_if("SPProvidedID", self.sp_provided_id.as_deref())
            .text(&self.value)
            .close();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::seam::{Limits, UnverifiedDocument};

    const IDP: &str = "https://idp.example";
    const SP: &str = "https://sp.example";

    fn name(value: &str) -> OwnedNameId {
        OwnedNameId { value: value.into(), ..OwnedNameId::default() }
    }

    #[test]
    fn one_name_has_one_key() {
        let with = |format: Option<&str>, qualifier: Option<&str>, sp: Option<&str>| OwnedNameId {
            format: format.map(str::to_owned),
            name_qualifier: qualifier.map(str::to_owned),
            sp_name_qualifier: sp.map(str::to_owned),
            ..name("alice")
        };
        let plain = with(None, None, None).key(IDP, SP);
        for same in [
            with(Some(names::FORMAT_UNSPECIFIED), None, None),
            with(Some(names::FORMAT_UNSPECIFIED_20), None, None),
            with(Some(names::FORMAT_UNSPECIFIED_10), None, None),
            with(None, Some(IDP), None),
            with(None, Some(IDP), Some(SP)),
        ] {
            assert_eq!(same.key(IDP, SP), plain, "{same:?}");
        }
        for other in [
            name("Alice"),
            name("alice "),
            with(Some(names::FORMAT_PERSISTENT), None, None),
            with(None, Some(SP), None),
            with(None, None, Some(IDP)),
        ] {
            assert_ne!(other.key(IDP, SP), plain, "{other:?}");
        }
    }

    #[test]
    fn is_written_as_it_was_read() {
        for attributes in ["", " Format=\"urn:x\"", " NameQualifier=\"q\" SPNameQualifier=\"\" SPProvidedID=\"&quot;\""]
        {
            let xml = format!("<saml:NameID xmlns:saml=\"{}\"{attributes}> a&amp;b </saml:NameID>", names::ASSERTION);
            let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
            let read = NameId::read(document.unverified_root()).unwrap().to_owned();
            let mut writer = XmlWriter::new();
            writer.open("x").attr("xmlns:saml", names::ASSERTION);
            read.write(&mut writer);
            let text = writer.finish();
            let again = UnverifiedDocument::parse(text.as_bytes(), Limits::message()).unwrap();
            let again = NameId::read(again.unverified_root().elements().next().unwrap()).unwrap().to_owned();
            assert_eq!(read, again, "{text}");
            let stored: OwnedNameId = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(stored, read);
        }
    }
}
