//! Who the person is: the key that finds them again (SAML core 8.3).

use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::trace::TraceLog;
use serde_json::json;

use super::checks::{Checked, Stop, require};
use crate::settings::SubjectSource;
use fedbridge_saml_core::name_id::NameId;
use fedbridge_saml_core::names;

/// The longest value that can name a person, in octets.
const MAX_VALUE: usize = 1024;

/// The two sides of the connection, whose names a persistent identifier may leave out.
#[derive(Clone, Copy)]
pub(super) struct Parties<'a> {
    pub idp: &'a str,
    pub sp: &'a str,
}

/// The first source that is present. A transient NameID gives way to an attribute that comes later
/// in the list, because it is a key for this session only.
pub(super) fn find(
    sources: &[SubjectSource],
    name_id: Option<&NameId<'_>>,
    attributes: &Attributes,
    parties: Parties<'_>,
    trace: &mut TraceLog,
) -> Checked<UpstreamSubject> {
    let mut transient = None;
    for source in sources {
        match (source, name_id) {
            (SubjectSource::NameId, Some(name_id)) => {
                let subject = from_name_id(name_id, parties, trace)?;
                if subject.stable {
                    return Ok(chosen(subject, "NAME_ID", trace));
                }
                transient = Some(subject);
            }
            (SubjectSource::NameId, None) => {}
            (SubjectSource::Attribute(name), _) => {
                if let Some(subject) = from_attribute(name, attributes, trace)? {
                    return Ok(chosen(subject, name, trace));
                }
            }
        }
    }
    match transient {
        Some(subject) => Ok(chosen(subject, "NAME_ID (transient)", trace)),
        None => {
            require(trace, "Subject", "connection setting subject.from", wanted(sources), "none of them", false)?;
            Err(Stop::Rejected)
        }
    }
}

fn chosen(subject: UpstreamSubject, source: &str, trace: &mut TraceLog) -> UpstreamSubject {
    trace.decide("Subject", format!("{} from {source}", subject.display), true);
    subject
}

fn wanted(sources: &[SubjectSource]) -> String {
    let names: Vec<_> = sources
        .iter()
        .map(|source| match source {
            SubjectSource::NameId => "NAME_ID",
            SubjectSource::Attribute(name) => name,
        })
        .collect();
    names.join(", ")
}

/// The key holds Format, both qualifiers and the value, so that no two names can meet in it. The
/// value is not trimmed and keeps its case.
fn from_name_id(name_id: &NameId<'_>, parties: Parties<'_>, trace: &mut TraceLog) -> Checked<UpstreamSubject> {
    let length = name_id.value.len();
    let fits = !name_id.value.trim().is_empty() && length <= MAX_VALUE;
    require(trace, "NameID", "SAML core 8.3.7", "1 to 1024 octets", format!("{length} octets"), fits)?;
    let format = name_id.format.unwrap_or(names::FORMAT_UNSPECIFIED);
    let (qualifier, sp_qualifier) = match format {
        // These two may be left out where they name the two parties (SAML core 8.3.7).
        names::FORMAT_PERSISTENT => (
            name_id.name_qualifier.filter(|&qualifier| qualifier != parties.idp),
            name_id.sp_name_qualifier.filter(|&qualifier| qualifier != parties.sp),
        ),
        _ => (name_id.name_qualifier, name_id.sp_name_qualifier),
    };
    Ok(UpstreamSubject {
        key: json!(["nameid", format, qualifier, sp_qualifier, name_id.value]).to_string(),
        display: name_id.value.to_owned(),
        stable: format != names::FORMAT_TRANSIENT,
        scope: None,
    })
}

