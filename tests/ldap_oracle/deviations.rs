//! Where OpenLDAP does not do as the RFCs say, and we do. They are left out of the random filters.

use super::Both;
use super::people::{FOLDED, FOLDED_NAMES, PEOPLE};

#[tokio::test]
async fn openldap_deviates_here_and_nowhere_else() {
    let both = Both::start().await;
    let everybody = both.count("(displayName=*)").0;
    assert!(everybody > PEOPLE, "{everybody}");
    let p = |filter: &str| format!("(&(uid=p*){filter})");
    let cut_at_a_space = [
        // RFC 4518 section 2.6.1: a value begins with a space, and ends with one; a piece of spaces alone is one space.
        (&*p("(sn= *)"), PEOPLE),
        (&*p("(sn=* *)"), PEOPLE),
        // A piece keeps the space that it was cut at, and meets the one at the value's end.
        (&*p("(sn=archer *)"), both.count(&p("(sn=archer)")).0),
        (&*p("(sn=* archer)"), both.count(&p("(sn=archer)")).0),
        (&*p("(sn=* archer *)"), both.count(&p("(sn=archer)")).0),
        // There are two spaces between words, one for each of the pieces.
        (&*p("(sn=de * la*)"), both.count(&p("(sn=de la Cruz)")).0),
    ];
    for (filter, expected) in cut_at_a_space {
        let (ours, theirs) = both.count(filter);
        assert!(expected > 0 && ours == expected, "{filter}: {ours} of {expected}");
        assert!(theirs < expected, "{filter}: OpenLDAP does it too by now: {theirs}");
    }
    // Of spaces alone at the end both say the same.
    assert_eq!(both.count("(displayName=* )"), (everybody, everybody));

    // RFC 4518 section 2.2: case is folded by RFC 3454 table B.2, which makes two letters of some, and small letters of
    // those whose compatible form is a capital.
    let folded = |value: &str| both.count(&format!("(&(uid={FOLDED}*)(givenName={value}))"));
    for (value, expected, theirs) in
        [("strasse", 2, 0), ("STRASSE", 2, 0), ("straße", 2, 1), ("clara", 1, 0), ("iv", 1, 0), ("*ass*", 2, 0)]
    {
        assert_eq!(folded(value), (expected, theirs), "{value}");
    }
    assert_eq!(both.count(&format!("(uid={FOLDED}*)")), (FOLDED_NAMES.len(), FOLDED_NAMES.len()));
}
