//! Reads names, and prepares values.

use fedbridge_ldap_core::Dn;
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::dn::{relative, split};
use fedbridge_ldap_core::prep::{Case, Part, prepare, prepare_part};
use fedbridge_ldap_core::value::{sid::Sid, time, uuid};

/// The first line is a name, the rest another one; all of it is a value.
///
/// # Panics
/// A name is not its own normal form, a value is more than a value, or preparing twice is another thing than once.
pub fn check(octets: &[u8]) {
    value(octets);
    let Ok(text) = std::str::from_utf8(octets) else { return };
    words(text);
    let (text, base) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(name) = Dn::parse(text) else { return };
    let normal = name.normalized();
    assert_eq!(Dn::parse(&normal).as_ref(), Ok(&name), "another name: {normal}");
    assert_eq!(Dn::parse(&normal).map(|again| again.normalized()), Ok(normal));
    let mut above = Some(name.clone());
    while let Some(one) = above {
        assert!(name.is_under(&one), "not under its own parent");
        above = one.parent();
    }
    let Ok(base) = Dn::parse(base) else { return };
    let before = relative(text, &base);
    assert_eq!(before.is_some(), name.is_under(&base));
    if let (Some(before), Some(depth)) = (before, name.depth_under(&base)) {
        assert_eq!(Dn::parse(before).map(|before| before.rdns), Ok(name.rdns[..depth].to_vec()), "another name");
    }
}

fn value(octets: &[u8]) {
    let text = format!("cn={},dc=x", Dn::escape(octets));
    let rdns = split(&text).expect("an escaped value is a value");
    assert_eq!(rdns.len(), 2, "more than a value: {text}");
    assert_eq!(rdns[0].avas[0].value[..], *octets, "another value: {text}");
    for case in [Case::Ignore, Case::Exact] {
        let once = prepare(octets, case);
        assert_eq!(prepare(&once, case), once, "prepared twice");
        for part in [Part::First, Part::Any, Part::Last] {
            let once = prepare_part(octets, case, part);
            assert_eq!(prepare_part(&once, case, part), once, "prepared twice");
        }
    }
}

fn words(text: &str) {
    if let Some(at) = time::parse(text)
        && let Some(printed) = time::print(at)
    {
        assert_eq!(time::parse(&printed), Some(at.div_euclid(1000) * 1000), "another time");
    }
    if let Some(octets) = uuid::from_text(text) {
        assert_eq!(uuid::from_text(&uuid::to_text(octets)), Some(octets));
        assert_eq!(uuid::guid_from_text(&uuid::guid_to_text(&octets).expect("16 octets")), Some(octets));
    }
    if let Some(sid) = Sid::from_text(text) {
        assert_eq!(Sid::from_octets(&sid.octets()), Some(sid), "another SID");
    }
    let description = Description::of(text);
    if let Some(range) = description.range() {
        let next = range.next("member");
        assert!(next.is_none_or(|next| Description::of(&next).range().is_some_and(|next| next.first > range.first)));
    }
}