fn from_attribute(name: &str, attributes: &Attributes, trace: &mut TraceLog) -> Checked<Option<UpstreamSubject>> {
    let values: Vec<&String> = attributes.get(name).iter().filter(|value| !value.trim().is_empty()).collect();
    match values.as_slice() {
        [] => Ok(None),
        [value] => {
            let length = value.len();
            let fits = length <= MAX_VALUE;
            require(
                trace,
                "Subject attribute",
                "connection setting subject.from",
                "at most 1024 octets",
                format!("{length} octets"),
                fits,
            )?;
            Ok(Some(UpstreamSubject {
                key: json!(["attribute", name, value]).to_string(),
                display: (*value).clone(),
                stable: true,
                scope: None,
            }))
        }
        many => {
            let actual = format!("{} values of {name}", many.len());
            require(trace, "Subject attribute", "connection setting subject.from", "one value", actual, false)?;
            Err(Stop::Rejected)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PARTIES: Parties<'static> = Parties { idp: "https://idp.example", sp: "https://sp.example" };

    fn name(value: &'static str, format: Option<&'static str>) -> NameId<'static> {
        NameId { value, format, name_qualifier: None, sp_name_qualifier: None, sp_provided_id: None }
    }

    fn key(name_id: NameId<'_>) -> String {
        from_name_id(&name_id, PARTIES, &mut TraceLog::new()).unwrap().key
    }

    #[test]
    fn every_part_of_a_name_counts() {
        let plain = name("alice", Some(names::FORMAT_PERSISTENT));
        let others = [
            name("Alice", plain.format),
            name("alice ", plain.format),
            name("alice", Some(names::FORMAT_EMAIL)),
            name("alice", None),
            NameId { name_qualifier: Some("urn:q"), ..plain },
            NameId { sp_name_qualifier: Some("urn:q"), ..plain },
        ];
        let mut keys: Vec<_> = others.into_iter().chain([plain]).map(key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 7);
    }

    #[test]
    fn defaults_are_the_same_as_what_they_stand_for() {
        assert_eq!(key(name("a", None)), key(name("a", Some(names::FORMAT_UNSPECIFIED))));
        let plain = name("a", Some(names::FORMAT_PERSISTENT));
        let full = NameId { name_qualifier: Some(PARTIES.idp), sp_name_qualifier: Some(PARTIES.sp), ..plain };
        assert_eq!(key(plain), key(full));
    }

    #[test]
    fn a_transient_name_gives_way_to_an_attribute() {
        let transient = name("_x", Some(names::FORMAT_TRANSIENT));
        let sources = [SubjectSource::NameId, SubjectSource::Attribute("mail".into())];
        let mut attributes = Attributes::new();
        let mut trace = TraceLog::new();
        let first = find(&sources, Some(&transient), &attributes, PARTIES, &mut trace).unwrap();
        assert!(!first.stable);
        attributes.push("mail", "a@x.example");
        let second = find(&sources, Some(&transient), &attributes, PARTIES, &mut trace).unwrap();
        assert!(second.stable);
        assert_eq!(second.display, "a@x.example");
        attributes.push("mail", "b@x.example");
        assert_eq!(find(&sources, Some(&transient), &attributes, PARTIES, &mut trace), Err(Stop::Rejected));
        assert_eq!(trace.cause().unwrap(), "Subject attribute: expected one value, got 2 values of mail");
        let mut long = Attributes::new();
        long.push("mail", "x".repeat(1025));
        assert_eq!(find(&sources, Some(&transient), &long, PARTIES, &mut trace), Err(Stop::Rejected));
    }

    #[test]
    fn nothing_present_is_refused() {
        let mut trace = TraceLog::new();
        let sources = [SubjectSource::Attribute("uid".into())];
        assert!(find(&sources, Some(&name("a", None)), &Attributes::new(), PARTIES, &mut trace).is_err());
        assert_eq!(trace.cause().unwrap(), "Subject: expected uid, got none of them");
        assert!(
            find(&[SubjectSource::NameId], Some(&name(" ", None)), &Attributes::new(), PARTIES, &mut trace).is_err()
        );
    }
}
